"""A run as an object: its record, its predictions, its score and its page."""

from __future__ import annotations

from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any

from hoego.data.dataset import Dataset
from hoego.draw import card
from hoego.errors import RecordError
from hoego.evaluate.score import Score
from hoego.predictions import Predictions
from hoego.recipe import Recipe, build
from hoego.runs.loading import dataset_of
from hoego.runs.record_predictions import predictions_of
from hoego.runs.records import Record


class Run:
    """One run: a record on disk, read when it is asked for.

    `hoego.train` returns one, `hoego.runs()` lists them, and every function that takes predictions takes a run.

    Args:
        record: of the run.
        dataset: what it was trained on; read again, as its record says, where None.
    """

    def __init__(self, record: Record, dataset: Dataset | None = None) -> None:
        self.record = record
        self._dataset = dataset

    @property
    def id(self) -> str:
        """The run's id, which the commands take."""
        return self.record.id

    @property
    def name(self) -> str:
        """Its name, or its id where it has none."""
        return self.record.meta.name or self.record.id

    @property
    def state(self) -> str:
        """Where it stands: waiting, running, done, failed, interrupted or cancelled."""
        return self.record.state

    @property
    def recipe(self) -> Recipe:
        """The resolved recipe that ran."""
        return build(self.record.recipe)

    @cached_property
    def dataset(self) -> Dataset:
        """The data set, with the corrections of today. Raises DataError where the photos cannot be read."""
        found = self._dataset or dataset_of(self.record)
        assert found is not None
        return found

    @cached_property
    def predictions(self) -> Predictions:
        """The held-out predictions, with their provenance. Raises RecordError where there are none yet."""
        return predictions_of(self.record)

    @cached_property
    def score(self) -> Score:
        """The score as it was recorded. Raises RecordError where there is none yet; `hoego.score` computes it anew."""
        found = self.record.full_score
        if found is None:
            raise RecordError(
                f"The run {self.id} has no score: it is {self.state}.",
                remedy="hoego.score(run) computes one.",
            )
        return found

    def epochs(self, fold: int = 0) -> list[dict[str, Any]]:
        """Return the figures of a fold's epochs, in order."""
        return self.record.epochs(fold)

    def report(self) -> Path:
        """Write the page of the run into its record, and return its path."""
        from hoego.report.run_report import report as write_report

        return write_report(self.record, self.dataset)

    def __repr__(self) -> str:
        """Show name, state and score in one line."""
        found = f", {self._brief()}" if self._brief() else ""
        return f"Run({self.name!r}, {self.id}, {self.state}{found})"

    def _repr_html_(self) -> str:
        """Show the run with its score, interval and honesty in a notebook."""
        meta = self.record.meta
        facts = {
            "state": f"{self.state} {self.record.reason}".strip(),
            "why": meta.why,
            "score": self._brief(),
        }
        shown = ""
        if (self.record.folder / "score.json").is_file():
            draw = getattr(self.score, "_repr_html_", None)
            shown = draw() if callable(draw) else ""
        return card(f"Run {escape(self.name)} <code>{escape(self.id)}</code>", facts, shown)

    def _brief(self) -> str:
        """Return the score in words; "" where there is none."""
        if not (self.record.folder / "score.json").is_file():
            return ""
        return f"{self.score.target.name} macro F1 {self.score.primary}, honesty: {self.score.stated}"
