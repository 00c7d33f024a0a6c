"""From the body of a request to the bytes of its photos: raw, multipart, or a JSON list of base64 texts."""

from __future__ import annotations

import base64
import binascii
import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from hoego.serve.options import RequestProblem, ServeOptions

RAW = ("application/octet-stream", "binary/octet-stream", "")
TYPES = (
    "Send a photo's bytes (image/jpeg), multipart/form-data, or application/json with a list of base64 texts."
)


@dataclass(frozen=True)
class SentPhoto:
    """A photo as it came: its name (that of its file, or its place), and its bytes."""

    name: str
    data: bytes = field(repr=False)


class HeldBytes:
    """The bytes of all bodies that are held at a time, bounded so that many large requests do not fill the memory.

    Args:
        most: bytes.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.now = 0

    def add(self, n: int) -> None:
        """Take n bytes. Raises RequestProblem (503) where too many are held."""
        if self.now + n > self.most:
            raise RequestProblem(
                503,
                "Too many large requests are being read; try again in a second.",
                {"retry-after": "1", "connection": "close"},
            )
        self.now += n

    @contextlib.contextmanager
    def of_request(self) -> Iterator[Callable[[int], None]]:
        """Give the body a function that takes bytes, and give them all back at its end."""
        taken: list[int] = []

        def take(n: int) -> None:
            self.add(n)
            taken.append(n)

        try:
            yield take
        finally:
            self.now -= sum(taken)


async def read_body(request: Request, options: ServeOptions, take: Callable[[int], None]) -> bytes:
    """Return the body of a request; `take` is called with the number of bytes that have come.

    Raises RequestProblem where it is too large (413), or too many bytes are held already (503).
    """
    too_large = RequestProblem(413, f"A request may hold {options.megabytes:g} MB.", {"connection": "close"})
    length = request.headers.get("content-length", "0")
    if not length.isdigit():
        raise RequestProblem(400, "Content-Length is not a number.")
    if int(length) > options.most_bytes:
        raise too_large
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > options.most_bytes:
            raise too_large
        take(len(part))
        parts.append(part)
    return b"".join(parts)


def photos_of(body: bytes, content_type: str, options: ServeOptions) -> list[SentPhoto]:
    """Return the photos of a body.

    Raises:
        RequestProblem: 415 for a kind of content that is not read, 400 for a body that is not of its kind or holds no
            photo, 413 for too many photos.
    """
    kind, parameters = parse_options_header(content_type)
    name = kind.decode("latin-1").lower()
    if name == "multipart/form-data":
        found = _multipart(body, parameters.get(b"boundary", b""))
    elif name == "application/json":
        found = _listed(body)
    elif name.startswith("image/") or name in RAW:
        found = [SentPhoto("photo", body)]
    else:
        raise RequestProblem(415, f"{name[:80]} is not read. {TYPES}")
    if not found or any(not photo.data for photo in found):
        raise RequestProblem(
            400, f"There is no photo in the request. {TYPES}" if not found else _empty(found)
        )
    if len(found) > options.photos:
        raise RequestProblem(413, f"A request may hold {options.photos} photos, not {len(found)}.")
    return found


def parsed_json(body: bytes) -> Any:
    """Return a JSON body. Raises RequestProblem (400) where it is none."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise RequestProblem(400, "The body is not JSON.") from None


def _empty(found: list[SentPhoto]) -> str:
    return f"{next(p.name for p in found if not p.data)} is empty (0 bytes)."


def _listed(body: bytes) -> list[SentPhoto]:
    content = parsed_json(body)
    if isinstance(content, dict):
        content = content.get("photos")
    if not isinstance(content, list):
        raise RequestProblem(400, 'JSON must be a list of base64 texts, or {"photos": [...]}.')
    out = []
    for k, text in enumerate(content):
        try:
            out.append(SentPhoto(str(k), base64.b64decode(text, validate=True)))
        except (binascii.Error, ValueError, TypeError):
            raise RequestProblem(400, f"Photo {k} is not a base64 text.") from None
    return out


class _Parts:
    """Collect the parts of a multipart body that are files, or are named "photo" or "photos"."""

    def __init__(self) -> None:
        self.found: list[SentPhoto] = []
        self.name = self.value = b""
        self.disposition = b""
        self.data: list[bytes] = []

    def on_part_begin(self) -> None:
        self.disposition, self.data = b"", []

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self.name += data[start:end]

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        self.value += data[start:end]

    def on_header_end(self) -> None:
        if self.name.lower() == b"content-disposition":
            self.disposition = self.value
        self.name = self.value = b""

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        self.data.append(data[start:end])

    def on_part_end(self) -> None:
        _, said = parse_options_header(self.disposition)
        if b"filename" in said or said.get(b"name") in (b"photo", b"photos"):
            name = said.get(b"filename", b"").decode("utf-8", "replace") or str(len(self.found))
            self.found.append(SentPhoto(name[:255], b"".join(self.data)))


def _multipart(body: bytes, boundary: bytes) -> list[SentPhoto]:
    if not boundary:
        raise RequestProblem(400, "multipart/form-data names no boundary.")
    parts = _Parts()
    names = (
        "on_part_begin", "on_header_field", "on_header_value", "on_header_end", "on_part_data", "on_part_end",
    )  # fmt: skip
    ended: list[bool] = []
    calls: Any = {name: getattr(parts, name) for name in names} | {"on_end": lambda: ended.append(True)}
    try:
        parser = MultipartParser(boundary, calls)
        parser.write(body)
        parser.finalize()
    except (FormParserError, ValueError):
        raise RequestProblem(400, "The multipart body cannot be read.") from None
    if not ended:
        raise RequestProblem(400, "The multipart body ends early.")
    return parts.found
