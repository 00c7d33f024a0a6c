"""Predictions in, predictions out: combiners and decision rules, fixed and fitted across folds."""

from hoego.ensemble.choose import compose_best
from hoego.ensemble.combiners import METHODS, Combiner, Method
from hoego.ensemble.core import Ensemble, EnsembleOptions, apply_combiners, ensemble
from hoego.ensemble.crossfit import with_fitted
from hoego.ensemble.decision import RULES, DecideOptions, Decision, Offsets, apply_offsets, decide
from hoego.ensemble.judge import Member, Standing, diversity

__all__ = [
    "METHODS",
    "RULES",
    "Combiner",
    "DecideOptions",
    "Decision",
    "Ensemble",
    "EnsembleOptions",
    "Member",
    "Method",
    "Offsets",
    "Standing",
    "apply_combiners",
    "apply_offsets",
    "compose_best",
    "decide",
    "diversity",
    "ensemble",
    "with_fitted",
]
