"""Which attribute holds the score back, and what fixing it is worth."""

from hoego.evaluate.diagnose.cross_slices import CrossSlices, SliceCell, cross_slices, crossable
from hoego.evaluate.diagnose.curves import read_curves
from hoego.evaluate.diagnose.design import TargetDesign, designs
from hoego.evaluate.diagnose.diagnosing import DiagnoseOptions, diagnose
from hoego.evaluate.diagnose.suspects import as_corrections, find_label_issues
from hoego.results.diagnosis import CurveDiagnosis, Diagnosis, LabelIssue

__all__ = [
    "CrossSlices",
    "SliceCell",
    "TargetDesign",
    "DiagnoseOptions",
    "Diagnosis",
    "CurveDiagnosis",
    "LabelIssue",
    "as_corrections",
    "cross_slices",
    "crossable",
    "designs",
    "diagnose",
    "read_curves",
    "find_label_issues",
]
