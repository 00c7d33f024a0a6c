"""The table of losses, their names and their options, without torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from hoego.errors import RecipeError, nearest
from hoego.recipe.base import SettingsSection


class SmoothOptions(SettingsSection):
    """Options of cross-entropy with label smoothing."""

    eps: float = Field(0.1, ge=0, lt=1, description="Share of the label that is spread over all classes.")


class FocalOptions(SettingsSection):
    """Options of the focal loss."""

    gamma: float = Field(2.0, ge=0, description="Exponent of 1 - p; 0 is cross-entropy.")


class ClassBalancedOptions(SettingsSection):
    """Options of the class-balanced loss."""

    beta: float = Field(
        0.999, ge=0, lt=1, description="Effective number of n photos is (1 - beta^n) / (1 - beta)."
    )


class LdamOptions(SettingsSection):
    """Options of the label-distribution-aware margin loss (LDAM)."""

    margin: float = Field(0.5, gt=0, description="Margin of the rarest class.")
    scale: float = Field(
        1.0, gt=0, description="Scale s of the logits: 1 for a linear head, 30 for a cosine head."
    )
    beta: float = Field(
        0.9999, ge=0, lt=1, description="Effective-number constant of the deferred re-weighting."
    )
    defer: float = Field(
        0.8, ge=0, le=1, description="Share of the epochs before the re-weighting; 1: never."
    )


class LogitAdjustedOptions(SettingsSection):
    """Options of the logit-adjusted loss."""

    tau: float = Field(1.0, ge=0, description="Multiple of the log prior added to the logits.")


class SymmetricOptions(SettingsSection):
    """Options of the symmetric cross-entropy."""

    alpha: float = Field(0.1, ge=0, description="Weight of the cross-entropy.")
    beta: float = Field(1.0, ge=0, description="Weight of the reverse cross-entropy.")
    log_zero: float = Field(-4.0, lt=0, description="The number that stands for log 0.")


class AsymmetricOptions(SettingsSection):
    """Options of the asymmetric loss."""

    gamma_pos: float = Field(0.0, ge=0, description="Focusing exponent of the true class.")
    gamma_neg: float = Field(4.0, ge=0, description="Focusing exponent of the other classes.")
    eps: float = Field(
        0.1, ge=0, lt=1, description="Label smoothing; without it the other classes do not count."
    )


class LossOptions(SettingsSection):
    """Parameters of the losses, each under the loss's name."""

    smooth: SmoothOptions = SmoothOptions()
    focal: FocalOptions = FocalOptions()
    class_balanced: ClassBalancedOptions = ClassBalancedOptions()
    ldam: LdamOptions = LdamOptions()
    logit_adjusted: LogitAdjustedOptions = LogitAdjustedOptions()
    sce: SymmetricOptions = SymmetricOptions()
    asl: AsymmetricOptions = AsymmetricOptions()


@dataclass(frozen=True)
class LossInfo:
    """One row of the table of losses.

    Args:
        name: as `loss = ...` takes it.
        help: one sentence.
        source: the paper.
        options: the section of its parameters under `loss_options`, or None.
    """

    name: str
    help: str
    source: str
    options: type[SettingsSection] | None = None


LOSSES: tuple[LossInfo, ...] = (
    LossInfo("ce", "Cross-entropy.", "Bridle 1990"),
    LossInfo(
        "smooth", "Cross-entropy with label smoothing.", "Szegedy et al. 2016, section 7", SmoothOptions
    ),
    LossInfo(
        "focal",
        "Cross-entropy that counts well-classified photos less.",
        "Lin et al. 2017, eq. 4",
        FocalOptions,
    ),
    LossInfo(
        "class_balanced",
        "Cross-entropy weighted by the inverse effective number of each class.",
        "Cui et al. 2019, eq. 12",
        ClassBalancedOptions,
    ),
    LossInfo(
        "ldam",
        "Margins that grow with the rarity of the class, re-weighted late in the training (DRW).",
        "Cao et al. 2019, eq. 13 and algorithm 1",
        LdamOptions,
    ),
    LossInfo(
        "logit_adjusted",
        "Cross-entropy of logits to which the log prior of the classes is added.",
        "Menon et al. 2021, eq. 10",
        LogitAdjustedOptions,
    ),
    LossInfo("f1", "1 - macro F1 of the batch, with probabilities for counts.", "Eban et al. 2017, eq. 3"),
    LossInfo(
        "sce",
        "Symmetric cross-entropy: robust against wrong labels.",
        "Wang et al. 2019, eq. 7",
        SymmetricOptions,
    ),
    LossInfo(
        "asl", "Asymmetric loss, its single-label form.", "Ridnik et al. 2021, eq. 7", AsymmetricOptions
    ),
)
LOSS_NAMES: tuple[str, ...] = tuple(row.name for row in LOSSES)


def loss_weights(spec: str | Mapping[str, float]) -> dict[str, float]:
    """Return a loss setting as a table of weights.

    Raises:
        RecipeError: a name is unknown, or a weight is not above 0.

    >>> loss_weights("focal")
    {'focal': 1.0}
    """
    weights = {spec: 1.0} if isinstance(spec, str) else {name: float(w) for name, w in spec.items()}
    if not weights:
        raise RecipeError("The table of losses is empty.", remedy=f"Losses: {', '.join(LOSS_NAMES)}.")
    for name, weight in weights.items():
        if name not in LOSS_NAMES:
            raise RecipeError(f"There is no loss {name!r}.", remedy=nearest(name, LOSS_NAMES))
        if weight < 0:
            raise RecipeError(f"The weight of loss {name!r} is {weight:g}; it must not be negative.")
    kept = {name: weight for name, weight in weights.items() if weight > 0}
    if not kept:
        raise RecipeError("Every loss has the weight 0.", remedy="Give at least one loss a weight above 0.")
    return kept


OrdinalName = Literal["classes", "coral", "corn", "distribution", "mean_variance", "regression"]
ORDINAL: dict[str, str] = {
    "classes": "As unordered classes, by the recipe's loss.",
    "coral": "One score, ordered thresholds (Cao, Mirjalili and Raschka 2020).",
    "corn": "Conditional probabilities of each threshold (Shi, Cao and Raschka 2021).",
    "distribution": "A Gaussian around the number, over a grid (Gao et al. 2017, DLDL).",
    "mean_variance": "Cross-entropy on a grid, with the mean and the variance penalised (Pan et al. 2018).",
    "regression": "The number itself, with a learned spread; the class is read off the edges.",
}


class OrdinalSettings(SettingsSection):
    """How one ordered attribute is learned. Predictions are class probabilities in every case."""

    kind: OrdinalName = Field("classes", description="What the head learns.")
    step: float = Field(
        1.0, gt=0, description="Step of the grid, in the number's unit (distribution, mean_variance)."
    )
    sigma: float = Field(2.0, gt=0, description="Spread of the label, in the number's unit (distribution).")
    mean_weight: float = Field(0.2, ge=0, description="Weight of the mean's penalty (mean_variance).")
    variance_weight: float = Field(
        0.05, ge=0, description="Weight of the variance's penalty (mean_variance)."
    )


class HeadsSettings(SettingsSection):
    """How the losses of several heads are added."""

    weighting: Literal["fixed", "uncertainty", "gradnorm"] = Field(
        "fixed",
        description="fixed: by `weights`; uncertainty: Kendall et al. 2018; gradnorm: Chen et al. 2018.",
    )
    weights: dict[str, float] = Field(
        default_factory=dict, description="Weight of each head's loss; 1 by default."
    )
    alpha: float = Field(
        1.5, ge=0, description="Strength with which lagging heads are weighted up (gradnorm)."
    )
    every: int = Field(10, ge=1, description="Steps between two updates of the weights (gradnorm).")
    losses: dict[str, str] = Field(
        default_factory=dict, description="A loss for one attribute, by name, in place of the recipe's."
    )


class PseudoSettings(SettingsSection):
    """Labels that a teacher gives to the photos of `dataset.unlabelled`; they join the training side alone."""

    labels: Literal["soft", "hard", "none"] = Field(
        "soft",
        description="soft: the teacher's probabilities; hard: its most likely class; none: leaves these photos out.",
    )
    threshold: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Least probability of the teacher's most likely class at which a photo is added.",
    )
    weight: float = Field(1.0, gt=0, description="Weight in the loss, beside 1 for a labelled photo.")
    share: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="Share of every batch; an epoch is then one pass over the labelled photos. Not set: an epoch "
        "is one pass over both.",
    )
    balance: float = Field(
        0.0,
        ge=0,
        le=1,
        description="0 draws each as often; 1 draws each of the teacher's classes equally often.",
    )
    per_class: int = Field(
        0,
        ge=0,
        description="Largest number for each of the teacher's classes, the most confident first; 0: all.",
    )


class DistillSettings(SettingsSection):
    """Learning from a teacher's probabilities."""

    teacher: str | tuple[str, ...] | None = Field(
        None,
        description="Run or Predictions file that gives the soft targets; of several, each fold uses those that "
        "have not seen its held-out subjects.",
    )
    weight: float = Field(
        0.5, ge=0, le=1, description="Weight of the soft targets of a labelled photo; its label has the rest."
    )
    temperature: float = Field(
        2.0, gt=0, description="Temperature that softens both sides (Hinton et al. 2015)."
    )
    pseudo: PseudoSettings = PseudoSettings()
