"""Lightning: a callback that scores the validation side by whole-set macro F1, and predictions to Predictions.

    sides = fold_sides(dataset, split, fold=0)
    trainer = Trainer(max_epochs=3, callbacks=[WholeSetMacroF1(n_classes=3)])
    trainer.fit(model, loader(sides.train), loader(sides.inner))
    made = predictions(trainer.predict(model, loader(sides.held_out)), sides, dataset, split, fold=0)

A mean over batches is not a macro F1: a rare class is missing from most batches. The callback gathers what
`validation_step` returns, logits [B, C] and labels [B], and logs `val_macro_f1` of the whole side after the epoch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hoego.data.dataset import Dataset
from hoego.errors import MismatchError, UsageError
from hoego.evaluate.score.formulas import macro_f1_score
from hoego.predictions import Predictions
from hoego.split import Split
from hoego.split.sides import FoldSides

try:
    from lightning.pytorch import Callback
except ModuleNotFoundError:  # the older name of the same package
    from pytorch_lightning import Callback


class WholeSetMacroF1(Callback):  # type: ignore[misc]
    """Logs `val_macro_f1` over the whole validation side.

    Args:
        n_classes: C.
    """

    def __init__(self, n_classes: int) -> None:
        self.n_classes = n_classes
        self._said: list[Any] = []
        self._true: list[Any] = []

    def on_validation_epoch_start(self, trainer: Any, module: Any) -> None:
        """Forget the last epoch."""
        self._said, self._true = [], []

    def on_validation_batch_end(
        self, trainer: Any, module: Any, outputs: Any, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """Keep what the model says of a batch, and its labels."""
        if not isinstance(outputs, tuple) or len(outputs) != 2:
            raise UsageError(
                "validation_step returns no pair of logits and labels.", remedy="return logits, labels"
            )
        logits, labels = (part.detach().cpu().numpy() for part in outputs)
        self._said.append(logits.argmax(axis=1))
        self._true.append(labels)

    def on_validation_epoch_end(self, trainer: Any, module: Any) -> None:
        """Log the score of the whole side."""
        said, true = np.concatenate(self._said), np.concatenate(self._true)
        module.log("val_macro_f1", macro_f1_score(said, true, self.n_classes), prog_bar=True)


def predictions(
    batches: Sequence[Any], sides: FoldSides, dataset: Dataset, split: Split, fold: int = 0
) -> Predictions:
    """Take what `Trainer.predict` gives for the held-out side of a fold.

    Args:
        batches: logits [B, C] of each batch, columns in the order of the target's classes.
        sides: of the fold; the photos were predicted in the order of `sides.held_out`, by a loader without shuffling.
        dataset, split, fold: of the photos.

    Raises:
        MismatchError: the batches have another number of rows.
    """
    logits = np.concatenate([b.detach().float().cpu().numpy() for b in batches])
    if len(logits) != len(sides.held_out):
        raise MismatchError(
            f"The batches have {len(logits):,} rows, the held-out side {len(sides.held_out):,}.",
            remedy="Predict the rows of sides.held_out, in their order.",
        )
    return Predictions.from_logits(logits, dataset.image_ids[sides.held_out], dataset, split, None, fold)
