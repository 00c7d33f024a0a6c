"""What is measured and resolved on the machine of a training: its speed, what `auto` became, a learning rate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from hoego.results.base import BriefResult, MaybeFloat, Result

Precision = Literal["float32", "bfloat16", "float16"]


class RunThroughput(BriefResult):
    """Images per second, as they were measured before and during a training; None where they were not.

    Args:
        train_images_per_second: of training, photos made ready and model together.
        model_only_images_per_second: of the model (forward, loss, backward, optimiser step) on synthetic photos that
            lie on its device.
        input_only_images_per_second: of making photos ready: read, moved to the device, augmented and mixed.
        efficiency: training over model only.
        batch_size: photos per step.
        rounds: turns of which the figures are the medians.
        epoch_images_per_second: the median over the epochs.
        others: further figures, of other versions.
    """

    FLAT: ClassVar[str] = "others"

    train_images_per_second: MaybeFloat = None
    model_only_images_per_second: MaybeFloat = None
    input_only_images_per_second: MaybeFloat = None
    efficiency: MaybeFloat = None
    batch_size: int | None = None
    rounds: int | None = None
    epoch_images_per_second: MaybeFloat = None
    others: Mapping[str, Any] = Field(default_factory=dict)


class ResolvedSettings(Result):
    """What the settings `auto` became on the machine of the run. A resumed or reproduced run does not look again.

    Args:
        device: "cpu", "cuda:0", "mps".
        threads: CPU threads of the model.
        precision: of the forward and backward pass; weights and optimiser stay in float32.
        compile: whether torch.compile was used.
        step_ms, threads_ms: milliseconds per step of each precision and each number of threads that was timed; {}
            where none was.
    """

    device: str
    threads: int
    precision: Precision
    compile: bool = False
    step_ms: Mapping[str, float] = Field(default_factory=dict)
    threads_ms: Mapping[str, float] = Field(default_factory=dict)


class RunTimeSample(BriefResult):
    """One past run, from which the time of others is predicted.

    Args:
        keys: what makes two runs' seconds per unit alike, nearest first.
        units: epochs of one fold, over all folds.
        rate: seconds a unit.
        overhead: seconds outside the epochs.
        first: the first epoch's time over that of the later ones; 1 where it is not known.
        pixels: of a photo as the model sees it.
        error: (level, log(actual / predicted)) of the prediction that was made for it; None where none was.
    """

    keys: tuple[str, str, str]
    units: float
    rate: float = Field(gt=0)
    overhead: float = 0.0
    first: float = 1.0
    pixels: float = 1.0
    error: tuple[int, float] | None = None


class RunTiming(BriefResult):
    """Seconds of a run and of its parts; None where they are not known.

    Args:
        seconds: of the whole run.
        seconds_alone: of a run that trained beside others, what its measured speed gives alone.
        decode_seconds, decoded_images: of decoding photos, which is done once for all runs.
        first_result_seconds: from the start to the end of the first epoch.
        parts: seconds of each training, under the names `fold-0_seconds`, `refit_seconds` and so on.
        sample: what predictions of other runs' time rest on.
    """

    FLAT: ClassVar[str] = "parts"

    seconds: MaybeFloat = None
    seconds_alone: MaybeFloat = None
    decode_seconds: MaybeFloat = None
    decoded_images: int | None = None
    first_result_seconds: MaybeFloat = None
    parts: Mapping[str, Any] = Field(default_factory=dict)
    sample: RunTimeSample | None = None

    def part(self, name: str) -> float:
        """Give the seconds of one training (`fold-0`, `refit`); 0 where it was not trained."""
        return float(self.parts.get(f"{name}_seconds") or 0.0)


class LrStep(Result):
    """One step of the learning-rate finder.

    Args:
        lr: the rate that was tried.
        loss: after it, as measured.
        smoothed: exponentially smoothed and bias-corrected.
    """

    lr: float
    loss: float
    smoothed: float


class LrFinding(Result):
    """What the learning-rate finder saw.

    Args:
        suggestion: a tenth of the rate with the lowest smoothed loss (Smith 2017's end of the range, made safe).
        steepest: the rate where the smoothed loss falls fastest per factor of the rate.
        diverged: whether the loss passed `diverge` times its minimum, which ended the search.
        curve: the rates that were tried, ascending.
    """

    TITLE: ClassVar[str] = "Learning rate"

    suggestion: float
    steepest: float
    diverged: bool
    curve: tuple[LrStep, ...]


class LrResult(LrFinding):
    """The result of `hoego lr`: what the finder saw, and the rate that the recipe has now (`present`)."""

    present: float

    def text(self) -> str:
        """Say it in words."""
        end = "the loss ran away after it" if self.diverged else "the loss was still finite at the end"
        return (
            f"suggested learning rate {self.suggestion:.2g} (the loss falls fastest at {self.steepest:.2g}; {end}). "
            f"The recipe has {self.present:.2g}: --set optim.lr={self.suggestion:.2g}"
        )
