"""The page of the demo: the week, chapter by chapter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from hoego import files
from hoego.apps.demo import DemoChapter, DemoEvidence
from hoego.data.dataset import Dataset
from hoego.draw import ForestRow, forest, page, waterfall
from hoego.report.pictures import thumbnail
from hoego.report.run_report import environment
from hoego.runs.submission import Expected

FACES = 14


def week_report(demo: DemoEvidence, expected: Expected | None, path: Path) -> Path:
    """Write the page of a demo.

    Args:
        demo: the result.
        expected: what was expected of the submission.
        path: the file to write.
    """
    worth = demo.true_score.primary.model_dump(mode="json")
    facts = None if expected is None else expected.model_dump(mode="json")
    parts: dict[str, Any] = {
        "demo": demo,
        "worth": worth,
        "expected": facts or {k: worth[k] for k in ("value", "low", "high")},
        "photos": _faces(demo.dataset),
        "chapters": [_chapter(demo, c, path.parent) for c in demo.chapters],
        "final": Markup(forest(_final_rows(demo, facts), label="expected and true score")),
        "split": demo.split.summary,
        "audit": demo.audit,
    }
    template = environment(Path(__file__).parent).get_template("week.html.j2")
    html = page("The last week, with evidence", template.render(parts))
    files.write_text(path, html, durable=False)
    return path


def _final_rows(demo: DemoEvidence, expected: dict[str, Any] | None) -> list[ForestRow]:
    naive = demo.leak.naive.macro_f1
    rows = [
        ForestRow(
            label="promised by the naive split",
            value=naive.value,
            low=naive.low,
            high=naive.high,
            mark=1,
        )
    ]
    if expected is not None:
        rows.append(
            ForestRow(
                label="expected of the submission",
                value=expected["value"],
                low=expected["low"],
                high=expected["high"],
            )
        )
    true = demo.true_score.primary
    rows.append(ForestRow(label="true score", value=true.value, low=true.low, high=true.high, mark=2))
    return rows


def _chapter(demo: DemoEvidence, chapter: DemoChapter, folder: Path) -> dict[str, Any]:
    rows = [
        ForestRow(label=label, value=value, low=low, high=high, note=_note(value, low, high, note))
        for label, value, low, high, note in chapter.rows
    ]
    extra = ""
    if demo.diagnosis.run in chapter.runs and len(chapter.runs) == 1 and chapter.zero:
        found = demo.diagnosis
        steps = [
            ForestRow(label=a, value=o.shapley) for a, o in found.oracle.items() if o.shapley is not None
        ]
        steps.sort(key=lambda i: -(i.value or 0.0))
        extra = Markup(
            waterfall(
                ForestRow(label="today", value=found.score), steps, ForestRow(label="all right", value=1.0)
            )
        )
    return {
        **dict(chapter),
        "runs": [{"id": r, "href": f"runs/{r}/report.html"} for r in chapter.runs],
        "chart": Markup(forest(rows, zero=0.0 if chapter.zero else None)) if rows else "",
        "extra": extra,
    }


def _note(value: float | None, low: float | None, high: float | None, note: str) -> str:
    if value is None:
        return note or "cannot say"
    inner = f" [{low:.3f}, {high:.3f}]" if low is not None and high is not None else ""
    return f"{value:.3f}{inner}{f' · {note}' if note else ''}"


def _faces(dataset: Dataset) -> list[dict[str, str]]:
    """Return one photo each of people spread over the classes."""
    order = np.random.default_rng(0).permutation(dataset.n_images)
    seen: set[int] = set()
    faces = []
    for i in order.tolist():
        subject = int(dataset.subject_index[i])
        if subject in seen:
            continue
        seen.add(subject)
        label = dataset.schema.target_classes[int(dataset.target[i])]
        faces.append({"uri": thumbnail(dataset.paths[i]), "label": label})
        if len(faces) == FACES:
            break
    return faces
