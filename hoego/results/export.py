"""What an exported model says of itself, and what was measured when it was compared with the run it was made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from hoego.results.base import Result
from hoego.results.diagnosis import Calibration, Slice
from hoego.results.labels import ModelLabels
from hoego.results.score import Score

TOLERANCE = 1e-5
"""Largest difference of a probability between an exported file and the run, both computed in float32."""
INT8_TOLERANCE = 0.05
"""The same for an int8 file on another machine, whose integer arithmetic may round otherwise."""
BATCH = 32
"""Photos at once, in the comparison of a photo alone with the same photo in a batch."""


class ParityReport(Result):
    """The comparison of an exported file with the run.

    Args:
        n_images: held-out photos that were compared.
        pixels: of these, photos whose preprocessed pixels are those of training, byte for byte.
        difference: largest difference of a probability.
        alone: largest difference between a photo alone and in a batch of 32.
        decisions: predicted classes that were compared, over all attributes.
        changed: of these, those that differ.
        scores: metric -> (from the file, from the run); equal where nothing is wrong.
        tolerance: largest difference of a probability that is allowed.
        notes: what could not be compared, and why.
    """

    TITLE: ClassVar[str] = "Parity of an exported model"
    HONESTY_OF: ClassVar[str] = "that of the run's score"
    DERIVED: ClassVar[tuple[str, ...]] = ("holds", "problems")

    n_images: int
    pixels: int
    difference: float
    alone: float
    decisions: int
    changed: int
    scores: Mapping[str, tuple[float, float]] = {}
    tolerance: float = TOLERANCE
    notes: tuple[str, ...] = ()

    @property
    def problems(self) -> tuple[str, ...]:
        """A sentence for each comparison that fails."""
        out = []
        if self.pixels < self.n_images:
            out.append(
                f"{self.n_images - self.pixels:,} of {self.n_images:,} photos have other pixels than in training."
            )
        # Written so that NaN fails too.
        if not self.difference <= self.tolerance:
            out.append(f"A probability differs by {self.difference:.2g}; {self.tolerance:g} is allowed.")
        if not self.alone <= self.tolerance:
            out.append(
                f"A photo alone and the same photo in a batch of {BATCH} differ by {self.alone:.2g}: the network mixes "
                "the photos of a batch."
            )
        if self.changed:
            out.append(f"{self.changed:,} of {self.decisions:,} decisions differ.")
        out += [
            f"{name} is {file:.6f} from the file and {run:.6f} from the run."
            for name, (file, run) in self.scores.items()
            if not abs(file - run) <= 1e-9
        ]
        return tuple(out)

    @property
    def holds(self) -> bool:
        """Whether the file answers as the run does."""
        return not self.problems

    @property
    def sentence(self) -> str:
        """The whole comparison in one sentence."""
        if not self.holds:
            return " ".join(self.problems)
        score = "".join(f", {name} {file:.4f} = {run:.4f}" for name, (file, run) in self.scores.items())
        return (
            f"{self.n_images:,} held-out photos: pixels equal byte for byte, probabilities within "
            f"{self.difference:.1e}, "
            f"alone and in a batch of {BATCH} within {self.alone:.1e}, 0 of {self.decisions:,} decisions differ{score}."
        )


class QuantizedVerdict(Result):
    """What int8 costs: the same photos by the int8 file and by the float32 one, compared over subjects.

    Args:
        kind: static or dynamic.
        outcome: of the int8 file: better, worse, not distinguishable, cannot say.
        sentence: the comparison in words.
        float_score, int8_score: macro F1 of the target.
        float_bytes, int8_bytes: of the files.
        float_seconds, int8_seconds: for a batch of 32 photos, the median.
        slices: column = value -> (accuracy in float32, accuracy in int8).
        calibrated_on: subjects of the training side whose photos set the ranges.
        alone: largest difference of a probability between a photo alone and in a batch of 32.
    """

    kind: str
    outcome: str
    sentence: str
    float_score: float
    int8_score: float
    float_bytes: int
    int8_bytes: int
    float_seconds: float
    int8_seconds: float
    slices: Mapping[str, tuple[float, float]] = {}
    calibrated_on: int = 0
    alone: float = 0.0


class ProbePhoto(Result):
    """A made-up photo that travels with the model, and what must come of it on every machine.

    Args:
        pixels: hash of the preprocessed pixels.
        probabilities: by attribute, of the float32 run.
    """

    pixels: str
    probabilities: Mapping[str, tuple[float, ...]]


class ModelManifest(Result):
    """hoego.json of an exported folder.

    Args:
        name: of the model, as a service offers it.
        run: id of the run.
        hoego: version that wrote the folder.
        created: ISO 8601, UTC.
        labels: the label schema.
        outputs: attributes that are predicted, and "composite".
        heads: what the networks predict, in which the outputs of the members are given.
        target: what the score is of.
        weights: refit, folds, or the number of a fold.
        folds: the fold that each member held out; -1 for the refit.
        size: (height, width) of the pixels.
        preprocessing: fingerprint.
        temperatures: by attribute, fitted on held-out predictions.
        calibration: of the target; None where too few subjects were held out.
        precision: in which the run trained.
        backbone: the network's name.
        score: of what was exported, or of the recipe where it was trained on everybody.
        score_of: "file", or "recipe" where no photo was held out of the exported model.
        slices: of the held-out photos, each with at least five subjects inside and outside.
        n_train, n_train_subjects: photos and subjects that the model has seen.
        license: of the model, as its owner states it.
        external: published weights behind it, with their licence.
        parity: measured when the folder was written.
        quantized: where the file is int8.
        probes: made-up photos by file name.
        files: sha256 of each file whose content was scored.
        software: versions of the libraries that decide the pixels.
        digest: sha256 over all other fields.
    """

    DERIVED: ClassVar[tuple[str, ...]] = ()

    HONESTY_OF: ClassVar[str] = "that of its score"

    format: int = 1
    name: str
    run: str
    hoego: str
    created: str
    labels: ModelLabels
    outputs: tuple[str, ...]
    heads: tuple[str, ...]
    target: str
    weights: str
    folds: tuple[int, ...]
    size: tuple[int, int]
    preprocessing: str
    temperatures: Mapping[str, float] = {}
    calibration: Calibration | None = None
    precision: str = "float32"
    backbone: str = ""
    score: Score
    score_of: str = "file"
    slices: tuple[Slice, ...] = ()
    n_train: int = 0
    n_train_subjects: int = 0
    n_held: int = 0
    n_held_subjects: int = 0
    external: tuple[str, ...] = ()
    license: str = ""
    parity: ParityReport
    quantized: QuantizedVerdict | None = None
    probes: Mapping[str, ProbePhoto] = {}
    files: Mapping[str, str] = {}
    software: Mapping[str, str] = {}
    notes: tuple[str, ...] = ()
    digest: str = ""


class ExportResult(Result):
    """What `hoego export` wrote.

    Args:
        folder: where.
        formats: of the files in it.
        manifest: of the folder.
        timm: of each folder that timm reads: its path below the folder -> largest difference of a logit.
        notes: sentences to show.
    """

    folder: str
    formats: tuple[str, ...]
    manifest: ModelManifest
    timm: Mapping[str, float] = {}
    notes: tuple[str, ...] = ()


class CheckResult(Result):
    """What `hoego check` found.

    Args:
        folder: of the model.
        parity: on the photos that were there.
        n_known: held-out photos of the export that were found.
        n_missing: those that were not.
        n_new: further photos, on which only "alone = in a batch" can be checked.
        environment: differences of libraries from those of the export.
    """

    folder: str
    parity: ParityReport
    n_known: int
    n_missing: int
    n_new: int
    environment: tuple[str, ...] = ()
