"""Photos of one side of a fold as a dataset of PyTorch, for a training loop of one's own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset as TorchDataset

from hoego.data.dataset import Dataset
from hoego.data.images import decode
from hoego.errors import LeakError, UsageError, nearest
from hoego.split import Split
from hoego.split.sides import fold_sides

SIDES = ("train", "held_out")
Transform = Callable[[torch.Tensor], Any]


class FoldPhotos(TorchDataset[Any]):
    """Photos of one side of a fold. An item is pixels and class on the training side, and pixels alone on the other.

    It holds no label of a held-out photo, so that none can reach a loop by accident. Pixels are uint8 [3, H, W],
    upright RGB in the photo's own size; a transform brings them to one size.

    Args:
        dataset: of the photos.
        split: of the data set.
        fold: that is held out.
        side: "train" (without photos that have no label) or "held_out".
        transform: what is done to the pixels of a photo; None for nothing.
        attribute: whose classes are learnt; the target where None.

    Attributes:
        images: ids [N] of the photos, in the order of the items.
        classes: the names of the C classes.

    Raises:
        MismatchError: the split is of another data set.
        UsageError: there is no such side.
    """

    def __init__(
        self,
        dataset: Dataset,
        split: Split,
        fold: int,
        side: str,
        transform: Transform | None = None,
        attribute: str | None = None,
    ) -> None:
        if side not in SIDES:
            raise UsageError(f"There is no side {side!r}.", remedy=nearest(side, SIDES))
        name = attribute or dataset.schema.target
        sides = fold_sides(dataset, split, fold, attribute=name, inner=0)
        rows = sides.train if side == "train" else sides.held_out
        paths = dataset.paths
        self.side = side
        self.images: NDArray[Any] = dataset.image_ids[rows]
        self.classes = dataset.schema.classes(name)
        self.transform = transform
        self._paths: list[Path] = [paths[i] for i in rows.tolist()]
        self._labels = dataset.classes_of(name)[rows].astype(np.int64) if side == "train" else None

    @property
    def labels(self) -> NDArray[np.int64]:
        """The class of each photo, int64 [N], of the training side. Raises LeakError on the held-out side."""
        if self._labels is None:
            raise LeakError(
                "The labels of held-out photos are not given to a training.",
                remedy="Predict these photos and score: hoego.score(Predictions.from_logits(z, photos.images, dataset, "
                "split, fold=K), dataset)",
            )
        return self._labels

    def __len__(self) -> int:
        """Return N."""
        return len(self._paths)

    def __getitem__(self, i: int) -> Any:
        """Return pixels, or (pixels, class) on the training side. Raises DataError naming a photo that is broken."""
        pixels: Any = torch.from_numpy(np.ascontiguousarray(decode(self._paths[i]).transpose(2, 0, 1)))
        if self.transform is not None:
            pixels = self.transform(pixels)
        return pixels if self._labels is None else (pixels, int(self._labels[i]))

    def __repr__(self) -> str:
        """Show the side in one line."""
        return f"FoldPhotos({self.side}: {len(self):,} photos, {len(self.classes)} classes)"
