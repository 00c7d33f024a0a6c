"""Records: one folder per run, written whole, readable without Hoego."""

from __future__ import annotations

from hoego import process
from hoego.results.records import DiaryNote, MergeResult, RecordDifference, RunsTable, ValueChange
from hoego.results.training import RunThroughput, RunTimeSample, RunTiming
from hoego.runs.records.difference import differences_of
from hoego.runs.records.held import HeldStore
from hoego.runs.records.listing import RunsQuery, runs
from hoego.runs.records.merging import merge
from hoego.runs.records.meta import STATES, RunMeta, now
from hoego.runs.records.notes import note, notes
from hoego.runs.records.ranking import Ranking, RankingGroup, RankingRule, rankings
from hoego.runs.records.record import FINAL_STATES, Record
from hoego.runs.records.run_facts import RunKind, SearchFacts
from hoego.runs.records.store import RunStore, new_id
from hoego.runs.records.upgrades import SCHEMA_VERSION

__all__ = [
    "FINAL_STATES",
    "HeldStore",
    "SCHEMA_VERSION",
    "STATES",
    "ValueChange",
    "MergeResult",
    "DiaryNote",
    "Ranking",
    "RankingGroup",
    "RankingRule",
    "Record",
    "RecordDifference",
    "RunKind",
    "RunMeta",
    "RunThroughput",
    "RunTimeSample",
    "RunTiming",
    "RunsQuery",
    "RunsTable",
    "RunStore",
    "SearchFacts",
    "differences_of",
    "merge",
    "new_id",
    "note",
    "notes",
    "now",
    "process",
    "rankings",
    "runs",
]
