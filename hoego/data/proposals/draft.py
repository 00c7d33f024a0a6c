"""A draft of the proposal: settings, and the inferences behind them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hoego.data.proposals.commented_toml import InferredSetting, Settings


@dataclass(kw_only=True)
class Draft:
    """Settings by section, and the inferences behind them.

    Args:
        root: the folder of the photos.
        dataset, labels, split, submission: sections of a recipe.
        inferences: in the order of the file.
    """

    root: Path
    dataset: dict[str, Any] = field(default_factory=dict)
    labels: dict[str, Any] = field(default_factory=dict)
    split: dict[str, Any] = field(default_factory=dict)
    submission: dict[str, Any] = field(default_factory=dict)
    inferences: list[InferredSetting] = field(default_factory=list)

    def infer(self, what: str, value: object, certainty: str, reason: str, question: str = "") -> None:
        """Note an inference."""
        self.inferences.append(
            InferredSetting(
                what=what, value=str(value), certainty=certainty, reason=reason, question=question
            )
        )

    def pass_over(self, what: object, reason: str) -> None:
        """Note what is left out."""
        self.infer("passed over", what, "sure", reason)

    def settings(self) -> Settings:
        """Return the sections that hold settings."""
        sections = {
            "dataset": self.dataset, "labels": self.labels, "split": self.split, "submission": self.submission
        }  # fmt: skip
        return {name: dict(values) for name, values in sections.items() if values}
