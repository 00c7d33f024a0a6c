"""What a run predicted before some of its rows were left out: the photos, and the class that it gave each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hoego.short_repr import ShortRepr


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class WholeRun(ShortRepr):
    """All that a run predicted.

    Args:
        label: the attribute, or "composite", whose classes these are.
        images: ids [N].
        predicted: class [N].
    """

    label: str
    images: NDArray[Any]
    predicted: NDArray[np.int32]

    def _with(self, other: WholeRun) -> WholeRun:
        new = ~np.isin(other.images, self.images)
        return WholeRun(
            label=self.label,
            images=np.concatenate([self.images, other.images[new]]),
            predicted=np.concatenate([self.predicted, other.predicted[new]]),
        )


WholeRuns = Mapping[str, WholeRun]


def whole_runs(parts: Sequence[WholeRuns], images: NDArray[Any]) -> WholeRuns:
    """Join what the runs behind several parts predicted, without the runs of which no photo is left out.

    Args:
        parts: of each part.
        images: ids of the rows that the parts give together.
    """
    joined: dict[str, WholeRun] = {}
    for part in parts:
        for name, run in part.items():
            joined[name] = run if name not in joined else joined[name]._with(run)
    return {name: run for name, run in joined.items() if not np.isin(run.images, images).all()}
