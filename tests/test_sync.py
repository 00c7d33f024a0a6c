"""Records in an object store: sent and fetched whole, never overwritten, resumed after faults; conflicts are named."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("obstore")

from object_store import BUCKET, StubStore, stub_store

from hoego.errors import RecordError, UsageError
from hoego.runs.records import Record, RunStore
from hoego.runs.syncing.content import manifest_of, read_manifest
from hoego.runs.syncing.sync import SyncRequest, sync

URL = f"s3://{BUCKET}/team"


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[StubStore]:
    with stub_store() as server:
        for name, value in {
            "AWS_ENDPOINT_URL": server.url,
            "AWS_ALLOW_HTTP": "true",
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_REGION": "us-east-1",
        }.items():
            monkeypatch.setenv(name, value)
        yield server


def made(store: RunStore, *, state: str = "done", size: int = 1000) -> Record:
    record = store.create({"epochs": 1}, state=state)
    folder = record.fold_folder(0)
    (folder / "macro_f1.safetensors").write_bytes(bytes(range(256)) * (size // 256 + 1))
    (folder / "copy of it.bin").write_bytes(bytes(range(256)) * (size // 256 + 1))
    (record.folder / "score ü#%.json").write_text(record.id)
    (record.folder / "claims").mkdir()
    (record.folder / "claims" / "0000").write_text("{}")
    return record


def same(one: Record, other: Record) -> bool:
    return manifest_of(one.folder) == manifest_of(other.folder)


def test_what_one_side_lacks_is_copied_and_nothing_else(bucket: StubStore, tmp_path: Path) -> None:
    ours, theirs = RunStore(tmp_path / "a/runs"), RunStore(tmp_path / "b/runs")
    mine, running = made(ours), made(ours, state="waiting")
    sent = sync(ours, URL)
    assert sent.pushed == (mine.id,)
    assert "waiting" in sent.skipped[running.id]
    yours = made(theirs)
    both = sync(theirs, URL)
    assert (both.pushed, both.pulled) == ((yours.id,), (mine.id,))
    assert sync(ours, URL).pulled == (yours.id,)
    assert all(same(ours.find(r.id), theirs.find(r.id)) for r in (mine, yours))
    assert not (theirs.find(mine.id).folder / "claims").exists()
    again = sync(ours, URL)
    assert set(again.same) == {mine.id, yours.id}
    assert (again.sent, again.received, again.pushed, again.pulled) == (0, 0, (), ())
    assert bucket.deleted == []
    assert len(bucket.written) == len(set(bucket.written))  # the two files of one content are one object


def test_a_look_changes_nothing_and_each_direction_can_be_had_alone(
    bucket: StubStore, tmp_path: Path
) -> None:
    ours, theirs = RunStore(tmp_path / "a/runs"), RunStore(tmp_path / "b/runs")
    mine, yours = made(ours), made(theirs)
    looked = sync(ours, URL, SyncRequest(look=True))
    assert looked.pushed == (mine.id,)
    assert looked.sent > 0
    assert bucket.written == []
    sync(ours, URL)
    assert sync(theirs, URL, SyncRequest(push=False)).pushed == ()
    assert theirs.ids() == sorted([mine.id, yours.id])
    assert sync(ours, URL, SyncRequest(pull=False)).pulled == ()


def test_a_conflict_is_named_and_left_alone_on_both_sides(bucket: StubStore, tmp_path: Path) -> None:
    ours, theirs = RunStore(tmp_path / "a/runs"), RunStore(tmp_path / "b/runs")
    record = made(ours)
    sync(ours, URL)
    sync(theirs, URL)
    theirs.find(record.id).tag("theirs")
    ours.find(record.id).tag("ours")
    stored = dict(bucket.objects)
    found = sync(theirs, URL)
    assert found.conflicts == {record.id: ("run.json",)}
    assert bucket.objects == stored
    assert theirs.find(record.id).meta.tags == ("theirs",)


@pytest.mark.parametrize("size", [1000, 6_000_000])
def test_faults_of_the_store_lose_and_double_nothing(bucket: StubStore, tmp_path: Path, size: int) -> None:
    """Every third request is answered by 503, cut off or slow; 6 MB go in several parts."""
    ours, theirs = RunStore(tmp_path / "a/runs"), RunStore(tmp_path / "b/runs")
    records = [made(ours, size=size) for _ in range(2)]
    bucket.faulty = 3
    assert len(sync(ours, URL).pushed) == 2
    assert len(sync(theirs, URL).pulled) == 2
    assert all(same(record, theirs.find(record.id)) for record in records)


def test_an_interrupted_sync_goes_on_where_it_was(bucket: StubStore, tmp_path: Path) -> None:
    ours, theirs = RunStore(tmp_path / "a/runs"), RunStore(tmp_path / "b/runs")
    record = made(ours)
    sync(ours, URL)
    whole = dict(bucket.objects)
    kept = [name for name in whole if "/files/" in name][:3]
    bucket.objects = {name: whole[name] for name in kept}  # as far as a killed push had come
    bucket.written.clear()
    assert sync(theirs, URL).pulled == ()
    sync(ours, URL)
    assert bucket.objects == whole
    assert not set(bucket.written) & set(kept)
    missing = next(name for name in whole if "/files/" in name and name not in kept)
    del bucket.objects[missing]
    with pytest.raises(RecordError):
        sync(theirs, URL)
    assert theirs.ids() == []
    bucket.objects = whole
    assert 0 < sync(theirs, URL).received < sum(f.size for f in manifest_of(record.folder).files.values())
    assert same(record, theirs.find(record.id))


def test_what_is_damaged_in_the_store_does_not_come_in(bucket: StubStore, tmp_path: Path) -> None:
    ours, theirs = RunStore(tmp_path / "a/runs"), RunStore(tmp_path / "b/runs")
    record, other = made(ours), made(ours)
    sync(ours, URL)
    name = next(n for n in bucket.objects if record.id in n and "/files/" in n)
    bucket.objects[name] = b"something else"
    found = sync(theirs, URL)
    assert found.pulled == (other.id,)
    assert "another content" in found.refused[record.id]


def test_a_run_that_has_not_ended_does_not_come_into_the_queue(tmp_path: Path) -> None:
    waiting, theirs = made(RunStore(tmp_path / "a/runs"), state="waiting"), RunStore(tmp_path / "b/runs")
    manifest, stored = manifest_of(waiting.folder), tmp_path / "stored" / waiting.id
    (stored / "files").mkdir(parents=True)
    for path, file in manifest.files.items():
        (stored / "files" / file.sha256).write_bytes((waiting.folder / path).read_bytes())
    (stored / "manifest.json").write_text(manifest.model_dump_json())
    found = sync(theirs, (tmp_path / "stored").as_uri())
    assert found.pulled == ()
    assert "only runs that have ended are sent" in found.refused[waiting.id]
    assert theirs.ids() == []


@pytest.mark.parametrize(
    "name", ["../outside", "/etc/passwd", "a/../../b", "a\\b", "C:x", "a//b", "a\nb", ""]
)
def test_a_manifest_cannot_lead_out_of_the_record(name: str, tmp_path: Path) -> None:
    record = made(RunStore(tmp_path / "runs"))
    content = json.loads(manifest_of(record.folder).model_dump_json())
    assert read_manifest(json.dumps(content).encode(), record.id).run == record.id
    content["files"][name] = content["files"]["run.json"]
    with pytest.raises(RecordError, match="no plain path"):
        read_manifest(json.dumps(content).encode(), record.id)


def test_what_is_no_object_store_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no object store"):
        sync(RunStore(tmp_path / "runs"), "nothing of the kind")


def test_a_folder_is_an_object_store_too(tmp_path: Path) -> None:
    ours, theirs = RunStore(tmp_path / "a/runs"), RunStore(tmp_path / "b/runs")
    record = made(ours)
    url = (tmp_path / "stored").as_uri()
    assert sync(ours, url).pushed == (record.id,)
    assert sync(theirs, url).pulled == (record.id,)
    assert same(record, theirs.find(record.id))
