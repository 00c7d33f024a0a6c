"""The application: which address leads to which page, and what an error looks like."""

from __future__ import annotations

from functools import cache

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hoego.board.access import Guard
from hoego.board.board import Board, BoardOptions, NoSuchRun
from hoego.board.forms import change, wants_json
from hoego.board.live import history, live
from hoego.board.pages import compare, diary, mistakes, photos, queue, review, run, runs
from hoego.board.view import HERE, Words, language, page
from hoego.draw import STYLE
from hoego.errors import HoegoError
from hoego.runs.review import ReviewConflict

GET, POST = ["GET", "HEAD"], ["POST"]


def routes() -> list[Route]:
    """Return every address of the board."""
    return [
        Route("/", queue.home_page, methods=GET),
        Route("/live", live, methods=["GET"]),
        Route("/live/{id}", history, methods=GET),
        Route("/static/{name}", static, methods=GET),
        Route("/runs", runs.runs_page, methods=GET),
        Route("/runs/tag", change(runs.tag_runs), methods=POST),
        Route("/runs/cancel", change(runs.cancel_runs), methods=POST),
        Route("/runs/ensemble", change(runs.ensemble_chosen), methods=POST),
        Route("/runs/note", change(run.note_run), methods=POST),
        Route("/run/{id}", run.run_page, methods=GET),
        Route("/run/{id}/proof", run.proof_page, methods=GET),
        Route("/run/{id}/recipe.toml", run.recipe_file, methods=GET),
        Route("/run/{id}/run.json", run.score_file, methods=GET),
        Route("/compare", compare.compare_page, methods=GET),
        Route("/mistakes", mistakes.mistakes_page, methods=GET),
        Route("/slices", mistakes.slices_page, methods=GET),
        Route("/queue", queue.queue_page, methods=GET),
        Route("/queue/add", change(queue.add_run), methods=POST),
        Route("/queue/order", change(queue.order_runs), methods=POST),
        Route("/queue/cancel", change(runs.cancel_runs), methods=POST),
        Route("/queue/retry", change(queue.retry_runs), methods=POST),
        Route("/ideas", diary.ideas_page, methods=GET),
        Route("/ideas/add", change(diary.add_idea), methods=POST),
        Route("/ideas/adopt", change(diary.adopt_ideas), methods=POST),
        Route("/diary", diary.diary_page, methods=GET),
        Route("/diary/note", change(diary.write_note), methods=POST),
        Route("/ledger", diary.ledger_page, methods=GET),
        Route("/review", review.review_page, methods=GET),
        Route("/review/score", review.score_page, methods=GET),
        Route("/review/answer", change(review.answer, records=False), methods=POST),
        Route("/review/undo", change(review.undo, records=False), methods=POST),
        Route("/review/start", change(review.start, records=False), methods=POST),
        Route("/photo/{id}/{content}", photos.photo, methods=GET),
        Route("/heat/{id}/{content}", photos.heat, methods=GET),
    ]


def make_app(options: BoardOptions) -> Starlette:
    """Make the application that answers for a folder of records."""
    app = Starlette(
        routes=routes(),
        middleware=[Middleware(Guard, options.access)],
        exception_handlers={HoegoError: refused, HTTPException: no_page, Exception: failed},
    )
    # An address with a slash too many is not another address: "/run/..%2f" leads nowhere.
    app.router.redirect_slashes = False
    app.state.board = Board(options)
    return app


STATIC = {
    "board.css": "text/css",
    "board.js": "text/javascript",
    "live.js": "text/javascript",
    "queue.js": "text/javascript",
    "review.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}
"""Files beside the pages, by name: nothing else is given out."""


@cache
def _static(name: str) -> bytes:
    content = (HERE / "static" / name).read_bytes()
    return STYLE.encode() + b"\n" + content if name == "board.css" else content


def static(request: Request) -> Response:
    """Give a style, a script or a picture of the board itself."""
    name = request.path_params["name"]
    if name not in STATIC:
        raise HTTPException(404)
    return Response(_static(name), media_type=STATIC[name], headers={"cache-control": "max-age=60"})


def refused(request: Request, error: Exception) -> Response:
    """Show what is wrong and what to do about it, as the commands print it."""
    assert isinstance(error, HoegoError)
    status = {NoSuchRun: 404, ReviewConflict: 409}.get(type(error), 400)
    return _error(request, status, error.args[0].partition("\n")[0], error.remedy)


def no_page(request: Request, error: Exception) -> Response:
    """Say that there is no such page, or that it takes no such request."""
    assert isinstance(error, HTTPException)
    say = Words(language(request))
    return _error(request, error.status_code, say("There is no such page."), "")


def failed(request: Request, error: Exception) -> Response:
    """Say that the board itself has failed; the traceback goes to the terminal."""
    say = Words(language(request))
    return _error(request, 500, say("The board has failed; its terminal says where."), "")


def _error(request: Request, status: int, message: str, remedy: str) -> Response:
    if wants_json(request):
        return JSONResponse({"error": message, "remedy": remedy}, status)
    say = Words(language(request))
    title = say("Not found") if status == 404 else say("This cannot be shown")
    return page(request, "error.html.j2", status, title=title, message=message, remedy=remedy)
