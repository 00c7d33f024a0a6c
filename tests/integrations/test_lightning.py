"""The page for Lightning, with the real package."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("lightning")

import torch
from bench import check, photos
from lightning.pytorch import LightningModule, Trainer
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from hoego.errors import MismatchError
from hoego.evaluate.score.formulas import macro_f1_score
from hoego.integrations import lightning as page
from hoego.integrations.keras import pixels
from hoego.split.sides import fold_sides


class Model(LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.network = nn.Linear(3, 2)

    def training_step(self, batch, _):
        return nn.functional.cross_entropy(self.network(batch[0]), batch[1])

    def validation_step(self, batch, _):
        return self.network(batch[0]), batch[1]

    def predict_step(self, batch, _):
        return self.network(batch[0])

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), 0.1)


def test_a_trainer_scores_the_whole_side_and_its_predictions_are_taken(tmp_path: Path) -> None:
    dataset, split = photos(tmp_path)
    sides = fold_sides(dataset, split, 2)
    means = pixels(dataset, np.arange(dataset.n_images), (32, 32)).mean(axis=(1, 2)) / 255
    colour, label = torch.tensor(means, dtype=torch.float32), torch.tensor(dataset.target, dtype=torch.long)

    def loader(rows: np.ndarray) -> DataLoader:
        return DataLoader(TensorDataset(colour[rows], label[rows]), batch_size=7)

    torch.manual_seed(0)
    trainer = Trainer(
        max_epochs=20, accelerator="cpu", logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, num_sanity_val_steps=1,
        callbacks=[page.WholeSetMacroF1(2)],
    )  # fmt: skip
    model = Model()
    trainer.fit(model, loader(sides.train), loader(sides.inner))
    with torch.inference_mode():
        said = model.network(colour[sides.inner]).argmax(1).numpy()
    whole = macro_f1_score(said, dataset.target[sides.inner], 2)
    assert float(trainer.callback_metrics["val_macro_f1"]) == pytest.approx(whole)
    batches = trainer.predict(model, loader(sides.held_out))
    check(page.predictions(batches, sides, dataset, split, 2), dataset, split, 2)
    with pytest.raises(MismatchError, match="held-out side"):
        page.predictions(batches[:-1], sides, dataset, split, 2)
