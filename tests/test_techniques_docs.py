"""docs/reference/techniques.md names every technique, and its examples are valid recipes."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import get_args

import pytest

from hoego.recipe import build
from hoego.recipe.losses import LOSS_NAMES, ORDINAL, HeadsSettings, LossOptions, OrdinalSettings
from hoego.recipe.techniques import (
    AugmentSettings,
    AverageSettings,
    MixingSettings,
    OptimSettings,
    SamplingSettings,
    TtaSettings,
)

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reference" / "techniques.md"
TEXT = PAGE.read_text(encoding="utf-8")
PROSE = re.sub(r"```.*?```", "", TEXT, flags=re.S)
WORDS = {word for code in re.findall(r"`([^`\n]+)`", PROSE) for word in re.findall(r"\w+", code)}


@pytest.mark.parametrize(
    "names",
    [
        LOSS_NAMES,
        tuple(ORDINAL),
        tuple(MixingSettings.model_fields),
        tuple(AugmentSettings.model_fields),
        tuple(AverageSettings.model_fields),
        tuple(TtaSettings.model_fields),
        get_args(SamplingSettings.model_fields["kind"].annotation),
        get_args(OptimSettings.model_fields["schedule"].annotation),
        get_args(HeadsSettings.model_fields["weighting"].annotation),
        tuple(LossOptions.model_fields),
    ],
    ids=lambda names: names[0],
)
def test_every_technique_is_on_the_page(names: tuple[str, ...]) -> None:
    assert not [name for name in names if name not in WORDS]


def test_the_table_of_ordinal_kinds_is_that_of_the_setting() -> None:
    assert set(ORDINAL) == set(get_args(OrdinalSettings.model_fields["kind"].annotation))


def test_the_examples_are_recipes() -> None:
    blocks = re.findall(r"```toml\n(.*?)```", TEXT, flags=re.S)
    assert blocks
    for block in blocks:
        build(tomllib.loads(block))


def test_the_pictures_are_there() -> None:
    names = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", TEXT)
    assert names
    for name in names:
        assert (PAGE.parent / name).stat().st_size > 10_000
