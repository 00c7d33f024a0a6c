"""The proposal for a table that names photos."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from hoego.data.images import is_photo
from hoego.data.proposals.column_words import TRAITS, head
from hoego.data.proposals.draft import Draft
from hoego.data.proposals.file_names import ASK, subject_in_names
from hoego.data.proposals.find_tables import Labelled
from hoego.data.proposals.guess_columns import GuessedColumns, guess_columns
from hoego.data.proposals.target import points_of as _points_of
from hoego.data.proposals.target import propose_labels
from hoego.data.readers import photos_below
from hoego.errors import DataError

_TEST = ("test", "eval", "unlabel", "predict", "submission")
_NOT_OURS = ("test", "eval", "unlabel", "predict", "submission", "val", "valid", "sample")


def columns_of(found: Labelled) -> GuessedColumns:
    """Return the roles of the columns of a table, except those that name photos."""
    return guess_columns(found.frame, [found.path_column, *found.others], found.paths)


def table_proposal(found: Labelled, columns: GuessedColumns) -> Draft:
    """Draft the settings for a labelled table.

    Raises:
        DataError: no column looks like a label; says why of each.
    """
    draft = Draft(root=found.root)
    name = os.path.relpath(found.table.path, found.root).replace(os.sep, "/")
    draft.dataset |= {"layout": "table", "table": name, "path": found.path_column}
    draft.infer("layout", f"table {name}", found.certainty, f"its column {found.path_column!r} names photos")
    propose_subject(draft, columns, found)
    propose_labels(draft, columns, found.frame)
    for column, why in columns.others.items():
        draft.infer(f"column {column}", "no label", "likely", why)
    _test_set(draft, found.table.path)
    _passed_over(draft, found)
    return draft


def no_label(found: Labelled, columns: GuessedColumns) -> DataError:
    """Return the error for a table without a label column: why each column is none, and how to name one."""
    left = {**columns.others}
    if columns.subject.column is not None:
        left = {columns.subject.column: f"it looks like the subject: {columns.subject.reason}"} | left
    alone = [c for c in left if _points_of(c) > 1 and found.frame[c].n_unique() == 1]
    if alone:
        value = found.frame[alone[0]][0]
        return DataError(
            f"The label {alone[0]!r} holds one value only, {value!r}: there is nothing to tell apart.",
            file=found.table.path,
            column=alone[0],
            remedy="Add photos of another class, or name another column: labels.target.",
        )
    many = [c for c in left if 1 < found.frame[c].n_unique() <= found.frame.height]
    reasons = "; ".join(f"{c} ({why})" for c, why in left.items())
    if not many:
        remedy = f"Add one column per attribute. Left out: {reasons or 'nothing, there is no other column'}."
        return DataError("No column looks like a label.", file=found.table.path, remedy=remedy)
    column = min(many, key=lambda c: found.frame[c].n_unique())
    n = found.frame[column].n_unique()
    return DataError(
        f"No column looks like a label: {column!r} has {n:,} values for {found.frame.height:,} photos. "
        "Is it the label, or the subject?",
        file=found.table.path,
        remedy=(
            "Write hoego.toml by hand. If it is what is to be predicted:\n"
            f'    [labels]\n    target = "{column}"\n'
            "  If it is the subject of a photo, and another column is the label:\n"
            f'    [dataset]\n    subject = ["{column}"]\n  Left out: {reasons}.'
        ),
    )


def propose_subject(draft: Draft, columns: GuessedColumns, found: Labelled) -> None:
    """Propose the subject by a column, else by the photos' names."""
    guess = columns.subject
    classes = [a.column for a in columns.attributes if a.kind != "binned" and head(a.column)[0] not in TRAITS]
    classes += columns.several.columns
    labels = [found.frame[c].cast(pl.String).fill_null("").to_list() for c in classes]
    if guess.column is not None:
        draft.dataset["subject"] = [guess.column]
        draft.infer("subject", guess.column, guess.certainty, guess.reason, guess.question)
        return
    subject_by_name(draft, [p for p in found.paths if p], labels, guess.reason)


def subject_by_name(
    draft: Draft, paths: Sequence[str], labels: Sequence[Sequence[str]], otherwise: str
) -> None:
    """Propose the subject by a regular expression over the photos' paths; else none, and ask."""
    named = subject_in_names(paths, [v for v in labels if len(v) == len(paths)]) if paths else None
    if named is None:
        draft.infer("subject", "none", "unsure", otherwise, ASK)
        return
    draft.dataset["subject_regex"] = named.regex
    draft.infer("subject", named.regex, named.certainty, named.reason, named.question)


def _test_set(draft: Draft, table: Path) -> None:
    """Propose the test set: a second table of photos without labels, or a test folder that the table does not
    name.
    """
    found = []
    for other in sorted(table.parent.iterdir()):
        rank = next((k for k, word in enumerate(_TEST) if word in other.stem.lower()), None)
        listed = other.is_file() and other.suffix.lower() in (".csv", ".tsv", ".parquet")
        if rank is not None and other != table and (listed or (other.is_dir() and photos_below(other))):
            found.append((not listed, rank, os.path.relpath(other, draft.root)))
    if found:
        draft.dataset["unlabelled"] = min(found)[2]
        draft.infer("unlabelled", min(found)[2], "likely", "by its name it is the test set")


def _passed_over(draft: Draft, found: Labelled) -> None:
    """Note photos in no row, rows without a photo, and further columns that name photos."""
    for note in found.table.notes:
        draft.pass_over("in the table", note)
    for column, n in found.others.items():
        draft.pass_over(
            f"{n:,} photos of the column {column!r}",
            "a row is one photo: to use these, too, write a row for each, with the subject of both",
        )
    if found.missing:
        rows = "1 row" if found.missing == 1 else f"{found.missing:,} rows"
        draft.pass_over(rows, "no photo of the name is here")
    taken = set(found.paths)
    named = len(found.paths) - found.missing
    if named > len(taken - {""}):
        more = named - len(taken - {""})
        why = f"{more:,} rows name a photo that another row names already: a row is one photo"
        draft.infer("problem", "repeated photos", "problem", why)
    beside = [p for p in photos_below(found.root) if p not in taken]
    test = [p for p in beside if any(word in p.lower() for word in _NOT_OURS)]
    rest = [p for p in beside if p not in set(test)]
    for photos, where in ((rest, ""), (test, " of the test or validation part")):
        if photos and is_photo(photos[0]):
            shown = f"such as {photos[0]}"
            draft.pass_over(f"{len(photos):,} photos{where}", f"no row of the table names them, {shown}")
