"""/ and /queue: what runs now, what waits against the deadline, and another order of it before it is saved."""

from __future__ import annotations

import contextlib
import datetime
import time
from dataclasses import dataclass, replace
from typing import Any

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from hoego.board.board import Board
from hoego.board.forms import Changed, Fields, words
from hoego.board.pages.runs import chosen_runs
from hoego.board.view import page
from hoego.errors import HoegoError, UsageError, nearest
from hoego.recipe import build, find_project, fold_of, resolve
from hoego.recipe.ready import ready_recipes
from hoego.recipe.resolve import apply_overrides
from hoego.runs.ideas import ideas
from hoego.runs.queue import (
    QueueOptions,
    QueuePlan,
    QueueStatus,
    RunTimeHistory,
    crew_of,
    in_order,
    job,
    make_plan,
    order,
    parse_duration,
    parse_until,
    reorder,
    retry,
    status,
)
from hoego.runs.queue.train_record import enqueue
from hoego.runs.records import Record

NEWEST = 6


def home_page(request: Request) -> Response:
    """Show what runs now, what waits, the newest results and the ideas untried."""
    board: Board = request.app.state.board
    board.store.look()
    found = _status(board)
    records = board.store.list()
    running = [board.record(row.run) for row in found.running]
    done = sorted((r for r in records if r.score is not None), key=lambda r: r.meta.finished, reverse=True)
    judged = [r for r in records if r.verdict is not None][-NEWEST:]
    return page(
        request,
        "home.html.j2",
        queue=found,
        running=[(record, row) for record, row in zip(running, found.running, strict=True)],
        newest=done[:NEWEST],
        judged=judged[::-1],
        untried=[i for i in ideas(board.store).ideas if i.state == "untried"][:NEWEST],
        total=len(records),
    )


def _status(board: Board) -> QueueStatus:
    # Progress is read from the epochs, which the version of the records does not cover: at most a second old.
    key = ("queue", board.store.version, int(datetime.datetime.now().timestamp()))
    found: QueueStatus = board.results.get(key, lambda: status(board.store))
    return found


def queue_page(request: Request) -> Response:
    """Show the queue against a deadline; `order` shows another order of it, which is not saved.

    With `part`, only the waiting runs are sent, for the script that moves them.
    """
    board: Board = request.app.state.board
    board.store.look(everything=not board.read_only)
    query = request.query_params
    wanted = [i for i in query.get("order", "").replace(" ", "+").split("+") if i]
    ordered = in_order(board.store, wanted)
    until = query.get("until", "").strip()
    window = _window(until)
    asked = query.get("workers", "")
    workers = min(max(int(asked), 1), 64) if asked.isdecimal() else 0
    found, ordered = _plan(board, ordered, PlanRequest(window, workers, bool(wanted)))
    lines = {line.id: line for line in found.lines}
    ids = [r.id for r in ordered]
    return page(
        request,
        "waiting.html.j2" if "part" in query else "queue.html.j2",
        queue=_status(board),
        waiting=[(r, lines.get(r.id)) for r in ordered],
        bars={k: Markup(_bar(line, found)) for k, line in lines.items()},
        moved={r.id: (_moved(ids, k, -1), _moved(ids, k, 1)) for k, r in enumerate(ordered)},
        order="+".join(ids),
        proposed=bool(wanted),
        until=until,
        workers=found.workers,
        ready=ready_recipes(),
    )


def _window(until: str) -> float | None:
    """Return the seconds until a time such as 19:00, or in a duration such as 8h; None where nothing is said."""
    if not until:
        return None
    if ":" in until:
        return (parse_until(until) - datetime.datetime.now().astimezone()).total_seconds()
    return parse_duration(until)


@dataclass(frozen=True)
class PlanRequest:
    """What is asked of a plan.

    Args:
        window: seconds to the deadline; None where there is none.
        workers: that run beside each other, each like this machine; 0 for those that are alive.
        proposed: whether the order is one that is not saved, and holds as it is given.
    """

    window: float | None
    workers: int
    proposed: bool


def _plan(board: Board, ordered: list[Record], ask: PlanRequest) -> tuple[QueuePlan, list[Record]]:
    """Return what workers would start when, and the runs in the order in which workers take them.

    A saved order is that of `hoego queue status`; before a deadline that does not leave time for all, runs of one
    priority go by their value per second, as a worker does it.
    """
    history = RunTimeHistory.of(board.store)
    asked = []
    for k, record in enumerate(ordered):
        # A recipe that cannot be read is said to be so when a worker takes the run.
        with contextlib.suppress(HoegoError):
            made = job(record)
            asked.append(replace(made, priority=len(ordered) - k) if ask.proposed else made)
    states = {r.id: r.state for r in board.store.list()}
    crew = [] if ask.workers else crew_of(board.store, time.time())
    found = make_plan(asked, history, ask.window, workers=crew or max(1, ask.workers), states=states)
    limit = None if ask.window is None else ask.window - found.reserve
    place = {j.id: k for k, j in enumerate(order(asked, history, limit, found.workers))}
    return found, sorted(ordered, key=lambda r: place.get(r.id, len(place)))


def _moved(ids: list[str], k: int, by: int) -> str:
    """Return the order with one run a place up or down; "" where there is no such place."""
    to = k + by
    if not 0 <= to < len(ids):
        return ""
    made = [*ids]
    made[k], made[to] = made[to], made[k]
    return "+".join(made)


def _bar(line: Any, plan: QueuePlan) -> str:
    """Draw when a run would train: from its start to its end, on the axis of the whole plan."""
    ends = [other.ends_in for other in plan.lines if other.ends_in is not None]
    whole = max([*ends, plan.window or 0.0, 1.0])
    limit = "" if plan.window is None else _rule(300 * (plan.window - plan.reserve) / whole)
    if line.ends_in is None or line.seconds is None:
        return f'<svg class="bar" viewBox="0 0 300 12" aria-hidden="true">{limit}</svg>'
    start = 300 * (line.ends_in - line.seconds) / whole
    width = max(2.0, 300 * line.seconds / whole)
    box = f'<rect x="{start:.1f}" y="2" width="{width:.1f}" height="8" rx="2"/>'
    return f'<svg class="bar" viewBox="0 0 300 12" aria-hidden="true">{box}{limit}</svg>'


def _rule(x: float) -> str:
    return f'<line x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="12"/>'


def order_runs(board: Board, fields: Fields) -> Changed:
    """Save an order of the waiting runs."""
    ids = [i for i in fields.one("order").replace(" ", "+").split("+") if i]
    if not ids:
        raise UsageError("No order is given.", remedy="Move a run up or down first.")
    ordered = reorder(board.store, ids)
    return Changed({"order": [r.id for r in ordered]}, "/queue")


def add_run(board: Board, fields: Fields) -> Changed:
    """Queue a run: of a recipe that comes with Hoego, of a run's, or of hoego.toml alone, with settings changed.

    Code of one's own is not run because a page named it: hoego.toml or the command line must have done so.
    """
    settings = words(fields.one("set"))
    if like := fields.one("like"):
        recipe = build(apply_overrides(board.record(like).recipe, settings))
    else:
        names = {r.name: r.file for r in ready_recipes()}
        name = fields.one("recipe")
        if name and name not in names:
            raise UsageError(f"There is no recipe {name!r}.", remedy=nearest(name, names))
        project = find_project(board.store.root.resolve())
        recipe = resolve(names.get(name), overrides=settings, project=project)
    ask = QueueOptions(name=fields.one("name"), why=fields.one("why"), fold=fold_of(recipe.to_dict()))
    made = enqueue(board.store, recipe.to_dict(), ask)
    return Changed({"run": made.id}, "/queue")


def retry_runs(board: Board, fields: Fields) -> Changed:
    """Queue failed, interrupted or cancelled runs again."""
    chosen = chosen_runs(board, fields)
    for record in chosen:
        retry(board.store, record.id)
    return Changed({"queued": len(chosen)})
