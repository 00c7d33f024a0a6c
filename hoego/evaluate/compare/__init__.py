"""Compare runs on the same subjects: paired differences, intervals and p-values."""

from hoego.evaluate.compare.comparing import CompareOptions, Side, compare, verdict
from hoego.evaluate.compare.flips import Flips, flips
from hoego.evaluate.compare.paired import PairedDifference, PairedResamples
from hoego.results.comparison import Comparison, RankedSide, SideResult

__all__ = [
    "PairedResamples",
    "CompareOptions",
    "Comparison",
    "Flips",
    "PairedDifference",
    "RankedSide",
    "Side",
    "SideResult",
    "compare",
    "flips",
    "verdict",
]
