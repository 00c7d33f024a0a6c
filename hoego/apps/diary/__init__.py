"""The retrospective of a week or a day, in Korean or English, every statement with its record."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from hoego.apps.diary.facts import PeriodRecords, gather
from hoego.apps.diary.model import (
    Chart,
    HeadlineFigure,
    RecordReference,
    ReportSection,
    ReportTable,
    Retrospective,
    Statement,
)
from hoego.apps.diary.outlook import gaps_section, next_section, wrapup
from hoego.apps.diary.period import Period, period_of, week_of_month
from hoego.apps.diary.story import day_entries, diary, learned, overall
from hoego.apps.diary.words import LANGUAGES, Phrases
from hoego.apps.diary.write import standalone, to_html, to_markdown, write
from hoego.runs.records import RunStore


def retrospective(store: RunStore, period: Period, lang: str = "en") -> Retrospective:
    """Write the retrospective of a period from the records alone.

    Args:
        store: the records; notes and ideas lie in its folder, the ledger of submissions beside it.
        period: of `period_of`.
        lang: ko or en.

    Raises:
        UsageError: another language.
        RecordError: notes, ideas or the ledger cannot be read.
    """
    say = Phrases(lang)
    facts = gather(store, period)
    gaps, ahead = gaps_section(facts, say), next_section(facts, say)
    sections = [overall(facts, say), diary(facts, say), learned(facts, say), ahead]
    sections += [wrapup(facts, say, gaps, ahead), gaps] if not facts.empty else []
    return Retrospective(
        lang=lang,
        period=period.stated(),
        title=period.title(lang),
        summary=_summary(facts, say),
        cards=tuple(_cards(facts, say)),
        sections=tuple(sections if not facts.empty else sections[:1]),
        tags=_tags(facts),
        root=str(store.root),
        reports=frozenset(r.id for r in facts.runs if r.has_report),
    )


def _summary(facts: PeriodRecords, say: Phrases) -> str:
    if facts.empty:
        return say("empty")
    return say(
        "summary",
        done=say.n(len(facts.done), "run"),
        n=say.n(len(facts.verdicts), "comparison"),
        notes=say.n(len(facts.notes), "note"),
        sent=say.n(len(facts.sent), "submission"),
    )


def _cards(facts: PeriodRecords, say: Phrases) -> Iterator[HeadlineFigure]:
    if not facts.done:
        return
    yield HeadlineFigure(value=str(len(facts.done)), label=say("card_runs"))
    best = facts.leader(facts.done)
    if best is not None and best.score is not None:
        yield HeadlineFigure(
            value=f"{best.score.value:.4f}", label=f"{say('card_best')} ({say.stated(best)})"
        )
    better = sum(v.outcome == "better" for v in facts.verdicts)
    yield HeadlineFigure(value=f"{better} / {len(facts.verdicts)}", label=say("card_better"))
    yield HeadlineFigure(value=say.hours(sum(r.hours or 0.0 for r in facts.done)), label=say("card_hours"))


def _tags(facts: PeriodRecords) -> tuple[str, ...]:
    models = [r.recipe.get("model", {}).get("name") for r in facts.done if r.recipe]
    kind = {"week": "weekly", "day": "daily"}.get(facts.period.kind, "period")
    return tuple(dict.fromkeys(["hoego", kind, *(str(m) for m in models if m)]))[:8]


def follow(
    store: RunStore,
    period: Period,
    lang: str = "en",
    *,
    every: float = 3.0,
    stop: Callable[[], bool] | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Statement]:
    """Yield the live diary: what is on record already, then each new entry as it comes.

    A run appears when it ends, and again when a verdict is written; notes and submissions appear at once.

    Args:
        every: seconds between two looks.
        stop: called after each look; None never stops.
    """
    say = Phrases(lang)
    seen: set[tuple[str, tuple[str, ...]]] = set()
    while True:
        facts = gather(store, period)
        for day in period.days():
            for entry in day_entries(facts, day, say):
                key = (entry.text, tuple(s.id for s in entry.sources))
                if key not in seen:
                    seen.add(key)
                    yield entry
        if stop is not None and stop():
            return
        sleep(every)


__all__ = [
    "LANGUAGES",
    "Period",
    "Chart",
    "Retrospective",
    "ReportSection",
    "RecordReference",
    "Statement",
    "ReportTable",
    "follow",
    "period_of",
    "retrospective",
    "standalone",
    "to_html",
    "to_markdown",
    "week_of_month",
    "write",
]
