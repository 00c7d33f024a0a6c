"""`hoego.torch_dataset`: pixels of one side of a fold, with the labels of the training side alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

import hoego
from hoego.data.dataset import Dataset
from hoego.data.example import example_dataset
from hoego.errors import LeakError, MismatchError, UsageError

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return example_dataset()


@pytest.fixture(scope="module")
def split(dataset: Dataset) -> hoego.Split:
    return hoego.make_split(dataset, folds=3)


def test_the_training_side_gives_pixels_and_labels(dataset: Dataset, split: hoego.Split) -> None:
    photos = hoego.torch_dataset(dataset, split, 1)
    rows = dataset.positions(photos.images)
    assert sorted(photos.images.tolist()) == sorted(split.images[split.train_mask(1)].tolist())
    np.testing.assert_array_equal(photos.labels, dataset.target[rows])
    for i in (0, len(photos) - 1):
        pixels, label = photos[i]
        # The example writes the number of the photo into its red channel.
        assert (pixels.shape, pixels.dtype, int(pixels[0, 0, 0])) == ((3, 8, 8), torch.uint8, rows[i])
        assert label == dataset.target[rows[i]]


def test_the_held_out_side_gives_pixels_alone_and_asking_for_labels_is_an_error(
    dataset: Dataset, split: hoego.Split
) -> None:
    photos = hoego.torch_dataset(dataset, split, 1, "held_out")
    assert sorted(photos.images.tolist()) == sorted(split.images[split.val_mask(1)].tolist())
    assert isinstance(photos[0], torch.Tensor)
    with pytest.raises(LeakError, match="labels of held-out photos are not given"):
        _ = photos.labels
    # What reaches a worker process holds no label of a held-out photo either.
    assert [name for name, v in vars(photos).items() if isinstance(v, np.ndarray | Dataset)] == ["images"]


def test_a_loop_of_ones_own_leads_to_a_score(dataset: Dataset, split: hoego.Split) -> None:
    def transform(pixels: torch.Tensor) -> torch.Tensor:
        return pixels.float().mean((1, 2)) / 255

    parts = []
    for k in split.fold_numbers:
        train = hoego.torch_dataset(dataset, split, k, transform=transform)
        model = torch.nn.Linear(3, len(train.classes))
        optimiser = torch.optim.SGD(model.parameters(), 0.1)
        for pixels, label in torch.utils.data.DataLoader(train, 16, shuffle=True):
            loss = torch.nn.functional.cross_entropy(model(pixels), label)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        held = hoego.torch_dataset(dataset, split, k, "held_out", transform=transform)
        with torch.inference_mode():
            logits = torch.cat([model(pixels) for pixels in torch.utils.data.DataLoader(held, 16)])
        parts.append(hoego.Predictions.from_logits(logits.numpy(), held.images, dataset, split, fold=k))
    assert [str(hoego.score(p, dataset, resamples=50).honesty) for p in parts] == ["declared"] * 3


def test_photos_without_a_label_are_on_no_training_side(dataset: Dataset, split: hoego.Split) -> None:
    codes = dataset.codes.copy()
    codes[:5] = -1
    gaps = replace(dataset, codes=codes)
    own = hoego.make_split(gaps, folds=3)
    sides = [hoego.torch_dataset(gaps, own, 0, side) for side in ("train", "held_out")]
    unlabelled = set(gaps.image_ids[:5].tolist())
    assert not unlabelled & set(sides[0].images.tolist())
    assert (sides[0].labels >= 0).all()
    assert len(sides[1]) == int(own.val_mask(0).sum())


def test_what_cannot_be_given_is_refused(dataset: Dataset, split: hoego.Split) -> None:
    with pytest.raises(UsageError, match="no side 'test'"):
        hoego.torch_dataset(dataset, split, 0, "test")  # type: ignore[arg-type]
    with pytest.raises(MismatchError, match="another data set"):
        hoego.torch_dataset(example_dataset(9), split)
