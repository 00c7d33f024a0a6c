"""/runs: the records as a table, and what may be done to several of them."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from starlette.requests import Request
from starlette.responses import Response

from hoego.board.board import Board
from hoego.board.cache import dataset_key
from hoego.board.forms import Changed, Fields
from hoego.board.listing import (
    SORTS,
    RunsPart,
    RunsView,
    all_tags,
    arrange,
    cut,
    section_names,
    seed_groups,
    starts,
)
from hoego.board.view import axis_of, page
from hoego.errors import HoegoError, UsageError
from hoego.evaluate.ensemble import EnsembleOptions
from hoego.results.looks import RankingLooks
from hoego.runs.evaluate_runs import ensemble_runs
from hoego.runs.looks import LooksSources, looks
from hoego.runs.queue import cancel
from hoego.runs.records import Ranking, RankingGroup, Record
from hoego.runs.records.listing import value
from hoego.runs.records.meta import STATES


def runs_page(request: Request) -> Response:
    """Show the records that the address asks for, a hundred at a time."""
    board: Board = request.app.state.board
    view = RunsView.of(request.query_params)
    parts = arrange(board, view)
    shown, pages = cut(parts, view.number)
    rows = [record for part in shown for record in part.records]
    return page(
        request,
        "runs.html.j2",
        view=view,
        looks={
            part.group: _looks(board, view, part.group, parts) for part in shown if part.group is not None
        },
        parts=parts,
        starts=starts(parts),
        names=section_names(parts),
        shown=[(part, seed_groups(part.records) if view.grouped else ()) for part in shown],
        pages=pages,
        axis=axis_of(e for r in rows if r.score is not None and (e := r.score.primary) is not None),
        cells={r.id: [value(r, c) for c in view.columns] for r in rows} if view.columns else {},
        total=sum(len(part.records) for part in parts),
        broken=board.store.broken(),
        states=STATES,
        tags=all_tags(board),
        sorts=SORTS,
    )


def _looks(
    board: Board, view: RunsView, group: RankingGroup, parts: Sequence[RunsPart]
) -> RankingLooks | None:
    """Return what the first place of a section is flattered by, where the highest stands first."""
    if not view.sort.startswith("-"):
        return None
    records = next(part.records for part in parts if part.group == group)
    metric = view.sort.removeprefix("-")
    sources = LooksSources(board.data.classes, board.data.dataset, keep=not board.read_only)
    # Of a listing that has not changed the estimate stays as long as the data set is held.
    asked = (view.text, view.states, view.tags, view.recipe, metric, group)
    key = ("looks", board.store.version, asked, _labels_of(records[0]))
    found: RankingLooks | None = board.results.get(
        key, lambda: looks(Ranking(group, records), metric, sources)
    )
    return found


def _labels_of(record: Record) -> Hashable:
    try:
        return dataset_key(record)
    except HoegoError:
        return None


def tag_runs(board: Board, fields: Fields) -> Changed:
    """Add tags to the chosen runs, or take them away."""
    chosen = chosen_runs(board, fields)
    tags = fields.one("tag").replace(",", " ").split()
    if not tags:
        raise UsageError("No tag is named.", remedy="Write a tag.")
    remove = fields.one("do") == "untag"
    for record in chosen:
        record.tag(*(() if remove else tags), remove=tuple(tags) if remove else ())
    return Changed({"tagged": len(chosen)})


def cancel_runs(board: Board, fields: Fields) -> Changed:
    """Cancel the chosen runs: at once where they wait, at their next step where they run."""
    chosen = chosen_runs(board, fields)
    for record in chosen:
        cancel(board.store, record.id)
    return Changed({"cancelled": len(chosen)})


def ensemble_chosen(board: Board, fields: Fields) -> Changed:
    """Combine the chosen runs, and keep the ensemble as a record."""
    chosen = [record.id for record in chosen_runs(board, fields)]
    options = EnsembleOptions(method=fields.one("method", "mean"), name=fields.one("name"))
    made = ensemble_runs(board.store.root, chosen, options, why=fields.one("why"))
    return Changed({"run": made.run}, f"/run/{made.run}")


def chosen_runs(board: Board, fields: Fields) -> list[Record]:
    """Return the records that a form names. Raises UsageError where it names none, RecordError for an unknown one."""
    chosen = [board.record(id_) for id_ in fields.all("run")]
    if not chosen:
        raise UsageError("No run is chosen.", remedy="Choose runs in the table.")
    return chosen
