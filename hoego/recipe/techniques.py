"""The sections of a recipe that say how a model is trained: one per technique."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from hoego.recipe.base import Section


class SamplingSettings(Section):
    """Which photos an epoch draws."""

    strength: float = Field(
        0.0, ge=0, le=1, description="0 draws every photo once; 1 draws every class of `by` equally often."
    )
    by: str = Field("target", description='Attribute (or "target") whose classes are balanced.')


class MixupSettings(Section):
    share: float = Field(0.0, ge=0, le=1, description="Share of the batches that are mixed.")
    alpha: float = Field(0.2, gt=0, description="Both parameters of the Beta distribution of the mixing weight.")


class MixingSettings(Section):
    """Photos blended with one another."""

    mixup: MixupSettings = MixupSettings()


class AugmentSettings(Section):
    """Random changes of each training photo."""

    flip: float = Field(0.5, ge=0, le=1, description="Probability of a left-right flip.")


class OptimSettings(Section):
    """The optimiser and the schedule of its learning rate."""

    name: str = Field("adamw", description="adamw, sgd, lion, or any optimiser of timm by name.")
    lr: float = Field(1e-3, gt=0, description="Peak learning rate.")
    weight_decay: float = Field(0.05, ge=0, description="Weight decay (not on biases and norms).")
    schedule: Literal["cosine", "onecycle", "step", "constant"] = Field(
        "cosine", description="Course of the learning rate."
    )
    warmup: float = Field(0.05, ge=0, lt=1, description="Share of the steps in which the rate rises to its peak.")


class AttributeEdit(Section):
    """Training-only changes of one attribute's labels."""

    drop: tuple[tuple[float, float], ...] = Field(
        (), description="Ranges [low, high] of the number (both included) left out of training."
    )
    shift: dict[str, float] = Field(
        default_factory=dict, description="Edge -> edge used for training labels, such as 60 = 58."
    )
