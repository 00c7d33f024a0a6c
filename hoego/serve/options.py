"""Options of `hoego serve`, and the refusal of a request in one sentence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hoego.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class ServeOptions:
    """How an exported folder is served.

    Args:
        folder: that `hoego export` wrote.
        max_batch: photos that the session takes at a time.
        waiting: photos that may wait for it; more are refused with 503.
        token: that every request but health and the card must carry; "" asks for none.
        error: of the prediction sets.
        abstain: promised share of the people answered who get a wrong answer; None always answers.
        seconds: that a request may take.
        megabytes: of a request's body.
        megapixels: of a photo.
        photos: of a request.
    """

    folder: Path
    max_batch: int = 32
    waiting: int = 256
    token: str = ""
    error: float = 0.1
    abstain: float | None = None
    seconds: float = 30.0
    megabytes: float = 32.0
    megapixels: float = 40.0
    photos: int = 64

    def __post_init__(self) -> None:
        for name in ("max_batch", "waiting", "seconds", "megabytes", "megapixels", "photos"):
            if not getattr(self, name) > 0:
                raise UsageError(f"{name.replace('_', '-')} must be above 0, not {getattr(self, name)}.")

    @property
    def most_bytes(self) -> int:
        """Largest body of a request, in bytes."""
        return int(self.megabytes * 1e6)


class RequestProblem(Exception):
    """A request that is refused.

    Args:
        status: of HTTP.
        sentence: why, in one sentence for the person who sent it.
        headers: further headers of the answer.
    """

    def __init__(self, status: int, sentence: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence
        self.headers = dict(headers or {})


def read_token(path: Path | None) -> str:
    """Return the token in a file; "" where none is named.

    Raises UsageError where the file cannot be read or holds less than 16 characters.
    """
    if path is None:
        return ""
    try:
        token = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as e:
        raise UsageError(f"The token cannot be read: {e}", file=path) from None
    if len(token) < 16 or not token.isascii() or any(c.isspace() for c in token):
        raise UsageError(
            "A token is one line of at least 16 characters of ASCII.",
            file=path,
            remedy="openssl rand -hex 32 > FILE",
        )
    return token
