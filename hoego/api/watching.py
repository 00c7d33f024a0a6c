"""`hoego.watch`: see that a training opens no photo that its fold holds out."""

from __future__ import annotations

from pathlib import Path

from hoego.data.dataset import Dataset
from hoego.runs.outside.watching.watch import Watch
from hoego.split import Split


def watch(
    dataset: Dataset,
    split: Split,
    fold: int = 0,
    *,
    sealed: Path | str | None = None,
    to: Path | str | None = None,
) -> Watch:
    """Watch which photos any process of this machine opens while the `with` block runs (Linux; elsewhere it says so)::

        with hoego.watch(dataset, split, fold=0) as seen:
            model.fit(...)
        made = seen.witness(Predictions.from_probabilities(p, images, dataset, split, fold=0))

    Args:
        dataset: of the photos.
        split: by which the model is trained.
        fold: that is held out.
        sealed: folder of the export that the training reads; its copies are watched too.
        to: where the evidence is written, for `hoego import --evidence`.

    Raises:
        LeakError: when the block ends, if a held-out photo was opened; names photos.
        MismatchError: the split is of another data set.
    """
    return Watch(dataset, split, fold, sealed=sealed, to=to)
