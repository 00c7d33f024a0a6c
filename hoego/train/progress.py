"""Progress of a training: a live line on a terminal and in a notebook, else a line on stderr now and then."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any

from hoego.terminal import visible

SPARSE_SECONDS = 15.0


class TrainingProgress:
    """Epochs with loss, macro F1, images per second and the time left.

    Args:
        name: of the fold.
        epochs: of the training.
        steps: per epoch.
        shown: whether anything is printed.
        naive: the split is by photo; every score shown is marked so.
    """

    def __init__(
        self, name: str, epochs: int, steps: int, shown: bool = True, *, naive: bool = False
    ) -> None:
        self.name, self.epochs, self.steps, self.shown = name, epochs, steps, shown
        self.mark = " (naive)" if naive else ""
        self.start = self.last_print = time.monotonic()
        self.first: int | None = None
        self.line = ""
        self._bar: Any = None

    def __enter__(self) -> TrainingProgress:
        if self.shown:
            from rich.progress import BarColumn, TextColumn, TimeRemainingColumn

            from hoego.data.live_progress import live_progress

            self._bar = live_progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(bar_width=24),
                TimeRemainingColumn(),
                TextColumn("{task.fields[line]}", markup=False),
            )
        if self._bar is not None:
            self._task = self._bar.add_task(self.name, total=self.epochs * self.steps, line="")
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def step(self, epoch: int, number: int) -> None:
        """Show that a step is done."""
        if self.first is None:
            self.first = epoch * self.steps + number
        if self._bar is not None and (number % 8 == 7 or number + 1 == self.steps):
            self._bar.update(self._task, completed=epoch * self.steps + number + 1)

    def epoch(self, figures: dict[str, Any]) -> None:
        """Show that an epoch is done."""
        if not self.shown:
            return
        epoch = figures["epoch"] + 1
        self.line = (
            f"epoch {epoch}/{self.epochs} loss {figures['train_loss']:.4f}{_scores(figures, self.mark)}"
        )
        speed = figures["images_per_second"]
        if speed:
            self.line += f" {speed:,.0f} img/s"
        if self._bar is not None:
            self._bar.update(self._task, line=self.line)
            return
        now = time.monotonic()
        if now - self.last_print >= SPARSE_SECONDS or epoch == self.epochs:
            self.last_print = now
            done = epoch * self.steps - (self.first or 0)
            left = (now - self.start) / max(done, 1) * (self.epochs - epoch) * self.steps
            print(visible(f"{self.name}: {self.line}, {left:.0f} s left"), file=sys.stderr, flush=True)


def _scores(figures: dict[str, Any], mark: str) -> str:
    said = {"macro_f1": "macro F1", "macro_f1_ema": "ema", "macro_f1_swa": "swa", "inner_macro_f1": "inner"}
    return "".join(f" {words} {figures[key]:.4f}{mark}" for key, words in said.items() if key in figures)
