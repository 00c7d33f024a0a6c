"""TOML, profiles and overrides to one frozen, validated recipe."""

from hoego.recipe.base import Setting, SettingsSection
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
)

__all__ = [
    "PROFILES",
    "PROJECT_FILE",
    "AttributeSettings",
    "AuditSettings",
    "CropSettings",
    "DatasetSettings",
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
    "build",
    "find_project",
    "merge",
    "parse_override",
    "read_toml",
    "resolve",
    "settings_table",
]
