"""`hoego init` on layouts of public data sets: right, or unsure with the question; never sure and wrong."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import layout_sets_more  # noqa: F401  (enters its layouts)
import pytest
from layout_sets import SETS, Right

from hoego.data.load import load
from hoego.data.proposals.propose import Proposal, propose
from hoego.errors import DataError


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOEGO_CACHE", str(tmp_path_factory.mktemp("cache")))


def open_points(proposal: Proposal) -> set[str]:
    """What the proposal leaves open; each with a question."""
    out = set()
    for one in proposal.inferences:
        if one.what in ("layout", "subject", "target") and one.certainty == "unsure":
            assert one.question.endswith((".", "?")), f"{one.what} is unsure and nothing is asked"
            out.add(one.what)
    return out


def everything_said(proposal: Proposal, folder: Path) -> str:
    parts = [f"{i.value} {i.reason} {i.question}" for i in proposal.inferences]
    return "\n".join([*parts, proposal.text(folder)])


def judge(proposal: Proposal, right: Right, folder: Path) -> None:
    problems = [i.reason for i in proposal.inferences if i.certainty == "problem"]
    assert not problems
    left = open_points(proposal)
    assert left <= right.asks
    data = load(proposal.recipe())
    assert data.n_images == right.images
    if "target" not in left:
        assert data.schema.target == right.target
    if right.classes is not None and data.schema.target == right.target:
        assert set(data.schema.target_classes) == set(right.classes)
    if right.subjects is not None and "subject" not in left:
        assert data.n_subjects == right.subjects
    elif "subject" not in left:
        raise AssertionError("a subject is claimed where none can be known")
    said = everything_said(proposal, folder)
    for words in right.says:
        assert words in said


@pytest.mark.parametrize("name", sorted(SETS))
def test_a_layout_is_right_or_asked_about(name: str, tmp_path: Path) -> None:
    right = SETS[name](tmp_path)
    if right.error:
        with pytest.raises(DataError) as caught:
            propose(tmp_path / right.start)
        assert right.error in str(caught.value)
        return
    judge(propose(tmp_path / right.start), right, tmp_path)


def test_what_lies_beside_the_folder_is_not_looked_at(tmp_path: Path) -> None:
    """A table in the folder above, such as somebody's downloads, and a folder there that nobody may read."""
    right = SETS["chest_scans_numbered_in_brackets"](tmp_path / "home" / "photos")
    (tmp_path / "home" / "accounts.csv").write_text("id,amount\nx1,3\nx2,4\n")
    closed = tmp_path / "home" / "closed"
    closed.mkdir()
    listed = []
    walk = os.scandir

    def scan(folder: str) -> Iterator[os.DirEntry[str]]:
        listed.append(str(folder))
        return walk(folder)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.scandir", scan)
        judge(propose(tmp_path / "home" / "photos"), right, tmp_path)
    assert str(closed) not in listed


def test_there_are_at_least_thirty_layouts() -> None:
    assert len(SETS) >= 30
