"""Settings: every recipe in recipes/ resolves, errors name the nearest valid key, what resolves is what is recorded."""

from __future__ import annotations

from pathlib import Path

import pytest

from hoego.errors import RecipeError
from hoego.recipe import PROFILES, build, parse_override, resolve, settings_table

RECIPES = sorted((Path(__file__).resolve().parents[1] / "recipes").glob("*.toml"))


@pytest.mark.parametrize("path", RECIPES, ids=lambda p: p.stem)
def test_every_recipe_resolves_and_says_how_to_run_it(path: Path) -> None:
    recipe = resolve(path)
    assert build(recipe.to_dict()) == recipe
    header = path.read_text(encoding="utf-8").split("\n\n")[0]
    assert f"recipes/{path.name}" in header
    assert "score" in header.lower()


@pytest.mark.parametrize("profile", PROFILES)
def test_a_profile_lies_over_any_recipe(profile: str) -> None:
    for path in RECIPES:
        over = resolve(path, profile=profile)
        assert over.epochs == PROFILES[profile]["epochs"]
        assert over.labels == resolve(path).labels


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("epoch=3", "'epochs'"),
        ("mixing.mixup.shar=0.5", "mixing.mixup.share"),
        ("mixing.mixup.share=2", "less than or equal to 1"),
        ("epochs=many", "valid integer"),
        ("select.on=test", "held-out"),
        ("train_edits.age.shft.60=58", "shift"),
        ("loss=fokal", "focal"),
    ],
)
def test_a_wrong_setting_is_named_with_the_remedy(override: str, said: str) -> None:
    with pytest.raises(RecipeError) as error:
        resolve({}, overrides=[override])
    assert said in str(error.value)


def test_loss_weights_on_the_command_line_replace_a_name_by_their_table() -> None:
    recipe = resolve({"loss": "smooth"}, overrides=["loss.focal=0.6", "loss.f1=0.4"])
    assert recipe.loss == {"focal": 0.6, "f1": 0.4}


def test_layers_lie_in_their_order(tmp_path: Path) -> None:
    project = tmp_path / "hoego.toml"
    project.write_text('epochs = 3\n[dataset]\nroot = "photos"\n[labels.attributes.old]\n')
    recipe = tmp_path / "r" / "mine.toml"
    recipe.parent.mkdir()
    recipe.write_text("epochs = 4\nseed = 5\n[labels.attributes.new]\n")
    found = resolve(recipe, project=project, overrides=["seed=6"])
    assert (found.epochs, found.seed, found.name) == (4, 6, "mine")
    assert found.dataset.root == str((tmp_path / "photos").resolve())
    assert list(found.labels.attributes) == ["new"]
    alone = resolve(None, project=project)
    assert alone.epochs == 3
    assert alone.model.name == PROFILES["quick"]["model"]["name"]


def test_values_of_overrides_are_toml_or_plain_text() -> None:
    assert parse_override("a.b=0.5") == (("a", "b"), 0.5)
    assert parse_override("a=[1, 2]") == (("a",), [1, 2])
    assert parse_override("model.name=resnet18") == (("model", "name"), "resnet18")
    with pytest.raises(RecipeError, match="KEY=VALUE"):
        parse_override("epochs 3")


def test_every_setting_has_a_type_and_a_sentence() -> None:
    table = settings_table()
    assert len({s.key for s in table}) == len(table) > 100
    for setting in table:
        assert setting.type, setting.key
        assert setting.help.rstrip(".)").strip(), setting.key


def test_the_fingerprint_knows_what_trains_and_not_the_seed() -> None:
    base = resolve({})
    assert resolve({}, overrides=["seed=3"]).fingerprint == base.fingerprint
    assert resolve({}, overrides=["optim.lr=0.5"]).fingerprint != base.fingerprint
