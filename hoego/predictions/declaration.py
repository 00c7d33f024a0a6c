"""What a model from elsewhere was trained on: by a table of photos or subjects, or by what a watch saw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hoego.data.dataset import Dataset
from hoego.data.readers.tables import read_table
from hoego.errors import DataError, HoegoError, LeakError, MismatchError, UsageError, first_few, nearest
from hoego.predictions.frame_columns import IMAGE_COLUMNS
from hoego.predictions.match_images import match_images
from hoego.predictions.provenance import Outside, Provenance, RowProvenance, SubjectUniverse
from hoego.results.evidence import Evidence, read_evidence

SUBJECT = "subject"
SHOWN = 5


def declared(files: Sequence[Path], dataset: Dataset, name: str) -> Provenance:
    """Return the provenance of a model that was trained elsewhere on some photos of a data set.

    A table names them, or their subjects in a column `subject`, and is somebody's word. The evidence of a watch
    (`hoego watch`) shows which photos were opened. Without a gap it makes the provenance `witnessed`.

    Args:
        files: tables (.csv, .tsv, .parquet and the like), and evidence (.json) of all trainings of the model.
        dataset: of the photos.
        name: of the model.

    Raises:
        LeakError: a training opened photos of subjects that the tables do not name; names photos.
        DataError: a table names a photo or a subject that is not in the data set; names it and its row.
        MismatchError: evidence is of another data set.
        UsageError: a watched training did not end well.
    """
    tables = [p for p in files if p.suffix.lower() != ".json"]
    evidence = [_evidence(p, dataset) for p in files if p.suffix.lower() == ".json"]
    told, opened = np.zeros(dataset.n_images, dtype=bool), np.zeros(dataset.n_images, dtype=bool)
    for path in tables:
        told |= _named(path, dataset)
    for found in evidence:
        opened |= found.opened_mask()[np.searchsorted(np.sort(dataset.image_ids), dataset.image_ids)]
    if tables:
        _require_told(opened, told, dataset, tables)
    watched = bool(evidence) and not any(e.gaps for e in evidence)
    known: Outside = "witnessed" if watched else "declared"
    source = RowProvenance.from_training(name, dataset, told | opened)
    how = {"witnessed": "as Hoego watched", "declared": "by somebody's word"}[known]
    said = f"{name}, trained outside Hoego on {int(source.seen.sum()):,} of {dataset.n_subjects:,} subjects ({how})"
    return Provenance(SubjectUniverse.of(dataset), (replace(source, outside=known, path=(said,)),))


def _evidence(path: Path, dataset: Dataset) -> Evidence:
    found = read_evidence(path)
    if found.dataset != dataset.fingerprint:
        raise MismatchError(
            f"The evidence is of another data set ({found.dataset}, here {dataset.fingerprint}).",
            file=path,
            remedy="Give the evidence of the training that made the weights.",
        )
    if not found.finished:
        raise UsageError(
            "The watched training did not end well.",
            file=path,
            remedy="Train to the end under the watch, or declare by a table alone.",
        )
    return found


def _named(path: Path, dataset: Dataset) -> NDArray[np.bool_]:
    """Return the mask [N] of the photos that a table names, or whose subjects it names."""
    table = read_table(path)
    lower = {c.lower(): c for c in reversed(table.frame.columns)}
    column = next((lower[c] for c in (SUBJECT, *IMAGE_COLUMNS) if c in lower), None)
    if column is None and len(lower) == 1:
        column = next(iter(lower.values()))
    if column is None:
        raise DataError(
            f"No column names photos or subjects among {', '.join(map(repr, table.frame.columns[:8]))}.",
            file=path,
            remedy="Add one called image, with ids or paths of photos, or one called subject.",
        )
    cells = [str(c) for c in table.frame[column].drop_nulls().to_list()]
    if column.lower() != SUBJECT:
        try:
            ids = match_images(list(dict.fromkeys(cells)), dataset)
        except HoegoError as error:
            error.file = error.file or path
            raise
        return np.isin(dataset.image_ids, ids)
    subjects = set(dataset.subjects.tolist())
    unknown = next((k for k, c in enumerate(cells) if c not in subjects), None)
    if unknown is not None:
        raise DataError(
            f"{cells[unknown]!r} is no subject of the data set.",
            file=path,
            row=table.line(unknown),
            column=column,
            remedy=nearest(cells[unknown], dataset.subjects.tolist()[:2_000]),
        )
    return np.isin(dataset.subjects, cells)[dataset.subject_index]


def _require_told(
    opened: NDArray[np.bool_], told: NDArray[np.bool_], dataset: Dataset, tables: Sequence[Path]
) -> None:
    known = np.isin(dataset.subject_index, dataset.subject_index[told])
    more = np.flatnonzero(opened & ~known)
    if len(more):
        shown = first_few([repr(i) for i in np.sort(dataset.image_ids[more])[: SHOWN + 1].tolist()], SHOWN)
        raise LeakError(
            f"{len(more):,} photos were opened during the training whose subjects {tables[0].name} does not name: "
            f"{shown}.",
            remedy="Name all photos that the weights were trained on.",
        )
