"""What is looked for and what was found: a file of published weights with its origin, its hash and its licence."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hoego.errors import TrainError
from hoego.results.weights import WeightsFile

if TYPE_CHECKING:
    from hoego.weights.packages import PackagedWeights

SHOWN = 12
"""Hex digits of a hash in a sentence; the record holds all 64."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Published weights by name.

    Args:
        model: timm's name of the architecture, without a tag.
        tag: of the weights, such as "in1k"; "" where the architecture has none.
        hub: repository on the hub, such as "timm/resnet18.a1_in1k"; "" where there is none.
        url: where the file is published besides; "" where it is not.
        config: what timm says of these weights (mean, std, input_size, licence, ...); {} without timm.
    """

    model: str
    tag: str = ""
    hub: str = ""
    url: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name with its tag, as `model.name` takes it."""
        return f"{self.model}.{self.tag}" if self.tag else self.model

    @property
    def file_name(self) -> str:
        """The published file's own name; "" where there is none."""
        return self.url.rpartition("/")[2]

    @classmethod
    def named(cls, name: str) -> Wanted:
        """Return what `name` asks for, without timm: its repository is supposed, its URL unknown."""
        model, _, tag = name.partition(".")
        return cls(model=model, tag=tag, hub=f"timm/{name}" if tag else "")


@dataclass(frozen=True, kw_only=True)
class Found:
    """A file of published weights on this machine.

    Args:
        path: the file.
        place: where it was found, in words.
        model: timm's name of the architecture.
        tag: of the weights.
        sha256: of the file, 64 hex digits.
        licence: SPDX name; "" where it is not stated.
        config: what is known of the weights: mean, std, interpolation, input_size, ...
        package: the adapter, where a package holds the file.
    """

    path: Path
    place: str
    model: str
    tag: str
    sha256: str
    licence: str
    config: Mapping[str, Any]
    package: PackagedWeights | None = None

    @property
    def name(self) -> str:
        """The name with its tag."""
        return f"{self.model}.{self.tag}" if self.tag else self.model

    @property
    def text(self) -> str:
        """The sentence beside every score.

        >>> Found(path=Path("x"), place="", model="resnet18", tag="a1_in1k", sha256="ab" * 32,
        ...       licence="Apache-2.0", config={}).text
        'resnet18 (a1_in1k, sha256 abababababab, Apache-2.0)'
        """
        parts = [self.tag, f"sha256 {self.sha256[:SHOWN]}", self.licence or "licence not stated"]
        return f"{self.model} ({', '.join(p for p in parts if p)})"

    def described(self) -> WeightsFile:
        """Return what is said of the file where it is listed."""
        return WeightsFile(
            name=self.name, place=self.place, file=str(self.path), sha256=self.sha256, licence=self.licence
        )


def sha256_of(path: Path) -> str:
    """Return the file's SHA-256, 64 hex digits; computed once as long as the file is not touched."""
    facts = path.stat()
    return _sha256(path.resolve(), facts.st_size, facts.st_mtime_ns)


@functools.lru_cache(maxsize=64)
def _sha256(path: Path, size: int, modified: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def require_hash(path: Path, expected: str, says: str) -> str:
    """Return the file's SHA-256.

    Args:
        path: the file.
        expected: its first digits; "" where nothing states them.
        says: who states them, for the error.

    Raises:
        TrainError: the file's own digits differ: it was changed, or not copied whole.
    """
    found = sha256_of(path)
    if not found.startswith(expected.lower()):
        raise TrainError(
            f"The weights are not the published ones: their sha256 is {found[:SHOWN]}…, and {says} "
            f"says {expected[:SHOWN]}….",
            file=path,
            remedy="Copy or fetch the file again.",
        )
    return found


_SPDX = {
    "apache-2.0": "Apache-2.0",
    "mit": "MIT",
    "bsd-3-clause": "BSD-3-Clause",
    "bsd-2-clause": "BSD-2-Clause",
}


def spdx(licence: str | None) -> str:
    """Return a licence as SPDX spells it; "" where none is stated.

    >>> spdx("apache-2.0"), spdx("cc-by-nc-4.0"), spdx("other"), spdx(None)
    ('Apache-2.0', 'CC-BY-NC-4.0', '', '')
    """
    text = (licence or "").strip()
    if text.lower() in ("", "other", "unknown", "none"):
        return ""
    return _SPDX.get(text.lower(), text.upper() if text.islower() else text)


def licence_note(found: Found) -> str:
    """Return what must be said of the licence of weights; "" where it allows every use."""
    if not found.licence:
        return (
            f"The licence of the weights {found.name} is not stated: ask before the model leaves the house."
        )
    words = found.licence.lower()
    if "-nc" in words or "noncommercial" in words or "non-commercial" in words or "research" in words:
        return f"The weights {found.name} are under {found.licence}: not for commercial use."
    return ""
