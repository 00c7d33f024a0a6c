"""The board in a real browser (`make test-browser`): keys alone, conflicts, kill -9, live lines, and who can use it."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from board_client import Started, read
from test_cli import project, write_project  # noqa: F401  (a fixture)
from test_review import plant_errors

from hoego.runs.queue import status
from hoego.runs.records import RunStore

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
SERIOUS = ("serious", "critical")

pytestmark = pytest.mark.skipif(
    not Path(CHROMIUM).is_file(), reason="there is no chromium: apt-get install chromium"
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
    with playwright.sync_playwright() as engine:
        found = engine.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield found
        found.close()


@pytest.fixture(scope="module")
def folder(project: Path) -> Path:  # noqa: F811
    """Twenty people's gender is written wrong in the table, and the overlay is named."""
    plant_errors(project / "photos.csv", 20)
    file = project / "hoego.toml"
    file.write_text(file.read_text().replace("[dataset]\n", '[dataset]\noverlay = "corrections.csv"\n'))
    (project / "corrections.csv").write_text("image,attribute,value,reason,source\n")
    os.environ["HOEGO_CACHE"] = str(project / "cache")
    return project


def suspect(page: Any) -> str:
    found: str = page.get_attribute("#suspect", "data-suspect") or ""
    return found


def press(page: Any, key: str) -> None:
    """Press a key, and wait until the page shows what it did."""
    before = page.inner_html("#suspect")
    page.keyboard.press(key)
    page.wait_for_function(
        "b => document.getElementById('suspect').innerHTML !== b", arg=before, timeout=30_000
    )


def opened(browser: Any, board: Started, path: str) -> Any:
    page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.goto(board.url)
    page.goto(board.base + path)
    return page


def whole(folder: Path) -> None:
    """Both files are whole: every line of the journal, and the overlay as a table."""
    for line in (folder / "runs" / "reviews.jsonl").read_text().splitlines():
        json.loads(line)
    pl.read_csv(folder / "corrections.csv", infer_schema_length=0)


def test_twenty_suspects_by_keys_alone(browser: Any, folder: Path) -> None:
    run = RunStore(folder / "runs").list(states=["done"])[0]
    board = Started(folder / "runs")
    page = opened(browser, board, f"/review?run={run.id}")
    most, taken, seen = 0, 0, set()
    try:
        while len(seen) < 20 and (key := suspect(page)):
            if "gender" not in page.inner_text("#suspect h2"):
                press(page, "s")
                continue
            assert "The run predicts" not in page.inner_text("#suspect")
            pressed = 1
            if taken < 6:
                press(page, "k")
                assert "The run predicts" in page.inner_text("#suspect")
                press(page, "Enter")
                pressed, taken = 2, taken + 1
            else:
                given = page.get_attribute('[data-press="k"]', "value")
                other = page.locator('[data-press]:not([data-press="k"])[name=answer]').evaluate_all(
                    "(all, given) => all.find((b) => b.value !== given).dataset.press", given
                )
                press(page, other)
            if len(seen) == 9:
                board.kill()
                whole(folder)
                board = Started(folder / "runs")
                page = opened(browser, board, f"/review?run={run.id}")
            seen.add(key)
            most = max(most, pressed)
        whole(folder)
        table = pl.read_csv(folder / "corrections.csv", infer_schema_length=0)
        assert set(table["attribute"]) == {"gender"}
        assert set(table["source"]) == {"review:kim"}
        assert (len(seen), table.height, most) == (20, 120, 2)
        page.goto(f"{board.base}/review/score?run={run.id}")
        assert "20 corrections, kim, 6 after seeing the suggestion" in page.inner_text("main")
    finally:
        board.kill()


def test_a_hundred_suspects_take_at_most_two_keys_each(browser: Any, tmp_path: Path) -> None:
    """Every kind of answer in turn: a class, keep, cannot tell, and the suggestion where it is shown."""
    root = write_project(tmp_path, 130, 1)
    plant_errors(root / "photos.csv", 100)
    (root / "corrections.csv").write_text("image,attribute,value,reason,source\n")
    file = root / "hoego.toml"
    file.write_text(file.read_text().replace("[dataset]\n", '[dataset]\noverlay = "corrections.csv"\n'))
    run = RunStore(root / "runs").list(states=["done"])[0]
    board = Started(root / "runs")
    counted: dict[str, int] = {}
    try:
        page = opened(browser, board, f"/review?run={run.id}")
        page.evaluate("window.pressed = 0; addEventListener('keydown', () => window.pressed++, true)")
        for n in range(100):
            key = suspect(page)
            assert key not in counted
            press(page, ("1", "k", "x", "2")[n % 4])
            if suspect(page) == key:
                press(page, ("Enter", "k", "x", "1")[n // 4 % 4])
            counted[key] = page.evaluate("[window.pressed, window.pressed = 0][0]")
        assert suspect(page) not in counted
        text = page.inner_text("#suspect .progress")
        assert text.startswith("100 of ")
        journal = (root / "runs" / "reviews.jsonl").read_text().splitlines()
    finally:
        board.kill()
    assert (len(counted), max(counted.values())) == (100, 2)
    assert {json.loads(line).get("who") for line in journal} == {"kim"}


def test_the_queue_is_reordered_by_keys_and_by_dragging(browser: Any, folder: Path) -> None:
    store = RunStore(folder / "runs")
    recipe = store.list(states=["done"])[0].recipe
    made = [store.create(recipe, name=f"queued {k}", state="waiting") for k in range(4)]
    ids = [r.id for r in made]
    board = Started(folder / "runs")

    def shown(page: Any) -> list[str]:
        return page.eval_on_selector_all("#waiting tr[data-run]", "all => all.map((r) => r.dataset.run)")

    def until(page: Any, order: list[str]) -> None:
        asked = "w => [...document.querySelectorAll('#waiting tr[data-run]')].map((r) => r.dataset.run).join() === w"
        page.wait_for_function(asked, arg=",".join(order), timeout=30_000)

    try:
        page = opened(browser, board, "/queue")
        assert shown(page) == ids
        for key in "jjK":
            page.keyboard.press(key)
        until(page, [ids[1], ids[0], ids[2], ids[3]])
        assert "not saved yet" in page.inner_text("#waiting")
        page.keyboard.press("J")
        until(page, ids)
        page.drag_and_drop(f'tr[data-run="{ids[3]}"]', f'tr[data-run="{ids[0]}"]')
        until(page, [ids[3], *ids[:3]])
        assert [r.run for r in status(store).waiting] == ids, "nothing is saved before the button"
        page.keyboard.press("w")
        page.wait_for_url("**/queue")
        assert [r.run for r in status(store).waiting] == [ids[3], *ids[:3]] == shown(page)
    finally:
        board.kill()
        for record in made:
            record.set_state("cancelled")


def test_two_browsers_on_one_suspect_show_a_conflict(browser: Any, folder: Path) -> None:
    run = RunStore(folder / "runs").list(states=["done"])[0]
    kim, lee = Started(folder / "runs"), Started(folder / "runs", who="lee")
    try:
        first = opened(browser, kim, f"/review?run={run.id}")
        second = opened(browser, lee, f"/review?run={run.id}")
        assert suspect(first) == suspect(second) != ""
        key = suspect(first)
        press(first, "x")
        if suspect(first) == key:
            press(first, "x")
        press(second, "x")
        assert "kim has decided" in second.inner_text("body")
        assert suspect(second) == key
    finally:
        kim.kill()
        lee.kill()


def test_a_new_epoch_is_on_the_page_within_two_seconds(browser: Any, folder: Path) -> None:
    store = RunStore(folder / "runs")
    record = store.create(store.list(states=["done"])[0].recipe, name="trains", state="waiting")
    record.set_state("running")
    for epoch in range(3):
        record.append_epoch(0, {"epoch": epoch, "train_loss": 1.0 / (epoch + 1), "macro_f1": 0.3})
    board = Started(folder / "runs")
    try:
        page = opened(browser, board, "/")
        page.wait_for_function(
            "() => document.querySelector('[data-epochs]').textContent === '3'", timeout=5000
        )
        page.wait_for_timeout(1500)
        record.append_epoch(0, {"epoch": 3, "train_loss": 0.2, "macro_f1": 0.4})
        began = time.perf_counter()
        page.wait_for_function(
            "() => document.querySelector('[data-epochs]').textContent === '4'", timeout=2000
        )
        assert time.perf_counter() - began < 2.0
    finally:
        record.set_state("cancelled")
        board.kill()


def test_every_page_can_be_used_by_everyone(browser: Any, folder: Path) -> None:
    """No score without its honesty, nothing wider than a phone, no error of a script, nothing serious by axe-core."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    store = RunStore(folder / "runs")
    first, second = (r.id for r in store.list(states=["done"])[:2])
    board = Started(folder / "runs", "--read-only")
    paths = [
        "/",
        "/runs?sort=-macro_f1",
        f"/run/{first}",
        f"/run/{first}/proof",
        "/queue?until=2h",
        "/ideas",
        "/diary",
    ]
    paths += [
        f"/compare?{first}&{second}",
        f"/mistakes?run={first}",
        f"/slices?run={first}",
        "/ledger",
        "/review",
    ]
    paths += [f"/review?run={first}", f"/review/score?run={first}"]
    try:
        for width, scheme in ((360, "light"), (360, "dark"), (1440, "light"), (1440, "dark")):
            context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
            page = context.new_page()
            problems: list[str] = []
            page.on("pageerror", lambda error, kept=problems: kept.append(str(error)))
            page.goto(board.url)
            for path in paths:
                page.goto(board.base + path)
                where = f"{path} at {width} px, {scheme}"
                assert page.evaluate("document.documentElement.scrollWidth") <= width, where
                assert read(re.sub(r"<!doctype[^>]*>", "", page.content())).bare == [], where
                found = axe.run(page).response["violations"]
                bad = [(v["id"], v["nodes"][0]["html"][:200]) for v in found if v["impact"] in SERIOUS]
                assert bad == [], where
            assert problems == []
            context.close()
    finally:
        board.kill()
