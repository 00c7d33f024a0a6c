"""fastai: a DataBlock's splitter by subject, and `get_preds` to Predictions.

    sides = fold_sides(dataset, split, fold=0)
    block = DataBlock(
        blocks=(ImageBlock, CategoryBlock(vocab=list(dataset.schema.target_classes))),
        get_x=path_of(dataset), get_y=label_of(dataset), splitter=splitter(sides), item_tfms=Resize(224),
    )
    learn = vision_learner(block.dataloaders(range(dataset.n_images)), resnet18)
    learn.fine_tune(3)
    made = predictions(learn, dataset, split, fold=0)

The items are rows of the data set. fastai's validation side is made of training subjects, so that early stopping and
the learning rate finder touch nothing that is scored, and no held-out photo is opened before `predictions`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hoego.data.dataset import Dataset
from hoego.predictions import Predictions
from hoego.split import Split
from hoego.split.sides import FoldSides, fold_sides


def splitter(sides: FoldSides) -> Callable[[Sequence[Any]], tuple[list[int], list[int]]]:
    """Return the splitter of a DataBlock whose items are the rows of the data set: training side, inner side."""

    def split_items(items: Sequence[Any]) -> tuple[list[int], list[int]]:
        place = {int(row): k for k, row in enumerate(items)}
        return [place[i] for i in sides.train.tolist()], [place[i] for i in sides.inner.tolist()]

    return split_items


def path_of(dataset: Dataset) -> Callable[[int], Path]:
    """Return a `get_x`: the file of a row."""
    return lambda row: dataset.paths[int(row)]


def label_of(dataset: Dataset, attribute: str | None = None) -> Callable[[int], str]:
    """Return a `get_y`: the class name of a row."""
    name = attribute or dataset.schema.target
    codes, classes = dataset.classes_of(name), dataset.schema.classes(name)
    return lambda row: classes[int(codes[int(row)])]


def predictions(
    learn: Any, dataset: Dataset, split: Split, fold: int = 0, attribute: str | None = None
) -> Predictions:
    """Predict the held-out photos of a fold by a trained Learner.

    Raises:
        DataError: the classes that the Learner knows are not those of the attribute.
    """
    rows = fold_sides(dataset, split, fold, attribute=attribute, inner=0).held_out
    p, _ = learn.get_preds(dl=learn.dls.test_dl(rows.tolist(), with_labels=False))
    frame = {str(name): p[:, k].numpy() for k, name in enumerate(learn.dls.vocab)}
    # fastai's own losses name the activation that get_preds applies; those of torch leave logits.
    take = (
        Predictions.from_probabilities if hasattr(learn.loss_func, "activation") else Predictions.from_logits
    )
    return take(frame, dataset.image_ids[rows], dataset, split, attribute, fold)
