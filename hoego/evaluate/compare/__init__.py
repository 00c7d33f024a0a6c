"""Runs side by side on the same subjects: differences, what they could be, and what cannot be told apart."""

from hoego.evaluate.compare.comparing import CompareOptions, Side, compare, verdict
from hoego.evaluate.compare.paired import Bench, Paired
from hoego.evaluate.compare.result import Comparison, Ranked, SideResult

__all__ = [
    "Bench",
    "CompareOptions",
    "Comparison",
    "Paired",
    "Ranked",
    "Side",
    "SideResult",
    "compare",
    "verdict",
]
