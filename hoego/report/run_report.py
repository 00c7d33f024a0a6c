"""The page of one run: every result object of its record, drawn; nothing is computed here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup

from hoego import files
from hoego.data.dataset import Dataset
from hoego.draw import ForestRow, LineSeries, bars, forest, heatmap, lines, page, reliability, waterfall
from hoego.report.combined import combined_parts
from hoego.report.pictures import most_confident_mistakes
from hoego.results.diagnosis import Diagnosis, EdgeBin
from hoego.results.score import IntervalEstimate, MetricEstimate, Score
from hoego.results.words import duration, honesty_of, interval
from hoego.runs.record_predictions import PREDICTIONS, predictions_of
from hoego.runs.records import Record, RunThroughput, RunTiming
from hoego.runs.records.ranking import PRIMARY

FEW_CLASSES = 45
Facts = dict[str, Any]


def report(record: Record, dataset: Dataset | None = None, without: str = "") -> Path:
    """Write the page of a run into its record, and return its path.

    Args:
        record: of the run; what it does not hold yet is left out.
        dataset: for the pictures of the mistakes; None leaves them out.
        without: why there is no data set, for the page.
    """
    path = record.folder / "report.html"
    files.write_text(path, render(record, dataset, without), durable=False)
    return path


def render(record: Record, dataset: Dataset | None = None, without: str = "") -> str:
    """Return the page as HTML."""
    score, diagnosis = record.full_score, record.diagnosis
    meta = record.meta
    parts: Facts = {
        "meta": meta.model_dump(mode="json"),
        "score": score,
        "diagnosis": diagnosis,
        "combined": combined_parts(record),
        "split": record.split,
        "audit": record.audit,
        "mistakes": _mistakes(record, dataset),
        "without": without,
        "curves": curve_charts(record),
        "recipe": _text(record, "recipe.toml"),
        "environment": _text(record, "environment.json"),
        "speed": speed_text(meta.throughput, meta.timing),
    }
    if score:
        parts |= score_parts(score)
    if diagnosis:
        parts |= diagnosis_parts(diagnosis)
    return page(meta.name or meta.id, environment().get_template("run.html.j2").render(parts))


def environment(*folders: Path) -> Environment:
    """Make the template environment of this room and of further `folders`; it escapes all that is not drawn here."""
    places = [*folders, Path(__file__).parent]
    env = Environment(loader=FileSystemLoader(places), autoescape=True, trim_blocks=True, lstrip_blocks=True)
    env.filters["interval"] = interval
    env.filters["limits"] = _limits
    env.filters["capitalize_first"] = lambda s: s[:1].upper() + s[1:]
    return env


def _limits(estimate: MetricEstimate | Facts) -> str:
    low, high = (files.plain(estimate).get(name) for name in ("low", "high"))
    return "–" if low is None or high is None else f"{low:.3f} to {high:.3f}"


def score_parts(score: Score) -> Facts:
    """Return what a page shows of a score: `honesty`, `attributes`, `confusions`, `worst`; charts are HTML."""
    rows = [
        ForestRow(label=name, value=e.value, low=e.low, high=e.high)
        for name, part in score.attributes.items()
        if (e := part.metrics.get(PRIMARY)) is not None
    ]
    confusions = []
    for name, part in {score.target.name: score.target, **score.attributes}.items():
        names = list(part.class_names) or [c.name for c in part.classes]
        if len(names) == len(part.confusion) <= FEW_CLASSES:
            confusions.append({"name": name, "chart": Markup(heatmap(part.confusion, names, names))})
    f1 = {c.name: c.metrics["f1"].value for c in score.target.classes}
    worst = sorted(score.target.classes, key=lambda c: (f1[c.name] is None, f1[c.name] or 0.0))[:20]
    return {
        "honesty": honesty_of(score.honesty),
        "attributes": Markup(forest(rows)) if len(rows) > 1 else "",
        "confusions": confusions,
        "worst": worst,
    }


def diagnosis_parts(found: Diagnosis) -> Facts:
    """Return what a page shows of a diagnosis; charts are HTML."""
    rows = [_gain_row(f"{a} true", o.gain) for a, o in found.oracle.items() if o.gain is not None]
    rows += [_gain_row(f"{a} true, softer", o.soft_gain, mark=1) for a, o in found.oracle.items()]
    shares = [ForestRow(label=a, value=o.shapley) for a, o in found.oracle.items() if o.shapley is not None]
    steps = sorted(shares, key=lambda i: -(i.value or 0.0))
    today, right = ForestRow(label="today", value=found.score), ForestRow(label="all right", value=1.0)
    return {
        "bottleneck": found.oracle[found.bottleneck].best if found.bottleneck else None,
        "waterfall": Markup(waterfall(today, steps, right)) if len(steps) > 1 else "",
        "oracle": Markup(forest(rows, zero=0.0)) if rows else "",
        "calibration": Markup(reliability(found.calibration.bins)),
        "boundary_charts": [
            {"attribute": b.attribute, "gain": b.gain, "chart": Markup(_edges(b.bins))}
            for b in found.boundaries
            if b.bins
        ],
    }


def _gain_row(label: str, gain: IntervalEstimate, mark: int = 0) -> ForestRow:
    return ForestRow(label=label, value=gain.value, low=gain.low, high=gain.high, mark=mark)


def _edges(bins: Sequence[EdgeBin]) -> str:
    labels = [f"{b.edge + b.distance:g} (edge {b.edge:g}), {b.images} photos" for b in bins]
    return bars(labels, [b.error for b in bins], label="error by distance to the edge")


def curve_charts(record: Record) -> list[Facts]:
    """Draw loss and scores by epoch; with several folds, one line for each in one chart of each kind.

    Of a run that failed the training loss alone: it may have been refused, and its numbers of held-out photos are no
    score. Those of a naive split say so.
    """
    folds = {k: rows for k in record.folds() if len(rows := record.epochs(k)) > 1}
    held = record.meta.state != "failed"
    naive = record.split is not None and record.split.kind == "naive"
    mark = " (naive split)" if naive else ""
    if len(folds) > 1:
        kinds = (("macro F1", "macro_f1"), ("held-out loss", "held_loss"), ("training loss", "train_loss"))
        return [
            _chart(
                title + mark * (key != "train_loss"), [(f"fold {k}", rows, key) for k, rows in folds.items()]
            )
            for title, key in kinds
            if held or key == "train_loss"
        ]
    charts = []
    for rows in folds.values():
        losses = ("train_loss", "held_loss") if held else ("train_loss",)
        charts.append(_chart(f"loss{mark}", [(key.replace("_", " "), rows, key) for key in losses]))
        scores = [key for key in rows[-1] if key.startswith("macro_f1") or key == "accuracy"]
        if held:
            charts.append(_chart(f"score{mark}", [(key.replace("_", " "), rows, key) for key in scores]))
    return charts


def _chart(title: str, series: list[tuple[str, list[Facts], str]]) -> Facts:
    drawn = [
        LineSeries(label=label, x=[float(r["epoch"]) + 1 for r in rows], y=[_float(r.get(key)) for r in rows])
        for label, rows, key in series
        if any(r.get(key) is not None for r in rows)
    ]
    return {"chart": Markup(lines(drawn, x_label="epoch")), "caption": f"{title} by epoch"}


def _float(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else float("nan")


def _mistakes(record: Record, dataset: Dataset | None) -> Any:
    # Without a score the run may have been refused, and a gallery would show how well it does on people it has seen.
    if dataset is None or record.meta.score is None or not (record.folder / PREDICTIONS).is_file():
        return ()
    return most_confident_mistakes(predictions_of(record), dataset, heat=record.folder / "heat")


def speed_text(throughput: RunThroughput, timing: RunTiming) -> str:
    """Say how fast a run was trained, in a sentence; "" where nothing was measured."""
    parts = []
    if rate := throughput.train_images_per_second:
        share, model = throughput.efficiency, throughput.model_only_images_per_second
        parts.append(
            f"{rate:,.0f} photos a second in training"
            + (f"; the model alone makes {model:,.0f}" if model else "")
            + (f" ({100 * share:.0f} % of it reached)" if share else "")
        )
    if timing.seconds:
        parts.append(f"{duration(timing.seconds)} in all")
    if timing.first_result_seconds:
        parts.append(f"first result after {duration(timing.first_result_seconds)}")
    return "; ".join(parts) + ("." if parts else "")


def _text(record: Record, name: str) -> str:
    path = record.folder / name
    return files.read_text(path) if path.exists() else ""
