"""Hugging Face: the `compute_metrics` of a Trainer by whole-set macro F1, and its output to Predictions.

sides = fold_sides(dataset, split, fold=0)
trainer = Trainer(
    model=model, args=TrainingArguments(..., eval_strategy="epoch"),
    train_dataset=photos(sides.train), eval_dataset=photos(sides.inner), compute_metrics=macro_f1,
)
trainer.train()
made = predictions(trainer.predict(photos(sides.held_out)), sides, dataset, split, fold=0,
                   id2label=model.config.id2label)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from hoego.data.dataset import Dataset
from hoego.errors import MismatchError
from hoego.evaluate.score.formulas import macro_f1_score
from hoego.predictions import Predictions
from hoego.split import Split
from hoego.split.sides import FoldSides


def macro_f1(output: Any) -> dict[str, float]:
    """Return macro F1 of an EvalPrediction over the whole set, as `compute_metrics` of a Trainer."""
    logits = _logits(output.predictions)
    truth = np.maximum(np.asarray(output.label_ids, dtype=np.int64), -1)
    return {"macro_f1": macro_f1_score(logits.argmax(axis=1), truth, logits.shape[1])}


def predictions(
    output: Any,
    sides: FoldSides,
    dataset: Dataset,
    split: Split,
    fold: int = 0,
    *,
    id2label: Mapping[int, str],
) -> Predictions:
    """Take the output of `Trainer.predict` on the held-out side of a fold.

    Args:
        output: PredictionOutput with logits [N, C].
        sides: of the fold; the photos were predicted in the order of `sides.held_out`.
        dataset, split, fold: of the photos.
        id2label: of the model's configuration; columns go by name.

    Raises:
        MismatchError: the output has another number of rows.
        DataError: the names are not the classes of the target.
    """
    logits = _logits(output.predictions)
    if len(logits) != len(sides.held_out):
        raise MismatchError(
            f"The output has {len(logits):,} rows, the held-out side {len(sides.held_out):,}.",
            remedy="Predict the rows of sides.held_out, in their order.",
        )
    frame = {str(name): logits[:, int(k)] for k, name in id2label.items()}
    return Predictions.from_logits(frame, dataset.image_ids[sides.held_out], dataset, split, None, fold)


def _logits(values: Any) -> Any:
    """Return logits [N, C]; some models give hidden states after them."""
    return np.asarray(values[0] if isinstance(values, tuple) else values, dtype=np.float32)
