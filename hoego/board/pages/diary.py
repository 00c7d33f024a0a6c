"""/diary, /ideas and /ledger: the retrospective of any days, what might be tried, and what was submitted."""

from __future__ import annotations

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from hoego.apps.diary import Retrospective, period_of, retrospective
from hoego.board.board import Board
from hoego.board.forms import Changed, Fields, words
from hoego.board.view import language, page
from hoego.recipe import PROJECT_FILE, find_project, resolve
from hoego.runs.idea_lists import LISTS
from hoego.runs.ideas import add, adopt, ideas
from hoego.runs.records import note
from hoego.runs.submission.entry import ledger_view


def diary_page(request: Request) -> Response:
    """Show the retrospective of some days; the last seven where none are named."""
    board: Board = request.app.state.board
    query = request.query_params
    period = period_of(week=query.get("week", ""), since=query.get("from", ""), to=query.get("to", ""))
    lang = language(request)
    board.store.look()
    key = ("diary", board.store.version, period, lang, len(_notes(board)))

    def make() -> Retrospective:
        return retrospective(board.store, period, lang)

    found: Retrospective = board.results.get(key, make)
    pictures = {p.name: Markup(p.svg) for p in found.pictures}
    return page(request, "diary.html.j2", found=found, period=period, pictures=pictures)


def _notes(board: Board) -> bytes:
    path = board.store.root / "notes.jsonl"
    return path.read_bytes() if path.is_file() else b""


def write_note(board: Board, fields: Fields) -> Changed:
    """Write a note into the diary."""
    made = note(board.store, fields.one("text"), author=board.options.who)
    return Changed(made.model_dump(mode="json"), "/diary")


def ideas_page(request: Request) -> Response:
    """Show the ideas with what became of them."""
    board: Board = request.app.state.board
    found = ideas(board.store)
    order = {"untried": 0, "queued": 1, "tried": 2, "failed": 3}
    listed = sorted(found.ideas, key=lambda i: (order[i.state], -i.promise, i.time))
    return page(request, "ideas.html.j2", ideas=listed, lists=sorted(LISTS))


def add_idea(board: Board, fields: Fields) -> Changed:
    """Keep an idea: a text, its settings as `a.b=c`, and why."""
    made = add(board.store, fields.one("text"), words(fields.one("set")), why=fields.one("why"))
    return Changed({"idea": made.id}, "/ideas")


def adopt_ideas(board: Board, fields: Fields) -> Changed:
    """Take over a list of ideas."""
    return Changed({"adopted": len(adopt(board.store, fields.one("list")))}, "/ideas")


def ledger_page(request: Request) -> Response:
    """Show the submissions: what was expected, and what the leaderboard said."""
    board: Board = request.app.state.board
    project = find_project(board.store.root.resolve())
    folder = project.parent if project is not None else board.options.project
    settings = resolve({}, project=project).submission
    return page(request, "ledger.html.j2", view=ledger_view(folder, settings), file=PROJECT_FILE)
