"""Held-out predictions of every epoch, in half precision: the optimism of choosing an epoch is computed from them.

Written and read with numpy alone, so that scores are computed without torch.

    fold-K/epochs/index.json     images (ids), heads (scale and number of classes of each)
    fold-K/epochs/0007.npz       float16 [N, C] per kind of weights and head, named "raw|age", "ema|age"
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hoego import files
from hoego.damage import parsing
from hoego.errors import RecordError
from hoego.predictions.scale import Scale
from hoego.short_repr import ShortRepr
from hoego.storage import storing

HALF_MAX = float(np.finfo(np.float16).max)
"""Larger logits (65,504) are clipped: as infinities they would turn the softmax into NaN."""


@dataclass(frozen=True, eq=False, repr=False)
class EpochPredictions(ShortRepr):
    """Held-out predictions of one candidate: the weights of an epoch.

    Args:
        epoch: from 0.
        weights: "raw", "ema" or "swa".
        values: float16 [N, C] by head.
    """

    epoch: int
    weights: str
    values: Mapping[str, NDArray[np.float16]]


class EpochStore:
    """The folder `epochs` of a fold, with the held-out predictions of every epoch."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "epochs"

    def start(self, images: Sequence[str], scale: Mapping[str, Scale], classes: Mapping[str, int]) -> None:
        """Write the index of the images and heads; call it once, before the first `write`."""
        with storing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        heads = {name: {"scale": scale[name], "classes": classes[name]} for name in scale}
        text = json.dumps({"images": list(images), "heads": heads}, ensure_ascii=False)
        files.write_text(self.folder / "index.json", text, durable=False)

    @property
    def started(self) -> bool:
        """True where the index is written."""
        return (self.folder / "index.json").is_file()

    def write(self, epoch: int, candidates: Mapping[str, Mapping[str, NDArray[np.float32]]]) -> None:
        """Store one epoch: by kind of weights and by head, float [N, C]."""
        arrays = {
            f"{weights}|{head}": np.clip(values, -HALF_MAX, HALF_MAX).astype(np.float16)
            for weights, heads in candidates.items()
            for head, values in heads.items()
        }
        path = self.folder / f"{epoch:04d}.npz"
        # As a stream: given a name, NumPy would add .npz to the temporary one.
        with files.writing(path, durable=False) as temporary, temporary.open("wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]

    def index(self) -> dict[str, Any]:
        """Read `images` and `heads`. Raises RecordError where nothing was stored."""
        path = self.folder / "index.json"
        if not path.exists():
            raise RecordError(
                "The run keeps no predictions of its epochs.",
                file=path,
                remedy="Train the run again.",
            )
        return files.read_json(path)

    def read(self) -> Iterator[EpochPredictions]:
        """Read every candidate, epoch by epoch. Raises RecordError on a damaged file."""
        for path in sorted(self.folder.glob("[0-9]*.npz")):
            with parsing(path), np.load(path) as arrays:
                content = {name: arrays[name] for name in arrays.files}
            kinds = dict.fromkeys(name.partition("|")[0] for name in content)
            for weights in kinds:
                values = {n.partition("|")[2]: v for n, v in content.items() if n.startswith(f"{weights}|")}
                yield EpochPredictions(int(path.stem), weights, values)
