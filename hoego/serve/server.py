"""Listening, and the end: a signal ends the service only when every accepted request is answered."""

from __future__ import annotations

import asyncio
import logging
import socket

import uvicorn

from hoego.serve.app import make_app
from hoego.serve.service import Service

LEAVING = 0.5
"""Seconds in which a service that ends still takes requests, says "not ready" and closes connections after answers."""


class DrainingServer(uvicorn.Server):
    """uvicorn, which closes idle connections at once, though a request may be on its way on them."""

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self.service = service

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Say that the service is leaving, answer what still comes, then end as uvicorn does."""
        self.service.draining = True
        await asyncio.sleep(LEAVING)
        for server in self.servers:
            server.close()
        await asyncio.sleep(LEAVING / 5)
        await super().shutdown(sockets)


def serve(service: Service, listening: socket.socket) -> None:
    """Answer until SIGTERM or Ctrl-C."""
    # It warns of every odd byte of a body that is refused anyway.
    logging.getLogger("python_multipart").setLevel(logging.ERROR)
    config = uvicorn.Config(
        make_app(service),
        log_level="warning",
        access_log=False,
        server_header=False,
        ws="none",
        timeout_graceful_shutdown=int(service.options.seconds) + 5,
        h11_max_incomplete_event_size=65_536,
    )
    DrainingServer(config, service).run(sockets=[listening])
