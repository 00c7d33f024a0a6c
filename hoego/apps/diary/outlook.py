"""The sections that look ahead and back: next, the wrap-up form, and the gaps of the records."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import mean
from typing import Any

from hoego.apps.diary.facts import PeriodRecords, RunSummary
from hoego.apps.diary.model import RecordReference, ReportSection, ReportTable, Statement
from hoego.apps.diary.pictures import scores_picture
from hoego.apps.diary.power import RequiredEvidence, undecided
from hoego.apps.diary.story import ended, of_run, of_sent, of_verdict, outside, sentence, verdict_statement
from hoego.apps.diary.words import Phrases, named, shown
from hoego.errors import HoegoError
from hoego.recipe import parse_override
from hoego.results.verdict import ComparisonVerdict
from hoego.runs.records import RankingGroup, Record
from hoego.runs.records.ranking import metric_value

MOST_IDEAS = 6
MOST_TRIALS = 15


def next_section(facts: PeriodRecords, say: Phrases) -> ReportSection:
    """Return what to try next: what is undecided and what would decide it, then what was never tried."""
    every = {r.id: r for r in (*facts.runs, *facts.earlier)}
    told = [_open(v, n, say) for v, n in undecided(facts.verdicts, every)]
    told += [
        Statement(text=say("resume", name=named(r), id=r.id), kind="plan", sources=of_run(r))
        for r in facts.waiting
        if r.state == "interrupted"
    ]
    told += _ideas(facts, say)
    states = [r.state for r in facts.waiting]
    if states:
        counts = {s: states.count(s) for s in ("waiting", "running", "interrupted")}
        told.append(Statement(text=say("now", **counts), kind="event", sources=of_run(*facts.waiting)))
    if not told:
        told = [Statement(text=say("nothing_next"), kind="word")]
    return ReportSection(id="next", title=say("next"), statements=tuple(told))


def _open(verdict: ComparisonVerdict, need: RequiredEvidence, say: Phrases) -> Statement:
    d = verdict.difference
    value = "?" if d is None else f"{d.value:+.4f}"
    times = "?" if need.subjects is None else f"{need.subjects:,.{int(need.subjects < 10)}f}"
    text = say(
        "undecided",
        change=verdict.change.replace("`", "'"),
        low="?" if d is None or d.low is None else f"{d.low:+.4f}",
        high="?" if d is None or d.high is None else f"{d.high:+.4f}",
        need=say(f"need_{need.kind}", n=need.runs, d=value, x=times),
    )
    return Statement(text=text, kind="plan", sources=of_verdict(verdict))


def _ideas(facts: PeriodRecords, say: Phrases) -> list[Statement]:
    """Return kept ideas that were not tried, then bundled ones of the field, the most often helpful first."""
    from hoego.runs.idea_lists import LISTS

    told = []
    kept = [i for i in facts.ideas if i.state in ("untried", "queued")]
    for idea in sorted(kept, key=lambda i: (i.state != "queued", -i.promise)):
        source = (RecordReference(kind="idea", id=idea.id, file="ideas.jsonl"),)
        if idea.state == "queued":
            told.append(Statement(text=say("queued_idea", text=idea.text), kind="plan", sources=source))
            continue
        told.append(
            Statement(
                text=_idea(idea.text, idea.overlay, idea.why, idea.source, say), kind="plan", sources=source
            )
        )
    if facts.runs:
        known = {i.overlay for i in facts.ideas}
        attributes = _known_attributes(facts)
        bundled = [
            e
            for name, entries in LISTS.items()
            if name != "mask-competition" or {"mask", "age"} & attributes
            for e in entries
            if e.overlay not in known and _fits(e.overlay, attributes)
        ]
        bundled = [e for e in bundled if not _tried(e.overlay, (*facts.runs, *facts.earlier))]
        for entry in sorted(bundled, key=lambda e: -e.promise)[: max(0, MOST_IDEAS - len(told))]:
            told.append(
                Statement(text=_idea(entry.text, entry.overlay, entry.why, entry.source, say), kind="plan")
            )
    return told[:MOST_IDEAS]


def _known_attributes(facts: PeriodRecords) -> set[str]:
    """Return attributes of the data: those that the latest scored run was scored on, or that its recipe names."""
    for run in reversed(facts.done):
        labels = run.recipe.get("labels", {})
        named_ones = {*_attributes(facts, run), *(labels.get("attributes") or {})}
        if named_ones:
            return named_ones
    return set()


def _fits(overlay: Sequence[str], attributes: set[str]) -> bool:
    """Return whether settings of single attributes are of attributes that the data has."""
    keys = [parse_override(text)[0] for text in overlay]
    return all(path[1] in attributes for path in keys if path[0] in ("train_edits", "ordinal"))


def _tried(overlay: Sequence[str], runs: Sequence[RunSummary]) -> bool:
    """Return whether some run that ended well had all of these settings."""
    settings = [parse_override(text) for text in overlay]
    return any(
        all(_setting(r.recipe, ".".join(path)) == value for path, value in settings)
        for r in runs
        if r.state == "done"
    )


def _idea(text: str, overlay: Sequence[str], why: str, source: str, say: Phrases) -> str:
    parts = [say("untried", text=text.replace("`", "'"), settings=", ".join(f"`{o}`" for o in overlay))]
    parts += [say("why", why=sentence(why))] if why else []
    parts += [say("source", source=source)] if source else []
    return " ".join(parts)


def wrapup(facts: PeriodRecords, say: Phrases, gaps: ReportSection, ahead: ReportSection) -> ReportSection:
    """Return the field's wrap-up form: overview, data, model, results, good, bad, next."""
    parts = (
        ReportSection(id="overview", title=say("overview"), statements=tuple(_overview(facts, say))),
        ReportSection(id="data", title=say("data"), statements=tuple(_data(facts, say))),
        ReportSection(id="model", title=say("model"), statements=tuple(_model(facts, say))),
        _results(facts, say),
        ReportSection(id="good", title=say("good"), statements=tuple(_good(facts, say))),
        ReportSection(id="bad", title=say("bad"), statements=tuple(_bad(facts, say, gaps))),
        ReportSection(
            id="wrap-next",
            title=say("wrap_next"),
            statements=tuple(s for s in ahead.statements if s.kind != "event")[:3],
        ),
    )
    return ReportSection(
        id="wrapup", title=say("wrapup"), parts=tuple(p for p in parts if p.statements or p.table)
    )


def _overview(facts: PeriodRecords, say: Phrases) -> Iterator[Statement]:
    yield Statement(text=say("span", first=facts.period.first, last=facts.period.last), kind="word")
    if facts.done:
        hours = say.hours(sum(r.hours or 0.0 for r in facts.done))
        count, trials = say.n(len(facts.done), "run"), say.n(len(facts.trials(facts.done)), "recipe")
        text = say("counts", done=count, trials=trials, hours=hours)
        yield Statement(text=text, kind="result", sources=of_run(*facts.done))
    else:
        yield Statement(text=say("no_runs"), kind="word")


def _data(facts: PeriodRecords, say: Phrases) -> Iterator[Statement]:
    groups: dict[tuple[str, str], list[RunSummary]] = {}
    for run in facts.done:
        if run.n_images is not None:
            key = (run.fingerprints.get("dataset", "?"), run.fingerprints.get("split", "?"))
            groups.setdefault(key, []).append(run)
    for (dataset, split), runs in groups.items():
        largest = max(runs, key=lambda r: r.n_images or 0)
        values = {"images": f"{largest.n_images:,}", "subjects": f"{largest.n_subjects or 0:,}"}
        text = say("dataset", dataset=f"`{dataset[:12]}`", split=f"`{split[:12]}`", **values)
        yield Statement(text=text, kind="result", sources=of_run(*runs))
    versions = sorted({r.fingerprints["labels"] for r in facts.done if r.fingerprints.get("labels")})
    if len(versions) > 1:
        names = ", ".join(f"`{v[:12]}`" for v in versions)
        yield Statement(
            text=say("labels_many", n=len(versions), versions=names),
            kind="result",
            sources=of_run(*facts.done),
        )
    if not groups:
        yield Statement(text=say("no_data"), kind="word")


_TOLD = ("model.name", "dataset.size", "epochs", "batch_size", "loss", "optim.name", "optim.lr", "split.kind")


def _model(facts: PeriodRecords, say: Phrases) -> Iterator[Statement]:
    first = facts.leader(facts.done)
    if first is not None and first.kind != "run":
        names = [named(r) for r in (*facts.earlier, *facts.done) if r.id in first.parents]
        text = say("combined", name=named(first), n=len(first.parents), members=say.names(names))
        yield Statement(text=text, kind="result", sources=of_run(first))
    best = facts.leader([r for r in facts.done if r.kind == "run"])
    if best is None or not best.recipe:
        yield Statement(text=say("no_score"), kind="word")
        return
    values = {key: _setting(best.recipe, key) for key in _TOLD}
    settings = ", ".join(f"`{k}` {shown(v)}" for k, v in values.items() if v is not None)
    yield Statement(
        text=say("leader", name=named(best), settings=settings), kind="result", sources=of_run(best)
    )
    source = (RecordReference(kind="run", id=best.id, file=f"{best.id}/score.json"),)
    try:
        scores = _attributes(facts, best)
    except HoegoError:
        text = say("gap_broken", n=say.n(1, "record"), names=f"{best.id}/score.json")
        yield Statement(text=text, kind="gap", sources=source)
        return
    if scores:
        text = say("attributes", scores=", ".join(f"{k} {v:.4f}" for k, v in scores.items()))
        yield Statement(text=text, kind="result", sources=source)


def _setting(recipe: Mapping[str, Any], key: str) -> Any:
    node: Any = recipe
    for part in key.split("."):
        node = node.get(part) if isinstance(node, Mapping) else None
    return node


def _attributes(facts: PeriodRecords, run: RunSummary) -> dict[str, float]:
    score = Record(facts.folders[run.id]).full_score
    values = {} if score is None else {name: metric_value(part) for name, part in score.attributes.items()}
    return {name: value for name, value in values.items() if value is not None}


def _apart(own: RankingGroup, ranked: RankingGroup | None) -> str:
    """Name the phrase that says why a score does not stand among the ranked ones."""
    kinds = ("dataset", "target", "split", "fold", "images")
    return f"apart_{next((k for k in kinds if ranked and getattr(own, k) != getattr(ranked, k)), 'labels')}"


def _results(facts: PeriodRecords, say: Phrases) -> ReportSection:
    trials = facts.trials([r for r in facts.done if r.score is not None])
    scored = [(mean(r.score.value for r in t if r.score is not None), t) for t in trials]
    scored.sort(key=lambda pair: (not pair[1][0].honest, pair[1][0].group != facts.group, -pair[0]))
    rows, sources = [], []
    for average, trial in scored[:MOST_TRIALS]:
        first = trial[0]
        text = say.score(first.score) if len(trial) == 1 and first.score else f"{average:.4f}"
        honesty = say.alone(first, facts.target) + say.stated(first)
        if first.rankable and first.group != facts.group and not say.alone(first, facts.target):
            honesty += f"; {say(_apart(first.group, facts.group))}"
        rows.append((named(first), str(len(trial)), text, honesty))
        sources.append(of_run(*trial))
    columns = tuple(say(c) for c in ("col_recipe", "col_runs", "col_score", "col_honesty"))
    table = ReportTable(columns=columns, rows=tuple(rows), sources=tuple(sources)) if rows else None
    told = () if rows else (Statement(text=say("no_score"), kind="word"),)
    return ReportSection(
        id="results",
        title=say("results"),
        statements=told,
        parts=(),
        pictures=scores_picture(facts, facts.done, say),
        table=table,
    )


def _good(facts: PeriodRecords, say: Phrases) -> Iterator[Statement]:
    better = [v for v in facts.verdicts if v.outcome == "better"]
    yield from (verdict_statement(v, say) for v in better)
    back = [s for s in facts.sent if s.public is not None and s.expected is not None]
    if back and not any(map(outside, back)):
        yield Statement(
            text=say("inside", n=say.n(len(back), "submission")), kind="result", sources=of_sent(*back)
        )
    if facts.done and not any(r.state == "failed" for r in facts.runs):
        yield Statement(text=say("all_well"), kind="result", sources=of_run(*facts.done))
    if not better:
        yield Statement(text=say("nothing_good"), kind="word")


def _bad(facts: PeriodRecords, say: Phrases, gaps: ReportSection) -> Iterator[Statement]:
    worse = [verdict_statement(v, say) for v in facts.verdicts if v.outcome == "worse"]
    failed = [ended(r, say) for r in facts.runs if r.state == "failed"]
    holes = [s for s in gaps.statements if s.kind == "gap"]
    yield from (*worse, *failed)
    if holes:
        sources = tuple(dict.fromkeys(x for s in holes for x in s.sources))
        yield Statement(text=say("gap_count", n=say.n(len(holes), "kind")), kind="gap", sources=sources)
    if not (worse or failed or holes):
        yield Statement(text=say("nothing_bad"), kind="word")


def gaps_section(facts: PeriodRecords, say: Phrases) -> ReportSection:
    """Return what the records themselves lack."""
    done = facts.done
    told: list[Statement] = []

    def gap(key: str, runs: Sequence[RunSummary], noun: str = "run") -> None:
        if runs:
            names = say.names(list(dict.fromkeys(map(named, runs))))
            text = say(key, n=say.n(len(runs), noun), names=names)
            told.append(Statement(text=text, kind="gap", sources=of_run(*runs)))

    plain = [r for r in done if r.kind == "run"]
    gap("gap_why", [r for r in plain if not r.why])
    alone = [t[0] for t in facts.trials([r for r in (*facts.earlier, *plain) if r.recipe]) if len(t) == 1]
    gap("gap_seed", [r for r in alone if r in plain], "recipe")
    gap("gap_honest", [r for r in done if r.score is not None and not r.honest])
    gap("gap_noscore", [r for r in done if r.score is None])
    gap("gap_optimism", [r for r in done if "selected" in r.honesty and r.optimism is None])
    gap("gap_unseen", [r for r in done if not _looked(facts)(r)])
    gap("gap_reason", [r for r in facts.runs if r.state == "failed" and not r.reason])
    if facts.broken:
        lost = sorted(facts.broken)
        text = say("gap_broken", n=say.n(len(lost), "record"), names=say.names(lost))
        sources = tuple(RecordReference(kind="run", id=name, file=f"{name}/run.json") for name in lost)
        told.append(Statement(text=text, kind="gap", sources=sources))
    open_ = [s for s in facts.sent if s.public is None]
    if open_:
        names = say.names([s.file for s in open_])
        text = say("gap_public", n=say.n(len(open_), "submission"), names=names)
        told.append(Statement(text=text, kind="gap", sources=of_sent(*open_)))
    if not told:
        told = [Statement(text=say("empty") if facts.empty else say("no_gaps"), kind="word")]
    return ReportSection(id="gaps", title=say("gaps"), statements=tuple(told))


def _looked(facts: PeriodRecords) -> Callable[[RunSummary], bool]:
    """Return whether somebody has used a run: noted, compared, tagged, combined or submitted it."""
    used = {n.run for _, n in facts.notes}
    used |= {i for v in facts.verdicts for i in (*v.runs, *v.baseline)}
    used |= {p for r in (*facts.runs, *facts.waiting) for p in r.parents}
    used |= {i for s in facts.sent for i in s.lineage}
    return lambda run: run.id in used or bool(run.tags)
