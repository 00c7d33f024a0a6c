"""The sections that tell the period: overall, day by day, what was learned."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from statistics import mean

from hoego.apps.diary.facts import (
    PeriodRecords,
    RunSummary,
    SubmissionSummary,
    apart,
)
from hoego.apps.diary.model import RecordReference, ReportSection, Statement
from hoego.apps.diary.period import day_title
from hoego.apps.diary.pictures import days_picture, effects_picture, ledger_picture
from hoego.apps.diary.words import Phrases, named, shown
from hoego.results.score import DefinedEstimate
from hoego.results.verdict import ComparisonVerdict

LEDGER = "../submissions/ledger.jsonl"


def of_run(*runs: RunSummary) -> tuple[RecordReference, ...]:
    """Return references to runs."""
    return tuple(RecordReference(kind="run", id=r.id, file=f"{r.id}/run.json") for r in runs)


def of_verdict(verdict: ComparisonVerdict) -> tuple[RecordReference, ...]:
    """Return references to the verdict of a comparison."""
    return tuple(
        RecordReference(kind="run", id=i, file=f"{i}/run.json") for i in (*verdict.runs, *verdict.baseline)
    )


def of_sent(*sent: SubmissionSummary) -> tuple[RecordReference, ...]:
    """Return references to submissions."""
    return tuple(RecordReference(kind="submission", id=s.id, file=LEDGER) for s in sent)


def overall(facts: PeriodRecords, say: Phrases) -> ReportSection:
    """Write the summary (총평): what happened, the highest honest score, what was decided."""
    return ReportSection(
        id="overall",
        title=say("overall"),
        statements=tuple(_overall(facts, say)),
        pictures=days_picture(facts, say),
    )


def _overall(facts: PeriodRecords, say: Phrases) -> Iterator[Statement]:
    if facts.empty:
        yield Statement(text=say("empty"), kind="word")
        return
    done = facts.done
    if not done:
        yield Statement(text=say("no_runs"), kind="word")
    else:
        hours = say.hours(sum(r.hours or 0.0 for r in done))
        count, trials = say.n(len(done), "run"), say.n(len(facts.trials(done)), "recipe")
        yield Statement(
            text=say("counts", done=count, trials=trials, hours=hours), kind="result", sources=of_run(*done)
        )
    failed = [r for r in facts.runs if r.state == "failed"]
    cancelled = [r for r in facts.runs if r.state == "cancelled"]
    if failed or cancelled:
        text = say("failed_count", failed=say.n(len(failed), "run"), cancelled=len(cancelled))
        yield Statement(text=text, kind="result", sources=of_run(*failed, *cancelled))
    if done:
        yield from _best(facts, say)
        yield _counted(facts.verdicts, say)
    for run in done:
        if run.honesty == "naive" and run.score is not None:
            yield Statement(
                text=say("naive", name=named(run), score=say.score(run.score)),
                kind="result",
                sources=of_run(run),
            )
    if facts.sent:
        yield Statement(
            text=say("sent", n=say.n(len(facts.sent), "submission")),
            kind="result",
            sources=of_sent(*facts.sent),
        )
        back = [s for s in facts.sent if s.public is not None]
        if back:
            top = max(back, key=lambda s: s.public or 0.0)
            yield Statement(
                text=say("sent_best", best=f"{top.public:.4f}"), kind="result", sources=of_sent(top)
            )


def _best(facts: PeriodRecords, say: Phrases) -> Iterator[Statement]:
    best, old = facts.leader(facts.done), facts.leader(facts.earlier)
    if best is None or best.score is None:
        yield Statement(text=say("no_score"), kind="word")
        return
    n = len(facts.comparable(facts.done))
    # Whoever takes the highest of several scores has chosen by them, whatever each of them is alone.
    chosen = say("highest_of", n=n) + " " if n > 1 else ""
    text = say("best", n=n, name=named(best), score=say.score(best.score), honesty=chosen + say.honesty(best))
    if "selected" in best.honesty:
        known = best.optimism is not None
        text += " " + (say("optimism", optimism=f"{best.optimism:.4f}") if known else say("optimism_unknown"))
    yield Statement(text=text, kind="result", sources=of_run(best))
    if old is not None and old.score is not None:
        values = {"name": named(old), "score": say.score(old.score), "a": best.id, "b": old.id}
        yield Statement(text=say("before", **values), kind="result", sources=of_run(old, best))


def _counted(verdicts: Sequence[ComparisonVerdict], say: Phrases) -> Statement:
    if not verdicts:
        return Statement(text=say("no_verdicts"), kind="word")
    words = [v.outcome for v in verdicts]
    text = say(
        "verdicts",
        n=say.n(len(words), "comparison"),
        better=words.count("better"),
        worse=words.count("worse"),
        undecided=words.count("not distinguishable"),
    )
    return Statement(
        text=text, kind="result", sources=tuple(dict.fromkeys(s for v in verdicts for s in of_verdict(v)))
    )


def diary(facts: PeriodRecords, say: Phrases) -> ReportSection:
    """Return one part for each day with a record; a line for the days without."""
    parts, quiet = [], []
    today = datetime.datetime.now(datetime.UTC).astimezone(facts.period.zone).date()
    for day in facts.period.days():
        entries = tuple(day_entries(facts, day, say))
        if entries:
            parts.append(ReportSection(id=f"day-{day}", title=day_title(day, say.lang), statements=entries))
        elif day <= today:
            quiet.append(day_title(day, say.lang))
    told = (Statement(text=say("quiet", days=", ".join(quiet)), kind="word"),) if quiet and parts else ()
    if not parts:
        told = (Statement(text=say("empty"), kind="word"),)
    return ReportSection(id="diary", title=say("diary"), statements=told, parts=tuple(parts))


def day_entries(facts: PeriodRecords, day: datetime.date, say: Phrases) -> list[Statement]:
    """Return what the records say of a day, in order of time."""
    found: list[tuple[datetime.datetime, Statement]] = []
    runs = [r for r in facts.runs if r.day == day]
    for trial in facts.trials([r for r in runs if r.state == "done"]):
        found.append((trial[-1].moment, trial_statement(facts, trial, say)))
    for run in runs:
        if run.state != "done":
            found.append((run.moment, ended(run, say)))
    for verdict in facts.verdicts:
        last = max((r.moment for r in facts.runs if r.id in verdict.runs), default=None)
        if last is not None and last.date() == day:
            found.append((last, verdict_statement(verdict, say)))
    for moment, note in facts.notes:
        if moment.date() == day:
            about = next((r for r in (*facts.runs, *facts.earlier) if r.id == note.run), None)
            text = note.text.replace("`", "'")
            told = say("note", text=text) if about is None else say("note_run", name=named(about), text=text)
            sources = (
                RecordReference(kind="note", id=note.id, file="notes.jsonl"),
                *(of_run(about) if about else ()),
            )
            found.append((moment, Statement(text=told, kind="note", sources=sources)))
    for sent in facts.sent:
        if sent.moment.date() == day:
            found.append((sent.moment, sent_statement(sent, say)))
    ordered = sorted(found, key=lambda pair: pair[0])
    return [Statement(text=s.text, kind=s.kind, sources=s.sources, time=f"{m:%H:%M}") for m, s in ordered]


def trial_statement(facts: PeriodRecords, trial: Sequence[RunSummary], say: Phrases) -> Statement:
    """Return one recipe's runs of a day: score, hypothesis, and in what it differs from the nearest earlier recipe."""
    first = trial[0]
    scores = [r.score.value for r in trial if r.score is not None]
    name, honesty = named(first), say.honesty(first, facts.target)
    if not scores:
        text = say("run_unscored", name=name)
    elif len(trial) == 1 and first.score is not None:
        text = say("run", name=name, score=say.score(first.score), honesty=honesty)
    else:
        text = say(
            "run_seeds",
            name=name,
            n=len(scores),
            mean=f"{mean(scores):.4f}",
            low=f"{min(scores):.4f}",
            high=f"{max(scores):.4f}",
            honesty=honesty,
        )
    sources = of_run(*trial)
    before = facts.before(first) if first.kind == "run" and first.recipe else None
    if before is not None:
        differing = apart(before, first)
        changes = ", ".join(f"`{k}` {shown(a)} → {shown(b)}" for k, a, b in differing[:4])
        changes += say.more(len(differing) - 4) if len(differing) > 4 else ""
        text += " " + say("differs", name=named(before), changes=changes)
        sources += of_run(before)
    if first.why:
        text += " " + say("why", why=sentence(first.why))
    return Statement(text=text, kind="result", sources=sources)


def sentence(text: str) -> str:
    """Return a text of a person, ended by a full stop."""
    text = " ".join(text.split()).replace("`", "'")
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."


def ended(run: RunSummary, say: Phrases) -> Statement:
    """Return a run that failed, was cancelled or interrupted, or is not over."""
    reason = sentence(run.reason) if run.reason else say("no_reason")
    return Statement(text=say(run.state, name=named(run), reason=reason), kind="event", sources=of_run(run))


def sent_statement(sent: SubmissionSummary, say: Phrases) -> Statement:
    """Return a submission: what was expected, and what came back."""
    parts = [say("submitted", file=sent.file)]
    if sent.expected is not None:
        parts.append(say("expected", expected=say.score(sent.expected)))
    if sent.public is None:
        parts.append(say("public_none"))
    else:
        parts.append(say("public", public=f"{sent.public:.4f}"))
        if outside(sent):
            parts.append(say("public_outside"))
    return Statement(text=" ".join(parts), kind="result", sources=of_sent(sent))


def outside(sent: SubmissionSummary) -> bool:
    """Return whether the leaderboard's score lies outside the interval that was expected."""
    e = sent.expected
    if e is None or e.low is None or e.high is None or sent.public is None:
        return False
    return not e.low <= sent.public <= e.high


def verdict_statement(verdict: ComparisonVerdict, say: Phrases) -> Statement:
    """Return a comparison in words with its numbers."""
    change = verdict.change.replace("`", "'")
    if verdict.outcome == "failed":
        text = say(
            "failed_idea", change=change, reason=sentence(verdict.sentence) if verdict.sentence else ""
        )
    elif verdict.difference is None:
        word = say(verdict.outcome) if verdict.outcome in _WORDS else verdict.outcome
        text = say(
            "verdict_bare",
            change=change,
            word=word,
            reason=sentence(verdict.sentence) if verdict.sentence else "",
        )
    else:
        scope = (
            say("scope_recipes", n=len(verdict.runs) or "?")
            if verdict.scope == "recipes"
            else say("scope_models")
        )
        text = say(
            "verdict",
            change=change,
            word=say(verdict.outcome) if verdict.outcome in _WORDS else verdict.outcome,
            metric=verdict.metric.replace("macro_f1", "macro F1"),
            difference=say.effect(verdict.difference),
            p="" if verdict.p_value is None else f", p = {verdict.p_value:.3g}",
            scope=scope,
        )
    return Statement(text=text, kind="result", sources=of_verdict(verdict))


_WORDS = ("better", "worse", "not distinguishable", "cannot say", "already so")


def learned(facts: PeriodRecords, say: Phrases) -> ReportSection:
    """Write the decided comparisons, better first; then what the leaderboard showed of the honest score."""
    order = {"better": 0, "worse": 1, "not distinguishable": 2}
    told = [v for v in facts.verdicts if v.difference is not None]
    told.sort(key=lambda v: (order.get(v.outcome, 3), -_size(v.difference)))
    statements = [*_leaks(facts, say), *(verdict_statement(v, say) for v in told)]
    pairs = [(s, s.public - s.honest) for s in facts.sent if s.public is not None and s.honest is not None]
    if len(pairs) >= 2:
        gap = f"{mean(g for _, g in pairs):+.4f}"
        text = say("ledger_gap", gap=gap, n=say.n(len(pairs), "submission"))
        statements.append(Statement(text=text, kind="result", sources=of_sent(*(s for s, _ in pairs))))
    if not statements:
        statements = [Statement(text=say("nothing_learned"), kind="word")]
    pictures = effects_picture(told, say) + ledger_picture(facts, say)
    return ReportSection(id="learned", title=say("learned"), statements=tuple(statements), pictures=pictures)


def _leaks(facts: PeriodRecords, say: Phrases) -> Iterator[Statement]:
    """Yield a naive run beside an honest one whose recipe differs in the split alone."""
    pool = [r for r in (*facts.earlier, *facts.done) if r.honest and r.score is not None and r.kind == "run"]
    for naive in facts.done:
        if naive.honesty != "naive" or naive.score is None:
            continue
        same = [r for r in pool if all(k.startswith("split.") for k, _, _ in apart(naive, r))]
        honest = max(same, key=lambda r: (r.seed == naive.seed, r.moment.timestamp()), default=None)
        if honest is not None and honest.score is not None:
            values = {"naive": named(naive), "honest": named(honest)}
            values |= {"promised": f"{naive.score.value:.4f}", "true": f"{honest.score.value:.4f}"}
            gap = say.effect(_apart(naive.score, honest.score))
            yield Statement(text=say("leak", gap=gap, **values), kind="result", sources=of_run(naive, honest))


def _apart(a: DefinedEstimate, b: DefinedEstimate) -> DefinedEstimate:
    """Return the difference of two independent values; its interval adds their squared half-widths."""
    value = a.value - b.value
    if a.low is None or a.high is None or b.low is None or b.high is None:
        return DefinedEstimate(value=value)
    below = ((a.value - a.low) ** 2 + (b.high - b.value) ** 2) ** 0.5
    above = ((a.high - a.value) ** 2 + (b.value - b.low) ** 2) ** 0.5
    return DefinedEstimate(value=value, low=value - below, high=value + above)


def _size(value: DefinedEstimate | None) -> float:
    return abs(value.value) if value is not None else 0.0
