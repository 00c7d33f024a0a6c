"""The page of a search: the honest gain, what mattered, and every trial; nothing is computed here."""

from __future__ import annotations

from pathlib import Path

from markupsafe import Markup

from hoego import files
from hoego.draw import ForestRow, ParallelAxis, bars, forest, page, parallel
from hoego.report.run_report import environment
from hoego.results.search import SearchResult
from hoego.runs.searching.space import parse_axis

PAGE = "search.html"


def write_search_page(result: SearchResult, folder: Path) -> SearchResult:
    """Write the page of a search into the winner's record, and say in the result where it is.

    Args:
        result: of `hoego search`, with a winner.
        folder: of the winner's record.
    """
    path = folder / PAGE
    files.write_text(path, render_search(result), durable=False)
    return result.with_(page=str(path))


def render_search(result: SearchResult) -> str:
    """Return the page as HTML."""
    done = [row for row in result.rows if row.value is not None]
    best_first = sorted(done, key=lambda r: r.value or 0.0, reverse=result.better == "higher")
    parts = {
        "result": result,
        "rows": [*best_first, *(row for row in result.rows if row.value is None)],
        "counts": ", ".join(f"{n} {state}" for state, n in result.counts.items()),
        "gain": Markup(_gain(result)),
        "importance": Markup(_importance(result)),
        "parallel": Markup(_parallel(result)),
    }
    return page(f"search {result.name}", environment().get_template("search.html.j2").render(parts))


def _gain(result: SearchResult) -> str:
    """Draw the gain as searched, less the optimism, and as confirmed."""
    rows = []
    start = next((r.value for r in result.rows if r.number == 0), None)
    if result.value is not None and start is not None:
        rows.append(ForestRow(label="as searched: best trial less the first", value=result.value - start))
    if result.optimism is not None and start is not None:
        rows.append(
            ForestRow(label="the same, less the optimism", value=result.optimism.corrected - start, mark=1)
        )
    if result.gain is not None:
        d = result.gain.difference
        rows.append(ForestRow(label="confirmed on new seeds", value=d.value, low=d.low, high=d.high, mark=2))
    return forest(rows, zero=0.0, digits=4, label="gain over the recipe as it stands") if rows else ""


def _importance(result: SearchResult) -> str:
    if not result.importance:
        return ""
    found = sorted(result.importance.items(), key=lambda item: -item[1])
    return bars([k for k, _ in found], [v for _, v in found], label="importance of the settings")


def _parallel(result: SearchResult) -> str:
    axes = []
    for text in result.space:
        axis = parse_axis(text)
        axes.append(
            ParallelAxis(name=axis.key, choices=axis.choices)
            if axis.choices
            else ParallelAxis(name=axis.key, low=axis.low or 0.0, high=axis.high or 0.0, log=axis.log)
        )
    trials = [(row.point, row.value) for row in result.rows if row.value is not None]
    return parallel(axes, trials, score=result.metric, higher_is_better=result.better == "higher")
