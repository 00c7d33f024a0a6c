"""reviews.jsonl beside the runs: blind answers, decisions, and what was taken back."""

from __future__ import annotations

import datetime
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

from hoego.data.dataset import LabelCorrection
from hoego.results.base import Result
from hoego.runs.records.event_log import append_event, events

JOURNAL = "reviews.jsonl"
Outcome = Literal["kept", "changed", "cannot be told"]


class ReviewDecision(Result):
    """One decision on a suspect.

    Args:
        id: of the decision.
        time: ISO 8601, UTC.
        who: decided.
        run: whose predictions raised the suspicion.
        suspect: key of the suspect.
        attribute, subject, images: what was decided about.
        given: the label before.
        suggested: what the run predicts.
        first: the answer before the suggestion was shown; "" where it could not be told.
        answer: the last answer; "" where it cannot be told.
        outcome: `kept`, `changed` or `cannot be told`.
        reason: of the letters of REASONS, in words; "" where none was given.
        replaced: rows of the overlay that the decision took the place of.
    """

    DERIVED: ClassVar[tuple[str, ...]] = ("after_suggestion",)

    id: str
    time: str
    who: str
    run: str
    suspect: str
    attribute: str
    subject: str
    images: tuple[str, ...]
    given: str
    suggested: str
    first: str
    answer: str
    outcome: Outcome
    reason: str = ""
    replaced: tuple[LabelCorrection, ...] = ()

    @property
    def after_suggestion(self) -> bool:
        """Whether the answer changed after the suggestion was seen."""
        return self.answer != self.first


@dataclass(frozen=True)
class ReviewJournal:
    """The journal at one moment.

    Args:
        decisions: that hold, by suspect; the latest of each.
        firsts: answers before the suggestion, by suspect and person.
    """

    decisions: Mapping[str, ReviewDecision] = field(default_factory=dict)
    firsts: Mapping[tuple[str, str], str] = field(default_factory=dict)

    def latest_of(self, who: str, run: str) -> ReviewDecision | None:
        """Return the last decision of a person in the review of a run that holds."""
        own = [d for d in self.decisions.values() if d.who == who and d.run == run]
        return max(own, key=lambda d: (d.time, d.id)) if own else None


def read_journal(folder: Path) -> ReviewJournal:
    """Read the reviews beside some runs. Raises RecordError for a broken line, with its row."""
    held: dict[str, list[ReviewDecision]] = {}
    firsts: dict[tuple[str, str], str] = {}
    undone: set[str] = set()
    for event in events(folder / JOURNAL):
        facts = event.facts
        with event.reading():
            if event.kind == "first":
                firsts.setdefault((str(facts["suspect"]), str(facts["who"])), str(facts["answer"]))
            elif event.kind == "undo":
                undone.add(str(facts["decision"]))
            elif event.kind == "decision":
                made = ReviewDecision.model_validate(facts)
                held.setdefault(made.suspect, []).append(made)
    standing = {key: [d for d in made if d.id not in undone] for key, made in held.items()}
    return ReviewJournal({key: made[-1] for key, made in standing.items() if made}, firsts)


def write_first(folder: Path, suspect: str, who: str, answer: str) -> None:
    """Write down a blind answer."""
    facts = {"id": new_id(), "time": now(), "suspect": suspect, "who": who, "answer": answer}
    append_event(folder / JOURNAL, "first", facts)


def write_decision(folder: Path, decision: ReviewDecision) -> None:
    """Write down a decision."""
    append_event(folder / JOURNAL, "decision", decision.model_dump(mode="json"))


def write_undo(folder: Path, decision: ReviewDecision, who: str) -> None:
    """Write down that a decision does not hold any more."""
    facts = {"id": new_id(), "time": now(), "decision": decision.id, "who": who}
    append_event(folder / JOURNAL, "undo", facts)


def new_id() -> str:
    """Return an id that no other line has."""
    return secrets.token_hex(6)


def now() -> str:
    """Return this moment as ISO 8601, UTC, to the microsecond: two keys may fall into one second."""
    return datetime.datetime.now(datetime.UTC).isoformat()
