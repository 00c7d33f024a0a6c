"""Commands of other packages: found by entry points, loaded when they are called, never in the way of the others."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hoego.cli import plugins
from hoego.cli.main import SECTIONS, app
from hoego.errors import UsageError

COMMANDS = '''
import sys
import typer

def weather(city: str, days: int = 3) -> None:
    """The weather of a city."""
    print(f"{city}: {days} days")

tide = typer.Typer(help="High and low water.")

@tide.command()
def high() -> None:
    """High water."""
    print("high")

@tide.command()
def low() -> None:
    """Low water."""
    print("low")

number = 7
'''


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A distribution with a function, a group, a module that fails, an object of no use, and a name of Hoego's."""
    (tmp_path / "sky_commands.py").write_text(COMMANDS)
    (tmp_path / "sky_broken.py").write_text("raise RuntimeError('no\\nnetwork')\n")
    info = tmp_path / "sky-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: sky\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[hoego.commands]\n"
        "weather = sky_commands:weather\ntide = sky_commands:tide\nnumber = sky_commands:number\n"
        "storm = sky_broken:storm\nruns = sky_broken:runs\ndemo = sky_broken:demo\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    plugins.found.cache_clear()
    yield
    plugins.found.cache_clear()
    for name in ("sky_commands", "sky_broken"):
        sys.modules.pop(name, None)


def said(*arguments: str) -> str:
    done = CliRunner().invoke(app, list(arguments))
    assert done.exit_code == 0, done.output + repr(done.exception)
    return done.stdout


@pytest.mark.usefixtures("plugin")
def test_a_package_adds_a_function_and_a_group() -> None:
    assert said("weather", "Busan", "--days", "2") == "Busan: 2 days\n"
    assert said("tide", "low") == "low\n"
    assert "High water." in said("tide", "--help")


@pytest.mark.usefixtures("plugin")
def test_help_lists_them_under_more_and_says_which_cannot_be_loaded() -> None:
    text = said("--help")
    own, more = text.split("More:\n")
    assert "The weather of a city." in more
    assert "High and low water." in more
    assert [line.strip() for line in more.splitlines() if "storm" in line] == [
        "storm    cannot be loaded: RuntimeError: no network"
    ]
    assert "number" in more
    for section in SECTIONS:
        assert f"{section}:\n" in own


@pytest.mark.usefixtures("plugin")
@pytest.mark.parametrize(("name", "why"), [("storm", "RuntimeError: no network"), ("number", "7 is neither")])
def test_one_that_cannot_be_loaded_says_whose_it_is(name: str, why: str) -> None:
    error = CliRunner().invoke(app, [name]).exception
    assert isinstance(error, UsageError)
    assert "the package sky cannot be loaded" in error.message
    assert why in error.message
    assert "\n" not in error.message


@pytest.mark.usefixtures("plugin")
def test_a_name_of_hoego_stays_hoego_s() -> None:
    assert "--state" in said("runs", "--help")
    assert "--quick" in said("demo", "--help")


@pytest.mark.usefixtures("plugin")
def test_only_the_command_that_is_called_is_loaded() -> None:
    said("runs", "--help")
    said("people", "--help")
    assert "sky_commands" not in sys.modules


def test_help_and_the_commands_of_apps_load_nothing_heavy() -> None:
    heavy = ("torch", "timm", "polars", "numpy", "scipy", "PIL", "hoego.apps.people", "hoego.apps.demo")
    code = (
        "import sys\nfrom typer.testing import CliRunner\nfrom hoego.cli.main import app\n"
        "for line in (['--help'], ['demo', '--help']):\n    assert CliRunner().invoke(app, line).exit_code == 0\n"
        f"print([m for m in {heavy!r} if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_every_section_names_commands_that_there_are() -> None:
    from typer.main import get_command

    there = set(get_command(app).list_commands(None))  # type: ignore[arg-type]
    assert {name for names in SECTIONS.values() for name in names} <= there
