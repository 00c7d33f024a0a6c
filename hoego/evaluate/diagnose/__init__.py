"""Which attribute holds the score back, and what fixing it is worth."""

from hoego.evaluate.diagnose.curves import Reading, read_curves
from hoego.evaluate.diagnose.design import Design, designs
from hoego.evaluate.diagnose.diagnosing import DiagnoseOptions, Diagnosis, diagnose
from hoego.evaluate.diagnose.suspects import Suspect, as_corrections, suspects

__all__ = [
    "Design",
    "DiagnoseOptions",
    "Diagnosis",
    "Reading",
    "Suspect",
    "as_corrections",
    "designs",
    "diagnose",
    "read_curves",
    "suspects",
]
