"""Promises about new people, set on held-out predictions with people as the unit.

How often they hold: `benchmarks/coverage_promises.py`.
"""

from hoego.evaluate.promises.abstention import abstention_rule
from hoego.evaluate.promises.sets import in_sets, prediction_set_rule

__all__ = ["abstention_rule", "in_sets", "prediction_set_rule"]
