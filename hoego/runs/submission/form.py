"""The form that a test set asks for: which ids, in which order, with which column of answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import polars as pl

from hoego.damage import is_damage, parsing
from hoego.data.schema import COMPOSITE, LabelSchema
from hoego.errors import DataError, MismatchError, first_few, nearest
from hoego.predictions import Predictions


@dataclass(frozen=True, kw_only=True)
class SubmissionForm:
    """The ids of a submission in their order, and the columns of answers.

    Args:
        file: the table that says so (info.csv).
        ids: [N], as the table writes them.
        id_column, answer_column: its columns.
        class_columns: [C] its columns of probabilities, one per class, in its order; () where `answer_column` takes
            the answer.
    """

    file: Path
    ids: tuple[str, ...]
    id_column: str
    answer_column: str
    class_columns: tuple[str, ...] = ()

    def match(self, predictions: Predictions) -> Predictions:
        """Put the predictions in the order of the form; ids match by path or by file name.

        Raises:
            MismatchError: ids of the form that were not predicted, or predicted photos that it does not name.
        """
        by_path = {image: image for image in predictions.images.tolist()}
        by_name: dict[str, list[str]] = {}
        for image in predictions.images.tolist():
            by_name.setdefault(PurePosixPath(image).name, []).append(image)
        wanted, missing = [], []
        for row, i in enumerate(self.ids, start=2):
            named = by_name.get(PurePosixPath(i).name, [])
            if i in by_path:
                wanted.append(i)
            elif len(named) == 1:
                wanted.append(named[0])
            else:
                missing.append((row, i))
        if missing:
            raise MismatchError(
                f"{len(missing)} of {len(self.ids)} ids were not predicted, such as {missing[0][1]!r}.",
                file=self.file,
                row=missing[0][0],
                remedy="Predict the folder that this table lists.",
            )
        extra = set(by_path) - set(wanted)
        if extra:
            raise MismatchError(
                f"{len(extra)} predicted photos are not in the form, such as {min(extra)!r}.",
                file=self.file,
                remedy="Predict the photos that the form lists and no others.",
            )
        return predictions.align(np.asarray(wanted))

    def fill(self, predictions: Predictions) -> pl.DataFrame:
        """Fill the form with the answers, or the probabilities, of predictions in its order (see `match`)."""
        table: dict[str, list[Any]] = {self.id_column: list(self.ids)}
        if not self.class_columns:
            return pl.DataFrame(table | {self.answer_column: answers_of(predictions)})
        probabilities = predictions.target_probabilities()
        answers = answers_in_use(predictions.schema)
        for column in self.class_columns:
            table[column] = [round(p, 7) for p in probabilities[:, answers.index(column)].tolist()]
        return pl.DataFrame(table)

    def answers_in(self, file: Path) -> dict[str, str] | None:
        """Read what an earlier file answers, by id; None where it answers another form, or cannot be read."""
        try:
            table = pl.read_csv(file, infer_schema_length=0)
            if {self.id_column, *self.class_columns} - set(table.columns):
                return None
            if self.class_columns:
                values = table.select(self.class_columns).cast(pl.Float64).to_numpy()
                said = [self.class_columns[i] for i in values.argmax(axis=1).tolist()]
            elif self.answer_column in table.columns:
                said = table[self.answer_column].to_list()
            else:
                return None
        except BaseException as problem:
            if not is_damage(problem):
                raise
            return None
        return dict(zip(table[self.id_column].to_list(), said, strict=True))


def read_form(
    file: Path, id_column: str, answer_column: str, answers: Sequence[str] | None = None
) -> SubmissionForm:
    """Read info.csv: ids, and one column of answers or one column of probabilities per class.

    Args:
        file: the table.
        id_column, answer_column: as submission.image and submission.answer name them.
        answers: every answer there is (see `answers_in_use`): names of columns of probabilities.

    Raises:
        DataError: a column is missing, an id is blank or repeated, or the form has more columns than are filled.
    """
    with parsing(file, error=DataError, remedy="Write the form again, as CSV UTF-8 with a header."):
        try:
            table = pl.read_csv(file, infer_schema_length=0)
        except FileNotFoundError:
            raise DataError("There is no such table.", file=file, remedy="Set submission.info.") from None
    if id_column not in table.columns:
        raise DataError(
            f"There is no column {id_column!r}.",
            file=file,
            remedy=f"Set submission.image to the column of ids; {nearest(id_column, table.columns)}",
        )
    ids = table[id_column]
    if ids.null_count():
        at = int(np.flatnonzero(ids.is_null().to_numpy())[0])
        raise DataError(
            "The id is blank.", file=file, row=at + 2, column=id_column, remedy="Remove the line."
        )
    if ids.is_duplicated().any():
        at = int(np.flatnonzero(ids.is_duplicated().to_numpy())[1])
        raise DataError(f"The id {ids[at]!r} appears twice.", file=file, row=at + 2, column=id_column)
    others = tuple(c for c in table.columns if c != id_column)
    return SubmissionForm(
        file=file,
        ids=tuple(ids.to_list()),
        id_column=id_column,
        answer_column=answer_column,
        class_columns=_class_columns(file, others, answer_column, answers or ()),
    )


def _class_columns(
    file: Path, others: tuple[str, ...], answer_column: str, answers: Sequence[str]
) -> tuple[str, ...]:
    """Return the columns of probabilities, () for one of answers. The file must have the form's very header."""
    if others in ((), (answer_column,)):
        return ()
    if len(others) > 1 and sorted(others) == sorted(answers):
        return others
    if len(others) == 1:
        raise DataError(
            f"Its column of answers is {others[0]!r}, and submission.answer is {answer_column!r}.",
            file=file,
            remedy=f'Set submission.answer = "{others[0]}".',
        )
    named = answer_column if answer_column in others else "none of them"
    raise DataError(
        f"The form has {len(others)} columns beside the ids ({first_few(others)}), and submission.answer names "
        f"{named}: a file with one of them would not have the form's header.",
        file=file,
        remedy="Columns of probabilities must have the names of the classes, all of them"
        + (f" ({first_few(answers)})" if answers else "")
        + "; else leave the ids and one column of answers.",
    )


def answers_in_use(schema: LabelSchema) -> tuple[str, ...]:
    """Return every answer [C] there is, in the order of the classes: the composite's code, or the class's name."""
    if schema.target == COMPOSITE:
        return tuple(map(str, range(schema.n_target_classes)))
    return tuple(schema.target_classes)


def answers_of(predictions: Predictions) -> list[str]:
    """Return the answer of each row [N]: the composite's code (6*mask + 3*gender + age), or the name of the
    class.
    """
    answers = answers_in_use(predictions.schema)
    return [answers[c] for c in predictions.target_probabilities().argmax(axis=1).tolist()]
