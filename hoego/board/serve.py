"""Start and stop the server."""

from __future__ import annotations

import socket

import uvicorn
from starlette.types import ASGIApp

from hoego.board.access import AccessRules


def address(rules: AccessRules) -> str:
    """Return the address to open, with the token."""
    host = "127.0.0.1" if rules.host in ("0.0.0.0", "::") else rules.host
    return f"http://{f'[{host}]' if ':' in host else host}:{rules.port}/?token={rules.token}"


def serve(app: ASGIApp, found: socket.socket) -> None:
    """Answer until Ctrl-C."""
    config = uvicorn.Config(
        app, log_level="warning", server_header=False, timeout_graceful_shutdown=1, ws="none", lifespan="off"
    )
    uvicorn.Server(config).run(sockets=[found])
