"""Predictions in, predictions out: combiners and decision rules, fixed and fitted across folds."""

from hoego.evaluate.ensemble.choose import compose_best
from hoego.evaluate.ensemble.combiners import METHODS, Combiner, CombinerMethod
from hoego.evaluate.ensemble.crossfit import with_fitted
from hoego.evaluate.ensemble.decision import RULES, DecideOptions, Offsets, apply_offsets, decide
from hoego.evaluate.ensemble.ensembling import Ensemble, EnsembleOptions, apply_combiners, ensemble
from hoego.evaluate.ensemble.judge import EnsembleComparison, diversity
from hoego.results.ensemble import Decision, EnsembleMember, EnsembleSummary

__all__ = [
    "METHODS",
    "RULES",
    "Combiner",
    "DecideOptions",
    "Decision",
    "Ensemble",
    "EnsembleOptions",
    "EnsembleMember",
    "EnsembleSummary",
    "CombinerMethod",
    "Offsets",
    "EnsembleComparison",
    "apply_combiners",
    "apply_offsets",
    "compose_best",
    "decide",
    "diversity",
    "ensemble",
    "with_fitted",
]
