"""What the record of an outside run keeps beside its predictions: outside.json."""

from __future__ import annotations

from hoego import files
from hoego.damage import parsing
from hoego.results.base import Result
from hoego.results.evidence import Evidence
from hoego.runs.records import Record

OUTSIDE = "outside.json"
NEW_PHOTOS = "new-photos.parquet"
"""Predictions of photos that are not in the data set, such as the test set of a competition."""


class OutsideFacts(Result):
    """Where the predictions of an outside run came from.

    Args:
        file: name of the file that was imported.
        digest: blake2b of its bytes.
        size: of the file, in bytes.
        attribute: what is predicted.
        scale: logits or probabilities, as it was said.
        fold: the fold that was held out; None for all.
        honesty: declared, witnessed, or both for rows of different folds.
        split: name of the split.
        sealed: salt of the export whose neutral names were used; "" where none was.
        evidence: what the watches over the trainings saw.
    """

    file: str
    digest: str
    size: int
    attribute: str
    scale: str
    fold: int | None
    honesty: str
    split: str
    sealed: str = ""
    evidence: tuple[Evidence, ...] = ()


def is_outside(record: Record) -> bool:
    """Return whether a record holds predictions of a model that was trained outside Hoego."""
    return (record.folder / OUTSIDE).is_file()


def outside_facts(record: Record) -> OutsideFacts:
    """Read what a record of an outside run says of its origin. Raises RecordError where the file is broken."""
    path = record.folder / OUTSIDE
    content = files.read_json(path)
    with parsing(path):
        return OutsideFacts.model_validate(content)
