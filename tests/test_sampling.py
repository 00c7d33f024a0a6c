"""The order of an epoch: counts against the formulas, and determinism."""

from __future__ import annotations

import numpy as np
import pytest

from hoego.errors import TrainError
from hoego.recipe.techniques import SamplingSettings
from hoego.train.sampling import epoch_order, weights

CLASSES = np.repeat([0, 1, 2], [700, 250, 50])
SUBJECTS = np.arange(1000) // 7


def counts(order: np.ndarray, of: np.ndarray = CLASSES) -> np.ndarray:
    return np.bincount(of[order])


def order(epoch: int = 0, epochs: int = 5, **settings: object) -> np.ndarray:
    return epoch_order(
        CLASSES,
        SamplingSettings(**settings),
        seed=1,
        epoch=epoch,
        epochs=epochs,
        subjects=SUBJECTS,  # type: ignore[arg-type]
    )


def test_without_sampling_every_photo_comes_once() -> None:
    for settings in ({"kind": "none", "strength": 1.0}, {"strength": 0.0}):
        assert np.array_equal(np.sort(order(**settings)), np.arange(1000))


@pytest.mark.parametrize(("strength", "expected"), [(1.0, [1, 1, 1]), (0.5, [700**0.5, 250**0.5, 50**0.5])])
def test_strength_interpolates_by_powers(strength: float, expected: list[float]) -> None:
    share = np.array(expected) / sum(expected)
    drawn = order(strength=strength)
    assert len(drawn) == 1000
    assert np.abs(counts(drawn) - 1000 * share).max() <= 1
    per_photo = np.bincount(drawn, minlength=1000)
    for c, size in enumerate([700, 250, 50]):
        wanted = 1000 * share[c] / size
        assert set(per_photo[c == CLASSES]) <= {int(np.floor(wanted)), int(np.ceil(wanted))}


def test_square_root_is_half_strength() -> None:
    assert np.array_equal(order(kind="square_root"), order(strength=0.5))


def test_progressive_goes_from_photos_to_classes() -> None:
    # Kang et al. 2020, eq. 2: (1 - t) n_c / n + t / C.
    for epoch, done in [(0, 0.0), (2, 0.5), (4, 1.0)]:
        expected = 1000 * ((1 - done) * np.array([0.7, 0.25, 0.05]) + done / 3)
        assert np.abs(counts(order(kind="progressive", epoch=epoch)) - expected).max() <= 1


def test_per_subject_draws_each_person_equally() -> None:
    subjects = np.repeat(np.arange(100), np.r_[np.full(50, 2), np.full(50, 8)])
    drawn = epoch_order(
        np.zeros(500, dtype=int),
        SamplingSettings(per_subject=True),
        seed=0,
        epoch=0,
        epochs=1,
        subjects=subjects,
    )
    assert set(np.bincount(subjects[drawn])) <= {4, 5, 6}
    with pytest.raises(TrainError, match="per_subject"):
        weights(np.zeros(3, dtype=int), SamplingSettings(per_subject=True))


def test_per_subject_within_balanced_classes() -> None:
    share = weights(CLASSES, SamplingSettings(strength=1.0, per_subject=True), subjects=SUBJECTS)
    np.testing.assert_allclose(np.bincount(CLASSES, weights=share), np.full(3, 1 / 3))
    young = CLASSES == 0
    people = np.bincount(SUBJECTS[young], weights=share[young])
    np.testing.assert_allclose(people, people[0])


def test_missing_labels_keep_their_share() -> None:
    classes = np.r_[np.full(60, -1), np.zeros(30, dtype=int), np.ones(10, dtype=int)]
    share = weights(classes, SamplingSettings(strength=1.0))
    np.testing.assert_allclose([share[classes == c].sum() for c in (-1, 0, 1)], [0.6, 0.2, 0.2])


def test_an_order_is_a_function_of_seed_and_epoch() -> None:
    settings = SamplingSettings(strength=0.7)
    first = epoch_order(CLASSES, settings, seed=1, epoch=3, epochs=9)
    assert np.array_equal(first, epoch_order(CLASSES, settings, seed=1, epoch=3, epochs=9))
    assert not np.array_equal(first, epoch_order(CLASSES, settings, seed=1, epoch=4, epochs=9))
    assert not np.array_equal(first, epoch_order(CLASSES, settings, seed=2, epoch=3, epochs=9))


def test_over_the_epochs_every_photo_is_seen_as_often_as_its_class_mates() -> None:
    settings = SamplingSettings(strength=1.0)
    total = sum(
        np.bincount(epoch_order(CLASSES, settings, seed=0, epoch=e, epochs=60), minlength=1000)
        for e in range(60)
    )
    young = np.asarray(total)[CLASSES == 0]
    # 60 draws of 333.3 out of 700: mean 28.57, a binomial's deviation 3.9.
    assert young.mean() == pytest.approx(60 * 1000 / 3 / 700, rel=0.01)
    assert 2.5 < young.std() < 5.5


def test_an_empty_side_is_an_error() -> None:
    with pytest.raises(TrainError, match="no photo"):
        epoch_order(np.zeros(0, dtype=int), SamplingSettings(), seed=0, epoch=0, epochs=1)
