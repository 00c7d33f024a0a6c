"""Records and texts of somebody else: nothing of theirs runs, leads elsewhere, or passes for Hoego's own words."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from hoego import files
from hoego.apps.diary.write import _escaped
from hoego.errors import RecordError
from hoego.recipe import build
from hoego.runs.own_code import keep_names, require_named_here
from hoego.runs.queue import WorkOptions, work
from hoego.runs.queue.train_record import train_runner
from hoego.runs.records import Record, RunsQuery, RunStore, merge, note, runs
from hoego.terminal import spreadsheet_cell


@pytest.fixture
def stores(tmp_path: Path) -> tuple[RunStore, RunStore]:
    """The records of a teammate, and one's own."""
    return RunStore(tmp_path / "mate" / "runs"), RunStore(tmp_path / "mine" / "runs")


def done(store: RunStore, **fields: object) -> Record:
    record = store.create({"epochs": 1}, **fields)  # type: ignore[arg-type]
    record.set_state("done")
    return record


def test_a_merged_run_that_waits_comes_in_as_cancelled(stores: tuple[RunStore, RunStore]) -> None:
    theirs, ours = stores
    waiting, left = theirs.create({"epochs": 1}, state="waiting"), theirs.create({"epochs": 1})
    left.update(process={"host": "elsewhere", "pid": 1, "boot": "x"})
    os.utime(left.folder / "heartbeat", (0, 0))
    assert set(merge(theirs, ours).copied) == {waiting.id, left.id}
    assert ours.find(waiting.id).meta.state == "cancelled"
    assert "hoego queue retry" in ours.find(waiting.id).reason
    assert ours.find(left.id).meta.state == "interrupted"
    assert set(merge(theirs, ours).same) == {waiting.id, left.id}


@pytest.mark.parametrize("kind", ["link", "broken link", "loop", "link to a folder", "pipe", "backslash"])
def test_merge_refuses_what_is_no_plain_file_and_goes_on(
    stores: tuple[RunStore, RunStore], tmp_path: Path, kind: str
) -> None:
    theirs, ours = stores
    bad, good = done(theirs), done(theirs)
    private = tmp_path / "private"
    private.mkdir()
    (private / "key.txt").write_text("PRIVATE")
    inside = bad.folder / "fold-0"
    inside.mkdir()
    if kind == "pipe":
        os.mkfifo(inside / "x")
    elif kind == "backslash":
        (inside / "..\\..\\x").write_text("x")
    else:
        targets = {"link": private / "key.txt", "broken link": "nowhere", "loop": "x"}
        os.symlink(targets.get(kind, private), inside / "x")
    result = merge(theirs, ours)
    assert result.copied == (good.id,)
    assert list(result.refused) == [bad.id]
    assert "fold-0/" in result.refused[bad.id]
    assert ours.ids() == [good.id]
    assert not [p for p in ours.root.rglob("*") if p.name == "key.txt" or p.name.startswith(".new-")]


@pytest.mark.parametrize("name", ["run.json", "the record", "notes.jsonl"])
def test_merge_reads_nothing_through_a_link_or_a_pipe(stores: tuple[RunStore, RunStore], name: str) -> None:
    theirs, ours = stores
    linked, piped = done(theirs), done(theirs)
    kept = theirs.root.parent / "kept"
    if name == "the record":
        shutil.move(linked.folder, kept)
        os.symlink(kept, linked.folder)
    elif name == "run.json":
        shutil.move(linked.folder / name, kept)
        os.symlink(kept, linked.folder / name)
        (piped.folder / name).unlink()
        os.mkfifo(piped.folder / name)
    else:
        note(theirs, "their note")
        shutil.move(theirs.root / name, kept)
        os.symlink(kept, theirs.root / name)
    result = merge(theirs, ours)
    assert linked.id not in result.copied or name == "notes.jsonl"
    assert (linked.id if name != "notes.jsonl" else name) in result.refused
    assert not result.entries
    if name == "run.json":
        assert "a pipe" in result.skipped[piped.id]


def test_merge_refuses_a_record_that_says_to_be_another(stores: tuple[RunStore, RunStore]) -> None:
    theirs, ours = stores
    record = done(theirs)
    content = files.read_json(record.folder / "run.json")
    files.write_json(record.folder / "run.json", {**content, "id": "../../elsewhere"})
    assert "is the run '../../elsewhere'" in merge(theirs, ours).refused[record.id]


def with_code(store: RunStore, file: Path) -> Record:
    """A waiting record whose metric leaves a trace where it runs."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(
        "from pathlib import Path\nPath(__file__).with_name('RAN').touch()\ndef m(t, p): return 1.0\n"
    )
    return store.create({"epochs": 1, "score": {"metrics": [f"{file}:m"]}}, state="waiting")


def test_code_that_a_record_names_runs_only_where_the_project_names_it(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "runs")
    record = with_code(store, tmp_path / "evil.py")
    name = f"{tmp_path / 'evil.py'}:m"
    with pytest.raises(RecordError, match="nothing in this project names") as refused:
        require_named_here(record)
    assert name in str(refused.value)
    assert str(record.folder / "recipe.toml") in str(refused.value)
    keep_names(RunStore(tmp_path / "elsewhere"), build(record.recipe))
    with pytest.raises(RecordError, match="nothing in this project names"):
        require_named_here(record)
    (tmp_path / "hoego.toml").write_text(f'[score]\nmetrics = ["{name}"]\n')
    require_named_here(record)
    (tmp_path / "hoego.toml").unlink()
    keep_names(store, build(record.recipe))
    require_named_here(record)


def test_code_among_the_records_is_refused_though_the_project_names_it(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "runs")
    record = with_code(store, tmp_path / "runs" / "evil.py")
    keep_names(store, build(record.recipe))
    with pytest.raises(RecordError, match="lies among the records"):
        require_named_here(record)


def test_neither_the_queue_nor_a_merge_brings_code_in(stores: tuple[RunStore, RunStore]) -> None:
    pytest.importorskip("torch")
    theirs, ours = stores
    record = with_code(theirs, theirs.root.parent / "evil.py")
    keep_names(theirs, build(record.recipe))
    merge(theirs, ours)
    assert work(ours, train_runner).ran == ()
    mine = ours.find(record.id)
    mine.set_state("waiting")
    [ran] = work(ours, train_runner, WorkOptions()).ran
    assert ran.state == "failed"
    assert "nothing in this project names" in ran.reason
    assert not (theirs.root.parent / "RAN").exists()


_MARKS = st.text(
    st.sampled_from("\\#-+*=>~`|_[]<!1.)\n\r\t \x0b\x0c\x85\u2028ab:/") | st.characters(codec="utf-8"),
    max_size=30,
)


@given(_MARKS)
def test_a_note_is_one_paragraph_of_the_retrospective(text: str) -> None:
    """Whatever a note holds, a line of the page shows text: no heading, list, rule, table, link or front matter."""
    line = _escaped(text.replace("`", "'"))
    assert len(line.splitlines()) <= 1
    kinds = {token.type for token in MarkdownIt("commonmark").enable("table").parse(line)}
    assert kinds <= {"paragraph_open", "inline", "paragraph_close"}
    inside = MarkdownIt("commonmark").parseInline(line)[0].children or []
    assert {token.type for token in inside} <= {"text", "text_special"}


def test_a_spreadsheet_runs_no_cell_of_the_list(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    store.create({}, name='=HYPERLINK("http://x","y")', why="-2+3+cmd|' /C calc'!A0", tags=["@x"])
    table = runs(store, RunsQuery(columns=("name", "why", "tags")))
    assert table.to_csv(spreadsheet=True).splitlines()[1].startswith("\"'=HYPERLINK")
    assert ",'-2+3" in table.to_csv(spreadsheet=True)
    assert table.to_csv(spreadsheet=True).endswith(",'@x\n")
    assert "'=HYPERLINK" not in table.to_csv()
    assert spreadsheet_cell(-1.5) == -1.5
