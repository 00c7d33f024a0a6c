"""The charts of the retrospective, as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean

from hoego.apps.diary.facts import PeriodRecords, RunSummary
from hoego.apps.diary.model import Chart
from hoego.apps.diary.words import Phrases, named
from hoego.draw import ForestRow, bars, forest
from hoego.results.verdict import ComparisonVerdict

MOST_ROWS = 24


def days_picture(facts: PeriodRecords, say: Phrases) -> tuple[Chart, ...]:
    """Draw runs per day, if at least two days have runs."""
    days = facts.period.days()
    done = [sum(r.day == d and r.state == "done" for r in facts.runs) for d in days]
    failed = [sum(r.day == d and r.state == "failed" for r in facts.runs) for d in days]
    if len(days) > 31 or sum(1 for a, b in zip(done, failed, strict=True) if a + b) < 2:
        return ()
    labels = [f"{d.month}/{d.day}" for d in days]
    drawn = bars(labels, done, other=failed if any(failed) else None, label=say("pic_days"))
    return (Chart(name="days", svg=drawn, caption=say("pic_days")),)


def scores_picture(facts: PeriodRecords, runs: Sequence[RunSummary], say: Phrases) -> tuple[Chart, ...]:
    """Return each recipe's score with its interval, in order of time; naive scores in another colour."""
    rows = []
    shown = [r for r in runs if r.score is not None and r.target == facts.target]
    for trial in facts.trials(shown)[-MOST_ROWS:]:
        values = [r.score.value for r in trial if r.score is not None]
        middle = min(trial, key=lambda r: abs((r.score.value if r.score else 0.0) - mean(values)))
        if middle.score is None:
            continue
        seeds = f" ×{len(trial)}" if len(trial) > 1 else ""
        mark = 0 if middle.honest else 1
        rows.append(
            ForestRow(
                label=named(middle) + seeds,
                value=middle.score.value,
                low=middle.score.low,
                high=middle.score.high,
                mark=mark,
            )
        )
    if len(rows) < 2:
        return ()
    return (Chart(name="scores", svg=forest(rows, label=say("pic_scores")), caption=say("pic_scores")),)


def effects_picture(verdicts: Sequence[ComparisonVerdict], say: Phrases) -> tuple[Chart, ...]:
    """Draw paired differences around the line of no difference."""
    marks = {"better": 2, "worse": 3}
    rows = [
        ForestRow(
            label=v.change,
            value=v.difference.value,
            low=v.difference.low,
            high=v.difference.high,
            mark=marks.get(v.outcome, 5),
        )
        for v in verdicts[:MOST_ROWS]
        if v.difference is not None
    ]
    if not rows:
        return ()
    drawn = forest(rows, zero=0.0, digits=4, label=say("pic_effects"))
    return (Chart(name="effects", svg=drawn, caption=say("pic_effects")),)


def ledger_picture(facts: PeriodRecords, say: Phrases) -> tuple[Chart, ...]:
    """Return what was expected of each submission, and under it what the leaderboard said."""
    rows: list[ForestRow] = []
    for sent in facts.sent[-MOST_ROWS // 2 :]:
        estimate = sent.expected
        if estimate is not None and sent.public is not None:
            rows.append(
                ForestRow(label=sent.file, value=estimate.value, low=estimate.low, high=estimate.high)
            )
            rows.append(ForestRow(label=say("public_line"), value=sent.public, mark=1))
    if not rows:
        return ()
    return (
        Chart(name="ledger", svg=forest(rows, digits=4, label=say("pic_ledger")), caption=say("pic_ledger")),
    )
