"""The fields of a change (a form or a JSON object), and where the browser goes afterwards."""

from __future__ import annotations

import json
import shlex
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qs

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from hoego.board.board import Board
from hoego.errors import UsageError

LARGEST = 256 * 1024
"""Bytes of a change: ids of a few thousand runs, or a long note."""


@dataclass(frozen=True)
class Fields:
    """The fields of a change: name -> texts."""

    texts: Mapping[str, Sequence[str]]

    def one(self, name: str, default: str = "") -> str:
        """Return the field's last text, without blanks around it."""
        found = self.texts.get(name) or [default]
        return found[-1].strip()

    def all(self, name: str) -> list[str]:
        """Return all texts of a field that are not empty."""
        return [text.strip() for text in self.texts.get(name, ()) if text.strip()]


def words(text: str) -> list[str]:
    """Split settings such as `a.b=c d="e f"`. Raises UsageError where a quotation is not closed."""
    try:
        return shlex.split(text)
    except ValueError:
        raise UsageError(
            "The settings cannot be read.", remedy='Close the quotation: model.name="resnet18"'
        ) from None


async def fields_of(request: Request) -> Fields:
    """Read a change. Raises UsageError where it is too long or is neither a form nor a JSON object of texts."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > LARGEST:
            raise UsageError("The change is too long.", remedy=f"At most {LARGEST:,} bytes.")
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    try:
        text = body.decode()
        if kind == "application/json":
            return Fields({str(k): _texts(v) for k, v in json.loads(text).items()})
        if kind == "application/x-www-form-urlencoded":
            return Fields(parse_qs(text, keep_blank_values=True))
    except (ValueError, AttributeError):
        raise UsageError("The change cannot be read.", remedy="Send a form, or a JSON object.") from None
    raise UsageError(f"A change of type {kind!r} is not taken.", remedy="Send a form, or a JSON object.")


def _texts(value: object) -> list[str]:
    if isinstance(value, list):
        return [str(item) for item in value]
    return [] if value is None else [str(value)]


@dataclass(frozen=True)
class Changed:
    """What a change did.

    Args:
        facts: for a script that asked, as JSON.
        to: where the browser goes; "" for the page that it came from.
    """

    facts: Mapping[str, object]
    to: str = ""


def change(
    act: Callable[[Board, Fields], Changed], *, records: bool = True
) -> Callable[[Request], Awaitable[Response]]:
    """Make an endpoint of a function that changes something; it runs in a thread, since files are locked for it.

    Args:
        act: what is done.
        records: whether it changes records, which are then looked at again at once.
    """

    async def endpoint(request: Request) -> Response:
        board: Board = request.app.state.board
        fields = await fields_of(request)
        made = await run_in_threadpool(act, board, fields)
        if records:
            board.store.look(everything=True)
        if wants_json(request):
            return JSONResponse({"to": made.to, **made.facts})
        return RedirectResponse(made.to or local(fields.one("back"), "/runs"), 303)

    endpoint.__doc__ = act.__doc__
    return endpoint


def wants_json(request: Request) -> bool:
    """Return whether the page's script asks, which takes JSON."""
    return "application/json" in request.headers.get("accept", "")


def local(address: str, otherwise: str) -> str:
    r"""Return an address of this site; another site's is not taken.

    >>> local("/runs?sort=id", "/"), local("//evil.example", "/"), local("/\\evil.example", "/")
    ('/runs?sort=id', '/', '/')
    """
    own = address.startswith("/") and not address.startswith("//") and "\\" not in address
    return address if own and "\n" not in address and "\r" not in address else otherwise
