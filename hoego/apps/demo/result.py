"""The result of the demo: chapters, each a question with its experiment and its evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from hoego.data.audit import AuditReport
from hoego.data.dataset import Dataset
from hoego.draw import ForestRow
from hoego.evaluate.diagnose import Diagnosis
from hoego.evaluate.score import Score
from hoego.predictions import Predictions
from hoego.results.base import MaybeFloat, Result
from hoego.results.leak import LeakStudy
from hoego.results.score import MetricEstimate
from hoego.runs.records import Record, RunStore
from hoego.runs.records.ranking import PRIMARY
from hoego.split import Split

ChartRow = tuple[str, MaybeFloat, MaybeFloat, MaybeFloat, str]
"""Label, value, low, high, note."""


class DemoChapter(Result):
    """One question of the week.

    Args:
        question: as the team asked it.
        answer: what the experiment says, in sentences with their numbers.
        rows: of the picture, differences from 0 where `zero`.
        zero: whether the rows are differences.
        runs: ids of the runs behind it.
    """

    HONESTY_OF: ClassVar[str] = "that of the runs behind it"

    question: str
    answer: tuple[str, ...]
    rows: tuple[ChartRow, ...] = ()
    zero: bool = False
    runs: tuple[str, ...] = ()

    def _intervals(self) -> list[ForestRow]:
        return [
            ForestRow(label=label, value=value, low=low, high=high, note=note)
            for label, value, low, high, note in self.rows
        ]

    def _zero(self) -> float | None:
        return 0.0 if self.zero else None


class DemoResult(Result):
    """The result of `hoego demo`.

    Args:
        folder: of the project that it made.
        chapters: in the order of the week.
        leak: the naive score, the honest one, the difference.
        attributes: macro F1 of each attribute of the honest run.
        bottleneck: the attribute that holds the honest run's score back; "" where none can be told.
        true_score: macro F1 of the submission on the test set's truth.
        final: the run whose refit was handed in.
        report, submission, retrospective: files; None before they are written.
        seconds: in all.
        sentences: what is printed.
    """

    TITLE: ClassVar[str] = "The demo's week"
    HONESTY_OF: ClassVar[str] = "that of the runs behind each chapter"

    folder: Path
    chapters: tuple[DemoChapter, ...]
    leak: LeakStudy
    attributes: Mapping[str, MetricEstimate]
    bottleneck: str
    true_score: MetricEstimate
    final: str
    report: Path | None = None
    submission: Path | None = None
    retrospective: Path | None = None
    seconds: float
    sentences: tuple[str, ...] = ()

    @property
    def store(self) -> RunStore:
        """The demo's records."""
        return RunStore(self.folder / "runs")


@dataclass(frozen=True, kw_only=True)
class DemoEvidence:
    """What the demo's result rests on, from which its pages are made.

    Args:
        folder: of the project.
        chapters: in the order of the week.
        audit: of the photos.
        leak: the naive score, the honest one, the difference.
        naive: the run on the photo-level split.
        honest: the score of the first run on the honest split; `diagnosis` is of the same run.
        final: the run whose refit was handed in; `test` are its predictions of the test set.
        true_score: of the submission on the test set's truth.
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

    def result(self) -> DemoResult:
        """Return what `hoego demo` prints."""
        return DemoResult(
            folder=self.folder,
            chapters=self.chapters,
            leak=self.leak,
            attributes={k: part.metrics[PRIMARY] for k, part in self.honest.attributes.items()},
            bottleneck=self.diagnosis.bottleneck,
            true_score=self.true_score.primary,
            final=self.final.id,
            seconds=self.seconds,
            sentences=self._sentences(),
        )

    def _sentences(self) -> tuple[str, ...]:
        e, leak = self.true_score.primary, self.leak
        attributes = ", ".join(
            f"{name} {part.metrics[PRIMARY].value:.3f}" for name, part in self.honest.attributes.items()
        )
        return (
            f"naive score  {_interval(leak.naive.macro_f1)}  (photo-level split, {leak.naive.honesty})",
            f"honest score {_interval(leak.honest.macro_f1)}  (split by person, {self.honest.honesty})",
            f"the leak     {leak.leak.value:+.3f}",
            f"attributes   {attributes}",
            f"bottleneck   {self.diagnosis.bottleneck}",
            f"submission's true score {e.value:.3f} on {self.true_score.n_subjects} people nobody had seen",
            f"{self.seconds:.0f} s in all",
        )


def _interval(e: MetricEstimate) -> str:
    return f"{e.value:.3f} [{e.low:.3f}, {e.high:.3f}]"
