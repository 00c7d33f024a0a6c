"""Pseudo-labelled photos: their targets, and how the epochs draw them.

The pseudo-labelled photos are the last P of a fold's n training rows, so what the labelled ones draw and how their
classes are balanced does not depend on them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hoego.data.schema import COMPOSITE, LabelSchema
from hoego.errors import RecipeError
from hoego.predictions import Predictions
from hoego.recipe import Recipe
from hoego.recipe.techniques import SamplingSettings
from hoego.short_repr import ShortRepr
from hoego.train.counter import generator
from hoego.train.data import batch_rows, steps_per_epoch
from hoego.train.sampling import epoch_order


@dataclass(frozen=True, eq=False, repr=False)
class PseudoRows(ShortRepr):
    """The last P of the n training rows.

    Args:
        targets: label distributions float32 [P, C] by head that the teacher predicts.
        classes: int32 [P], the teacher's most likely class, for the balance of the draws.
    """

    targets: Mapping[str, NDArray[np.float32]]
    classes: NDArray[np.int32]

    @property
    def n(self) -> int:
        """Number of pseudo-labelled photos P."""
        return len(self.classes)


@dataclass(frozen=True, eq=False, repr=False)
class TeacherTargets(ShortRepr):
    """Soft targets and pseudo-labels of the n training photos.

    Args:
        soft_targets: probabilities float32 [n, C] by head, beside the labels; {} without a teacher of labelled photos.
        has_soft_target: bool [n], the photos with a soft target; None for all.
        pseudo_labels: pseudo-labels of the last P photos; None where there are none.
    """

    soft_targets: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    has_soft_target: NDArray[np.bool_] | None = None
    pseudo_labels: PseudoRows | None = None


def pseudo_rows(teacher: Predictions, images: NDArray[np.str_], *, hard: bool) -> PseudoRows:
    """Build the pseudo-labels of P photos: the teacher's probabilities, or 1 for its most likely class.

    A hard label of an attribute follows the composite's most likely class where the teacher gives the composite.
    """
    given, schema = teacher.align(images), teacher.schema
    names = [n for n in (*schema.names, *((COMPOSITE,) if schema.composite else ())) if given.has(n)]
    soft = {name: given.probabilities(name) for name in names}
    targets = {}
    for name in names:
        table = one_hot(most_likely(soft, schema, name), soft[name].shape[1]) if hard else soft[name]
        targets[name] = table.astype(np.float32)
    first = schema.target if schema.target in soft else names[0]
    return PseudoRows(targets, most_likely(soft, schema, first).astype(np.int32))


def most_likely(
    soft: Mapping[str, NDArray[np.float64]], schema: LabelSchema, name: str
) -> NDArray[np.integer]:
    """Return the most likely class [P] of an attribute, by the composite's where there is one."""
    if name != COMPOSITE and COMPOSITE in soft and name in schema.composite:
        column = schema.composite.index(name)
        return np.asarray(schema.combination_codes[soft[COMPOSITE].argmax(axis=1), column])
    return np.asarray(soft[name].argmax(axis=1))


def one_hot(classes: NDArray[np.integer], n_classes: int) -> NDArray[np.float64]:
    """Return one-hot rows [P, C]."""
    return np.asarray(np.eye(n_classes)[classes])


def split_of_batch(recipe: Recipe) -> tuple[int, int]:
    """Return the labelled and pseudo-labelled photos of a batch under `distill.pseudo.share`.

    Raises:
        RecipeError: a batch of one photo cannot be shared.
    """
    share, size = recipe.distill.pseudo.share, recipe.batch_size
    assert share is not None
    if size < 2:
        raise RecipeError(
            "distill.pseudo.share needs a batch of at least two photos.", remedy="Raise batch_size."
        )
    n_pseudo = min(max(1, round(size * share)), size - 1)
    return size - n_pseudo, n_pseudo


def n_steps(n_images: int, pseudo: PseudoRows | None, recipe: Recipe) -> int:
    """Return the batches of an epoch of n training rows, P of them pseudo-labelled."""
    if pseudo is None or recipe.distill.pseudo.share is None:
        return steps_per_epoch(n_images, recipe.batch_size)
    return steps_per_epoch(n_images - pseudo.n, split_of_batch(recipe)[0])


def epoch_batches(
    by: NDArray[np.int32],
    subjects: NDArray[np.int32],
    pseudo: PseudoRows | None,
    recipe: Recipe,
    epoch: int,
) -> list[NDArray[np.int64]]:
    """Return the training rows of every batch of an epoch, all of one size, by recipe and epoch alone.

    Args:
        by: int32 [n], the classes that `sampling` balances.
        subjects: int32 [n].
        pseudo: the last P rows, or None.
        recipe: its sampling, batch size, seed and `distill.pseudo`.
        epoch: from 0.
    """
    n = len(by) - (0 if pseudo is None else pseudo.n)
    order = epoch_order(
        by[:n],
        recipe.sampling,
        seed=recipe.seed,
        epoch=epoch,
        epochs=recipe.epochs,
        subjects=subjects[:n],
    )
    if pseudo is None:
        return batch_rows(order, recipe.batch_size)
    if recipe.distill.pseudo.share is None:
        both = np.concatenate([order, n + _pass(pseudo, subjects[n:], recipe, epoch)])
        shuffle = generator("pseudo-shuffle", recipe.seed, epoch).permutation(len(both))
        return batch_rows(both[shuffle], recipe.batch_size)
    n_labelled, n_pseudo = split_of_batch(recipe)
    labelled = batch_rows(order, n_labelled)
    drawn = n + _drawn(
        pseudo, subjects[n:], recipe, (epoch * len(labelled) * n_pseudo, len(labelled) * n_pseudo)
    )
    return [
        np.concatenate([rows, more])
        for rows, more in zip(labelled, drawn.reshape(len(labelled), n_pseudo), strict=True)
    ]


def _drawn(
    pseudo: PseudoRows, subjects: NDArray[np.int32], recipe: Recipe, span: tuple[int, int]
) -> NDArray[np.int64]:
    """Return positions among the P photos: `span` = (first, count) of an endless sequence of passes over them."""
    first, count = span
    passes = range(first // pseudo.n, (first + count - 1) // pseudo.n + 1)
    line = np.concatenate([_pass(pseudo, subjects, recipe, k) for k in passes])
    start = first - passes[0] * pseudo.n
    return line[start : start + count]


def _pass(pseudo: PseudoRows, subjects: NDArray[np.int32], recipe: Recipe, number: int) -> NDArray[np.int64]:
    """Draw one pass [P] over the pseudo-labelled photos, their classes balanced by `distill.pseudo.balance`."""
    settings = SamplingSettings(
        kind="oversample",
        strength=recipe.distill.pseudo.balance,
        per_subject=recipe.sampling.per_subject,
    )
    seed = int(generator("pseudo-pass", recipe.seed).integers(1 << 31))
    return epoch_order(pseudo.classes, settings, seed=seed, epoch=number, epochs=1, subjects=subjects)
