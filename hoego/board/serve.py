"""Listening: the socket, the server, and its end."""

from __future__ import annotations

import socket

import uvicorn
from starlette.types import ASGIApp

from hoego.board.access import AccessRules
from hoego.errors import UsageError


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens; port 0 takes a free one.

    Raises UsageError where the address cannot be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    found = socket.socket(family, socket.SOCK_STREAM)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((host, port))
    except (OSError, OverflowError) as problem:
        found.close()
        why = getattr(problem, "strerror", None) or str(problem)
        raise UsageError(
            f"The board cannot listen on {host} port {port}: {why}.", remedy="--port 0 takes a free port."
        ) from None
    return found


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
