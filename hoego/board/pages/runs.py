"""/runs: the records as a table, and what may be done to several of them."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from hoego.board.board import Board
from hoego.board.forms import Changed, Fields
from hoego.board.listing import SORTS, RunsView, all_tags, arrange, cut, seed_groups, starts
from hoego.board.view import axis_of, page
from hoego.errors import UsageError
from hoego.evaluate.ensemble import EnsembleOptions
from hoego.runs.evaluate_runs import ensemble_runs
from hoego.runs.queue import cancel
from hoego.runs.records import Record
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
        parts=parts,
        starts=starts(parts),
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
