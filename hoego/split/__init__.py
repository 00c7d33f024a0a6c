"""Splits by subject, stratified, with guarantees that are verified on the result."""

from hoego.results.split import AbsentClass, Guarantees, SplitHeader, SplitSide, SplitSummary
from hoego.split.assign import assign_folds, assign_holdout
from hoego.split.balance import side_counts, spread_deviation, worst_deviation
from hoego.split.make import default_name, make
from hoego.split.plan import Split
from hoego.split.store import FOLDER, keep, load, load_or_make, path_of, save

__all__ = [
    "FOLDER",
    "AbsentClass",
    "Guarantees",
    "Split",
    "SplitHeader",
    "SplitSide",
    "SplitSummary",
    "assign_folds",
    "assign_holdout",
    "default_name",
    "keep",
    "load",
    "make",
    "load_or_make",
    "path_of",
    "save",
    "side_counts",
    "spread_deviation",
    "worst_deviation",
]
