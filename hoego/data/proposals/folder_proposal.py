"""The proposal for photos without a table: by their folders, else by their names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from hoego.data.proposals.draft import Draft
from hoego.data.proposals.file_names import NamedLabels, labels_in_names
from hoego.data.proposals.folder_shape import FolderShape, Parts, folder_shape, parts_of
from hoego.data.proposals.guess_columns import guess_columns
from hoego.data.proposals.table_proposal import subject_by_name
from hoego.data.proposals.target import propose_labels
from hoego.data.readers import photos_below
from hoego.errors import DataError

NO_NAMES = "nothing in the file names looks like one, so each photo counts as its own subject"


def folder_proposal(root: Path, said: Sequence[str]) -> Draft:
    """Draft the settings for a folder of photos.

    Args:
        root: the folder.
        said: sentences on tables and files that were passed over, for the error.

    Raises:
        DataError: there is no photo, or neither folders nor names say what the photos show.
    """
    paths = photos_below(root)
    more = "".join(f"\n  Passed over: {sentence}" for sentence in said)
    if not paths:
        raise DataError(
            "There is neither a photo nor a table in it that can be read.",
            file=root,
            remedy=f"Name the folder of the photos.{more}",
        )
    shape = folder_shape(paths)
    if shape is not None:
        return _by_folders(root, shape)
    parts = parts_of(paths)
    named = labels_in_names(parts.paths)
    if named is not None:
        return _by_names(root, parts, named)
    if all("/" in p for p in paths) and len({p.rpartition("/")[0] for p in paths}) == 1:
        problem = f"All {len(paths):,} photos are in one class folder"
    else:
        problem = (
            f"{len(paths):,} photos, but nothing says what they show: no class folders and no table for them"
        )
    raise DataError(
        f"{problem}.",
        file=root,
        remedy="Sort them into one folder per class, name the folder above it, or write a CSV of path, subject and "
        f"label.{more}",
    )


def _by_folders(root: Path, shape: FolderShape) -> Draft:
    draft = Draft(root=root, dataset={"layout": "folders", "pattern": shape.pattern})
    draft.infer("layout", "folders", shape.certainty, shape.reason, shape.question)
    _parts(draft, shape)
    frame = pl.DataFrame({n: shape.values[n] for n in shape.labels})
    columns = guess_columns(frame, [], trusted=True)
    if shape.subject is not None:
        draft.dataset["subject"] = [shape.subject]
        reason = f"{len(set(shape.values[shape.subject])):,} folders that look like subjects"
        draft.infer("subject", shape.subject, shape.certainty, reason, shape.question)
    else:
        subject_by_name(draft, shape.paths, [shape.values[n] for n in shape.labels], NO_NAMES)
    if shape.question and "label" in shape.labels:
        extra = [a for a in columns.attributes if a.name != "label"]
        draft.labels["attributes"] = {a.name: {"kind": "nominal"} for a in columns.attributes}
        draft.labels["target"] = "label"
        reason = shape.reason + (f"; {extra[0].name} is the other level" if extra else "")
        draft.infer("target", "label", shape.certainty, reason, shape.question)
    else:
        propose_labels(draft, columns, frame)
    for what, n in shape.passed.items():
        draft.pass_over(f"{n:,} photos", f"{what}: not of the labelled part")
    return draft


def _by_names(root: Path, parts: Parts, named: NamedLabels) -> Draft:
    draft = Draft(root=root, dataset={"layout": "folders", "label_regex": named.regex})
    draft.infer("layout", "file names", "unsure", named.reason, named.question)
    _parts(draft, parts)
    frame = pl.DataFrame(named.values)
    columns = guess_columns(frame, [], trusted=True)
    subject_by_name(draft, parts.paths, list(named.values.values()), NO_NAMES)
    propose_labels(draft, columns, frame)
    at = next(i for i, one in enumerate(draft.inferences) if one.what == "target")
    target = draft.inferences.pop(at)
    draft.infer("target", target.value, "unsure", target.reason, named.question)
    return draft


def _parts(draft: Draft, shape: FolderShape | Parts) -> None:
    """Use folders called train, val and test above the class folders."""
    if shape.exclude:
        draft.dataset["exclude"] = list(shape.exclude)
    if not shape.parts:
        return
    said = "Hoego makes its own split, of the photos outside the test folder"
    draft.infer("parts", ", ".join(shape.parts), "sure", said)
    if shape.test is not None:
        draft.dataset["unlabelled"] = shape.test
        draft.infer("unlabelled", shape.test, "likely", "kept apart as the test set")
