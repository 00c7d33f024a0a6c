"""/compare: a verdict in words, who is how far behind, what differs in the recipes, and the photos that flipped."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

from markupsafe import Markup
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from hoego.board.board import Board
from hoego.board.cache import dataset_key
from hoego.board.view import page
from hoego.draw import ForestRow, forest
from hoego.errors import HoegoError, UsageError
from hoego.evaluate.compare import CompareOptions, Comparison, compare, flips
from hoego.runs.evaluate_runs import side_titles
from hoego.runs.records import Record, differences_of
from hoego.runs.records.ranking import PRIMARY

MOST = 100
FEW = 8
"""Up to so many sides are compared with as many draws as `hoego compare` takes; the more there are, the fewer each,
so that a hundred sides take about as long as ten."""

SHOWN = 40
"""Photos of a kind that a page shows."""

Sides = Sequence[Sequence[Record]]


def compare_page(request: Request) -> Response:
    """Compare runs: `?run=A&run=B`, or `?A&B`; seeds of one recipe stand together as `A1+A2+A3`."""
    board: Board = request.app.state.board
    sides = sides_of(board, request.query_params)
    if len(sides) < 2:
        raise UsageError(
            "A comparison needs two runs.", remedy="Choose them in the table of runs: /compare?run=A&run=B"
        )
    comparison = compared(board, sides, request.query_params.get("on", ""))
    return page(
        request,
        "compare.html.j2",
        comparison=comparison,
        sides=sides,
        titles=side_titles(sides),
        forest=Markup(_behind(comparison)),
        seeds=Markup(_seeds(sides)),
        apart=differences_of(sides[0][0], sides[1][0]),
        flipped=_flipped(board, sides, comparison.label),
        swapped="&".join(f"run={'+'.join(r.id for r in side)}" for side in (sides[1], sides[0], *sides[2:])),
        attributes=_attributes(board, sides),
        shown=SHOWN,
    )


def sides_of(board: Board, query: QueryParams) -> list[list[Record]]:
    """Return the runs of each side that an address names, each once. Raises RecordError for one that is not there."""
    named = [value or key for key, value in query.multi_items() if key == "run" or not value]
    sides = [
        [board.record(i) for i in text.replace(" ", "+").split("+") if i] for text in dict.fromkeys(named)
    ]
    if len(sides) > MOST:
        raise UsageError(f"These are {len(sides)} sides.", remedy=f"At most {MOST} are compared at once.")
    return [side for side in sides if side]


def compared(board: Board, sides: Sides, label: str) -> Comparison:
    """Return what `hoego compare` says of the sides."""
    records = [record for side in sides for record in side]
    dataset = board.data.common(records)
    draws = CompareOptions.resamples * FEW // max(len(sides), FEW)
    options = CompareOptions(
        label=label,
        names=side_titles(sides),
        resamples=max(1_000, draws),
        permutations=max(1_000, draws),
    )

    def make() -> Comparison:
        given = [[board.data.predictions(r) for r in side] for side in sides]
        return compare([g if len(g) > 1 else g[0] for g in given], dataset, options)

    ids = tuple(tuple(r.id for r in side) for side in sides)
    key = ("compared", ids, label, dataset_key(records[0]), board.store.version)
    found: Comparison = board.results.get(key, make)
    return found


def _behind(found: Comparison) -> str:
    """Draw the difference of the first two sides, or how far every side is behind the best."""
    if len(found.sides) == 2:
        d = found.difference
        return forest(
            [ForestRow(label="", value=d.value, low=d.low, high=d.high)],
            zero=0.0,
            digits=4,
            label="difference",
        )
    rows = [
        ForestRow(
            label=r.name,
            value=-r.behind.value,
            low=_minus(r.behind.high),
            high=_minus(r.behind.low),
            mark=0 if r.in_best_set else 1,
        )
        for r in found.ranking
    ]
    return forest(rows, zero=0.0, digits=4, label="how far behind the best")


def _minus(value: float | None) -> float | None:
    return None if value is None else -value


def _seeds(sides: Sides) -> str:
    """Draw every run's own score, each side in its colour; nothing where no side has several runs."""
    if all(len(side) == 1 for side in sides) or len(sides) > FEW:
        return ""
    rows = [
        ForestRow(
            label=f"{record.meta.name or record.id} {record.id[-5:]}",
            value=e.value,
            low=e.low,
            high=e.high,
            mark=k,
        )
        for k, side in enumerate(sides)
        for record in side
        if record.score is not None and (e := record.score.metrics.get(PRIMARY)) is not None
    ]
    return forest(rows, label="every run")


def _flipped(board: Board, sides: Sides, label: str) -> Any:
    """Find the photos that flipped from the first run of the first side to that of the second."""
    first, second = sides[0][0], sides[1][0]
    try:
        found = flips(
            board.data.predictions(first), board.data.predictions(second), board.data.dataset(first), label
        )
    except HoegoError:
        return None
    pairs = {}
    for kind, which in (("lost", found.lost), ("gained", found.gained)):
        chosen = which[:SHOWN]
        pairs[kind] = {
            "n": len(which),
            "photos": [*zip_longest(found.first.photos(chosen), found.second.photos(chosen))],
        }
    return pairs


def _attributes(board: Board, sides: Sides) -> list[str]:
    """Return what all runs of the first two sides predict: the labels that they can be compared on."""
    predictions = [board.data.predictions(side[0]) for side in sides[:2]]
    schema = predictions[0].schema
    return [a for a in dict.fromkeys((schema.target, *schema.names)) if all(p.has(a) for p in predictions)]
