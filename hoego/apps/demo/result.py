"""What the demo tells: chapters, each a question with its experiment and its evidence."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hoego.data.audit import AuditReport
from hoego.data.dataset import Dataset
from hoego.evaluate.diagnose import Diagnosis
from hoego.evaluate.score import Score
from hoego.predictions import Predictions
from hoego.runs.leak import LeakStudy
from hoego.runs.records import Record, RunStore
from hoego.runs.records.ranking import PRIMARY
from hoego.split import Split


@dataclass(frozen=True)
class DemoChapter:
    """One question of the week.

    Args:
        question: as the team asked it.
        answer: what the experiment says, in sentences with their numbers.
        rows: (label, value, low, high, note) for the picture, difference from 0 where `zero`.
        zero: whether the rows are differences.
        runs: ids of the runs behind it.
    """

    question: str
    answer: tuple[str, ...]
    rows: tuple[tuple[str, float | None, float | None, float | None, str], ...] = ()
    zero: bool = False
    runs: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON types."""
        return {
            "question": self.question,
            "answer": list(self.answer),
            "rows": [list(r) for r in self.rows],
            "runs": list(self.runs),
        }


@dataclass(frozen=True)
class DemoResult:
    """The result of `hoego demo`.

    Args:
        folder: of the project that it made.
        chapters: in the order of the week.
        leak: the naive score, the honest one, the difference.
        attributes: macro F1 of each attribute of the honest run.
        diagnosis: of the honest run.
        final: the run whose refit was handed in.
        true_score: of the submission on the test set's truth.
        expected: what was expected of it, (value, low, high).
        report, submission, retrospective: files; filled in by who writes them.
        seconds: in all.
    """

    folder: Path
    chapters: tuple[DemoChapter, ...]
    dataset: Dataset
    split: Split
    audit: AuditReport
    leak: LeakStudy
    honest: Score
    diagnosis: Diagnosis
    final: Record
    test: Predictions
    true_score: Score
    seconds: float
    sentences: tuple[str, ...] = field(default=())
    report: Path | None = None
    submission: Path | None = None
    retrospective: Path | None = None

    @property
    def store(self) -> RunStore:
        """The demo's records."""
        return RunStore(self.folder / "runs")

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON types."""
        return {
            "folder": str(self.folder),
            "chapters": [c.to_dict() for c in self.chapters],
            "leak": self.leak.to_dict(),
            "attributes": {
                k: part.metrics[PRIMARY].model_dump(mode="json") for k, part in self.honest.attributes.items()
            },
            "bottleneck": self.diagnosis.bottleneck,
            "true_score": self.true_score.primary.model_dump(mode="json"),
            "final": self.final.id,
            "report": None if self.report is None else str(self.report),
            "submission": None if self.submission is None else str(self.submission),
            "retrospective": None if self.retrospective is None else str(self.retrospective),
            "seconds": self.seconds,
            "sentences": list(self.sentences),
        }
