"""The sections of a recipe that say how a model is trained: one per technique."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from hoego.recipe.base import SettingsSection


class SamplingSettings(SettingsSection):
    """Which photos an epoch draws. An epoch always has as many photos as the training side."""

    kind: Literal["none", "oversample", "square_root", "progressive"] = Field(
        "oversample",
        description="none: each photo once; oversample: by `strength`; square_root: strength 0.5; "
        "progressive: from each photo once (first epoch) to each class equally (last epoch).",
    )
    strength: float = Field(
        0.0, ge=0, le=1, description="0 draws every photo once; 1 draws every class of `by` equally often."
    )
    by: str = Field("target", description='Attribute (or "target", "composite") whose classes are balanced.')
    per_subject: bool = Field(
        False, description="Draw every subject of a class equally often, for any number of photos."
    )


class MixSettings(SettingsSection):
    """One way of mixing two photos of a batch."""

    share: float = Field(0.0, ge=0, le=1, description="Share of the batches that are mixed like this.")
    off_epoch: int | None = Field(
        None, ge=0, description="First epoch (from 0) without it; by default never off."
    )
    classes: tuple[str, ...] = Field(
        (),
        description="Only photos of these target classes are changed (their partners may be of any); empty: all.",
    )


class MixupSettings(MixSettings):
    """Mixup: two photos blended, and their labels with them."""

    alpha: float = Field(
        0.2, gt=0, description="Both parameters of the Beta distribution of the mixing weight."
    )


class CutmixSettings(MixSettings):
    """CutMix: a box of one photo pasted into another."""

    alpha: float = Field(1.0, gt=0, description="Both parameters of the Beta distribution of the kept area.")


class MixingSettings(SettingsSection):
    """Photos mixed with one another, batch by batch. A batch is mixed in at most one way."""

    mixup: MixupSettings = MixupSettings()
    cutmix: CutmixSettings = CutmixSettings()
    cutmix_same: CutmixSettings = Field(
        CutmixSettings(), description="CutMix whose two photos are of one target class."
    )
    cutmix_vertical: MixSettings = Field(
        MixSettings(), description="The left half of one photo beside the right half of another."
    )
    cutmix_horizontal: MixSettings = Field(
        MixSettings(), description="The upper half of one photo above the lower half of another."
    )

    @model_validator(mode="after")
    def _shares_fit(self) -> MixingSettings:
        total = sum(getattr(self, name).share for name in type(self).model_fields)
        if total > 1 + 1e-9:  # shares such as 0.1 + 0.2 + 0.7 sum to a little more than 1
            raise ValueError(f"the shares of all kinds of mixing sum to {total:g}, which is more than 1")
        return self


class AugmentSettings(SettingsSection):
    """Random changes of each training photo, drawn separately for each photo, on the training device."""

    flip: float = Field(0.5, ge=0, le=1, description="Probability of a left-right flip.")
    mirror: dict[str, str] = Field(
        default_factory=dict,
        description="Target class that a left-right flipped photo of each class shows; classes not listed are "
        "never flipped. Empty: a flip keeps the class.",
    )
    flip_vertical: float = Field(0.0, ge=0, le=1, description="Probability of an upside-down flip.")
    affine_share: float = Field(
        1.0, ge=0, le=1, description="Share of the photos that are rotated, shifted, scaled and sheared."
    )
    rotate: float = Field(0.0, ge=0, le=180, description="Largest rotation in either direction, in degrees.")
    translate: float = Field(
        0.0, ge=0, le=1, description="Largest shift in either direction, as a share of the side."
    )
    scale: tuple[float, float] = Field((1.0, 1.0), description="Smallest and largest zoom factor.")
    shear: float = Field(
        0.0, ge=0, lt=90, description="Largest shear in either direction along each axis, in degrees."
    )
    crop_area: tuple[float, float] = Field(
        (1.0, 1.0), description="Random resized crop: smallest and largest share of the area kept."
    )
    crop_ratio: tuple[float, float] = Field(
        (0.75, 4 / 3), description="Random resized crop: smallest and largest width over height of the box."
    )
    border: Literal["edge", "black", "reflect"] = Field(
        "edge", description="What fills the area that a moved photo leaves."
    )
    brightness: float = Field(0.0, ge=0, le=1, description="Factor drawn from [1 - x, 1 + x].")
    contrast: float = Field(0.0, ge=0, le=1, description="Factor drawn from [1 - x, 1 + x].")
    saturation: float = Field(0.0, ge=0, le=1, description="Factor drawn from [1 - x, 1 + x].")
    hue: float = Field(0.0, ge=0, le=0.5, description="Shift drawn from [-x, x] of the colour circle.")
    gamma: float = Field(
        0.0, ge=0, le=3, description="Exponent drawn log-uniformly from [1 / (1 + x), 1 + x]."
    )
    grey: float = Field(0.0, ge=0, le=1, description="Probability of a grey photo.")
    equalize: float = Field(
        0.0, ge=0, le=1, description="Probability of contrast-limited adaptive equalising of the lightness."
    )
    equalize_tiles: int = Field(4, ge=1, le=16, description="Tiles per side of the equalising.")
    equalize_clip: float = Field(
        2.0, ge=1, description="Largest height of a histogram bar, in multiples of the mean height."
    )
    blur: float = Field(0.0, ge=0, le=1, description="Probability of a Gaussian blur.")
    blur_sigma: tuple[float, float] = Field(
        (0.1, 2.0), description="Smallest and largest standard deviation of the blur, in pixels."
    )
    noise: float = Field(
        0.0, ge=0, le=1, description="Largest standard deviation of Gaussian pixel noise (white is 1)."
    )
    erase: float = Field(
        0.0, ge=0, le=1, description="Probability that a box is erased (to the mean colour)."
    )
    erase_area: tuple[float, float] = Field(
        (0.02, 0.33), description="Smallest and largest share of the area erased."
    )
    policy: Literal["none", "randaugment", "trivialaugment"] = Field(
        "none", description="A published policy, drawn for each photo, before the colours above."
    )
    policy_ops: int = Field(2, ge=1, le=6, description="Operations per photo (randaugment).")
    policy_magnitude: int = Field(
        9, ge=0, le=30, description="Strength of each operation, 0 to 30 (randaugment)."
    )

    @model_validator(mode="after")
    def _ranges_ascend(self) -> AugmentSettings:
        for name in ("scale", "crop_area", "crop_ratio", "blur_sigma", "erase_area"):
            low, high = getattr(self, name)
            if not 0 < low <= high:
                raise ValueError(f"{name} needs two ascending numbers above 0, got {low:g} and {high:g}")
        if self.crop_area[1] > 1 or self.erase_area[1] >= 1:
            raise ValueError("crop_area ends at most at 1 and erase_area below 1")
        return self


class OptimSettings(SettingsSection):
    """The optimiser and the schedule of its learning rate."""

    name: str = Field("adamw", description="adamw, sgd, lion, or any optimiser of timm by name.")
    lr: float = Field(1e-3, gt=0, description="Peak learning rate.")
    weight_decay: float = Field(0.05, ge=0, description="Weight decay (not on biases and norms).")
    momentum: float = Field(0.9, ge=0, lt=1, description="Momentum (sgd and similar optimisers).")
    betas: tuple[float, float] | None = Field(
        None, description="Averaging constants; the optimiser's own by default."
    )
    schedule: Literal["cosine", "onecycle", "step", "constant"] = Field(
        "cosine", description="Learning-rate schedule."
    )
    warmup: float = Field(
        0.05, ge=0, lt=1, description="Share of the steps in which the rate rises to its peak."
    )
    final: float = Field(0.0, ge=0, le=1, description="Rate at the end, as a share of the peak (cosine).")
    step_every: float = Field(0.3, gt=0, le=1, description="Share of the steps between two drops (step).")
    step_factor: float = Field(0.1, gt=0, lt=1, description="Factor of each drop (step).")
    head_lr: float = Field(1.0, gt=0, description="Factor of the learning rate of the heads.")
    layer_decay: float = Field(
        1.0, gt=0, le=1, description="Factor of the learning rate from each layer to the one below it."
    )
    freeze_epochs: int = Field(
        0, ge=0, description="Epochs at the start in which only the heads are trained."
    )
    freeze_layers: int = Field(
        0,
        ge=0,
        description="Lowest layers that keep their starting weights: the stem is one, each stage or block above it "
        "another.",
    )
    freeze_norm: bool = Field(
        False, description="Keep the statistics of the batch norms as they are in the starting weights."
    )
    sam: float = Field(0.0, ge=0, description="Radius rho of sharpness-aware minimisation; 0 is off.")
    sam_adaptive: bool = Field(False, description="Scale the radius by each weight (ASAM).")
    clip: float = Field(0.0, ge=0, description="Largest norm of the gradient; 0 does not clip.")
    accumulate: int = Field(1, ge=1, description="Batches whose gradients make one step.")


class AverageSettings(SettingsSection):
    """Averages of the weights, scored beside the raw ones."""

    ema: float = Field(0.0, ge=0, lt=1, description="Decay per step of the moving average; 0 is off.")
    ema_warmup: bool = Field(
        True, description="Decay min(ema, (1 + step) / (10 + step)), so that it starts soon."
    )
    swa: float = Field(
        0.0, ge=0, le=1, description="Share of the epochs, at the end, whose weights are averaged; 0 is off."
    )


class TtaSettings(SettingsSection):
    """Each held-out photo scored under several random transforms (also test-time augmentation)."""

    n: int = Field(
        0,
        ge=0,
        le=64,
        description="Views per photo for test-time augmentation, the unchanged photo included; 0: only that one.",
    )
    flip: float = Field(0.5, ge=0, le=1, description="Probability of a left-right flip.")
    rotate: float = Field(5.0, ge=0, le=180, description="Largest rotation in either direction, in degrees.")
    translate: float = Field(
        0.05, ge=0, le=1, description="Largest shift in either direction, as a share of the side."
    )
    scale: tuple[float, float] = Field((0.95, 1.05), description="Smallest and largest zoom factor.")
    brightness: float = Field(0.1, ge=0, le=1, description="Factor drawn from [1 - x, 1 + x].")
    contrast: float = Field(0.1, ge=0, le=1, description="Factor drawn from [1 - x, 1 + x].")


class AttributeEdit(SettingsSection):
    """Training-only changes of one attribute's labels."""

    drop: tuple[tuple[float, float], ...] = Field(
        (), description="Ranges [low, high] of the number (both included) left out of training."
    )
    shift: dict[str, float] = Field(
        default_factory=dict, description="Edge -> edge used for training labels, such as 60 = 58."
    )
    overlay: str | None = Field(
        None,
        description="Corrections of this attribute for training alone: image, attribute, value, reason, source.",
    )
