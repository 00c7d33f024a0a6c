"""What `hoego probe` found: how each head was fitted, and what a probe's record says of its features."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from hoego.results.base import MaybeFloat, Result
from hoego.results.comparison import Comparison
from hoego.results.honesty import ScoreHonesty
from hoego.results.score import Score


class HeadChoice(Result):
    """What the inner folds of a training side chose for one attribute.

    Args:
        attribute: what the head predicts.
        fold: that is held out.
        rule: `linear` or `nearest`: the one whose log loss on the inner folds is smaller.
        penalty: of the squared weights of the linear head, as it was chosen.
        neighbours: that vote under the rule `nearest`, as it was chosen; 0 where that rule was not tried.
        linear_loss, nearest_loss: log loss on the inner folds; None where there are too few subjects for them.
        n_images, n_subjects: of the training side, with a label of the attribute.
    """

    attribute: str
    fold: int = 0
    rule: str
    penalty: float
    neighbours: int = 0
    linear_loss: MaybeFloat = None
    nearest_loss: MaybeFloat = None
    n_images: int = 0
    n_subjects: int = 0


class ProbeFacts(Result):
    """What the record of a probe keeps beside its predictions: probe.json.

    Args:
        model: name of the backbone, with its tag.
        weights: where its features come from: tag, sha256 and licence, or the checkpoint's file.
        n_features: length F of a photo's features.
        flips: whether each photo's features are the mean of it and its mirror image.
        extracted: photos whose features were computed for this probe; all others were in the cache.
        device, precision: of the forward passes.
        threads: CPU threads of the forward passes of this probe; 0 where there were none.
        seconds: of the parts: decode, forward (the network alone), features (all of the extraction), heads, score.
        heads: a choice for each fold and attribute.
        notes: sentences to show.
    """

    model: str
    weights: str
    n_features: int
    flips: bool
    extracted: int
    device: str
    precision: str
    threads: int = 0
    seconds: Mapping[str, float] = Field(default_factory=dict)
    heads: tuple[HeadChoice, ...] = ()
    notes: tuple[str, ...] = ()


class ProbeRun(Result):
    """A probe's record with its score, and how its features and heads came.

    Args:
        run, folder, name: of the record.
        score: of its held-out predictions.
        probe: what its record keeps beside them.
    """

    TITLE: ClassVar[str] = "Probe"

    run: str
    folder: str
    name: str
    score: Score
    probe: ProbeFacts

    @property
    def honesty(self) -> ScoreHonesty:
        """That of the score."""
        return self.score.honesty


class ProbeRanking(Result):
    """Probes of one data set and split, and the comparison that ranks them; None for a single probe."""

    HONESTY_OF: ClassVar[str] = "that of each probe's score"

    probes: tuple[ProbeRun, ...]
    comparison: Comparison | None = None
