"""TOML, profiles and overrides to one frozen, validated recipe."""

from hoego.recipe.base import Setting, SettingsSection
from hoego.recipe.fold import ALL, Fold, fold_of, parse_fold
from hoego.recipe.inputs import Inputs, contradictions, fill, is_filled, normalisation
from hoego.recipe.profiles import PROFILES
from hoego.recipe.recipe import Recipe
from hoego.recipe.resolve import (
    PROJECT_FILE,
    build,
    find_project,
    merge,
    parse_override,
    read_toml,
    resolve,
    settings_table,
)
from hoego.recipe.sections import (
    AttributeSettings,
    AuditSettings,
    CropSettings,
    DatasetSettings,
    LabelSettings,
    ModelSettings,
    QueueSettings,
    ScoreSettings,
    SelectSettings,
    SplitSettings,
    SubmissionSettings,
    WeightsSettings,
)

__all__ = [
    "ALL",
    "PROFILES",
    "PROJECT_FILE",
    "AttributeSettings",
    "AuditSettings",
    "CropSettings",
    "DatasetSettings",
    "Fold",
    "Inputs",
    "LabelSettings",
    "ModelSettings",
    "QueueSettings",
    "Recipe",
    "ScoreSettings",
    "SettingsSection",
    "SelectSettings",
    "Setting",
    "SplitSettings",
    "SubmissionSettings",
    "WeightsSettings",
    "build",
    "contradictions",
    "fill",
    "find_project",
    "fold_of",
    "is_filled",
    "merge",
    "normalisation",
    "parse_fold",
    "parse_override",
    "read_toml",
    "resolve",
    "settings_table",
]
