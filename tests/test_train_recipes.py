"""The ready recipes resolve, and say of themselves what they are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hoego.recipe import resolve


def flat(data: dict[str, Any], start: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in data.items():
        if isinstance(value, dict):
            yield from flat(value, f"{start}{key}.")
        else:
            yield start + key, value


def test_the_ensemble_of_traffic_signs_is_the_single_recipe_on_five_folds() -> None:
    single, folds = (dict(flat(resolve(n).to_dict())) for n in ("gtsrb", "gtsrb-ensemble"))
    differing = {key for key in single | folds if single.get(key) != folds.get(key)}
    assert differing == {"name", "epochs", "fold", "refit", "split.kind"}
    assert (folds["fold"], folds["split.kind"], folds["refit"]) == ("all", "folds", False)


def test_mirrored_signs_come_in_pairs() -> None:
    """What the mirror of a sign shows is a sign whose mirror shows the first."""
    mirror = resolve("gtsrb").augment.mirror
    assert all(mirror[other] == name for name, other in mirror.items())
