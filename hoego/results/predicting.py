"""What `hoego predict`, `hoego import` and `hoego submit` made."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from hoego.results.base import Result


class PredictResult(Result):
    """What `hoego predict` wrote.

    Args:
        run: whose model.
        images: how many photos.
        out: the file; None where none was asked for.
        models: checkpoints that were averaged.
        classes: photos per predicted class of the target.
        notes: sentences to show.
    """

    TITLE: ClassVar[str] = "Predictions of new photos"
    HONESTY_OF: ClassVar[str] = "not scored"

    run: str
    images: int
    out: Path | None
    models: tuple[str, ...]
    classes: Mapping[str, int]
    notes: tuple[str, ...] = ()
