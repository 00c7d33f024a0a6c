"""How a run ended, and a line for people on stderr."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hoego.evaluate.score import Score
from hoego.results.training import RunThroughput
from hoego.runs.records import RunTiming
from hoego.terminal import visible


@dataclass(frozen=True)
class RunResult:
    """How a run ended.

    Args:
        run: its id.
        folder: its record.
        state: done, or interrupted where it was asked to stop.
        reason: why it was stopped.
        score: of its held-out predictions; None where it was interrupted before them.
        throughput, timing: as they are in the record.
        refit: whether a last model was trained on all subjects.
        notes: sentences to show.
    """

    run: str
    folder: Path
    state: str
    reason: str = ""
    score: Score | None = None
    throughput: RunThroughput = field(default_factory=RunThroughput)
    timing: RunTiming = field(default_factory=RunTiming)
    refit: bool = False
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return {
            "run": self.run,
            "folder": str(self.folder),
            "state": self.state,
            "reason": self.reason,
            "score": None if self.score is None else self.score.model_dump(mode="json"),
            "throughput": self.throughput.model_dump(mode="json"),
            "timing": self.timing.model_dump(mode="json"),
            "refit": self.refit,
            "notes": list(self.notes),
        }


def print_status(text: str) -> None:
    """Print a line for people."""
    print(visible(text, keep="\n"), file=sys.stderr, flush=True)
