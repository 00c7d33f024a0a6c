"""The page for fastai, with the real package."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("fastai")

from bench import check, photos
from fastai.vision.all import CategoryBlock, DataBlock, F1Score, ImageBlock, Learner, set_seed
from torch import nn

import hoego
from hoego.integrations import fastai as page
from hoego.split.sides import fold_sides


def test_a_learner_trains_on_a_fold_opens_no_held_out_photo_and_predicts_it(tmp_path: Path) -> None:
    dataset, split = photos(tmp_path)
    set_seed(0)
    sides = fold_sides(dataset, split, 1)
    block = DataBlock(
        blocks=(ImageBlock, CategoryBlock(vocab=list(dataset.schema.target_classes))),
        get_x=page.path_of(dataset),
        get_y=page.label_of(dataset),
        splitter=page.splitter(sides),
    )
    with hoego.watch(dataset, split, fold=1) as seen:
        dls = block.dataloaders(range(dataset.n_images), bs=8, num_workers=0)
        assert (len(dls.train_ds), len(dls.valid_ds)) == (len(sides.train), len(sides.inner))
        network = nn.Sequential(
            nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2)
        )
        learn = Learner(
            dls, network, loss_func=nn.CrossEntropyLoss(), metrics=F1Score(average="macro"), path=tmp_path
        )
        with learn.no_bar(), learn.no_logging():
            learn.fit(8, 0.05)
    assert seen.evidence.held_out_opened == ()
    with learn.no_bar():
        made = page.predictions(learn, dataset, split, 1)
    check(made, dataset, split, 1)
    assert hoego.score(seen.witness(made), dataset, resamples=100).honesty == "witnessed"
