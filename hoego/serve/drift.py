"""Drift: histograms of inputs and outputs, compared with those of the held-out photos.

No photo, name or address is kept. A share is called moved when it lies outside the interval in which the share of as
many photos like the held-out ones would lie: their own uncertainty over subjects, and that of the photos of today,
which are taken to come in groups as large as those of the held-out people; corrected for the number of bins
(Bonferroni).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from hoego.exported.reference import ReferencePhotos, brightness_of, sharpness_of
from hoego.results.base import Result
from hoego.serve.batching import Outputs
from hoego.serve.model import ServedModel
from hoego.short_repr import ShortRepr

BINS = 10
LEVEL = 0.95
FEW = 30
"""Fewer photos than this give no verdict."""


class DriftBin(Result):
    """One bin: its share among the held-out photos, among those of today, and the interval in which it would lie."""

    HONESTY_OF = "a share of photos, no score"

    name: str
    held_out: float
    today: float
    low: float
    high: float

    @property
    def moved(self) -> bool:
        """Whether the share of today lies outside the interval."""
        return not self.low <= self.today <= self.high


class DriftReport(Result):
    """The histogram of one quantity.

    Args:
        quantity: classes, confidence, brightness or sharpness.
        n_images: photos of today.
        bins: of the histogram.
        verdict: moved, not distinguishable, cannot say.
    """

    HONESTY_OF = "shares of photos, no score"

    quantity: str
    n_images: int
    bins: tuple[DriftBin, ...]
    verdict: str


@dataclass(kw_only=True, eq=False, repr=False)
class Histogram(ShortRepr):
    """Counts of one quantity, beside the held-out photos.

    Args:
        quantity: its name.
        names: of the B bins.
        edges: inner edges of the bins [B - 1]; None for classes.
        share: of the held-out photos [B].
        variance: of these shares over subjects [B].
        group: effective photos that stand for one: the design effect [B].
    """

    quantity: str
    names: Sequence[str]
    edges: NDArray[np.float64] | None
    share: NDArray[np.float64]
    variance: NDArray[np.float64]
    group: NDArray[np.float64]
    counts: NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        self.counts = np.zeros(len(self.names), np.int64)

    def add(self, value: float) -> None:
        """Count a value, or a class's number."""
        at = int(value) if self.edges is None else int(np.searchsorted(self.edges, value, side="right"))
        self.counts[at] += 1

    def report(self) -> DriftReport:
        """Compare the counts with the held-out photos."""
        n = int(self.counts.sum())
        today = self.counts / max(n, 1)
        spread = -NormalDist().inv_cdf((1 - LEVEL) / 2 / len(self.names)) * np.sqrt(
            self.variance + self.group * self.share * (1 - self.share) / max(n, 1)
        )
        low, high = np.maximum(self.share - spread, 0.0), np.minimum(self.share + spread, 1.0)
        bins = tuple(
            DriftBin(name=str(name), held_out=float(s), today=float(t), low=float(a), high=float(b))
            for name, s, t, a, b in zip(self.names, self.share, today, low, high, strict=True)
        )
        moved = any(b.moved for b in bins)
        verdict = "cannot say" if n < FEW else "moved" if moved else "not distinguishable"
        return DriftReport(quantity=self.quantity, n_images=n, bins=bins, verdict=verdict)


def histogram(
    quantity: str, values: NDArray[np.float64], subject: NDArray[np.int32], names: Sequence[str] = ()
) -> Histogram:
    """Build the histogram of the held-out photos: of classes where they are named, else over tenths of the values."""
    edges = None
    if not names:
        edges = np.unique(np.quantile(values, np.arange(1, BINS) / BINS))
        ends = [f"{e:.3g}" for e in edges]
        names = [
            f"below {ends[0]}",
            *(f"{a} to {b}" for a, b in pairwise(ends)),
            f"{ends[-1]} and more",
        ]
    at = values.astype(np.int64) if edges is None else np.searchsorted(edges, values, side="right")
    inside = np.eye(len(names))[at]
    # As many photos of today are taken for one as the held-out people's photos are (a design effect), at least one.
    share = inside.mean(axis=0)
    owner = np.unique(subject, return_inverse=True)[1].reshape(-1)
    n_subjects = int(owner.max()) + 1
    sums = np.zeros((n_subjects, len(names)))
    np.add.at(sums, owner, inside - share)
    variance = (sums**2).sum(axis=0) / len(values) ** 2 * n_subjects / max(n_subjects - 1, 1)
    plain = share * (1 - share) / len(values)
    group = np.maximum(variance / np.where(plain > 0, plain, 1.0), 1.0)
    return Histogram(quantity=quantity, names=names, edges=edges, share=share, variance=variance, group=group)


class Drift:
    """The histograms of a served model."""

    def __init__(self, model: ServedModel) -> None:
        reference: ReferencePhotos = model.reference
        schema = model.exported.schema
        outputs = model.exported.manifest.outputs
        self.target = (
            model.exported.manifest.target if model.exported.manifest.target in outputs else outputs[0]
        )
        held = reference.honest_predictions(schema).probabilities(self.target)
        subject = reference.subject
        self.classes = histogram("classes", held.argmax(axis=1), subject, schema.classes(self.target))
        self.confidence = histogram("confidence", held.max(axis=1), subject)
        self.brightness = histogram("brightness", reference.brightness.astype(np.float64), subject)
        self.sharpness = histogram("sharpness", reference.sharpness.astype(np.float64), subject)

    def add(self, pixels: NDArray[np.uint8], found: Outputs) -> None:
        """Count a photo [H, W, 3] and its answer."""
        p = found[self.target]
        self.classes.add(int(p.argmax()))
        self.confidence.add(float(p.max()))
        self.brightness.add(float(brightness_of(pixels[None])[0]))
        self.sharpness.add(float(sharpness_of(pixels[None])[0]))

    def reports(self) -> tuple[DriftReport, ...]:
        """Compare every histogram with the held-out photos."""
        every = (self.classes, self.confidence, self.brightness, self.sharpness)
        return tuple(h.report() for h in every)
