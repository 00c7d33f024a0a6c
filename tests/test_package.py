"""The package as others see it: version, types, licence, citation, what is promised to stay."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import version
from pathlib import Path

import yaml

import hoego
from hoego.cli.plugins import GROUP
from hoego.errors import HoegoError

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_the_version_is_that_of_what_was_installed() -> None:
    assert hoego.__version__ == version("hoego")


def test_the_package_says_that_it_is_typed() -> None:
    assert (ROOT / "hoego" / "py.typed").is_file()


def test_the_citation_says_what_the_package_says() -> None:
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert cited["version"] == PROJECT["version"]
    assert cited["license"] == PROJECT["license"]
    assert [a["name"] for a in cited["authors"]] == [a["name"] for a in PROJECT["authors"]]
    assert cited["cff-version"] == "1.2.0"


def test_every_python_that_is_promised_is_tested() -> None:
    oldest = PROJECT["requires-python"].removeprefix(">=")
    tried = re.search(r"^PYTHONS := (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert tried is not None
    said = [c.rpartition(" ")[2] for c in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", c)]
    assert tried[1].split() == said
    assert said[0] == oldest


def test_ci_runs_what_a_change_must_pass() -> None:
    ran = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert {"make check", "make test", "make test-wheel", "make site"} <= set(ran.splitlines())


def test_the_statement_of_what_is_stable_names_what_there_is() -> None:
    page = (ROOT / "docs" / "stability.md").read_text(encoding="utf-8")
    assert all(f"`{extra}`" in page for extra in PROJECT["optional-dependencies"])
    assert "`hoego.__all__`" in page
    assert f"`{GROUP}`" in page
    for status in {kind.exit_code for kind in errors()}:
        assert f"{status}: " in page


def errors() -> list[type[HoegoError]]:
    found, left = [], [HoegoError]
    while left:
        found.append(left.pop())
        left += found[-1].__subclasses__()
    return found
