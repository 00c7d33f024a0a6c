"""What each fold may hear of its teachers.

A fold hears only rows whose models have not seen its held-out subjects, and of no unlabelled photo that shows one of
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
from hoego.predictions import Predictions, Source, Universe, join_sources
from hoego.recipe import Recipe

Bits = NDArray[np.bool_]
UNNAMED = "pseudo-labelled photos whose subjects no table names: that they show nobody who is held out"
SEEN = "labelled only by models that have seen held-out subjects"
HELD_OUT = "of a held-out subject"
UNSURE = "below distill.pseudo.threshold"
SURPLUS = "beyond distill.pseudo.per_class"


@dataclass(frozen=True)
class Lesson:
    """What one fold is taught.

    Args:
        teacher: probabilities of the training side's photos, with the sources of these rows alone.
        trained: bool [N], the photos that may reach the optimiser.
        pseudo: bool [N], those of them whose labels are the teacher's; None where there are none.
        report: what joined, by class, and what was left out and why; {} without unlabelled photos.
    """

    teacher: Predictions | None
    trained: Bits
    pseudo: Bits | None = None
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


@dataclass(frozen=True)
class Teaching:
    """A data set with its pool of unlabelled photos behind it, and what the teachers say of both.

    Args:
        dataset: N images: the L labelled ones, then the pool, without labels.
        labelled: L.
        members: predictions of images of `dataset`.
        persons: by image [N], who is one over both sets: equal names are one subject. None without a pool.
        named: whether the unlabelled set's table names subjects.
        left_out: unlabelled photos that no fold hears of, by reason; {} where none were asked for.
        names: of the teachers, for messages.
    """

    dataset: Dataset
    labelled: int
    members: tuple[Predictions, ...] = ()
    persons: NDArray[Any] | None = None
    named: bool = False
    left_out: Mapping[str, int] = field(default_factory=dict)
    names: str = ""

    @cached_property
    def pool(self) -> Bits:
        """bool [N]: the unlabelled photos."""
        return np.arange(self.dataset.n_images) >= self.labelled

    def lesson(self, recipe: Recipe, held: Bits, inner: Bits | None = None) -> Lesson:
        """What a fold is taught whose held-out and inner photos are `held` and `inner` (bool [N]; none in a refit).

        Raises:
            LeakError: every model behind the teacher has seen held-out subjects; names the path.
            MismatchError: the teacher says nothing of the training side.
        """
        labelled = ~held & ~self.pool
        if not self.members:
            return Lesson(None, labelled, None, self._chosen(recipe, (), held)[1])
        heard = [m.take(self._unseen(m, held)) for m in self.members]
        apart = held if inner is None else held | inner
        mine = self.dataset.image_ids[(labelled & ~apart) | self.pool]
        said = [m.take(np.isin(m.images, mine)) for m in self.members]
        if any(m.n_images for m in said) and not any(np.isin(m.images, mine).any() for m in heard):
            raise _seen_all(said, self.names)
        chosen, report = self._chosen(recipe, heard, apart)
        teacher = merged(heard, self.dataset.image_ids[(labelled & ~apart) | chosen])
        if teacher is None and not report:
            raise MismatchError(
                f"The teacher {self.names} says nothing of the training side's photos.",
                remedy="Predict them with `hoego predict RUN --on TABLE --out FILE.parquet` and name that file.",
            )
        if not chosen.any() or teacher is None:
            return Lesson(teacher, labelled, None, report)
        if not self.named:
            stated = tuple(replace(s, external=(*s.external, UNNAMED)) for s in teacher.sources)
            teacher = replace(teacher, sources=stated)
        return Lesson(teacher, labelled | chosen, chosen, report)

    def _unseen(self, member: Predictions, held: Bits) -> Bits:
        """Rows of a teacher whose models have not seen the held-out photos' subjects."""
        known = [not has_seen(s, member.universe, self.dataset, held) for s in member.sources]
        return np.asarray(known, dtype=bool)[member.source]

    def _chosen(
        self, recipe: Recipe, heard: Sequence[Predictions], apart: Bits
    ) -> tuple[Bits, dict[str, Any]]:
        """The unlabelled photos that join, bool [N], and the report."""
        chosen = np.zeros_like(self.pool)
        if self.persons is None:
            return chosen, {}
        left = dict(self.left_out)
        barred = self.pool & np.isin(self.persons, np.unique(self.persons[apart]))
        left[HELD_OUT] = int(barred.sum())
        says = merged(heard, self.dataset.image_ids[self.pool & ~barred])
        spoken = np.isin(self.dataset.image_ids, [] if says is None else says.images)
        left[SEEN] = int((self.pool & ~barred & ~spoken).sum())
        settings = recipe.distill.pseudo
        report: dict[str, Any] = {"joined": 0, "classes": {}, "labels": settings.labels, "left_out": left}
        if says is None:
            return chosen, report
        where = np.flatnonzero(spoken)
        classes, sure, names = verdicts(says.align(self.dataset.image_ids[where]))
        keep = sure >= settings.threshold
        left[UNSURE] = int((~keep).sum())
        if settings.per_class:
            few = keep.copy()
            few[keep] = surest(classes[keep], sure[keep], settings.per_class)
            left[SURPLUS], keep = int((keep & ~few).sum()), few
        chosen[where[keep]] = True
        counts = np.bincount(classes[keep], minlength=len(names)).tolist()
        report["joined"] = int(keep.sum())
        report["classes"] = {name: n for name, n in zip(names, counts, strict=True) if n}
        return chosen, report


def verdicts(says: Predictions) -> tuple[NDArray[np.int64], NDArray[np.float64], tuple[str, ...]]:
    """The teacher's most likely class [n] of each photo, its probability [n], and the names of the classes.

    Of the target; where the teacher says nothing of it, the class is of the first attribute that it speaks of, and
    the probability the product over all of them.
    """
    schema = says.schema
    if says.has(schema.target):
        p = says.probabilities(schema.target)
        return p.argmax(axis=1), p.max(axis=1), tuple(schema.target_classes)
    each = [says.probabilities(name) for name in says.attributes]
    sure = np.prod([p.max(axis=1) for p in each], axis=0)
    return each[0].argmax(axis=1), sure, tuple(schema.classes(says.attributes[0]))


def surest(classes: NDArray[np.int64], sure: NDArray[np.float64], most: int) -> Bits:
    """bool [n]: at most so many photos of each class, the surest first (the earlier of equals)."""
    keep = np.zeros(len(classes), dtype=bool)
    order = np.lexsort((-sure, classes))
    ranked = classes[order]
    first = np.searchsorted(ranked, ranked, side="left")
    keep[order[np.arange(len(ranked)) - first < most]] = True
    return keep


def merged(members: Sequence[Predictions], images: NDArray[Any]) -> Predictions | None:
    """The mean of what the members say of the images, each row by those that speak of it; None where none does.

    A row's source joins the sources of the rows that it is the mean of, and no others.

    Raises:
        MismatchError: the members have no attribute in common.
    """
    parts = [p for m in members if (p := m.take(np.isin(m.images, images))).n_images]
    if not parts:
        return None
    first, schema = parts[0], parts[0].schema
    names = [*schema.names, *((COMPOSITE,) if schema.composite else ())]
    names = [n for n in names if all(p.has(n) for p in parts)]
    if not names:
        raise MismatchError(
            "The teachers speak of different attributes.", remedy="Name teachers of one kind."
        )
    universe = first.universe
    for p in parts[1:]:
        universe = universe.union(p.universe)
    ids = np.unique(np.concatenate([p.images for p in parts]))
    sums = {n: np.zeros((len(ids), schema.n_classes(n))) for n in names}
    pattern = np.full((len(ids), len(parts)), -1, dtype=np.int64)
    known: list[Source] = []
    for k, part in enumerate(parts):
        at = np.searchsorted(ids, part.images)
        for name in names:
            sums[name][at] += part.probabilities(name)
        pattern[at, k] = part.source + len(known)
        known += [s.lifted(part.universe, universe) for s in part.sources]
    patterns, source = np.unique(pattern, axis=0, return_inverse=True)
    sources = [
        join_sources(first.name, [known[i] for i in row if i >= 0], universe) for row in patterns.tolist()
    ]
    return Predictions(
        images=ids,
        values={n: (s / s.sum(axis=1, keepdims=True)).astype(np.float32) for n, s in sums.items()},
        scale=dict.fromkeys(names, "probabilities"),
        schema=schema,
        fold=np.full(len(ids), -1, dtype=np.int16),
        source=source.reshape(-1).astype(np.int32),
        sources=tuple(sources),
        universe=universe,
        dataset_fingerprint=first.dataset_fingerprint,
        name=first.name,
        lineage=tuple(dict.fromkeys(r for p in parts for r in p.lineage)),
    )


def has_seen(source: Source, universe: Universe, dataset: Dataset, held: Bits) -> bool:
    """Whether learning from a source would put held-out photos (bool [N]) in-sample."""
    if not held.any():
        return False
    seen = universe.members(source.seen | source.seen_through, dataset) & held
    if source.seen_images is not None:
        seen &= np.isin(dataset.contents, source.seen_images)
    return bool(seen.any())


def _seen_all(members: Sequence[Predictions], names: str) -> LeakError:
    behind = [m.sources[k] for m in members for k in np.unique(m.source).tolist()]
    path = "; ".join(dict.fromkeys(p for s in behind for p in s.path))
    return LeakError(
        f"Every model behind the teacher {names} has seen held-out subjects: {path or 'not recorded'}. "
        "A model that it taught could not be scored on them.",
        remedy="Let a run teach that was trained on the same split (each fold then hears the model of its own "
        "fold), or name predictions of models that have not seen the held-out subjects.",
    )
