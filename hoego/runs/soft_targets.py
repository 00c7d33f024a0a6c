"""The soft targets that each fold may use.

A fold uses only rows whose models have not seen its held-out subjects, and no unlabelled photo that shows one of
them: neither by its content, nor by the subject that the unlabelled set's own table names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hoego.data.dataset import Dataset
from hoego.data.schema import COMPOSITE
from hoego.errors import LeakError, MismatchError
from hoego.predictions import Predictions, RowProvenance, SubjectUniverse, join_sources, joined_sources
from hoego.recipe import Recipe
from hoego.short_repr import ShortRepr

Bits = NDArray[np.bool_]
UNNAMED = "pseudo-labelled photos whose subjects no table names: that they show nobody who is held out"
SEEN = "labelled only by models that have seen held-out subjects"
HELD_OUT = "of a held-out subject"
UNSURE = "below distill.pseudo.threshold"
SURPLUS = "beyond distill.pseudo.per_class"


@dataclass(frozen=True, eq=False, repr=False)
class FoldSoftTargets(ShortRepr):
    """The soft targets and photos of one fold.

    Args:
        soft_targets: probabilities of the training side's photos, with the sources of these rows alone.
        train_mask: bool [N], the photos that may reach the optimiser.
        pseudo_mask: bool [N], those of them whose labels are the teacher's; None where there are none.
        report: what joined, by class, and what was left out and why; {} without unlabelled photos.
    """

    soft_targets: Predictions | None
    train_mask: Bits
    pseudo_mask: Bits | None = None
    report: Mapping[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The report in a sentence; "" without one."""
        if not self.report:
            return ""
        left = {why: n for why, n in self.report["left_out"].items() if n}
        joined = f"{self.report['joined']:,} pseudo-labelled photos join the training side"
        reasons = "; ".join(f"{n:,} {why}" for why, n in left.items())
        return f"{joined}, {sum(left.values()):,} are left out ({reasons})" if left else joined


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class DistillationData(ShortRepr):
    """A data set with its pool of unlabelled photos behind it, and the teachers' predictions of both.

    Args:
        dataset: N images: the L labelled ones, then the pool, without labels.
        n_labelled: L.
        teachers: predictions of images of `dataset`.
        subject_names: by image [N], the subject over both sets: equal names are one subject. None without a pool.
        subjects_named: whether the unlabelled set's table names subjects.
        left_out: unlabelled photos that no fold uses, by reason; {} where none were asked for.
        names: of the teachers, for messages.
    """

    dataset: Dataset
    n_labelled: int
    teachers: tuple[Predictions, ...] = ()
    subject_names: NDArray[Any] | None = None
    subjects_named: bool = False
    left_out: Mapping[str, int] = field(default_factory=dict)
    names: str = ""

    @cached_property
    def pool(self) -> Bits:
        """bool [N]: the unlabelled photos."""
        return np.arange(self.dataset.n_images) >= self.n_labelled

    def for_fold(self, recipe: Recipe, val_mask: Bits, inner: Bits | None = None) -> FoldSoftTargets:
        """Return the soft targets of a fold with held-out and inner photos `val_mask` and `inner` (bool [N];
        none in a refit).

        Raises:
            LeakError: every model behind the teacher has seen held-out subjects; names the path.
            MismatchError: the teacher does not predict the training side.
        """
        labelled = ~val_mask & ~self.pool
        if not self.teachers:
            return FoldSoftTargets(None, labelled, None, self._chosen(recipe, (), val_mask)[1])
        usable = [m.take(self._unseen(m, val_mask)) for m in self.teachers]
        excluded = val_mask if inner is None else val_mask | inner
        mine = self.dataset.image_ids[(labelled & ~excluded) | self.pool]
        on_training_side = [m.take(np.isin(m.images, mine)) for m in self.teachers]
        if any(m.n_images for m in on_training_side) and not any(
            np.isin(m.images, mine).any() for m in usable
        ):
            raise _seen_all(on_training_side, self.names)
        chosen, report = self._chosen(recipe, usable, excluded)
        teacher = mean_predictions(usable, self.dataset.image_ids[(labelled & ~excluded) | chosen])
        if teacher is None and not report:
            raise MismatchError(
                f"The teacher {self.names} does not predict the photos of the training side.",
                remedy="Predict them with `hoego predict RUN --on TABLE --out FILE.parquet` and name that file.",
            )
        if not chosen.any() or teacher is None:
            return FoldSoftTargets(teacher, labelled, None, report)
        if not self.subjects_named:
            stated = tuple(replace(s, external=(*s.external, UNNAMED)) for s in teacher.sources)
            teacher = replace(teacher, sources=stated)
        return FoldSoftTargets(teacher, labelled | chosen, chosen, report)

    def _unseen(self, member: Predictions, val_mask: Bits) -> Bits:
        """Return rows of a teacher whose models have not seen the held-out photos' subjects."""
        known = [not has_seen(s, member.universe, self.dataset, val_mask) for s in member.sources]
        return np.asarray(known, dtype=bool)[member.source]

    def _chosen(
        self, recipe: Recipe, usable: Sequence[Predictions], excluded: Bits
    ) -> tuple[Bits, dict[str, Any]]:
        """Return the unlabelled photos that join, bool [N], and the report."""
        chosen = np.zeros_like(self.pool)
        if self.subject_names is None:
            return chosen, {}
        left = dict(self.left_out)
        of_held_out = self.pool & np.isin(self.subject_names, np.unique(self.subject_names[excluded]))
        left[HELD_OUT] = int(of_held_out.sum())
        teacher = mean_predictions(usable, self.dataset.image_ids[self.pool & ~of_held_out])
        has_prediction = np.isin(self.dataset.image_ids, [] if teacher is None else teacher.images)
        left[SEEN] = int((self.pool & ~of_held_out & ~has_prediction).sum())
        settings = recipe.distill.pseudo
        report: dict[str, Any] = {"joined": 0, "classes": {}, "labels": settings.labels, "left_out": left}
        if teacher is None:
            return chosen, report
        where = np.flatnonzero(has_prediction)
        classes, confidence, names = predicted_classes(teacher.align(self.dataset.image_ids[where]))
        keep = confidence >= settings.threshold
        left[UNSURE] = int((~keep).sum())
        if settings.per_class:
            limited = keep.copy()
            limited[keep] = most_confident(classes[keep], confidence[keep], settings.per_class)
            left[SURPLUS], keep = int((keep & ~limited).sum()), limited
        chosen[where[keep]] = True
        counts = np.bincount(classes[keep], minlength=len(names)).tolist()
        report["joined"] = int(keep.sum())
        report["classes"] = {name: n for name, n in zip(names, counts, strict=True) if n}
        return chosen, report


def predicted_classes(teacher: Predictions) -> tuple[NDArray[np.int64], NDArray[np.float64], tuple[str, ...]]:
    """Return the teacher's most likely class [n] of each photo, its probability [n], and the names of the
    classes.

    Of the target; if the teacher does not predict it, the class is of the first attribute that it predicts, and
    the probability the product over all of them.
    """
    schema = teacher.schema
    if teacher.has(schema.target):
        p = teacher.probabilities(schema.target)
        return p.argmax(axis=1), p.max(axis=1), tuple(schema.target_classes)
    each = [teacher.probabilities(name) for name in teacher.attributes]
    confidence = np.prod([p.max(axis=1) for p in each], axis=0)
    return each[0].argmax(axis=1), confidence, tuple(schema.classes(teacher.attributes[0]))


def most_confident(classes: NDArray[np.int64], confidence: NDArray[np.float64], most: int) -> Bits:
    """Return bool [n]: at most so many photos of each class, the most confident first (the earlier of equals)."""
    keep = np.zeros(len(classes), dtype=bool)
    order = np.lexsort((-confidence, classes))
    ranked = classes[order]
    first = np.searchsorted(ranked, ranked, side="left")
    keep[order[np.arange(len(ranked)) - first < most]] = True
    return keep


def mean_predictions(members: Sequence[Predictions], images: NDArray[Any]) -> Predictions | None:
    """Return the members' mean prediction, each row by the members that predict it; None if none does.

    A row's source joins the sources of the rows that it is the mean of, and no others.

    Raises:
        MismatchError: the members have no attribute in common.
    """
    parts = [p for m in members if (p := m.take(np.isin(m.images, images))).n_images]
    if not parts:
        return None
    first, schema = parts[0], parts[0].schema
    names = _common_attributes(parts)
    known, offsets = joined_sources(parts)
    ids = np.unique(np.concatenate([p.images for p in parts]))
    sums = {n: np.zeros((len(ids), schema.n_classes(n))) for n in names}
    pattern = np.full((len(ids), len(parts)), -1, dtype=np.int64)
    for k, part in enumerate(parts):
        at = np.searchsorted(ids, part.images)
        for name in names:
            sums[name][at] += part.probabilities(name)
        pattern[at, k] = part.source + offsets[k]
    patterns, source = np.unique(pattern, axis=0, return_inverse=True)
    sources = [
        join_sources(first.name, [known.sources[i] for i in row if i >= 0], known.universe)
        for row in patterns.tolist()
    ]
    return Predictions(
        images=ids,
        values={n: (s / s.sum(axis=1, keepdims=True)).astype(np.float32) for n, s in sums.items()},
        scale=dict.fromkeys(names, "probabilities"),
        schema=schema,
        fold=np.full(len(ids), -1, dtype=np.int16),
        source=source.reshape(-1).astype(np.int32),
        sources=tuple(sources),
        universe=known.universe,
        dataset_fingerprint=first.dataset_fingerprint,
        name=first.name,
        lineage=tuple(dict.fromkeys(r for p in parts for r in p.lineage)),
    )


def _common_attributes(parts: Sequence[Predictions]) -> list[str]:
    """Return what all members predict, "composite" last. Raises MismatchError where that is nothing."""
    schema = parts[0].schema
    names = [*schema.names, *((COMPOSITE,) if schema.composite else ())]
    names = [n for n in names if all(p.has(n) for p in parts)]
    if not names:
        raise MismatchError(
            "The teachers predict different attributes.", remedy="Name teachers of the same attributes."
        )
    return names


def has_seen(source: RowProvenance, universe: SubjectUniverse, dataset: Dataset, val_mask: Bits) -> bool:
    """Return whether learning from a source would put held-out photos (bool [N]) in-sample."""
    if not val_mask.any():
        return False
    seen = universe.images_showing(source.seen | source.seen_through, dataset) & val_mask
    if source.seen_images is not None:
        seen &= np.isin(dataset.contents, source.seen_images)
    return bool(seen.any())


def _seen_all(members: Sequence[Predictions], names: str) -> LeakError:
    behind = [m.sources[k] for m in members for k in np.unique(m.source).tolist()]
    path = "; ".join(dict.fromkeys(p for s in behind for p in s.path))
    return LeakError(
        f"Every model behind the teacher {names} has seen held-out subjects: {path or 'not recorded'}. "
        "A model trained on its soft targets could not be scored on them.",
        remedy="Name a run that was trained on the same split (each fold then takes the soft targets of its own "
        "fold), or name predictions of models that have not seen the held-out subjects.",
    )
