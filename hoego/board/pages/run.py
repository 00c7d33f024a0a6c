"""/run/ID: one run, and the proof behind its score."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from hoego import files
from hoego.board.board import Board
from hoego.board.forms import Changed, Fields
from hoego.board.pages.runs import chosen_runs
from hoego.board.view import page
from hoego.errors import HoegoError
from hoego.predictions import proof
from hoego.recipe import Recipe
from hoego.recipe.base import plain_settings
from hoego.report.combined import combined_parts
from hoego.report.run_report import curve_charts, diagnosis_parts, score_parts, speed_text
from hoego.runs.record_predictions import PREDICTIONS
from hoego.runs.records import note, notes

LOG_LINES = 200
NAMED = 400
"""Subjects of a set that a page names; the others are counted."""


def run_page(request: Request) -> Response:
    """Show one run: what it is, what it is worth, how it was trained."""
    board: Board = request.app.state.board
    record = board.record(request.path_params["id"])
    problems: list[HoegoError] = []
    score = _or_none(lambda: record.full_score, problems)
    diagnosis = _or_none(lambda: record.diagnosis, problems)
    recipe = _or_none(lambda: record.recipe, problems) or {}
    return page(
        request,
        "run.html.j2",
        record=record,
        meta=record.meta,
        has_predictions=(record.folder / PREDICTIONS).is_file(),
        score=score,
        drawn=score_parts(score) if score is not None else {},
        diagnosis=diagnosis,
        diagnosed=diagnosis_parts(diagnosis) if diagnosis else {},
        combined=_or_none(lambda: combined_parts(record), problems),
        curves=_or_none(lambda: curve_charts(record), problems) or [],
        changed=changed_settings(recipe),
        recipe=plain_settings(recipe),
        environment=plain_settings(record.environment),
        split=_or_none(lambda: record.split, problems),
        speed=speed_text(record.meta.throughput, record.meta.timing),
        notes=notes(board.store, run=record.id),
        log=last_lines(record.folder / "log.txt"),
        problems=problems,
    )


def changed_settings(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a recipe that are not those of Hoego."""
    usual = plain_settings(Recipe().to_dict())
    return {k: v for k, v in plain_settings(recipe).items() if usual.get(k) != v}


def last_lines(path: Path, most: int = LOG_LINES) -> str:
    """Return the end of a text file, from a whole line on; "" where there is none."""
    try:
        with open(path, "rb") as stream:
            size = stream.seek(0, 2)
            stream.seek(max(0, size - 64 * 1024))
            text = stream.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-most:])


def _or_none(read: Any, problems: list[HoegoError]) -> Any:
    """Return what is read; where a file of the record is broken, keep the error for the page and go on without."""
    try:
        return read()
    except HoegoError as problem:
        problems.append(problem)
        return None


def proof_page(request: Request) -> Response:
    """Show the proof behind a score: digests, sources, and the two sets of subjects, which share nobody."""
    board: Board = request.app.state.board
    record = board.record(request.path_params["id"])
    predictions = board.data.predictions(record)
    sources = proof(predictions, board.data.dataset(record))
    return page(
        request,
        "proof.html.j2",
        record=record,
        predictions=predictions,
        sources=sources,
        disjoint=not any(s.both for s in sources),
        named=NAMED,
    )


def recipe_file(request: Request) -> Response:
    """Give the recipe as the file that `hoego train` takes."""
    board: Board = request.app.state.board
    record = board.record(request.path_params["id"])
    text = (record.folder / "recipe.toml").read_text(encoding="utf-8")
    return Response(text, media_type="text/plain; charset=utf-8")


def score_file(request: Request) -> Response:
    """Give run.json as JSON, for programs that hold the token."""
    board: Board = request.app.state.board
    record = board.record(request.path_params["id"])
    facts = {**record.meta.model_dump(mode="json"), "state": record.state, "reason": record.reason}
    return Response(json.dumps(files.plain(facts), ensure_ascii=False), media_type="application/json")


def note_run(board: Board, fields: Fields) -> Changed:
    """Write a note on a run into the diary."""
    [record] = chosen_runs(board, fields)[:1]
    made = note(board.store, fields.one("text"), run=record.id, author=board.options.who)
    return Changed(made.model_dump(mode="json"))
