"""Records: one folder per run, written whole, readable without Hoego."""

from __future__ import annotations

from hoego.records.diary import Note, note, notes
from hoego.records.difference import Change, RecordDifference, differences_of
from hoego.records.merging import Merged, merge
from hoego.records.meta import SCHEMA_VERSION, STATES, RunMeta, now
from hoego.records.record import FINAL_STATES, Record
from hoego.records.store import Store, new_id
from hoego.records.table import RunsQuery, RunsTable, runs

__all__ = [
    "FINAL_STATES",
    "SCHEMA_VERSION",
    "STATES",
    "Change",
    "Merged",
    "Note",
    "Record",
    "RecordDifference",
    "RunMeta",
    "RunsQuery",
    "RunsTable",
    "Store",
    "differences_of",
    "merge",
    "new_id",
    "note",
    "notes",
    "now",
    "runs",
]
