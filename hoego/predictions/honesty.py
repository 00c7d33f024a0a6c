"""The honesty of predictions: what may be scored, and how a score must be marked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from hoego.data.dataset import NOT_AUDITED, Dataset
from hoego.errors import LeakError, MismatchError, first_few
from hoego.predictions.label_notes import label_notes
from hoego.predictions.left_out_notes import left_out_notes
from hoego.predictions.predictions import Predictions
from hoego.predictions.provenance import Provenance
from hoego.results.honesty import HonestyMark, ScoreHonesty

Mask = NDArray[np.bool_]

OUT_OF_FOLD = "out-of-fold"
SELECTED = "selected"
CROSS_FITTED = "cross-fitted"
WITNESSED = "witnessed"
DECLARED = "declared"
NAIVE = "naive"
IN_SAMPLE = "in-sample"
_BESIDE = (SELECTED, CROSS_FITTED, WITNESSED, DECLARED)


@dataclass(frozen=True, kw_only=True)
class Honesty:
    """The honesty of each of N rows of predictions against one data set.

    Args:
        in_sample, naive, selected, cross_fitted, witnessed, declared: masks [N]; a row can be selected, cross-fitted
            and of a model that was trained outside.
        notes: sentences to show beside every score: independence not shown, external checkpoints, labels that were
            corrected, suggested by a run or changed since, photos that are left out.
        marks: the same in words short enough for a list of scores.
    """

    in_sample: Mask
    naive: Mask
    selected: Mask
    cross_fitted: Mask
    witnessed: Mask
    declared: Mask
    notes: tuple[str, ...]
    marks: tuple[HonestyMark, ...] = ()

    @property
    def label(self) -> str:
        """The honesty of the worst row, in the words of `LEVELS`."""
        if self.in_sample.any():
            return IN_SAMPLE
        if self.naive.any():
            return NAIVE
        parts = [name for name in _BESIDE if self._rows(name).any()]
        return ", ".join(parts) or OUT_OF_FOLD

    @property
    def honest(self) -> bool:
        """Whether the score may be ranked: nothing in-sample, nothing naive, no model trained outside."""
        return ScoreHonesty(self.label).rankable

    @property
    def outside(self) -> bool:
        """Whether a model behind the rows was trained outside Hoego."""
        return bool(self.witnessed.any() or self.declared.any())

    def _rows(self, level: str) -> Mask:
        rows: Mask = getattr(self, level.replace("-", "_"))
        return rows


def honesty(predictions: Predictions, dataset: Dataset) -> Honesty:
    """Check every row against the subjects and images of a data set.

    Raises:
        MismatchError: the predictions are of another data set (the message names the differences), or of images that
            it does not have.
    """
    require_same_dataset(predictions, dataset)
    rows = dataset.positions(predictions.images)
    n = len(rows)
    flags = {f.name: np.zeros(n, dtype=bool) for f in fields(Honesty) if f.name not in ("notes", "marks")}
    universe = predictions.universe
    for k, source in enumerate(predictions.sources):
        mine = predictions.source == k
        if not mine.any():
            continue
        seen = universe.images_showing(source.seen, dataset)[rows] & mine
        # A naive split trains on other photos of the held-out subjects: only the very photos count as in-sample.
        if source.seen_images is not None:
            same_photo = np.isin(dataset.contents[rows], source.seen_images)
            flags["naive"] |= seen & ~same_photo
            seen &= same_photo
        flags["in_sample"] |= seen
        flags["cross_fitted"] |= universe.images_showing(source.seen_through, dataset)[rows] & mine & ~seen
        flags["selected"] |= universe.images_showing(source.selected, dataset)[rows] & mine & ~seen
        if source.outside:
            flags[source.outside] |= mine & ~seen
    said = _said(predictions, dataset)
    return Honesty(**flags, notes=tuple(note for note, _ in said), marks=_marks(said))


def require_honest(predictions: Predictions, dataset: Dataset, *, allow_in_sample: bool = False) -> Honesty:
    """Return the honesty of predictions that are about to be scored; refuse in-sample rows.

    Raises:
        LeakError: rows are in-sample; names subjects and the path by which they were seen.
    """
    found = honesty(predictions, dataset)
    if found.in_sample.any() and not allow_in_sample:
        sources = np.unique(predictions.source[found.in_sample]).tolist()
        paths = [p for k in sources for p in predictions.sources[k].path]
        raise _leak(
            dataset, dataset.positions(predictions.images)[found.in_sample], len(predictions.images), paths
        )
    return found


def require_unseen(given: Provenance, dataset: Dataset, held: Mask, *, naive: bool = False) -> None:
    """Refuse starting weights that have seen what a training is to be scored on, before its first step.

    Args:
        given: of the starting weights.
        dataset: N images.
        held: mask [N] of the images that are held out.
        naive: the split is by photo, so only the photos themselves must be new.

    Raises:
        LeakError: names subjects and the path by which they were seen.
    """
    universe = given.universe
    for source in given.sources:
        seen = source.seen | source.seen_through
        if naive and source.seen_images is not None:
            shown = np.isin(dataset.contents, source.seen_images)
        elif naive:
            shown = np.isin(dataset.contents, universe.images_of(seen))
        else:
            shown = universe.images_showing(seen, dataset)
        rows = np.flatnonzero(shown & held)
        if len(rows):
            raise _leak(dataset, rows, int(held.sum()), [f"its starting weights: {p}" for p in source.path])


def _leak(dataset: Dataset, rows: NDArray[np.intp], n: int, paths: list[str]) -> LeakError:
    """Make the error that names the subjects of in-sample `rows` of a data set, of `n` that are scored."""
    names = np.unique(dataset.subjects[dataset.subject_index[rows]])
    since = (
        "hoego.toml has joined subjects since this was trained: train it again. "
        if dataset.merged_subjects
        else ""
    )
    return LeakError(
        f"{len(rows):,} of {n:,} rows are in-sample: the model behind them has seen "
        f"{len(names):,} of the scored subjects ({first_few(names.tolist())}). "
        f"Seen by: {'; '.join(dict.fromkeys(paths)) or 'not recorded'}.",
        remedy=f"{since}Score out-of-fold predictions (hoego train --fold all). "
        "Only where these are other people, who share no more than names with those that were seen, give one of "
        "the data sets a dataset.namespace. "
        "--allow-in-sample prints the number, marked.",
    )


def require_same_dataset(predictions: Predictions, dataset: Dataset) -> None:
    """Raise MismatchError unless the predictions are of this data set; the message names the differences."""
    if predictions.dataset_fingerprint == dataset.fingerprint:
        return
    here, there = set(dataset.image_ids.tolist()), set(predictions.images.tolist())
    differs = []
    if missing := there - here:
        differs.append(f"{len(missing)} predicted images are not in it (such as {min(missing)!r})")
    known = np.isin(dataset.contents, predictions.universe.contents)
    if (~known).any() and known.any():
        differs.append(f"{int((~known).sum())} of its images have other content or are new")
    names = set(dataset.subjects.tolist()) ^ set(predictions.universe.names.tolist())
    if names:
        differs.append(f"{len(names)} subjects are in one only (such as {min(names)!r})")
    raise MismatchError(
        f"The predictions {predictions.name!r} are of another data set "
        f"({predictions.dataset_fingerprint}, here {dataset.fingerprint}): "
        f"{'; '.join(differs) or 'which photo belongs to which subject differs, or photos were removed'}.",
        remedy="Score them with the data set they were made on, or predict again.",
    )


_OUTSIDE_NOTES = {
    WITNESSED: "witnessed: trained outside Hoego, which watched that the training opened no held-out photo; what the "
    "weights had seen before is not known",
    DECLARED: "declared: trained outside Hoego; that no model has seen the photos it predicts here is somebody's word, "
    "and what its weights had seen before is not known",
}


def _said(predictions: Predictions, dataset: Dataset) -> list[tuple[str, HonestyMark | None]]:
    """List what must be said beside a score of the predictions: a sentence, and its mark where it has one."""
    said: list[tuple[str, HonestyMark | None]] = []
    if not dataset.subject_shown:
        said.append(("independence not shown", HonestyMark.INDEPENDENCE_NOT_SHOWN))
    external = dict.fromkeys(e for s in predictions.sources for e in s.external)
    said += [(f"external, stated, not provable: {e}", HonestyMark.EXTERNAL) for e in external]
    outside = {s.outside for s in predictions.sources}
    said += [(text, None) for mark, text in _OUTSIDE_NOTES.items() if mark in outside]
    audited = HonestyMark.NOT_AUDITED, HonestyMark.AUDIT_WARNED
    said += [(warning, audited[warning != NOT_AUDITED]) for warning in dataset.warnings]
    said += [(note, HonestyMark.LABELS_CHANGED) for note in label_notes(predictions, dataset)]
    said += [(note, HonestyMark.PHOTOS_LEFT_OUT) for note in left_out_notes(predictions, dataset)]
    return said


def _marks(said: Sequence[tuple[str, HonestyMark | None]]) -> tuple[HonestyMark, ...]:
    found = {mark for _, mark in said}
    return tuple(mark for mark in HonestyMark if mark in found)
