"""The form that a test set asks for: which ids, in which order, with which column of answers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import polars as pl

from hoego.data.schema import COMPOSITE
from hoego.errors import DataError, MismatchError, nearest
from hoego.predictions import Predictions


@dataclass(frozen=True)
class SubmissionForm:
    """The ids of a submission in their order.

    Args:
        file: the table that says so (info.csv).
        ids: [N], as the table writes them.
        id_column, answer_column: its columns.
    """

    file: Path
    ids: tuple[str, ...]
    id_column: str
    answer_column: str

    def match(self, predictions: Predictions) -> Predictions:
        """The predictions in the order of the form; ids match by path or by file name.

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


def read_form(file: Path, id_column: str, answer_column: str) -> SubmissionForm:
    """Read info.csv. Raises DataError naming the column, or the row of a repeated id."""
    try:
        table = pl.read_csv(file, infer_schema_length=0)
    except FileNotFoundError:
        raise DataError("There is no such table.", file=file, remedy="Set submission.info.") from None
    except pl.exceptions.PolarsError as e:
        raise DataError(f"Not a readable table: {e}", file=file) from None
    if id_column not in table.columns:
        raise DataError(
            f"There is no column {id_column!r}.", file=file, remedy=nearest(id_column, table.columns)
        )
    ids = table[id_column]
    if ids.is_duplicated().any():
        at = int(np.flatnonzero(ids.is_duplicated().to_numpy())[1])
        raise DataError(f"The id {ids[at]!r} stands twice.", file=file, row=at + 2, column=id_column)
    return SubmissionForm(file, tuple(ids.to_list()), id_column, answer_column)


def answers_of(predictions: Predictions) -> list[str]:
    """The answer of each row [N]: the composite's code (6*mask + 3*gender + age), or the name of the class."""
    schema = predictions.schema
    best = predictions.target_probabilities().argmax(axis=1).tolist()
    if schema.target == COMPOSITE:
        return [str(c) for c in best]
    names = schema.target_classes
    return [names[c] for c in best]
