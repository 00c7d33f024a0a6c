"""The Dataset: photos, their subjects and their labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import blake2b
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hoego.data.aliases import SubjectAliases
from hoego.data.origin import DatasetOrigin
from hoego.data.schema import LabelSchema
from hoego.data.spelling import pack_names
from hoego.draw import card, class_bars
from hoego.errors import MismatchError

NOT_AUDITED = "the data were not audited"
"""Among the warnings of a data set whose records hold no audit."""


@dataclass(frozen=True, kw_only=True)
class LabelCorrection:
    """One row of the overlay: the label that an image really has, why, and who says so.

    Args:
        image, attribute, value: which label, and what it is.
        reason: why.
        source: who or what says so.
        run: id of the run whose predictions suggested it; "" where none did.
    """

    image: str
    attribute: str
    value: str
    reason: str
    source: str
    run: str = ""


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Dataset:
    """N images of S subjects with A attributes.

    Args:
        root: the folder that paths start from.
        schema: the attributes and the target.
        images: one row per image, sorted by `image`: `image` (id), `path` (relative to root), `subject` (joined:
            several subject columns, identical photos and the lists of `split.join` already connected),
            `content` (UInt64, blake2b of the file's bytes), then further columns of the table, for slices.
        codes: int16 [N, A], -1 where missing.
        numbers: float64 [N] per binned attribute: the number it was cut from; NaN where missing.
        subject_shown: False when no subject column was given and each photo is its own subject.
        labelled: False for a set without truth (a test folder); its codes are all -1.
        joins: sentences on subjects that were joined, and why.
        corrections: the overlay that was applied.
        aliases: what else the subjects are called.
        merged_subjects: subjects that turned out to be one after runs were made on them as several.
        first_labels: run -> the labels that it began with, as `label_changes.label_table`; None where its record
            knows no more than that they were others.
        warnings: sentences of an audit that belong beside every score.
        left_out: sentences on photos that earlier runs predicted and that are left out of it.
        excluded: setting -> how many photos of the folder or table it left out.
        name: for people.
        origin: what it was read from; None for one that was put together or taken out of another.
    """

    root: Path
    schema: LabelSchema
    images: pl.DataFrame
    codes: NDArray[np.int16]
    numbers: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    subject_shown: bool = True
    labelled: bool = True
    joins: tuple[str, ...] = ()
    corrections: tuple[LabelCorrection, ...] = ()
    aliases: SubjectAliases = field(default_factory=SubjectAliases)
    merged_subjects: tuple[tuple[str, ...], ...] = ()
    first_labels: Mapping[str, pl.DataFrame | None] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    excluded: Mapping[str, int] = field(default_factory=dict)
    name: str = ""
    origin: DatasetOrigin | None = None

    @property
    def n_images(self) -> int:
        """The number of images N."""
        return self.images.height

    @property
    def n_subjects(self) -> int:
        """The number of subjects S."""
        return len(self.subjects)

    @cached_property
    def image_ids(self) -> NDArray[Any]:
        """Ids [N], sorted (an unlabelled set keeps the order of its table)."""
        return self.images["image"].to_numpy().astype(np.str_)

    @cached_property
    def paths(self) -> list[Path]:
        """Files [N]."""
        return [self.root / p for p in self.images["path"].to_list()]

    @cached_property
    def contents(self) -> NDArray[np.uint64]:
        """Content hashes [N]."""
        return self.images["content"].to_numpy()

    @cached_property
    def _subjects(self) -> tuple[NDArray[Any], NDArray[np.int32]]:
        names, index = np.unique(self.images["subject"].to_numpy().astype(np.str_), return_inverse=True)
        return names, index.astype(np.int32)

    @property
    def subjects(self) -> NDArray[Any]:
        """Names [S], sorted."""
        return self._subjects[0]

    @property
    def subject_index(self) -> NDArray[np.int32]:
        """Position in `subjects` of each image's subject [N]."""
        return self._subjects[1]

    @cached_property
    def target(self) -> NDArray[np.int32]:
        """Target class of each image [N], -1 where missing."""
        return self.schema.target_codes(self.codes)

    def classes_of(self, name: str) -> NDArray[np.int32]:
        """Return the class of each image [N] for an attribute or "composite", -1 where missing."""
        return self.schema.class_codes(name, self.codes)

    @cached_property
    def fingerprint(self) -> str:
        """16 hex digits over ids, contents and subjects; not over labels."""
        h = blake2b(digest_size=8)
        order = np.argsort(self.image_ids, kind="stable")
        for column in ("image", "subject"):
            values = self.images[column].to_numpy().astype(np.str_)[order]
            h.update(pack_names(values.tolist()))
        h.update(np.ascontiguousarray(self.contents[order]).tobytes())
        return h.hexdigest()

    @cached_property
    def labels_version(self) -> str:
        """8 hex digits over the labels with their overlay."""
        h = blake2b(digest_size=4)
        h.update(self.schema.fingerprint.encode())
        h.update(np.ascontiguousarray(self.codes[np.argsort(self.image_ids, kind="stable")]).tobytes())
        return h.hexdigest()

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {image: i for i, image in enumerate(self.image_ids.tolist())}

    def positions(self, ids: Sequence[str] | NDArray[Any]) -> NDArray[np.int64]:
        """Return rows of the images `ids` [n]. Raises MismatchError naming ids that the data set does not have."""
        where = self._positions
        names = ids.tolist() if isinstance(ids, np.ndarray) else list(ids)
        unknown = [i for i in names if i not in where]
        if unknown:
            raise MismatchError(
                f"{len(unknown)} of {len(names)} images are not in the data set, such as {unknown[0]!r}.",
                remedy="The predictions and the data set must be of the same photos.",
            )
        return np.fromiter((where[i] for i in names), dtype=np.int64, count=len(names))

    def take(self, which: NDArray[np.bool_] | NDArray[np.integer[Any]]) -> Dataset:
        """Return the Dataset of some rows: a mask [N] or positions."""
        rows = np.flatnonzero(which) if which.dtype == np.bool_ else which
        return replace(
            self,
            images=self.images[rows.tolist()],
            codes=self.codes[rows],
            numbers={k: v[rows] for k, v in self.numbers.items()},
            origin=None,
        )

    def __repr__(self) -> str:
        """Show what it holds in one line."""
        schema = self.schema
        return (
            f"Dataset({self.name!r}: {self.n_images:,} images of {self.n_subjects:,} subjects, "
            f"target {schema.target} with {schema.n_target_classes} classes)"
        )

    def _repr_html_(self) -> str:
        """Show counts, attributes and the classes of the target in a notebook."""
        facts = self.summary()
        subjects = f"{self.n_subjects:,} subjects"
        if not self.subject_shown:
            subjects = "no subjects: independence not shown, each photo counts as its own"
        attributes = ", ".join(f"{a.name} ({a.n_classes})" for a in self.schema.attributes)
        rows = {
            "photos": f"{self.n_images:,} of {subjects}",
            "attributes": attributes,
            "target": self.schema.target,
            "fingerprint": self.fingerprint,
            "corrections": f"{len(self.corrections):,}" if self.corrections else "",
        }
        bars = class_bars(facts["class_counts"]) if self.labelled else ""
        return card(f"Data set {escape(self.name)}", rows, bars, self.joins[:5])

    def summary(self) -> dict[str, Any]:
        """Return facts for `--json` and the report, as JSON types."""
        target = self.target
        counts = np.bincount(target[target >= 0], minlength=self.schema.n_target_classes)
        return {
            "name": self.name,
            "images": self.n_images,
            "subjects": self.n_subjects,
            "subject_shown": self.subject_shown,
            "fingerprint": self.fingerprint,
            "labels_version": self.labels_version,
            "target": self.schema.target,
            "attributes": [a.described().model_dump(mode="json") for a in self.schema.attributes],
            "class_counts": dict(zip(self.schema.target_classes, counts.tolist(), strict=True)),
            "corrections": len(self.corrections),
            "joins": list(self.joins),
            "excluded": dict(self.excluded),
        }
