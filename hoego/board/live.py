"""Server-sent events: the new lines of the runs that train, from where the page has read to, and changes of state."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from hoego.board.board import Board
from hoego.errors import HoegoError, UsageError
from hoego.runs.records import Record

EVERY = 1.0
"""Seconds between two looks: a network file system does not announce the writes of other machines."""

QUIET = 15.0
"""Seconds after which an empty line keeps the connection open."""

SENT = ("epoch", "train_loss", "held_loss", "macro_f1", "accuracy")
Cursor = dict[tuple[str, int], int]


def epochs_file(record: Record, fold: int) -> Path:
    """Return the file of a fold's epochs."""
    return record.folder / f"fold-{fold}" / "epochs.jsonl"


def from_text(text: str) -> Cursor:
    """Read a cursor from an address: `RUN:FOLD:BYTES RUN:FOLD:BYTES`. Raises UsageError where it is none."""
    found: Cursor = {}
    try:
        for part in text.split():
            run, fold, at = part.rsplit(":", 2)
            found[run, int(fold)] = int(at)
    except ValueError:
        raise UsageError("The place to read on from cannot be read.", remedy="Load the page again.") from None
    return found


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def new_rows(path: Path, start: int) -> tuple[list[dict[str, Any]], int]:
    """Return the whole lines behind a place in a file, and the place behind them.

    A file that is shorter than the place was begun anew, and is read from its start.
    """
    size = _size(path)
    if size == start:
        return [], start
    start = start if 0 <= start < size else 0
    with open(path, "rb") as stream:
        stream.seek(start)
        content = stream.read()
    whole = content[: content.rfind(b"\n") + 1]
    rows = []
    for line in whole.splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        rows.append({k: row[k] for k in SENT if k in row})
    return rows, start + len(whole)


@dataclass
class LiveReader:
    """The events of one open page.

    Args:
        board: whose records.
        runs: ids that the page shows; () for every run that trains.
        cursor: where it has read to.
    """

    board: Board
    runs: tuple[str, ...] = ()
    cursor: Cursor = field(default_factory=dict)
    states: dict[str, str] | None = None

    def step(self) -> list[tuple[str, dict[str, Any]]]:
        """Return what is new since the last step, as (kind, facts)."""
        self.board.store.look()
        shown = [r for r in self.board.store.list() if r.id in self.runs] if self.runs else None
        live = list(self.board.store.list(states=["running"])) if shown is None else shown
        new: list[tuple[str, dict[str, Any]]] = []
        for record in live:
            for fold in record.folds():
                new += self._rows(record, fold)
        states = {r.id: r.state for r in live}
        if self.states is not None and states != self.states:
            changed = {k: v for k, v in states.items() if self.states.get(k) != v}
            new.append(("state", {"changed": changed, "ended": sorted(self.states.keys() - states.keys())}))
        self.states = states
        return new

    def _rows(self, record: Record, fold: int) -> list[tuple[str, dict[str, Any]]]:
        key = record.id, fold
        try:
            rows, at = new_rows(epochs_file(record, fold), self.cursor.get(key, 0))
        except OSError:
            return []
        self.cursor[key] = at
        return [("epochs", {"run": record.id, "fold": fold, "at": at, "rows": rows})] if rows else []


def live(request: Request) -> StreamingResponse:
    """Tell a page what is new, until it is closed: `?cursor=RUN:FOLD:BYTES ...&run=ID`."""
    board: Board = request.app.state.board
    runs = tuple(board.record(id_).id for id_ in request.query_params.getlist("run"))
    reader = LiveReader(board, runs, from_text(request.query_params.get("cursor", "")))
    return StreamingResponse(
        events(request, reader), media_type="text/event-stream", headers={"cache-control": "no-store"}
    )


async def events(request: Request, reader: LiveReader) -> AsyncIterator[str]:
    """Yield events as text."""
    yield "retry: 2000\n\n"
    quiet = 0.0
    while not await request.is_disconnected():
        try:
            new = await run_in_threadpool(reader.step)
        except HoegoError as problem:
            new = [("problem", {"error": problem.message})]
        for kind, facts in new:
            yield f"event: {kind}\ndata: {json.dumps(facts, separators=(',', ':'))}\n\n"
        quiet = 0.0 if new else quiet + EVERY
        if quiet >= QUIET:
            yield ": still here\n\n"
            quiet = 0.0
        await asyncio.sleep(EVERY)


def history(request: Request) -> Response:
    """Give the epochs of a run so far, for its curves, and where they end."""
    board: Board = request.app.state.board
    record = board.record(request.path_params["id"])
    folds = {}
    for fold in record.folds():
        rows, at = new_rows(epochs_file(record, fold), 0)
        folds[fold] = {"rows": rows, "at": at}
    return JSONResponse({"run": record.id, "folds": folds})
