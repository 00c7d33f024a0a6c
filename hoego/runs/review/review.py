"""A review: its next question, the effect of an answer, and two reviewers at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np

from hoego import files
from hoego.data.dataset import Dataset, LabelCorrection
from hoego.data.overlay import REVIEW, read_overlay, reviewed_by, write_overlay
from hoego.errors import HoegoError, UsageError
from hoego.runs.review import journal as log
from hoego.runs.review.journal import Outcome, ReviewDecision, ReviewJournal
from hoego.runs.review.suspects import ReviewSuspect

CANNOT_BE_TOLD = ""
"""The answer where the photos do not show the label."""

REASONS = {
    "b": "blurred or dark",
    "h": "hidden",
    "e": "at the edge of two classes",
    "w": "plainly wrong",
    "p": "another person",
}
"""Reasons by their letter."""


class ReviewConflict(HoegoError):
    """Somebody else has decided meanwhile: nothing was changed."""


@dataclass(frozen=True, kw_only=True)
class ReviewAnswer:
    """The answer of a reviewer.

    Args:
        suspect: its key.
        answer: a class; CANNOT_BE_TOLD.
        seen: version of the suspect that they saw.
        who: the reviewer.
        reason: a letter of REASONS, or "".
    """

    suspect: str
    answer: str
    seen: str
    who: str
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class ReviewItem:
    """A suspect as one reviewer sees it.

    Args:
        suspect: what is asked about.
        given: its label today.
        first: the reviewer's blind answer; None before there is one. Only then may the suggestion be shown.
        decision: that closes it; None where it is open.
        version: changes with every answer of this reviewer, every decision and every correction.
    """

    suspect: ReviewSuspect
    given: str
    first: str | None
    decision: ReviewDecision | None
    version: str

    @property
    def is_open(self) -> bool:
        """Whether there is something to decide: nobody has, and the label is not that of the suggestion already."""
        return self.decision is None and self.given != self.suspect.suggested


@dataclass(frozen=True, kw_only=True)
class ReviewProgress:
    """How far a review is: suspects, those decided, those of them corrected, and keys of the open ones in order."""

    total: int
    confident: int
    decided: int
    changed: int
    open: tuple[str, ...]


@dataclass(frozen=True)
class _State:
    journal: ReviewJournal
    overlay: Mapping[tuple[str, str], LabelCorrection]


class Review:
    """The review of a run's suspects.

    Args:
        folder: of the records; the journal lies in it.
        run: id of the run.
        given: the data set without corrections.
        overlay: the file of corrections.
        suspects: of the run, in order.
    """

    def __init__(
        self, folder: Path, run: str, given: Dataset, *, overlay: Path, suspects: Sequence[ReviewSuspect]
    ) -> None:
        self.folder, self.run, self.given, self.overlay = folder, run, given, overlay
        self.suspects = {s.key: s for s in suspects}
        self._images = given.image_ids.tolist()

    def item(self, key: str, who: str) -> ReviewItem:
        """Return a suspect as a reviewer sees it. Raises UsageError if there is no such suspect."""
        return self._item(self._state(), key, who)

    def progress(self, who: str) -> ReviewProgress:
        """Return how far the review is."""
        state = self._state()
        items = [self._item(state, key, who) for key in self.suspects]
        return ReviewProgress(
            total=len(items),
            confident=sum(i.suspect.confident for i in items),
            decided=sum(i.decision is not None for i in items),
            changed=sum(i.decision is not None and i.decision.outcome == "changed" for i in items),
            open=tuple(i.suspect.key for i in items if i.is_open),
        )

    def decisions(self) -> tuple[ReviewDecision, ...]:
        """Return the decisions on these suspects that hold, the oldest first."""
        held = self._state().journal.decisions
        return tuple(sorted((d for k, d in held.items() if k in self.suspects), key=lambda d: d.time))

    def answer(self, said: ReviewAnswer) -> ReviewItem:
        """Take an answer, and return the suspect as it is then.

        A first answer that agrees with the suggestion decides; so does any second one. A first one that does not is
        written down, and the suggestion may be shown.

        Raises:
            ReviewConflict: the suspect is not as the reviewer saw it.
            UsageError: there is no such suspect, class or reason.
        """
        suspect = self._suspect(said.suspect)
        if said.answer and said.answer not in suspect.classes:
            raise UsageError(f"There is no class {said.answer!r}.", remedy=", ".join(suspect.classes))
        if said.reason and said.reason not in REASONS:
            raise UsageError(f"There is no reason {said.reason!r}.", remedy=f"One of {', '.join(REASONS)}.")
        with files.locked(self._lock):
            state = self._state()
            item = self._item(state, said.suspect, said.who)
            if item.version != said.seen:
                raise _conflict(item)
            if item.first is None and said.answer != suspect.suggested:
                log.write_first(self.folder, suspect.key, said.who, said.answer)
            else:
                self._decide(state, item, said)
            return self._item(self._state(), said.suspect, said.who)

    def undo(self, who: str) -> ReviewItem:
        """Take back a reviewer's last decision, and return its suspect. Raises UsageError where there is none."""
        with files.locked(self._lock):
            state = self._state()
            last = state.journal.latest_of(who, self.run)
            if last is None or last.suspect not in self.suspects:
                raise UsageError(
                    "There is no decision of yours to take back.", remedy="Answer a suspect first."
                )
            rows = dict(state.overlay)
            mine = last.outcome != "kept" and all(
                reviewed_by(rows[k]) == who for i in last.images if (k := (i, last.attribute)) in rows
            )
            if mine:
                for image in last.images:
                    rows.pop((image, last.attribute), None)
                for row in last.replaced:
                    rows[row.image, row.attribute] = row
                write_overlay(self.overlay, rows.values())
            log.write_undo(self.folder, last, who)
            return self._item(self._state(), last.suspect, who)

    @property
    def _lock(self) -> Path:
        return self.overlay.with_name(f".{self.overlay.name}.lock")

    def _suspect(self, key: str) -> ReviewSuspect:
        if key not in self.suspects:
            raise UsageError("There is no such suspect in this review.", remedy="Open the review again.")
        return self.suspects[key]

    def _state(self) -> _State:
        rows = read_overlay(self.overlay, self.given.schema, self._images) if self.overlay.exists() else ()
        return _State(log.read_journal(self.folder), {(c.image, c.attribute): c for c in rows})

    def _item(self, state: _State, key: str, who: str) -> ReviewItem:
        suspect = self._suspect(key)
        rows = [state.overlay.get((image, suspect.attribute)) for image in suspect.images]
        decision = state.journal.decisions.get(key)
        first = state.journal.firsts.get((key, who))
        if decision is None and rows[0] is not None and (by := reviewed_by(rows[0])):
            # The overlay is written before the journal: a process that was killed between leaves the correction.
            decision = self._recovered(suspect, rows[0], by)
        stand = [(r.value, r.source, r.run) for r in rows if r is not None]
        text = repr((stand, None if decision is None else decision.id, first))
        return ReviewItem(
            suspect=suspect,
            given=self._label(suspect, rows[0]),
            first=first,
            decision=decision,
            version=blake2b(text.encode(), digest_size=8).hexdigest(),
        )

    def _label(self, suspect: ReviewSuspect, row: LabelCorrection | None) -> str:
        """Return the label of a suspect's photos today, by the name of its class."""
        attribute = self.given.schema.attribute(suspect.attribute)
        if row is None:
            at = self.given.positions(np.asarray(suspect.images[:1]))
            code = int(self.given.classes_of(suspect.attribute)[at][0])
        elif not row.value or row.value in attribute.classes:
            return row.value
        else:
            code = int(attribute.bin([float(row.value)])[0])
        return attribute.classes[code] if code >= 0 else ""

    def _recovered(self, suspect: ReviewSuspect, row: LabelCorrection, by: str) -> ReviewDecision:
        return ReviewDecision(
            id="overlay",
            time="",
            who=by,
            run=self.run,
            suspect=suspect.key,
            attribute=suspect.attribute,
            subject=suspect.subject,
            images=suspect.images,
            given=self._label(suspect, None),
            suggested=suspect.suggested,
            first=row.value,
            answer=row.value,
            outcome="changed",
        )

    def _decide(self, state: _State, item: ReviewItem, said: ReviewAnswer) -> None:
        """Write the overlay, then the journal; each is whole whenever the process ends."""
        suspect = item.suspect
        first = said.answer if item.first is None else item.first
        blank = self.given.schema.attribute(suspect.attribute).missing == "allow"
        outcome: Outcome = "changed" if said.answer != item.given else "kept"
        if not said.answer:
            outcome = "cannot be told"
        decision = ReviewDecision(
            id=log.new_id(),
            time=log.now(),
            who=said.who,
            run=self.run,
            suspect=suspect.key,
            attribute=suspect.attribute,
            subject=suspect.subject,
            images=suspect.images,
            given=item.given,
            suggested=suspect.suggested,
            first=first,
            answer=said.answer,
            outcome=outcome,
            reason=REASONS.get(said.reason, ""),
        )
        if outcome == "changed" or (outcome == "cannot be told" and blank):
            decision = self._correct(state, decision)
        log.write_decision(self.folder, decision)

    def _correct(self, state: _State, decision: ReviewDecision) -> ReviewDecision:
        """Put a decision into the overlay, in the place of what it says of the same labels."""
        rows = dict(state.overlay)
        keys = [(image, decision.attribute) for image in decision.images]
        before = tuple(c for k in keys if (c := rows.pop(k, None)))
        taken = decision.after_suggestion and decision.answer == decision.suggested
        why = "the suggestion was taken" if taken else "answered before the suggestion was seen"
        if decision.after_suggestion and not taken:
            why = "answered after the suggestion was seen"
        for image, attribute in keys:
            rows[image, attribute] = LabelCorrection(
                image=image,
                attribute=attribute,
                value=decision.answer,
                reason=f"{decision.reason}; {why}" if decision.reason else why,
                source=f"{REVIEW}{decision.who}",
                run=self.run if taken else "",
            )
        write_overlay(self.overlay, rows.values())
        return decision.with_(replaced=before)


def _conflict(item: ReviewItem) -> ReviewConflict:
    made = item.decision
    if made is None:
        return ReviewConflict(
            "This suspect has changed since it was shown; nothing was written.", remedy="Look at it again."
        )
    what = f"answered {made.answer!r}" if made.answer else "found that it cannot be told"
    return ReviewConflict(
        f"{made.who} has decided meanwhile: {what}. Your answer was not written.",
        remedy="Continue with the next one, or discuss the decision with them.",
    )
