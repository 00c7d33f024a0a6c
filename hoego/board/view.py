"""From facts to HTML: the templates, the languages, the formats of numbers and times."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from hoego.board.board import Board
from hoego.board.words import KOREAN
from hoego.draw.whisker import whisker
from hoego.report.run_report import environment as report_environment
from hoego.results.honesty import ScoreHonesty
from hoego.results.score import MetricEstimate
from hoego.results.words import HONESTY, duration, honesty_of

LANGUAGES = {"en": "English", "ko": "한국어"}
PAGES = (
    ("/", "Now"),
    ("/runs", "Runs"),
    ("/queue", "Queue"),
    ("/ideas", "Ideas"),
    ("/review", "Review"),
    ("/diary", "Diary"),
    ("/ledger", "Submissions"),
)
"""The pages of the bar: address and name."""

ORDERS = {
    "order -id": "newest first",
    "order id": "oldest first",
    "order -macro_f1": "macro F1, highest first",
    "order macro_f1": "macro F1, lowest first",
    "order -accuracy": "accuracy, highest first",
    "order accuracy": "accuracy, lowest first",
    "order name": "name",
    "order state": "state",
    "order -finished": "ended last",
    "order -priority": "priority",
    "section ranked": "Ranked",
    "section listed": "Runs",
    "section apart": "Not ranked",
    "section unscored": "Without a score",
}
"""English of the words whose keys are made from values."""

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Words:
    """The board's own texts in one language; texts of the library are not translated."""

    lang: str = "en"

    def __call__(self, text: str, **facts: object) -> str:
        """Return a text of the board in this language, with facts filled in.

        >>> Words("ko")("Runs"), Words("en")("{n} runs", n=3)
        ('실험', '3 runs')
        """
        said = KOREAN.get(text, text) if self.lang == "ko" else ORDERS.get(text, text)
        return said.format(**facts) if facts else said


def language(request: Request) -> str:
    """Return the language that was chosen, else the one that the browser prefers."""
    for chosen in (request.query_params.get("lang"), request.cookies.get("lang")):
        if chosen in LANGUAGES:
            return str(chosen)
    for part in request.headers.get("accept-language", "").split(","):
        if (code := part.split(";")[0].strip()[:2].lower()) in LANGUAGES:
            return code
    return "en"


def page(request: Request, template: str, /, status: int = 200, **facts: Any) -> Response:
    """Answer with a page."""
    board: Board = request.app.state.board
    lang = language(request)
    say = Words(lang)
    common = {
        "_": say,
        "lang": lang,
        "languages": LANGUAGES,
        "board": board,
        "pages_of_board": PAGES,
        "path": request.url.path,
        "query": query_changer(request),
        "address": request.url.path + (f"?{request.url.query}" if request.url.query else ""),
    }
    text = environment().get_template(template).render({**common, **facts})
    response = HTMLResponse(text, status)
    if request.query_params.get("lang") in LANGUAGES:
        response.set_cookie("lang", lang, max_age=10**8, samesite="strict", httponly=True, path="/")
    return response


def query_changer(request: Request) -> Callable[..., str]:
    """Return a function that gives the page's own address with some parameters changed; None takes one out."""

    def changed(**changes: object) -> str:
        items = [(k, v) for k, v in request.query_params.multi_items() if k not in changes and k != "lang"]
        items += [(k, str(v)) for k, v in changes.items() if v is not None]
        return f"{request.url.path}?{urlencode(items)}" if items else request.url.path

    return changed


@cache
def environment() -> Environment:
    """Make the templates' environment: everything is escaped, and a name that is not given is an error."""
    env = report_environment(HERE / "templates")
    env.undefined = StrictUndefined
    env.filters |= {
        "number": number,
        "signed": lambda value, digits=3: "–" if value is None else f"{value:+.{digits}f}",
        "when": when,
        "duration": duration,
        "percent": lambda share: f"{100 * share:.0f} %",
        "explained": lambda label, say: " ".join(say(HONESTY[k][1]) for k in ScoreHonesty(label).levels),
        "honesty_colour": lambda label: honesty_of(str(label))[0] if label else "warn",
    }
    env.globals["whisker"] = lambda e, low, high: Markup(whisker((e.value, e.low, e.high), (low, high)))
    return env


def axis_of(estimates: Iterable[MetricEstimate]) -> tuple[float, float]:
    """Return the axis on which all intervals of a page are drawn."""
    ends = [end for e in estimates for end in (e.value, e.low, e.high) if end is not None]
    return (min(ends), max(ends)) if ends and min(ends) < max(ends) else (0.0, 1.0)


def number(value: float | None, digits: int = 3) -> str:
    """Format a number; a dash for none."""
    return "–" if value is None else f"{value:.{digits}f}"


def when(moment: str) -> str:
    """Give a moment of the records (ISO 8601) on this machine's clock; "" where there is none."""
    try:
        found = datetime.datetime.fromisoformat(moment)
    except ValueError:
        return ""
    return found.astimezone().strftime("%Y-%m-%d %H:%M")
