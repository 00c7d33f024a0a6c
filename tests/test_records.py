"""Records: whole or absent, true about their state, found, upgraded, merged."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from round_trips import round_trip

from hoego import files, toml_text
from hoego.errors import DataError, RecordError, UsageError
from hoego.runs.records import (
    RunKind,
    RunMeta,
    RunsQuery,
    RunStore,
    differences_of,
    merge,
    note,
    notes,
    process,
    runs,
)
from hoego.runs.records.restore import restored
from hoego.runs.records.upgrades import SCHEMA_VERSION, UPGRADES

RECIPE = {"epochs": 3, "model": {"name": "resnet10t"}, "loss": {"focal": 0.6, "f1": 0.4}}


def make(store: RunStore, **fields: object) -> object:
    return store.create(RECIPE, **fields)  # type: ignore[arg-type]


_KEYS = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), max_size=8)
_SCALARS = (
    st.booleans()
    | st.integers(-(2**62), 2**62)
    | st.floats(allow_nan=False)
    | st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), max_size=12)
)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=3),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(_KEYS, _VALUES, max_size=5))
def test_toml_reads_back_what_was_written(value: dict[str, object]) -> None:
    assert tomllib.loads(toml_text.dumps(value)) == value


def test_toml_nan_none_and_foreign_types() -> None:
    read = tomllib.loads(toml_text.dumps({"a": math.nan, "b": None, "c": (1, 2), "p": Path("x/y")}))
    assert math.isnan(read["a"])
    assert read["c"] == [1, 2]
    assert read["p"] == "x/y"
    assert "b" not in read
    with pytest.raises(RecordError, match=r"deep\.key is a object"):
        toml_text.dumps({"deep": {"key": object()}})


def test_a_record_reads_back_what_it_was_given(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "runs")
    record = store.create(RECIPE, name="quick", why="edge at 58", tags=["a", "b"], priority=3)
    again = RunStore(tmp_path / "runs").find(record.id)
    assert again.recipe == RECIPE
    assert again.meta == record.meta
    assert (again.meta.name, again.meta.why, again.meta.tags) == ("quick", "edge at 58", ("a", "b"))
    assert again.environment["python"] == ".".join(map(str, sys.version_info[:3]))
    assert len(again.code["hash"]) == 16
    assert "runs/records/store.py" in again.code["files"]


def test_a_failed_creation_leaves_nothing(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    with pytest.raises(RecordError):
        store.create({"model": object()})
    with pytest.raises(RecordError, match="no field colour"):
        store.create(RECIPE, colour="red")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_run_json_is_not_a_record(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    (tmp_path / ".new-20220301-143200-aaaaa").mkdir()
    (tmp_path / "figures").mkdir()
    assert store.ids() == []
    assert store.list() == []


def test_find_by_id_prefix_ending_and_path(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    first, second = make(store), make(store)
    assert store.find(first.id).id == first.id
    assert store.find(first.id[-5:]).id == first.id
    assert store.find(second.folder).id == second.id
    assert RunStore(tmp_path / "elsewhere").find(str(second.folder)).id == second.id
    with pytest.raises(RecordError, match="fits 2 runs"):
        store.find(first.id[:6])
    with pytest.raises(RecordError, match=f"near ones: .*{first.id}"):
        store.find(first.id[:-1] + "!")


def test_last_is_the_newest_run_that_is_done(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    with pytest.raises(RecordError, match=r"no run .* is done yet"):
        store.find("last")
    first, second, third = make(store), make(store), make(store)
    for record in (second, first):
        record.set_state("running")
        record.set_state("done")
    third.set_state("running")
    assert store.find("last").id == max(first.id, second.id)


def test_an_update_is_whole_under_many_writers(tmp_path: Path) -> None:
    record = make(RunStore(tmp_path))
    code = (
        "import sys\nfrom hoego.runs.records import Record\nfrom pathlib import Path\n"
        "r = Record(Path(sys.argv[1]))\n"
        "for k in range(20): r.change(lambda m: {'priority': m.priority + 1})\n"
    )
    workers = [subprocess.Popen([sys.executable, "-c", code, str(record.folder)]) for _ in range(4)]
    assert [w.wait() for w in workers] == [0] * 4
    assert record.refresh().priority == 80
    assert not list(record.folder.glob("*.part"))


def test_dict_fields_merge_and_none_removes(tmp_path: Path) -> None:
    record = make(RunStore(tmp_path), extra={"a": 1, "b": 2})
    record.update(extra={"b": None, "c": 3})
    assert record.refresh().extra == {"a": 1, "c": 3}
    with pytest.raises(RecordError, match="no field 'colour'"):
        record.update(colour="red")


def test_a_run_whose_process_was_killed_reads_as_interrupted(tmp_path: Path) -> None:
    code = (
        "import sys, time\nfrom hoego.runs.records import RunStore\n"
        "r = RunStore(sys.argv[1]).create({'epochs': 1})\nprint(r.id, flush=True)\ntime.sleep(60)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    id_ = child.stdout.readline().strip()
    store = RunStore(tmp_path)
    assert store.find(id_).state == "running"
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    child.stdout.close()
    assert store.find(id_).state == "interrupted"
    assert f"pid {child.pid}" in store.find(id_).reason
    assert [r.id for r in store.list(states=["interrupted"])] == [id_]


def test_a_process_of_another_machine_lives_by_its_heartbeat(tmp_path: Path) -> None:
    record = make(RunStore(tmp_path))
    foreign = {"host": "other", "pid": os.getpid(), "start": 1, "boot": "x", "namespace": "y"}
    record.update(process=foreign)
    assert record.state == "running"
    old = os.stat(record.folder / "heartbeat").st_mtime - process.STALE_SECONDS - 5
    os.utime(record.folder / "heartbeat", (old, old))
    assert record.state == "interrupted"
    record.heartbeat()
    assert record.state == "running"


def test_a_clock_that_is_wrong_kills_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The heartbeat is compared with the file system's clock, not with this machine's, which may be hours off."""
    record = make(RunStore(tmp_path))
    record.update(process={"host": "other", "pid": 1, "start": 1, "boot": "x", "namespace": "y"})
    now = process.time.time()
    monkeypatch.setattr(process.time, "time", lambda: now + 7200)
    assert record.state == "running"


def test_a_reused_pid_is_not_the_old_process(tmp_path: Path) -> None:
    record = make(RunStore(tmp_path))
    record.update(process={**process.this_process(), "start": 1})
    assert record.state == "interrupted"


def test_states_note_their_times_and_reasons(tmp_path: Path) -> None:
    record = make(RunStore(tmp_path), state="waiting")
    assert record.meta.started == ""
    record.set_state("running")
    assert record.meta.started
    assert not record.meta.finished
    record.set_state("failed", "loss is\nNaN")
    assert (record.meta.state, record.meta.reason, record.meta.process) == ("failed", "loss is NaN", None)
    assert record.meta.finished >= record.meta.started
    assert "failed: loss is NaN" in (record.folder / "log.txt").read_text()
    with pytest.raises(RecordError, match="unknown state"):
        record.set_state("sleeping")


def test_epochs_survive_a_torn_line_and_a_replay(tmp_path: Path) -> None:
    record = make(RunStore(tmp_path))
    for epoch in range(3):
        record.append_epoch(0, {"epoch": epoch, "loss": 1.0 / (epoch + 1)})
    path = record.folder / "fold-0" / "epochs.jsonl"
    path.write_bytes(path.read_bytes()[:-9])
    assert [row["epoch"] for row in record.epochs(0)] == [0, 1]
    record.append_epoch(0, {"epoch": 1, "loss": 9.0})
    record.append_epoch(0, {"epoch": 2, "loss": math.nan})
    assert [(row["epoch"], row["loss"]) for row in record.epochs(0)] == [(0, 1.0), (1, 9.0), (2, None)]
    assert record.folds() == [0]
    with path.open("ab") as stream:
        stream.write(b"}{\n{}\n")
    with pytest.raises(RecordError, match="row 5"):
        record.epochs(0)


def test_the_index_follows_changes_and_its_own_loss(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    records = [make(store, name=f"number {k}") for k in range(20)]
    assert [r.meta for r in store.list()] == [r.meta for r in sorted(records, key=lambda r: r.id)]
    assert (tmp_path / ".index.json").exists()
    records[3].update(tags=("kept",))
    assert [r.id for r in store.list(tags=["kept"])] == [records[3].id]
    for damage in ("", "{", "[]", '{"schema_version": 2, "runs": 3}'):
        (tmp_path / ".index.json").write_text(damage)
        assert len(store.list()) == 20
    (tmp_path / ".index.json").unlink()
    assert len(store.list(text="number 1")) == 11


def test_a_broken_record_is_named_and_does_not_hide_the_others(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    good, bad = make(store), make(store)
    (bad.folder / "run.json").write_text('{"id": "x",\n "state" oops')
    assert [r.id for r in store.list()] == [good.id]
    problem = store.broken()[bad.folder.name]
    assert problem.row == 2
    assert problem.file == bad.folder / "run.json"


def test_old_records_are_upgraded_on_reading(tmp_path: Path) -> None:
    folder = Path(__file__).parent / "records_v1"
    record = RunStore(folder).find("20220301-1432-k7f3")
    assert record.meta.why == "57-59 look like 60"
    assert record.state == "interrupted"
    assert record.meta.created == "2022-03-01T14:32:00.000+00:00"
    assert record.meta.extra["gpu"] == "V100"
    assert sorted(UPGRADES) == list(range(1, SCHEMA_VERSION))
    assert json.loads((folder / "20220301-1432-k7f3/run.json").read_text())["schema_version"] == 1


def test_records_of_version_2_give_their_facts_as_objects(tmp_path: Path) -> None:
    folder = Path(__file__).parent / "records_v2"
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    store = RunStore(folder)
    every, naive, ablated, _, idea = store.list()
    assert store.broken() == {}
    assert [r.kind for r in store.list()] == ["run", "run", "run", "ensemble", "run"]
    assert (every.fold, naive.fold) == ("all", 0)
    assert {r.target for r in store.list()} == {"composite"}
    assert every.meta.training.resolved is not None
    assert every.meta.training.resolved.precision == "bfloat16"
    assert every.meta.training.selected["fold-2"] == (1, "raw")
    assert every.meta.timing.part("fold-0") == 33.041
    assert every.meta.throughput.epoch_images_per_second == 36.6
    assert every.score is not None
    assert every.score.primary is not None
    assert every.score.primary.value == pytest.approx(0.0311639, abs=1e-6)
    assert every.score.optimism is not None
    assert every.score.optimism.optimism == pytest.approx(0.0030006, abs=1e-6)
    assert [r.score.rankable for r in store.list() if r.score] == [True, False, True, True, True]
    assert store.ranked(kinds=(RunKind.RUN,)).records[0].id == ablated.id
    assert ablated.verdict is not None
    assert (ablated.verdict.outcome, ablated.verdict.metric) == ("not distinguishable", "macro_f1")
    assert (idea.meta.queue.idea, idea.meta.queue.side) == ("87c91a5b", "idea")
    assert idea.meta.timing.sample is not None
    assert idea.meta.timing.sample.units == 2
    assert not any(r.meta.extra for r in store.list()), "every key of version 2 has a field of its own"
    for record in store.list():
        written = json.loads(json.dumps(record.meta.model_dump(mode="json")))
        assert RunMeta.read(written) == record.meta
        assert restored(written) == record.meta, "what the index gives is what run.json says"
        assert restored(written).model_dump(mode="json") == written
    assert {p: p.read_bytes() for p in before} == before


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="Upgrade Hoego"):
        RunMeta.read({"schema_version": SCHEMA_VERSION + 1, "id": "x"})
    with pytest.raises(RecordError, match="unknown state"):
        RunMeta.read({"schema_version": SCHEMA_VERSION, "id": "x", "state": "asleep"})


def test_every_field_of_run_json_survives_writing(tmp_path: Path) -> None:
    changes = {
        "score": {"macro_f1": {"value": 0.5}, "honesty": "selected", "target": "age"},
        "training": {"selected": {"fold-0": (3, "ema")}, "beside": {"runs": 2, "gain": 1.5}, "resumed": True},
        "queue": {"shortened": {"asked": 9, "epochs": 4}, "epochs_at_death": 2},
        "timing": {"seconds": 3.5, "fold-0_seconds": 2.5},
        "throughput": {"train_images_per_second": 99.5, "of_tomorrow": 1},
        "kind": "probe",
        "fold": "all",
        "after": ("a",),
        "deaths": 2,
    }
    meta = make(RunStore(tmp_path)).meta.changed(changes)
    assert meta.timing.part("fold-0") == 2.5
    assert all(getattr(meta, name) != getattr(RunMeta(id="x"), name) for name in changes)
    assert RunMeta.read(json.loads(json.dumps(meta.model_dump(mode="json")))) == meta


def test_merge_copies_proves_and_names_conflicts(tmp_path: Path) -> None:
    ours, theirs = RunStore(tmp_path / "ours"), RunStore(tmp_path / "theirs")
    shared, new, busy = make(theirs), make(theirs), make(theirs)
    for record in (shared, new):
        record.append_epoch(0, {"epoch": 0})
        record.set_state("done")
    note(theirs, "their note", run=new.id)
    first = merge(theirs, ours)
    assert set(first.copied) == {shared.id, new.id}
    assert first.skipped == {busy.id: "it is running"}
    assert first.entries == {"notes.jsonl": 1}
    again = merge(theirs, ours)
    assert set(again.same) == {shared.id, new.id}
    assert not again.copied
    assert not again.entries
    ours.find(shared.id).update(tags=("mine",))
    before = (ours.root / shared.id / "run.json").read_bytes()
    third = merge(theirs, ours)
    assert third.conflicts == {shared.id: ("run.json",)}
    assert (ours.root / shared.id / "run.json").read_bytes() == before
    assert ours.find(new.id).epochs(0) == [{"epoch": 0}]
    with pytest.raises(RecordError, match="one folder"):
        merge(ours, ours)


def test_a_merge_that_breaks_leaves_no_half_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = RunStore(tmp_path / "ours"), RunStore(tmp_path / "theirs")
    make(theirs).set_state("done")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "rename", full)
    with pytest.raises(DataError, match="the disk is full"):
        merge(theirs, ours)
    assert ours.ids() == []
    assert not list(ours.root.glob(".new-*"))


def test_the_difference_of_two_records_names_only_what_differs(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    a = store.create(RECIPE, fingerprints={"split": "x", "dataset": "d"})
    b = store.create({**RECIPE, "loss": "ce", "seed": 1}, fingerprints={"split": "y", "dataset": "d"})
    a.update(score={"macro_f1": {"value": 0.5}, "honesty": "selected"})
    b.update(score={"macro_f1": {"value": 0.6}, "honesty": "selected"})
    files.write_json(b.folder / "environment.json", {**b.environment, "python": "3.99"})
    files.write_json(
        b.folder / "code-ran.json", {**b.code, "hash": "0", "files": {**b.code["files"], "labels.py": "0"}}
    )
    found = differences_of(a, b)
    assert [(c.key, c.a, c.b) for c in found.recipe] == [
        ("loss.focal", 0.6, None),
        ("loss.f1", 0.4, None),
        ("loss", {"focal": 0.6, "f1": 0.4}, "ce"),
        ("seed", None, 1),
    ]
    assert [c.key for c in found.code] == ["hash", "files.labels.py"]
    assert [(c.key, c.b) for c in found.environment] == [("python", "3.99")]
    assert [(c.key, c.a, c.b) for c in found.data] == [("split", "x", "y")]
    assert [(c.key, c.a, c.b) for c in found.results] == [("macro_f1", 0.5, 0.6)]
    assert not found.same
    assert differences_of(a, a).same


def test_notes_keep_their_order_and_run(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    record = make(store)
    note(store, "later", time="2022-03-02T00:00:00+00:00")
    note(store, "earlier", run=record.id[-5:], time="2022-03-01T00:00:00+00:00")
    assert [n.text for n in notes(store)] == ["earlier", "later"]
    assert [n.text for n in notes(store, run=record.id)] == ["earlier"]
    with pytest.raises(UsageError):
        note(store, "  ")
    with pytest.raises(RecordError):
        note(store, "about nothing", run="nope")


def test_the_table_filters_sorts_and_shows_any_setting(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    for value in (0.3, 0.9, None):
        record = make(store)
        record.update(score=None if value is None else {"macro_f1": {"value": value}, "honesty": "selected"})
        record.set_state("done" if value else "failed")
    table = runs(store, RunsQuery(columns=("macro_f1", "state", "recipe.loss.focal"), sort="-macro_f1"))
    round_trip(table)
    round_trip(runs(store, RunsQuery(columns=("id", "tags", "kind", "fold", "score", "recipe.augment"))))
    assert table.columns == ("macro_f1", "honesty", "marks", "state", "recipe.loss.focal")
    assert table.rows[0] == (0.9, "selected", "", "done", 0.6)
    assert [row[0] for row in table.rows] == [0.9, 0.3, None]
    assert table.to_csv().splitlines()[1] == "0.9,selected,,done,0.6"
    assert len(runs(store, RunsQuery(states=("done",))).rows) == 2
    assert len(runs(store, RunsQuery(limit=1)).model_dump(mode="json")["runs"]) == 1
    with pytest.raises(UsageError, match="no column 'macrof1'"):
        runs(store, RunsQuery(columns=("macrof1",)))


@pytest.mark.parametrize(
    "score", ["macro_f1", "low", "high", "accuracy", "macro_f1.low", "score.macro_f1.value", "score"]
)
def test_no_score_is_listed_without_its_honesty(score: str, tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    metric = {"value": 1.0, "low": 1.0, "high": 1.0}
    make(store).update(
        score={"macro_f1": metric, "accuracy": metric, "honesty": "naive", "honest": False, "target": "age"}
    )
    table = runs(store, RunsQuery(columns=("state", score, "why")))
    assert table.columns == ("state", score, "honesty", "marks", "why")
    assert table.model_dump(mode="json")["runs"][0]["honesty"] == "naive"
    assert table.rows[0][1] in (1.0, files.plain(store.list()[0].score))
    for columns, added in (
        (("honesty", score), ("honesty", score, "marks")),
        ((score, "score.marks", "why", "score.honesty"), ()),
        (("id", "target"), ()),
    ):
        assert runs(store, RunsQuery(columns=columns)).columns == (added or columns)


def test_an_interrupted_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.json"
    files.write_json(path, {"a": 1})

    def broken(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("hoego.files.os.fsync", broken)
    with pytest.raises(DataError, match=r"a\.json: the disk is full"):
        files.write_json(path, {"a": 2})
    assert files.read_json(path) == {"a": 1}
    assert os.listdir(tmp_path) == ["a.json"]


def test_the_records_need_no_torch() -> None:
    code = "import sys, hoego.runs.records\nassert 'torch' not in sys.modules and 'numpy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
