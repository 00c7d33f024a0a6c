"""The page for the Hugging Face Trainer, with the real package."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("transformers")

import torch
from bench import check, photos
from transformers import ResNetConfig, ResNetForImageClassification, Trainer, TrainingArguments

from hoego.errors import MismatchError
from hoego.integrations import hugging_face as page
from hoego.integrations.keras import pixels
from hoego.split.sides import fold_sides


def test_a_trainer_scores_the_whole_side_and_its_output_is_taken(tmp_path: Path) -> None:
    dataset, split = photos(tmp_path)
    sides = fold_sides(dataset, split, 3)
    shown = pixels(dataset, np.arange(dataset.n_images), (32, 32)).transpose(0, 3, 1, 2)
    values = torch.tensor(shown / 255 - 0.5, dtype=torch.float32)

    def side(rows: np.ndarray) -> list[dict[str, object]]:
        return [{"pixel_values": values[i], "labels": int(dataset.target[i])} for i in rows.tolist()]

    torch.manual_seed(0)
    config = ResNetConfig(
        embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic",
        id2label=dict(enumerate(dataset.schema.target_classes)),
    )  # fmt: skip
    args = TrainingArguments(
        output_dir=str(tmp_path / "out"), num_train_epochs=6, per_device_train_batch_size=8, learning_rate=0.01,
        report_to=[], use_cpu=True, eval_strategy="epoch", save_strategy="no", disable_tqdm=True,
    )  # fmt: skip
    trainer = Trainer(
        model=ResNetForImageClassification(config), args=args, train_dataset=side(sides.train),
        eval_dataset=side(sides.inner), compute_metrics=page.macro_f1,
    )  # fmt: skip
    trainer.train()
    assert trainer.evaluate()["eval_macro_f1"] >= 0.9
    output = trainer.predict(side(sides.held_out))
    made = page.predictions(output, sides, dataset, split, 3, id2label=config.id2label)
    check(made, dataset, split, 3)
    # By name, whatever the order of the columns.
    turned = output._replace(predictions=output.predictions[:, ::-1])
    names = {0: config.id2label[1], 1: config.id2label[0]}
    again = page.predictions(turned, sides, dataset, split, 3, id2label=names)
    np.testing.assert_array_equal(again.values["finding"], made.values["finding"])
    with pytest.raises(MismatchError, match="held-out side"):
        page.predictions(trainer.predict(side(sides.inner)), sides, dataset, split, 3, id2label=names)
