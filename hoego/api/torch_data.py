"""`hoego.torch_dataset`: a side of a fold for a training loop of one's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from hoego.data.dataset import Dataset
from hoego.extras import require
from hoego.split import Split

if TYPE_CHECKING:
    from hoego.train.fold_photos import FoldPhotos


def torch_dataset(
    dataset: Dataset,
    split: Split,
    fold: int = 0,
    side: Literal["train", "held_out"] = "train",
    *,
    transform: Callable[[Any], Any] | None = None,
    attribute: str | None = None,
) -> FoldPhotos:
    """Return one side of a fold as a dataset of PyTorch: decoded pixels, and labels on the training side alone.

    An item is (pixels, class) on the training side and pixels alone on the other; `images` gives the ids in the order
    of the items, for `Predictions.from_logits`. Pixels are uint8 [3, H, W] in the photo's own size.

    Args:
        dataset: of the photos.
        split: of the data set.
        fold: that is held out.
        side: "train" or "held_out".
        transform: what is done to the pixels of a photo, such as a resize of torchvision.transforms.v2.
        attribute: whose classes are learnt; the target where None.

    Raises:
        MismatchError: the split is of another data set.
        UsageError: there is no such side, or PyTorch is not installed.
        LeakError: when `labels` of the held-out side are asked for.
    """
    require("train", "hoego.torch_dataset", ["torch"])
    from hoego.train.fold_photos import FoldPhotos

    return FoldPhotos(dataset, split, fold, side, transform, attribute)
