"""From subjects and labels to a side for every image: the splitter."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hoego.errors import SplitError
from hoego.split.problem import Floats, Ints, problem_of
from hoego.split.search import solve


def assign_folds(
    groups: ArrayLike, strata: Sequence[ArrayLike], n_folds: int, seed: int = 0
) -> NDArray[np.int16]:
    """Divide N images of S subjects into K folds, stratified, no subject in two folds.

    Guarantees: no fold is empty; a class of m subjects is in min(m, K) folds, unless no such assignment was found
    because its subjects hold other rare classes too; the worst deviation (see `hoego.split.balance`) is small, since
    local search improves a greedy assignment. The result depends on `seed` and on the set of (subject, labels) rows,
    not on their order.

    Args:
        groups: int[N], the subject of each image.
        strata: int[N] each, the classes to balance: the target first, then further attributes; -1 where missing.
        n_folds: K, 2 or more.
        seed: seeds the order of placing, the search and which of several equal subjects goes where.

    Returns:
        int16[N], the fold of each image, 0..K-1.

    Raises:
        SplitError: there are fewer subjects than folds.

    >>> fold = assign_folds([0, 0, 1, 1, 2, 2, 3, 3], [[0, 0, 1, 1, 0, 0, 1, 1]], 2)
    >>> sorted(np.bincount(fold).tolist())
    [4, 4]
    """
    if n_folds < 2:
        raise SplitError(
            f"A split needs at least 2 folds, {n_folds} requested.", remedy="Set split.folds = 5."
        )
    return _assign(groups, strata, np.full(n_folds, 1.0 / n_folds), seed, f"{n_folds} folds")


def assign_holdout(
    groups: ArrayLike, strata: Sequence[ArrayLike], ratio: float, seed: int = 0
) -> NDArray[np.int16]:
    """Hold out about `ratio` of N images, whole subjects at a time, stratified.

    The guarantees are those of `assign_folds` with two sides: neither is empty, and a class of two subjects or more is
    on both.

    Args:
        ratio: the share of the images to hold out, strictly between 0 and 1.

    Returns:
        int16[N], 0 for held-out images and -1 for the others.

    Raises:
        SplitError: there are fewer than two subjects, or the ratio is not between 0 and 1.
    """
    if not 0.0 < ratio < 1.0:
        raise SplitError(
            f"The held-out ratio must lie between 0 and 1, got {ratio}.", remedy="Set split.ratio = 0.2."
        )
    side = _assign(groups, strata, np.array([ratio, 1.0 - ratio]), seed, "a held-out and a training side")
    return np.where(side == 0, 0, -1).astype(np.int16)


def _assign(
    groups: ArrayLike, strata: Sequence[ArrayLike], ideal: Floats, seed: int, wanted: str
) -> NDArray[np.int16]:
    names, owner = np.unique(np.asarray(groups), return_inverse=True)
    n_sides = len(ideal)
    if len(names) < n_sides:
        raise SplitError(
            f"There are {len(names)} subjects for {wanted}: no subject may be on two sides.",
            remedy="Ask for fewer folds, or check the subject columns.",
        )
    labels = [np.asarray(s, dtype=np.int64) for s in strata]
    problem, kind = problem_of(owner.astype(np.int64), labels, ideal)
    rng = np.random.default_rng(seed)
    placed = solve(problem, rng).placed
    # Ties of greedy placing go to the lowest side. Sides of equal size are exchangeable, so their numbers are shuffled.
    if (ideal == ideal[0]).all():
        placed = placed[rng.permutation(n_sides)]
    return _subject_sides(placed, kind, rng)[owner].astype(np.int16)


def _subject_sides(placed: Ints, kind: Ints, rng: np.random.Generator) -> Ints:
    """Return the side of each subject, int64[S]: the equal subjects of a type are dealt to its sides at random."""
    shuffled = rng.permutation(len(kind))
    order = shuffled[np.argsort(kind[shuffled], kind="stable")]
    sides = np.repeat(np.tile(np.arange(len(placed)), placed.shape[1]), placed.T.ravel())
    side = np.empty(len(kind), dtype=np.int64)
    side[order] = sides
    return side
