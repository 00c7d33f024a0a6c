"""`hoego submit`: write the file that the leaderboard asks for, checked, and enter it in the ledger."""

from __future__ import annotations

import datetime
import secrets
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from hoego import files
from hoego.errors import UsageError
from hoego.predictions import Predictions
from hoego.recipe import SubmissionSettings
from hoego.results.base import Result
from hoego.results.score import Score, ScoreSummary
from hoego.runs.submission.expected import Expected, expected_score
from hoego.runs.submission.form import SubmissionForm, answers_of, read_form
from hoego.runs.submission.ledger import Ledger, LedgerView, picked_by_leaderboard, winners_curse
from hoego.runs.submission.ledger_entry import LedgerEntry, SubmittedScore

WHY_NOT_EXPECTED = {
    "naive": (
        "its split lets a person be on both sides",
        'train the same recipe with split.kind = "holdout" or "folds"',
    ),
    "in-sample": (
        "its models have seen the people that it is scored on",
        "score the run's out-of-fold predictions (hoego train --fold all)",
    ),
}
"""Honesty -> why such a score says nothing of the leaderboard, and what to do about it."""


@dataclass(frozen=True, kw_only=True)
class SubmitRequest:
    """A submission to write, and the facts that it is checked with.

    Args:
        project: folder of hoego.toml; the ledger lies beside it.
        out: the file to write.
        settings: of the recipe's [submission].
        score: of the run, or None.
        training_classes: photos per class of the training set, for comparison.
        now: the time.
    """

    project: Path
    out: Path
    settings: SubmissionSettings
    score: Score | ScoreSummary | None = None
    training_classes: Mapping[str, int] = field(default_factory=dict)
    now: datetime.datetime = field(default_factory=lambda: datetime.datetime.now(datetime.UTC))


class Submission(Result):
    """The result of `hoego submit`.

    Args:
        file: that was written.
        id, run: of the entry in the ledger, and of the run whose predictions they are.
        answers: in the file.
        agreement: share of equal answers with every earlier file, by entry.
        share, training_share: shares of the classes in the file and in training.
        expected: the leaderboard's number to expect, with interval; None where there is no honest score.
        left_today: submissions left.
        warnings: sentences to show.
    """

    HONESTY_OF: ClassVar[str] = "that of the run's score, from which the leaderboard's is expected"

    file: str
    id: str
    run: str
    answers: int
    agreement: Mapping[str, float]
    share: Mapping[str, float]
    training_share: Mapping[str, float]
    expected: Expected | None
    left_today: int
    warnings: tuple[str, ...]


def submit(predictions: Predictions, form: SubmissionForm, request: SubmitRequest) -> Submission:
    """Write a submission whose ids and order are those of the form, and enter it in the ledger.

    Raises:
        MismatchError: the form names photos that were not predicted, or the other way round.
        UsageError: no submission is left today.
    """
    settings, ledger = request.settings, Ledger(request.project)
    filled = form.match(predictions)
    answers = dict(zip(form.ids, answers_of(filled), strict=True))
    content = form.fill(filled).write_csv().encode()
    expected = _expected(len(answers), request)
    # Two that count what is left at one moment would both take the last one.
    with ledger.held():
        left = ledger.left_today(settings.per_day, settings.timezone, request.now)
        if left == 0:
            raise UsageError(
                f"The {settings.per_day} submissions of today ({settings.timezone}) are used up.",
                remedy="Wait for midnight there, or set submission.per_day.",
            )
        agreement, entries = ledger.agreement(answers, form), ledger.entries()
        entry = _entry(predictions, answers, expected, request)
        files.write_bytes(request.out, content)
        ledger.add(entry, content)
    warnings = [picked_by_leaderboard(predictions.lineage, entries)]
    warnings += [
        f"identical to the file of {name}: it would use a submission for the same answers"
        for name, share in agreement.items()
        if share == 1.0
    ]
    warnings += [*_absent(predictions, answers), *_leaked(request.score)]
    return Submission(
        file=entry.file,
        id=entry.id,
        run=entry.run,
        answers=sum(entry.classes.values()),
        agreement=agreement,
        share=_shares(entry.classes),
        training_share=_shares(request.training_classes),
        expected=expected,
        left_today=left - 1,
        warnings=tuple(w for w in warnings if w),
    )


def _expected(n: int, request: SubmitRequest) -> Expected | None:
    """Return the score that the leaderboard will probably give `n` answers; None without a score."""
    if request.score is None:
        return None
    public = max(1, round(n * request.settings.public_share))
    return expected_score(request.score, request.settings.metric, public)


def _entry(
    predictions: Predictions, answers: Mapping[str, str], expected: Expected | None, request: SubmitRequest
) -> LedgerEntry:
    return LedgerEntry(
        id=f"{request.now:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}",
        time=request.now.isoformat(timespec="seconds"),
        file=str(request.out),
        run=predictions.name,
        lineage=predictions.lineage,
        metric=request.settings.metric,
        score=SubmittedScore.of(request.score, request.settings.metric),
        expected=expected,
        classes=dict(sorted(Counter(answers.values()).items())),
    )


def ledger_view(
    project: Path, settings: SubmissionSettings, now: datetime.datetime | None = None
) -> LedgerView:
    """Return the ledger, with its warnings."""
    ledger = Ledger(project)
    moment = now or datetime.datetime.now(datetime.UTC)
    entries = ledger.entries()
    warnings = [
        f"{Path(e.file).name}: the leaderboard said {e.public:.4f}, outside what was expected "
        f"({e.expected.low:.4f} to {e.expected.high:.4f})"
        for e in entries
        if e.public is not None and e.expected is not None
        if not e.expected.low <= e.public <= e.expected.high
    ]
    for e in entries:
        if text := picked_by_leaderboard(e.lineage, tuple(o for o in entries if o.time < e.time)):
            warnings.append(f"{Path(e.file).name}: {text}")
    if text := winners_curse(entries):
        warnings.append(text)
    left = ledger.left_today(settings.per_day, settings.timezone, moment)
    return LedgerView(entries=entries, left_today=left, per_day=settings.per_day, warnings=tuple(warnings))


def _leaked(score: Score | ScoreSummary | None) -> list[str]:
    if score is None or score.rankable:
        return []
    honesty = str(score.honesty) or "not honest"
    why, remedy = WHY_NOT_EXPECTED.get(
        honesty, ("it may not be ranked", "score predictions of people not seen")
    )
    return [
        f"the run's score is {honesty}: {why}, so no leaderboard score can be expected from it. Remedy: {remedy}"
    ]


def _shares(counts: Mapping[str, int]) -> dict[str, float]:
    total = sum(counts.values())
    return {k: v / total for k, v in counts.items()} if total else {}


def _absent(predictions: Predictions, answers: Mapping[str, str]) -> list[str]:
    n = predictions.schema.n_target_classes
    said = len(set(answers.values()))
    return [f"{n - said} of {n} classes are never answered"] if said < n else []


def submit_demo(project: Path, predictions: Predictions, score: Score) -> tuple[Path, Expected | None]:
    """Write the demo's submission into its project, and say what is expected of it.

    Args:
        project: folder of the demo.
        predictions: of the eval people.
        score: of the honest run.
    """
    settings = SubmissionSettings(timezone="Asia/Seoul", public_share=1.0)
    form = read_form(project / "people" / "eval" / "info.csv", settings.image, settings.answer)
    out = project / "submissions" / "submission.csv"
    request = SubmitRequest(project=project, out=out, settings=settings, score=score)
    return out, submit(predictions, form, request).expected
