"""/review: suspect labels one at a time, by keys alone, blind first; and the score afterwards."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from hoego.board.board import Board
from hoego.board.cache import dataset_key, stamp
from hoego.board.forms import Changed, Fields
from hoego.board.view import axis_of, page
from hoego.errors import UsageError
from hoego.runs.record_predictions import PREDICTIONS
from hoego.runs.records import Ranking, Record, rankings
from hoego.runs.review import (
    REASONS,
    Review,
    ReviewAnswer,
    ReviewItem,
    ReviewProgress,
    ThreeLabelScores,
    name_overlay,
    overlay_of,
    three_label_scores,
)

AHEAD = 2
"""Suspects whose photos are loaded before they are asked for."""

DIGITS = "1234567890"
"""Keys of the first classes; where there are more, a class is found by the beginning of its name."""

CHOICE = 20
"""Runs to choose from."""


def review_page(request: Request) -> Response:
    """Show the suspect that the address names, else the next open one; with `part` only what changes with a key."""
    board: Board = request.app.state.board
    query = request.query_params
    if not query.get("run"):
        groups = rankings(board.store.list())
        highest_of = len(groups[0].records) if groups else 0
        return page(request, "review_runs.html.j2", runs=_choice(groups), highest_of=highest_of)
    record = board.record(query["run"])
    review = board.data.review(record)
    if review is None:
        return page(request, "review_start.html.j2", record=record)
    progress = review.progress(board.options.who)
    key = query.get("at") or next_open(progress, query.get("after", ""), review)
    item = review.item(key, board.options.who) if key else None
    ahead = [k for k in _following(progress.open, key)[:AHEAD] if k != key]
    return page(
        request,
        "suspect.html.j2" if "part" in query else "review.html.j2",
        record=record,
        item=item,
        progress=progress,
        photos=_photos(item),
        preload=[c for k in ahead for c in _photos(review.item(k, board.options.who))],
        weaker=item is not None and not item.suspect.confident,
        reasons=REASONS,
        digits=DIGITS,
        after=query.get("after", ""),
    )


def score_page(request: Request) -> Response:
    """Show the score under three labels, and every decision."""
    board: Board = request.app.state.board
    record = board.record(request.query_params.get("run", ""))
    review = board.data.review(record)
    if review is None:
        raise HTTPException(404)
    found = _three(board, record, review)
    return page(
        request,
        "review_score.html.j2",
        record=record,
        progress=review.progress(board.options.who),
        decisions=review.decisions()[::-1],
        found=found,
        axis=axis_of(found.estimates().values()),
    )


def _three(board: Board, record: Record, review: Review) -> ThreeLabelScores:
    key = ("three labels", record.id, stamp(record.folder / PREDICTIONS), dataset_key(record))
    found: ThreeLabelScores = board.results.get(
        key,
        lambda: three_label_scores(board.data.predictions(record), review.given, board.data.dataset(record)),
    )
    return found


def _choice(groups: Sequence[Ranking]) -> list[Record]:
    """Return runs with predictions whose scores are honest, the best first."""
    best = [r for group in groups for r in group.records]
    return [r for r in best[: 5 * CHOICE] if (r.folder / PREDICTIONS).is_file()][:CHOICE]


def _photos(item: ReviewItem | None) -> tuple[int, ...]:
    """Return the photos of a suspect, the one that fills the screen first."""
    return () if item is None else (*item.suspect.contents, *item.suspect.others)[:12]


def next_open(progress: ReviewProgress, after: str, review: Review) -> str:
    """Return the first open suspect behind another in the list, from the start again at its end; "" where none is."""
    if after not in review.suspects:
        return progress.open[0] if progress.open else ""
    place = {key: k for k, key in enumerate(review.suspects)}
    later = [key for key in progress.open if place[key] > place[after]]
    return next(iter([*later, *progress.open]), "")


def _following(keys: tuple[str, ...], key: str) -> tuple[str, ...]:
    at = keys.index(key) + 1 if key in keys else 0
    return keys[at:]


def _review_of(board: Board, fields: Fields) -> tuple[Record, Review]:
    record = board.record(fields.one("run"))
    review = board.data.review(record)
    if review is None:
        raise UsageError("No overlay is named.", remedy="Open the review of the run first.")
    return record, review


def answer(board: Board, fields: Fields) -> Changed:
    """Take an answer; the browser goes to the next suspect, or sees the suggestion on the same."""
    record, review = _review_of(board, fields)
    key, who = fields.one("suspect"), board.options.who
    said = ReviewAnswer(
        suspect=key,
        answer="" if fields.one("cannot") else fields.one("answer"),
        seen=fields.one("seen"),
        who=who,
        reason=fields.one("reason"),
    )
    if not said.answer and not fields.one("cannot"):
        raise UsageError("No answer is given.", remedy="Press the key of a class, k, x or s.")
    item = review.answer(said)
    where = f"after={key}" if item.decision is not None else f"at={key}"
    return Changed({"decided": item.decision is not None}, f"/review?run={record.id}&{where}")


def undo(board: Board, fields: Fields) -> Changed:
    """Take back the last decision; the browser goes to its suspect."""
    record, review = _review_of(board, fields)
    item = review.undo(board.options.who)
    return Changed({"undone": item.suspect.key}, f"/review?run={record.id}&at={item.suspect.key}")


def start(board: Board, fields: Fields) -> Changed:
    """Name an overlay for the corrections, where none is named."""
    record = board.record(fields.one("run"))
    name_overlay(record)
    return Changed({"overlay": str(overlay_of(record))}, f"/review?run={record.id}")
