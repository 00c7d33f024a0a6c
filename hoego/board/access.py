"""Access rules of the board: the host's name, the token, the origin of every change, the headers of every answer.

A page that some other site opens in the same browser must not read the records or change a label. Its requests carry a
foreign Host (DNS rebinding), no token (the cookie is sent to this site alone) or a foreign Origin.
"""

from __future__ import annotations

import ipaddress
import re
import secrets
import socket
from dataclasses import dataclass, field
from urllib.parse import urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hoego.listening import is_loopback

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
SAFE = frozenset({"GET", "HEAD"})
HEADERS = {
    "content-security-policy": "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    # With "no-referrer" a browser would send the Origin "null" with forms.
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
}
_HOST = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^:/@\s]+)(?::\d{1,5})?")


@dataclass(frozen=True)
class AccessRules:
    """The rules for every request.

    Args:
        host: on which the board listens.
        port: likewise; the cookie's name holds it, since cookies do not tell ports apart.
        read_only: refuse every change.
        token: that the printed address holds; new at every start.
    """

    host: str = "127.0.0.1"
    port: int = 8765
    read_only: bool = False
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24))

    @property
    def cookie(self) -> str:
        """The name of the cookie that holds the token."""
        return f"hoego_{self.port}"

    def knows_host(self, header: str) -> bool:
        """Return whether the Host of a request names this board.

        On a loopback address those are its names; elsewhere also this machine's, and addresses in numbers, which no
        name server can give another meaning.
        """
        match = _HOST.fullmatch(header)
        if match is None:
            return False
        name = match[1].strip("[]").lower()
        if name in LOOPBACK or name == self.host.lower():
            return True
        if is_loopback(self.host):
            return False
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return name in {socket.gethostname().lower(), socket.getfqdn().lower()}
        return True

    def is_token(self, text: str | None) -> bool:
        """Return whether a text is the token, in constant time."""
        return secrets.compare_digest((text or "").encode(), self.token.encode())

    def knows(self, request: Request) -> bool:
        """Return whether a request holds the token, in its cookie or as a bearer's."""
        scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
        return self.is_token(request.cookies.get(self.cookie)) or (
            scheme.lower() == "bearer" and self.is_token(bearer.strip())
        )


class Guard:
    """Refuse what the rules do not allow, before the application sees it; set the headers of every answer."""

    def __init__(self, app: ASGIApp, rules: AccessRules) -> None:
        self.app = app
        self.rules = rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            # No web sockets: only the start and the end of the server come here.
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("cache-control", "no-store")
            await send(message)

        refused = self._refusal(Request(scope, receive))
        await (refused or self.app)(scope, receive, with_headers)

    def _refusal(self, request: Request) -> Response | None:
        rules = self.rules
        if not rules.knows_host(request.headers.get("host", "")):
            return PlainTextResponse("This board does not have that name.", 400)
        if request.method in SAFE and rules.is_token(request.query_params.get("token")):
            return self._enter(request)
        if not rules.knows(request):
            return PlainTextResponse(
                "Open the address that `hoego board` has printed: it holds a token.", 403
            )
        if request.method in SAFE:
            return None
        if rules.read_only:
            return PlainTextResponse("This board is open for reading only.", 403)
        if not same_origin(request.headers, request.url.scheme):
            return PlainTextResponse("The request comes from another site.", 403)
        return None

    def _enter(self, request: Request) -> Response:
        """Take the token into a cookie and out of the address, where it would be seen and copied."""
        rest = [(k, v) for k, v in request.query_params.multi_items() if k != "token"]
        # Two slashes would lead to another site.
        path = "/" + request.url.path.lstrip("/")
        response = RedirectResponse(f"{path}?{urlencode(rest)}" if rest else path, 303)
        response.set_cookie(self.rules.cookie, self.rules.token, httponly=True, samesite="strict", path="/")
        return response


def same_origin(headers: Headers, scheme: str) -> bool:
    """Return whether a change was asked for by a page of this board: its Origin is the address that it goes to."""
    return headers.get("origin", "").lower() == f"{scheme}://{headers.get('host', '')}".lower()
