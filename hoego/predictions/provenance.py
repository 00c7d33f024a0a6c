"""The provenance of a row of predictions: the subjects that its models, teachers and combiners have seen.

A `RowProvenance` holds sets of the subjects of a `SubjectUniverse` (one bit per subject). Sets are joined row by
row, never run by run, so an average of two runs' out-of-fold predictions on one split stays out-of-fold.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import blake2b
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from hoego.data.aliases import SubjectAliases
from hoego.data.dataset import Dataset
from hoego.data.spelling import pack_names, unpack_names
from hoego.errors import RecordError
from hoego.packed import pack, pack_mask, unpack, unpack_mask
from hoego.results.provenance import PackedAliases, PackedProvenance, PackedSource, PackedUniverse
from hoego.short_repr import ShortRepr

Bits = NDArray[np.bool_]
Outside = Literal["", "witnessed", "declared"]
OUTSIDE: tuple[Outside, ...] = get_args(Outside)
"""The marks of a source, from the best known to the least known."""


@dataclass(frozen=True, eq=False, repr=False)
class SubjectUniverse(ShortRepr):
    """The subjects over which provenance is recorded, with the content hashes of their images.

    Contents let a subject be found again under another name: a renamed subject, or the same photo in another
    data set, is still seen.

    Args:
        names: subjects [S], sorted.
        owner: position in `names` of each image's subject [N].
        contents: content hash of each image [N].
        aliases: other names of the subjects.
    """

    names: NDArray[Any]
    owner: NDArray[np.int32]
    contents: NDArray[np.uint64]
    aliases: SubjectAliases = field(default_factory=SubjectAliases)

    @classmethod
    def of(cls, dataset: Dataset) -> SubjectUniverse:
        """Build the universe of a data set's subjects."""
        return cls(dataset.subjects, dataset.subject_index, dataset.contents, dataset.aliases)

    @property
    def n_subjects(self) -> int:
        """Number of subjects S."""
        return len(self.names)

    @cached_property
    def digest(self) -> str:
        """16 hex digits over names, owners, contents and aliases; equal digests mean equal universes."""
        h = blake2b(pack_names(self.names.tolist()), digest_size=8)
        h.update(np.ascontiguousarray(self.owner).tobytes())
        h.update(np.ascontiguousarray(self.contents).tobytes())
        h.update(self.aliases.digest.encode())
        return h.hexdigest()

    def no_subjects(self) -> Bits:
        """Return the empty set of subjects [S]."""
        return np.zeros(self.n_subjects, dtype=bool)

    def union(self, other: SubjectUniverse) -> SubjectUniverse:
        """Return the universe that holds the subjects of both."""
        if other.digest == self.digest:
            return self
        names = np.union1d(self.names, other.names)
        owners = [np.searchsorted(names, u.names)[u.owner] for u in (self, other)]
        return SubjectUniverse(
            names,
            np.concatenate(owners).astype(np.int32),
            np.concatenate([self.contents, other.contents]),
            self.aliases.union(other.aliases, other.names),
        )

    def lift(self, bits: Bits, to: SubjectUniverse) -> Bits:
        """Convert the set `bits` [S] of this universe to a set of `to`, a universe that contains it."""
        if to.digest == self.digest:
            return bits
        out = to.no_subjects()
        out[np.searchsorted(to.names, self.names[bits])] = True
        return out

    def images_of(self, bits: Bits) -> NDArray[np.uint64]:
        """Return the sorted content hashes of the images of a set of subjects."""
        return np.unique(self.contents[bits[self.owner]])

    def images_showing(self, bits: Bits, dataset: Dataset) -> Bits:
        """Return the mask [N] of images that show a subject of the set, by any of its names or by content."""
        named = np.isin(dataset.subjects, self.names[bits])
        if other := self.aliases.shared(self.names[bits], dataset.aliases, dataset.subjects):
            named |= np.isin(dataset.subjects, sorted(other))
        alike = np.isin(dataset.contents, self.images_of(bits))
        named[dataset.subject_index[alike]] = True
        for group in dataset.merged_subjects:
            ones = np.isin(dataset.subjects, group)
            named[ones] = named[ones].any()
        members: Bits = named[dataset.subject_index]
        return members

    def packed(self) -> PackedUniverse:
        """Return the universe as compressed text, for metadata."""
        return PackedUniverse(
            names=pack(pack_names(self.names.tolist())),
            owner=pack(self.owner.astype("<i4").tobytes()),
            contents=pack(self.contents.astype("<u8").tobytes()),
            aliases=pack(
                json.dumps(self.aliases.packed().model_dump(mode="json"), ensure_ascii=False).encode()
            ),
        )

    @classmethod
    def unpacked(cls, packed: PackedUniverse) -> SubjectUniverse:
        """Return the universe that `packed` packed. Raises RecordError where names and photos do not match."""
        names = unpack_names(unpack(packed.names))
        owner = np.frombuffer(unpack(packed.owner), dtype="<i4").astype(np.int32)
        if len(names) != (int(owner.max()) + 1 if len(owner) else 0):
            # Versions before 0.1.0 joined names by line breaks, so a name that held one was read as two subjects.
            raise RecordError(
                f"the provenance names {len(names)} subjects and has photos of {int(owner.max(initial=-1)) + 1}",
                remedy="Take the line breaks out of the subjects' names and train the run again.",
            )
        aliases = PackedAliases()
        if packed.aliases is not None:
            aliases = PackedAliases.model_validate_json(unpack(packed.aliases))
        return cls(
            np.asarray(names, dtype=np.str_),
            owner,
            np.frombuffer(unpack(packed.contents), dtype="<u8").astype(np.uint64),
            SubjectAliases.unpacked(aliases),
        )


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class RowProvenance(ShortRepr):
    """The source of a row of predictions: the subjects that its models have seen, and how.

    Args:
        name: run and fold, or the combination's name.
        seen: subjects [S] whose images or labels trained the models behind the row (their checkpoint's
            and their teachers' included), or whose labels fitted the combiner that makes it.
        seen_through: subjects [S] seen only by the models behind the rows on which that combiner was fitted.
        selected: subjects [S] whose score chose the epoch or the run.
        seen_images: under a naive split, the sorted content hashes of the images that were trained on; None
            where whole subjects were.
        external: outside checkpoints: stated, not provable.
        path: sentences that say how the subjects came to be seen.
        outside: "" for a model that Hoego trained; for one that was trained elsewhere "witnessed" (its training was
            watched) or "declared" (the user states what it has seen).
    """

    name: str
    seen: Bits
    seen_through: Bits
    selected: Bits
    seen_images: NDArray[np.uint64] | None = None
    external: tuple[str, ...] = ()
    path: tuple[str, ...] = ()
    outside: Outside = ""

    @classmethod
    def from_training(
        cls,
        name: str,
        dataset: Dataset,
        train_mask: Bits,
        *,
        naive: bool = False,
        selection_mask: Bits | None = None,
    ) -> RowProvenance:
        """Build the source of a model trained on the images `train_mask` [N] of a data set.

        Args:
            name: run and fold.
            dataset: the whole data set; its universe is that of the source.
            train_mask: mask [N] of the images whose pixels or labels reached the optimiser or the inner selection.
            naive: the split is by photo, so only the images themselves count as in-sample.
            selection_mask: mask [N] of the images whose score chose the epoch.
        """
        seen = _subjects_of(dataset, train_mask)
        none = np.zeros(dataset.n_subjects, dtype=bool)
        return cls(
            name=name,
            seen=seen,
            seen_through=none,
            selected=none if selection_mask is None else _subjects_of(dataset, selection_mask),
            seen_images=np.unique(dataset.contents[train_mask]) if naive else None,
            path=(f"{name} trained on {int(seen.sum()):,} of {dataset.n_subjects:,} subjects",),
        )

    def lifted(self, universe: SubjectUniverse, to: SubjectUniverse) -> RowProvenance:
        """Return the same source with its sets over a larger universe."""
        if universe.digest == to.digest:
            return self
        return replace(
            self,
            seen=universe.lift(self.seen, to),
            seen_through=universe.lift(self.seen_through, to),
            selected=universe.lift(self.selected, to),
        )

    def packed(self) -> PackedSource:
        """Return the source with its sets compressed to text."""
        images = self.seen_images
        return PackedSource(
            name=self.name,
            seen=pack_mask(self.seen),
            seen_through=pack_mask(self.seen_through),
            selected=pack_mask(self.selected),
            seen_images=None if images is None else pack(images.astype("<u8").tobytes()),
            external=self.external,
            path=self.path,
            outside=self.outside,
        )

    @classmethod
    def unpacked(cls, packed: PackedSource, n_subjects: int) -> RowProvenance:
        """Return the source that `packed` packed. Raises RecordError where the mark `outside` is unknown."""
        if packed.outside not in OUTSIDE:
            raise RecordError(
                f"the provenance of {packed.name!r} is marked {packed.outside!r}, which this Hoego does not know",
                remedy="Upgrade Hoego on this machine.",
            )
        images = packed.seen_images
        return cls(
            name=packed.name,
            seen=unpack_mask(packed.seen, n_subjects),
            seen_through=unpack_mask(packed.seen_through, n_subjects),
            selected=unpack_mask(packed.selected, n_subjects),
            seen_images=None
            if images is None
            else np.frombuffer(unpack(images), dtype="<u8").astype(np.uint64),
            external=packed.external,
            path=packed.path,
            outside=packed.outside,
        )


def _least_sure(sources: Iterable[RowProvenance]) -> Outside:
    """Return the weakest mark among several sources."""
    return max((s.outside for s in sources), key=OUTSIDE.index, default="")


def join_sources(name: str, sources: Sequence[RowProvenance], universe: SubjectUniverse) -> RowProvenance:
    """Join several sources of one universe into the source of a combined row: every set is their union."""
    if len(sources) == 1:
        return sources[0]
    images = None
    if any(s.seen_images is not None for s in sources):
        parts = [universe.images_of(s.seen) if s.seen_images is None else s.seen_images for s in sources]
        images = np.unique(np.concatenate(parts))
    return RowProvenance(
        name=name,
        seen=np.logical_or.reduce([s.seen for s in sources]),
        seen_through=np.logical_or.reduce([s.seen_through for s in sources]),
        selected=np.logical_or.reduce([s.selected for s in sources]),
        seen_images=images,
        external=_distinct(e for s in sources for e in s.external),
        path=_distinct(p for s in sources for p in s.path),
        outside=_least_sure(sources),
    )


def fitted_source(
    own: RowProvenance,
    fitted_on: Sequence[RowProvenance],
    fitted_subjects: Bits,
    universe: SubjectUniverse,
    *,
    by: str,
) -> RowProvenance:
    """Return the source of a row made by a fitted combiner (stack weights, thresholds, a temperature, chosen members).

    Args:
        own: the joined source of the row itself.
        fitted_on: sources of the rows whose labels fitted the combiner.
        fitted_subjects: the subjects [S] of those rows.
        universe: the universe of all of them.
        by: the combiner, in words.
    """
    # The combiner has read the labels of `fitted_subjects`; the models behind the rows it was fitted on are one step
    # further away, so their subjects are recorded apart and a score of them is marked cross-fitted.
    seen = own.seen | fitted_subjects
    through = own.seen_through.copy()
    for s in fitted_on:
        through |= s.seen | s.seen_through
    images = own.seen_images
    if images is not None:
        images = np.unique(np.concatenate([images, universe.images_of(fitted_subjects)]))
    return RowProvenance(
        name=own.name,
        seen=seen,
        seen_through=through & ~seen,
        selected=own.selected,
        seen_images=images,
        external=_distinct([*own.external, *(e for s in fitted_on for e in s.external)]),
        path=_distinct(
            [*own.path, f"{by} was fitted on the labels of {int(fitted_subjects.sum()):,} subjects"]
        ),
        outside=_least_sure([own, *fitted_on]),
    )


def student_source(
    student: RowProvenance, teachers: Sequence[RowProvenance], universe: SubjectUniverse, *, by: str
) -> RowProvenance:
    """Return the source of a model that started from a checkpoint or learned from a teacher.

    What a teacher saw, or saw through its combiner, the student has seen; a subject that chose the teacher's epoch
    has chosen the student's too.
    """
    seen_by_teachers = [_seen_whole(t, universe) for t in teachers]
    joined = join_sources(student.name, [student, *seen_by_teachers], universe)
    return replace(joined, path=_distinct([*student.path, *(f"{by}: {p}" for t in teachers for p in t.path)]))


def _seen_whole(teacher: RowProvenance, universe: SubjectUniverse) -> RowProvenance:
    """Return a teacher's source in which the subjects seen through others count as seen."""
    images = teacher.seen_images
    if images is not None:
        images = np.unique(np.concatenate([images, universe.images_of(teacher.seen_through)]))
    return replace(
        teacher,
        seen=teacher.seen | teacher.seen_through,
        seen_through=universe.no_subjects(),
        seen_images=images,
    )


def _subjects_of(dataset: Dataset, images: Bits) -> Bits:
    out = np.zeros(dataset.n_subjects, dtype=bool)
    out[dataset.subject_index[images]] = True
    return out


def _distinct(items: Any) -> tuple[str, ...]:
    return tuple(dict.fromkeys(items))


@dataclass(frozen=True)
class Provenance:
    """The universe and the sources of a set of predictions, as they are stored in files and checkpoints."""

    universe: SubjectUniverse
    sources: tuple[RowProvenance, ...] = field(default_factory=tuple)

    @classmethod
    def joined(cls, parts: Sequence[Provenance]) -> Provenance:
        """Return the sources of all parts in their order, over the universe of them all."""
        universe = parts[0].universe
        for part in parts[1:]:
            universe = universe.union(part.universe)
        return cls(universe, tuple(s.lifted(p.universe, universe) for p in parts for s in p.sources))

    def taught_by(self, given: Provenance, *, by: str) -> Provenance:
        """Return the provenance of models that learned from others: their teachers, or their starting weights.

        Args:
            given: of the others.
            by: the others, in words.
        """
        together = Provenance.joined((self, given))
        own, theirs = together.sources[: len(self.sources)], together.sources[len(self.sources) :]
        universe = together.universe
        return Provenance(universe, tuple(student_source(s, theirs, universe, by=by) for s in own))

    def packed(self) -> PackedProvenance:
        """Return the universe and the sources as files hold them."""
        sources = tuple(s.packed() for s in self.sources)
        return PackedProvenance(universe=self.universe.packed(), sources=sources)

    @classmethod
    def unpacked(cls, packed: PackedProvenance) -> Provenance:
        """Return the provenance that `packed` packed."""
        universe = SubjectUniverse.unpacked(packed.universe)
        return cls(universe, tuple(RowProvenance.unpacked(s, universe.n_subjects) for s in packed.sources))

    def content(self) -> dict[str, Any]:
        """Return what stands in a file."""
        return self.packed().model_dump(mode="json")

    @classmethod
    def read(cls, content: Mapping[str, Any]) -> Provenance:
        """Read what `content` returned."""
        return cls.unpacked(PackedProvenance.model_validate(content))
