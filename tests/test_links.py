"""Links below the root that lead out of it are refused or stated; the root's own link is no matter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from PIL import Image

from hoego.data.dataset import Dataset
from hoego.data.load import load
from hoego.errors import DataError
from hoego.recipe import build


def photo(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (4, 4, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


def folders(root: Path) -> Path:
    for k, kind in enumerate(("x", "y")):
        for n in range(2):
            photo(root / kind / f"p{n}" / f"{n}.png", 10 * k + n)
    return root


def read(root: Path, **settings: Any) -> Dataset:
    dataset = {"root": str(root), "layout": "folders", "pattern": "{label}/{who}", "subject": ["who"]}
    return load(build({"dataset": {**dataset, **settings}, "labels": {"attributes": {"label": {}}}}))


def test_the_root_may_be_a_link_and_links_inside_it_are_followed(tmp_path: Path) -> None:
    real = folders(tmp_path / "real")
    (tmp_path / "link").symlink_to(real)
    photo(real / "store" / "a.png", 5)
    (real / "x" / "p0" / "a.png").symlink_to(real / "store" / "a.png")
    found = read(tmp_path / "link", exclude=["store/*"])
    assert found.n_images == 5
    assert not any("links" in note for note in found.joins)


@pytest.mark.parametrize("kind", ["file", "folder", "deep folder", "file of a table"])
def test_a_link_that_leads_out_is_refused_and_named(tmp_path: Path, kind: str) -> None:
    root = folders(tmp_path / "root")
    photo(tmp_path / "private" / "p9" / "9.png", 99)
    settings: dict[str, Any] = {}
    if kind == "folder":
        link = root / "x" / "p9"
        link.symlink_to(tmp_path / "private" / "p9")
    elif kind == "deep folder":
        (root / "x" / "p9").mkdir()
        link, settings = root / "x" / "p9" / "q", {"pattern": "{label}/{who}/*"}
        for path in [*root.rglob("*.png")]:
            (path.parent / "q").mkdir()
            path.rename(path.parent / "q" / path.name)
        link.symlink_to(tmp_path / "private" / "p9")
    else:
        link = root / "x" / "p0" / "9.png"
        link.symlink_to(tmp_path / "private" / "p9" / "9.png")
    if kind == "file of a table":
        names = sorted(p.relative_to(root).as_posix() for p in root.rglob("*.png"))
        rows = {"path": names, "who": [n[2:4] for n in names], "label": [n[0] for n in names]}
        pl.DataFrame(rows).write_csv(root / "t.csv")
        settings = {"layout": "table", "table": "t.csv", "pattern": None}
    with pytest.raises(DataError, match=r"leads out of the root, to .*private") as caught:
        read(root, **settings)
    assert caught.value.file == link
    assert 'dataset.links = "follow"' in caught.value.remedy
    found = read(root, links="follow", **settings)
    assert found.n_images == 5
    assert any("private" in note for note in found.joins)


def test_a_folder_right_in_the_root_may_be_a_link_and_is_stated(tmp_path: Path) -> None:
    root = folders(tmp_path / "root")
    (root / "x").rename(tmp_path / "elsewhere")
    (root / "x").symlink_to(tmp_path / "elsewhere")
    found = read(root)
    assert found.n_images == 4
    assert [n for n in found.joins if "through links: 'x' leads to" in n and "elsewhere" in n]
    with pytest.raises(DataError, match="leads out"):
        read(root, links="inside")


def test_equal_files_that_are_no_photos_join_no_subjects(tmp_path: Path) -> None:
    root = folders(tmp_path)
    for k, content in enumerate((b"", b"<html>404</html>", (root / "x/p0/0.png").read_bytes()[:60])):
        for who in ("p0", "p1", "p2"):
            file = root / "x" / who / f"bad{k}.png"
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(content)
    found = read(root)
    assert sorted(found.subjects.tolist()) == ["p0", "p1", "p2"]
    assert any(note.startswith("9 equal files that are no photos join no subjects") for note in found.joins)
    (root / "x" / "p2" / "copy.png").write_bytes((root / "x/p0/0.png").read_bytes())
    assert sorted(read(root).subjects.tolist()) == ["p0", "p1"]
