"""Which attribute holds the score back, and what fixing it is worth."""

from hoego.evaluate.diagnose.curves import CurveDiagnosis, read_curves
from hoego.evaluate.diagnose.design import TargetDesign, designs
from hoego.evaluate.diagnose.diagnosing import DiagnoseOptions, Diagnosis, diagnose
from hoego.evaluate.diagnose.suspects import LabelIssue, as_corrections, find_label_issues

__all__ = [
    "TargetDesign",
    "DiagnoseOptions",
    "Diagnosis",
    "CurveDiagnosis",
    "LabelIssue",
    "as_corrections",
    "designs",
    "diagnose",
    "read_curves",
    "find_label_issues",
]
