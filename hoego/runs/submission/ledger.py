"""The ledger: one line per submission and per score that came back, beside hoego.toml, never rewritten.

submissions/ledger.jsonl      one JSON object a line: {"kind": "submission", ...} or {"kind": "score", ...}
submissions/files/ID.csv      a copy of every file, for agreement with later ones
"""

from __future__ import annotations

import contextlib
import datetime
import zoneinfo
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import NormalDist

from hoego import files
from hoego.errors import RecordError, UsageError
from hoego.results.base import Result
from hoego.runs.records.event_log import append_event, events
from hoego.runs.submission.form import SubmissionForm
from hoego.runs.submission.ledger_entry import LedgerEntry
from hoego.storage import storing

FOLDER = "submissions"


class LedgerView(Result):
    """The ledger: entries in order, submissions left today, warnings."""

    entries: tuple[LedgerEntry, ...]
    left_today: int
    per_day: int
    warnings: tuple[str, ...]


class Ledger:
    """The ledger of one project's folder."""

    def __init__(self, project: Path) -> None:
        self.folder = project / FOLDER
        self.file = self.folder / "ledger.jsonl"

    def entries(self) -> tuple[LedgerEntry, ...]:
        """Return every submission with the score that came back, the oldest first."""
        found: dict[str, LedgerEntry] = {}
        for event in events(self.file):
            facts = event.facts
            with event.reading():
                if event.kind == "submission":
                    found[str(facts["id"])] = LedgerEntry.of_line(facts)
                elif event.kind == "score" and (entry := found.get(str(facts["id"]))) is not None:
                    found[entry.id] = entry.with_(public=facts["value"])
        return tuple(found.values())

    def add(self, entry: LedgerEntry, content: bytes) -> None:
        """Enter a submission and keep a copy of its file."""
        files.write_bytes(self.folder / "files" / f"{entry.id}.csv", content)
        append_event(self.file, "submission", entry.model_dump(mode="json"))

    def record_score(self, file: str | Path, value: float, time: str) -> LedgerEntry:
        """Record the leaderboard's score of a file (or of an entry's id).

        Raises:
            RecordError: no submission wrote that file.
            UsageError: the value is not a score.
        """
        if not 0 <= value <= 1:
            raise UsageError(f"A score lies between 0 and 1, not {value}.", remedy="77.35 % is 0.7735.")
        wanted = Path(file)
        mine = [e for e in self.entries() if e.id == str(file) or Path(e.file).name == wanted.name]
        exact = [e for e in mine if Path(e.file).resolve() == wanted.resolve()]
        chosen = (exact or mine)[-1:]
        if not chosen:
            known = ", ".join(Path(e.file).name for e in self.entries()) or "none"
            raise RecordError(f"No submission wrote {str(file)!r}.", remedy=f"In the ledger: {known}.")
        append_event(self.file, "score", {"id": chosen[0].id, "value": value, "time": time})
        return next(e for e in self.entries() if e.id == chosen[0].id)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Lock the ledger: the submissions left today are counted and used within one lock."""
        with storing(self.file):
            self.folder.mkdir(parents=True, exist_ok=True)
        with files.locked(self.folder / ".ledger.lock"):
            yield

    def agreement(self, answers: Mapping[str, str], form: SubmissionForm) -> dict[str, float]:
        """Return the share of equal answers with every earlier file that has the same ids, by entry."""
        out = {}
        for entry in self.entries():
            path = self.folder / "files" / f"{entry.id}.csv"
            earlier = form.answers_in(path) if path.is_file() else None
            if earlier is not None and set(answers) <= set(earlier):
                out[entry.id] = sum(earlier[i] == said for i, said in answers.items()) / max(len(answers), 1)
        return out

    def left_today(self, per_day: int, timezone: str, now: datetime.datetime) -> int:
        """Return the number of submissions left until midnight in the leaderboard's time zone."""
        try:
            zone = zoneinfo.ZoneInfo(timezone)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError):
            raise UsageError(f"{timezone!r} is not a time zone.", remedy="Example: Asia/Seoul") from None
        today = now.astimezone(zone).date()
        sent = [datetime.datetime.fromisoformat(e.time).astimezone(zone).date() for e in self.entries()]
        return max(0, per_day - sent.count(today))


def winners_curse(entries: tuple[LedgerEntry, ...]) -> str:
    """Say how much the best of several public scores owes to chance; "" below three scores.

    The highest of m equally good submissions is expected to be sd * z above their common truth, with z the expected
    maximum of m standard normals (Blom's approximation, 1958) and sd the mean error of the expected scores: an upper
    bound, since files that agree share their error.
    """
    scored = [e for e in entries if e.public is not None and e.expected is not None]
    if len(scored) < 3:
        return ""
    m = len(scored)
    sd = sum((e.expected.high - e.expected.low) / (2 * 1.96) for e in scored if e.expected) / m
    luck = sd * NormalDist().inv_cdf((m - 0.375) / (m + 0.25))
    best = max(scored, key=lambda e: e.public or 0.0)
    return (
        f"{Path(best.file).name} has the best of {m} public scores ({best.public:.4f}); the best of {m} equally "
        f"good files is expected up to {luck:.4f} above what it is worth"
    )


def picked_by_leaderboard(lineage: tuple[str, ...], entries: tuple[LedgerEntry, ...]) -> str:
    """Return a warning if an ensemble's members look as if the public score had picked them, else "".

    The rule: all m members are single runs of the ledger with both scores, the ledger holds more such runs than
    members, and the members are exactly the m best by public score without being the m best by honest score.
    """
    if len(lineage) < 2:
        return ""
    single = {
        e.lineage[0]: (e.public, e.honest.value or 0.0)
        for e in entries
        if len(e.lineage) == 1 and e.public is not None and e.honest is not None
    }
    m = len(lineage)
    if len(single) <= m or not set(lineage) <= set(single):
        return ""
    by_public = set(sorted(single, key=lambda r: -single[r][0])[:m])
    by_honest = set(sorted(single, key=lambda r: -single[r][1])[:m])
    if set(lineage) == by_public != by_honest:
        return (
            f"the members are the {m} best by public score and not by honest score: "
            "picking members by the leaderboard fits its public half"
        )
    return ""
