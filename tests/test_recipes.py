"""Settings: every recipe that comes with Hoego resolves and is found by its name, errors name the
nearest valid key, what resolves is what is recorded.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from hoego.errors import RecipeError
from hoego.recipe import PROFILES, build, parse_override, resolve, settings_table
from hoego.recipe.ready import ReadyRecipe, ready_recipes, recipe_file

RECIPES = [r.file for r in ready_recipes()]


@pytest.mark.parametrize("path", RECIPES, ids=lambda p: p.stem)
def test_every_recipe_resolves_and_says_how_to_run_it(path: Path) -> None:
    recipe = resolve(path)
    assert build(recipe.to_dict()) == recipe
    header = path.read_text(encoding="utf-8").split("\n\n")[0]
    assert f"hoego train {path.stem} " in header
    assert "score" in header.lower()


@pytest.mark.parametrize("recipe", ready_recipes(), ids=lambda r: r.name)
def test_a_recipe_that_comes_with_hoego_is_found_by_its_name(recipe: ReadyRecipe) -> None:
    assert recipe.description.endswith(".")
    assert "dataset.root" not in recipe.file.read_text(encoding="utf-8").split("\n\n", 1)[1]
    found = resolve(recipe.name)
    assert found == resolve(Path(recipe.name)) == resolve(recipe.file)
    assert found.name == recipe.name
    assert found.dataset.root == "."


def test_a_file_goes_before_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gtsrb").write_text("epochs = 77\n")
    assert resolve("gtsrb").epochs == 77
    (tmp_path / "winners-b4").mkdir()
    assert recipe_file("winners-b4").suffix == ".toml"
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "gtsrb.toml").write_text("epochs = 78\n")
    assert resolve("recipes/gtsrb.toml").epochs == 78


def test_the_path_where_a_ready_recipe_once_lay_still_means_it(tmp_path: Path) -> None:
    found = resolve(tmp_path / "recipes" / "gtsrb-ensemble.toml")
    assert found.fold == "all"
    assert found == resolve("gtsrb-ensemble")


@pytest.mark.parametrize("wrong", ["winners-b5", "recipes/winners-b5.toml", "winner-b4"])
def test_an_unknown_recipe_names_the_nearest(wrong: str) -> None:
    with pytest.raises(RecipeError, match="did you mean 'winners-b4'"):
        recipe_file(wrong)


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
    assert resolve({}, overrides=["sync_norm=false"]).fingerprint == base.fingerprint, "on one device"
    two = resolve({}, overrides=["devices=2"]).fingerprint
    assert base.fingerprint != two != resolve({}, overrides=["devices=2", "sync_norm=false"]).fingerprint
