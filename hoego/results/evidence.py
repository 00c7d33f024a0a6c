"""What a watch over a training saw: which photos were opened, and what could not be watched."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from hoego import files
from hoego.errors import DataError, UsageError
from hoego.packed import unpack_mask
from hoego.results.base import Result

GapKind = Literal[
    "system", "folder", "link", "overflow", "changed", "open before", "cache", "unknown photo", "remote",
    "still running", "nothing read",
]  # fmt: skip
FORMAT = 1


class Gap(Result):
    """Something that the watch could not see; one gap is enough for the honesty to stay `declared`.

    Args:
        kind: of gap.
        message: what was not watched and why, in words.
        count: of how many files, folders or events.
        examples: a few of their names.
    """

    kind: GapKind
    message: str
    count: int = 1
    examples: tuple[str, ...] = ()


class Evidence(Result):
    """What a watch over the training of one fold's model saw, from its start to its end.

    Args:
        format: of the file.
        dataset, split, split_name: fingerprints and name of what was watched.
        fold: the fold that was held out.
        command: that was watched; () for a block of Python.
        started: date and time in UTC.
        seconds: from the start to the end.
        finished: whether the training ended without an error.
        folders, links: how many folders, and photos with several hard links, were watched.
        sealed: salt of the export that was watched too; "" for none.
        training, held_out: photos on the two sides of the fold.
        training_opened: training photos that were opened.
        held_out_opened: ids of the held-out photos that were opened.
        copies: id -> another file with the same bytes, or of the export, by which a held-out photo was opened.
        opened: the mask [N] of opened photos in the order of the ids, compressed.
        opened_digest: blake2b of the sorted ids of the opened photos.
        other_files: how many other files were opened in the watched folders.
        gaps: what was not watchable.
        notes: what else is to be said.
        digest: of all the above.
    """

    TITLE: ClassVar[str] = "Evidence of a training"
    DERIVED: ClassVar[tuple[str, ...]] = ("honesty",)

    format: int = FORMAT
    dataset: str
    split: str
    split_name: str
    fold: int
    command: tuple[str, ...] = ()
    started: str
    seconds: float
    finished: bool
    folders: int
    links: int
    sealed: str = ""
    training: int
    held_out: int
    training_opened: int
    held_out_opened: tuple[str, ...]
    copies: Mapping[str, str] = {}
    opened: str
    opened_digest: str
    other_files: int
    gaps: tuple[Gap, ...] = ()
    notes: tuple[str, ...] = ()
    digest: str = ""

    @property
    def honesty(self) -> str:
        """What predictions of the held-out photos are by this evidence: witnessed, declared or in-sample."""
        if self.held_out_opened:
            return "in-sample"
        return "witnessed" if self.finished and not self.gaps else "declared"

    def opened_mask(self) -> NDArray[np.bool_]:
        """Return the mask [N] of the photos that were opened, in the order of the ids."""
        return unpack_mask(self.opened, self.training + self.held_out)

    def sealed_up(self) -> Evidence:
        """Return the same evidence with the digest of its content."""
        return self.with_(digest=self._content_digest())

    def write(self, path: Path) -> None:
        """Write the evidence as JSON, whole or not at all."""
        files.write_json(path, self.model_dump(mode="json"))

    def _content_digest(self) -> str:
        content = {k: v for k, v in self.model_dump(mode="json").items() if k != "digest"}
        return blake2b(json.dumps(content, sort_keys=True).encode(), digest_size=16).hexdigest()


def read_evidence(path: Path) -> Evidence:
    """Read what `Evidence.write` wrote.

    Raises:
        UsageError: there is no such file.
        DataError: it is not evidence, has a later format, or was changed after it was written.
    """
    if not path.is_file():
        raise UsageError("There is no such evidence.", file=path, remedy="hoego watch writes it.")
    content: dict[str, Any] = files.read_json(path)
    if isinstance(content.get("format"), int) and content["format"] > FORMAT:
        raise DataError(
            f"The evidence has the format {content['format']}, this Hoego reads up to {FORMAT}.",
            file=path,
            remedy="Upgrade Hoego on this machine.",
        )
    try:
        found = Evidence.model_validate(content)
    except ValidationError as problem:
        first = problem.errors()[0]
        raise DataError(
            f"This is not evidence of a watch: {first['msg']}",
            file=path,
            column=".".join(map(str, first["loc"])),
            remedy="Give the file that hoego watch wrote.",
        ) from None
    if found.digest != found._content_digest():
        raise DataError(
            "The evidence was changed after it was written.", file=path, remedy="Watch the training again."
        )
    return found
