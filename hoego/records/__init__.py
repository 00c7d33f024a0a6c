"""Records: one folder per run, written whole, readable without Hoego."""

from __future__ import annotations

from hoego.records.meta import SCHEMA_VERSION, STATES, RunMeta, now
from hoego.records.record import FINAL_STATES, Record
from hoego.records.store import Store, new_id

__all__ = ["FINAL_STATES", "SCHEMA_VERSION", "STATES", "Record", "RunMeta", "Store", "new_id", "now"]
