"""Photo by photo: mistakes, flips between two runs, and accuracy where two columns cross."""

from __future__ import annotations

import numpy as np
import pytest
from scored_people import people, predict

from hoego.errors import MismatchError, UsageError
from hoego.evaluate.compare import flips
from hoego.evaluate.diagnose import cross_slices, crossable
from hoego.evaluate.diagnose.slices import accuracy_within
from hoego.evaluate.score.photos import predicted_photos

DATASET = people(60)
RUN = predict(DATASET, name="a")


def test_mistakes_are_those_of_the_confusion_matrix_and_the_surest_comes_first() -> None:
    photos = predicted_photos(RUN, DATASET, "age")
    truth = DATASET.classes_of("age")
    said = RUN.probabilities("age").argmax(axis=1)
    assert {p.image for p in photos.photos(photos.mistakes())} == set(
        DATASET.image_ids[truth != said].tolist()
    )
    cell = photos.mistakes(1, 2)
    assert len(cell) == ((truth == 1) & (said == 2)).sum() > 0
    assert len(photos.mistakes(1, 1)) == ((truth == 1) & (said == 1)).sum()
    sure = photos.confidence[photos.mistakes()]
    assert (np.diff(sure) <= 0).all()
    [first] = photos.photos(cell[:1])
    assert (first.truth, first.predicted) == ("30-59", ">=60")
    row = DATASET.positions([first.image])[0]
    assert first.content == int(DATASET.contents[row])
    assert first.subject == DATASET.subjects[DATASET.subject_index[row]]


def test_no_result_depends_on_the_order_of_the_rows() -> None:
    shuffled = RUN.take(np.random.default_rng(0).permutation(RUN.n_images))
    one, two = (predicted_photos(p, DATASET) for p in (RUN, shuffled))
    assert one.photos(one.mistakes()) == two.photos(two.mistakes())


def test_flips_are_right_in_one_and_wrong_in_the_other() -> None:
    other = predict(DATASET, (0.02, 0.04, 0.3), seed=5, name="b")
    found = flips(RUN, other, DATASET)
    a, b = found.first.right, found.second.right
    assert a[found.lost].all()
    assert not b[found.lost].any()
    assert b[found.gained].all()
    assert not a[found.gained].any()
    assert len(found.gained) - len(found.lost) == b.sum() - a.sum()
    back = flips(other, RUN, DATASET)
    assert set(back.gained.tolist()) == set(found.lost.tolist())
    with pytest.raises(MismatchError):
        flips(RUN, other.take(np.arange(50)), DATASET)


def test_crossed_slices_hold_every_photo_once_and_the_accuracy_of_each() -> None:
    found = cross_slices(RUN, DATASET, "age", "mask", "gender")
    assert (len(found.rows), len(found.columns)) == (3, 3)
    cells = [cell for row in found.cells for cell in row]
    assert sum(cell.images for cell in cells) == DATASET.n_images
    right = RUN.probabilities("gender").argmax(axis=1) == DATASET.classes_of("gender")
    for i in range(3):
        for j in range(3):
            inside = (DATASET.classes_of("age") == i) & (DATASET.classes_of("mask") == j)
            cell = found.cells[i][j]
            assert cell.subjects == len(np.unique(DATASET.subject_index[inside]))
            assert cell.accuracy is not None
            assert cell.accuracy.value == pytest.approx(right[inside].mean())
            assert cell.accuracy.low <= cell.accuracy.value <= cell.accuracy.high
    assert crossable(DATASET)[:3] == ("mask", "gender", "age")
    with pytest.raises(UsageError, match="no column"):
        cross_slices(RUN, DATASET, "age", "shoe")


def test_the_interval_of_an_accuracy_holds_its_level_over_people_who_err_as_a_whole() -> None:
    """400 draws of 40 people with 7 photos each, of whom a part is wrong altogether: no interval over photos holds."""
    rng = np.random.default_rng(1)
    owner = np.repeat(np.arange(40), 7)
    mask = np.ones(len(owner), dtype=bool)
    held = 0
    for _ in range(400):
        right = np.where(rng.random(40) < 0.3, 0.05, 0.95)[owner] > rng.random(len(owner))
        found = accuracy_within(mask, right, owner)
        held += found.low <= 0.7 * 0.95 + 0.3 * 0.05 <= found.high
    assert 0.92 <= held / 400 <= 0.99
