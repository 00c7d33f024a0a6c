"""Who is held out: splits by subject, stratified, that prove what they promise."""

from hoego.split.assign import assign_folds, assign_holdout
from hoego.split.balance import side_counts, spread_deviation, worst_deviation
from hoego.split.make import default_name, make
from hoego.split.plan import Absence, Guarantees, Side, Split
from hoego.split.store import FOLDER, load, obtain, path_of, save

__all__ = [
    "FOLDER",
    "Absence",
    "Guarantees",
    "Side",
    "Split",
    "assign_folds",
    "assign_holdout",
    "default_name",
    "load",
    "make",
    "obtain",
    "path_of",
    "save",
    "side_counts",
    "spread_deviation",
    "worst_deviation",
]
