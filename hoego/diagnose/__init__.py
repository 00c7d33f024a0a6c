"""Which attribute holds the score back, and what fixing it is worth."""

from hoego.diagnose.core import DiagnoseOptions, Diagnosis, diagnose
from hoego.diagnose.curves import Reading, read_curves
from hoego.diagnose.design import Design, designs
from hoego.diagnose.suspects import Suspect, as_corrections, suspects

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
