"""The pages are true: the reference is what the code says, links lead somewhere, nothing names this machine."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import hoego

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
from docs.leak_picture import is_current  # noqa: E402
from docs.reference import PAGES, stale  # noqa: E402


def tracked() -> list[Path]:
    found = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if found.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in found.stdout.splitlines() if (ROOT / name).is_file()]


def test_the_reference_is_what_the_code_says() -> None:
    assert stale() == [], "run `make docs`"
    assert set(PAGES) == {"commands", "settings", "metrics", "checks"}


def test_the_picture_of_the_leak_is_what_its_figures_say() -> None:
    assert is_current(), "run `make docs`"


def pages() -> list[Path]:
    built = {"_build", "generated"}
    return sorted(
        p for p in [*ROOT.glob("docs/**/*.md"), *ROOT.glob("README*.md")] if not built & set(p.parts)
    )


@pytest.mark.parametrize("page", pages(), ids=lambda p: p.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)#\s]+)", text):
        if not re.match(r"[a-z]+:", target):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_nothing_built_is_committed() -> None:
    built = [
        p
        for p in tracked()
        if {"_build", "generated", "dist", "__pycache__"} & set(p.relative_to(ROOT).parts)
    ]
    assert not built, built[:3]


def test_nothing_names_a_path_of_a_machine_or_a_package_host() -> None:
    private = re.compile(
        r"/work/(main|shared|\.library)|/tmp/plan|files\.pythonhosted|pypi\.org|registry\.npmjs"
    )
    for path in tracked():
        if path.suffix in {".py", ".md", ".toml", ".j2", ".css", ".json", ".lock", ""} and path != Path(
            __file__
        ):
            found = private.search(path.read_text(encoding="utf-8", errors="ignore"))
            assert found is None, f"{path.relative_to(ROOT)} names {found.group() if found else ''}"


def without_torch() -> list[str]:
    names = [m.name for m in pkgutil.walk_packages(hoego.__path__, "hoego.")]
    # The callback for Lightning derives from Lightning's; `make test-integrations` tests it where that is installed.
    left_out = {"hoego.__main__", "hoego.integrations.lightning"}
    return [n for n in names if not n.startswith("hoego.train") and n not in left_out]


@pytest.mark.parametrize("name", without_torch())
def test_examples_in_docstrings_run(name: str) -> None:
    module = importlib.import_module(name)
    assert doctest.testmod(module).failed == 0
