"""Predictions in, predictions out: combiners, fixed and fitted across folds."""

from hoego.ensemble.combiners import METHODS, Combiner, Method
from hoego.ensemble.core import Ensemble, EnsembleOptions, Member, apply_combiners, diversity, ensemble

__all__ = [
    "METHODS",
    "Combiner",
    "Ensemble",
    "EnsembleOptions",
    "Member",
    "Method",
    "apply_combiners",
    "diversity",
    "ensemble",
]
