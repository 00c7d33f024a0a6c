"""The diary's week, retold on synthetic people."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from hoego.apps.demo.result import DemoChapter, DemoEvidence, DemoResult
from hoego.apps.demo.week import FULL, QUICK, DemoWeek
from hoego.evaluate.score import Score
from hoego.extras import require
from hoego.predictions import Predictions
from hoego.runs.records import Record, RunStore, note

__all__ = ["DemoChapter", "DemoEvidence", "DemoResult", "run_demo"]


def run_demo(
    folder: Path, *, quick: bool = False, seed: int = 0, log: Callable[[str], None] = print
) -> DemoEvidence:
    """Draw the people, train the week's runs, and gather the evidence. Runs that are done already are kept.

    Args:
        folder: to write into.
        quick: fewer people and runs; effects are then of "these two models".
        seed: of the people and the runs.
        log: called with lines for stderr.
    """
    require("train", "The demo")
    folder.mkdir(parents=True, exist_ok=True)
    week = DemoWeek(folder.resolve(), QUICK if quick else FULL, seed, log)
    final, test, true_score = _live(week)
    honest = week.base.full_score
    assert honest is not None, "the week has just scored it"
    return DemoEvidence(
        folder=week.folder,
        chapters=tuple(week.chapters),
        dataset=week.dataset,
        split=week.split,
        audit=week.audit,
        leak=week.leak,
        honest=honest,
        diagnosis=week.diagnosis,
        final=final,
        test=test,
        true_score=true_score,
        seconds=time.perf_counter() - week.started,
    )


def _live(week: DemoWeek) -> tuple[Record, Predictions, Score]:
    """Run the week day by day; return the last run, its predictions and the score they really had."""
    week.prepare()
    week.measure_leak()
    week.log_step("Tuesday: how much mixup?")
    week.ablation(
        "Tuesday. Alternate mixup with plain batches?",
        (),
        "mixing.mixup.share=0.5",
        "half of the batches mixed",
    )
    week.log_step("Wednesday: focal or cross-entropy, with oversampling")
    week.ablation(
        "Wednesday. Focal loss or cross-entropy, when the rare classes are oversampled?",
        ("sampling.strength=0.5",),
        "loss=focal",
        "focal loss may see to the rare classes by itself",
    )
    week.combine()
    week.which_attribute()
    week.which_design()
    submitted = week.submit()
    note(
        RunStore(week.folder / "runs"),
        "Should have measured mask, gender and age on the first day.",
        run=week.base.id,
    )
    return submitted
