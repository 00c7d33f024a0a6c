"""`hoego sync`: send the records that an object store lacks, fetch those that are not here, name what conflicts.

In the store a record is `RUN/files/SHA256` for every content and, written last, `RUN/manifest.json`, which says which
file has which content. An object is never overwritten and never deleted, so an interrupted sync goes on where it was:
a content that is there is not sent again, and a record without a manifest is not there for anybody.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from hoego import files
from hoego.errors import RecordError
from hoego.results.sync import RecordManifest, SyncReport
from hoego.runs.records import FINAL_STATES, Record, RunStore
from hoego.runs.records.copying import objection
from hoego.runs.syncing.bucket import Bucket
from hoego.runs.syncing.content import hashed, manifest_of, read_manifest
from hoego.storage import storing

THREADS = 8
ATTEMPTS = 5
"""Times that a content is fetched until it is the one that the manifest names."""


@dataclass(frozen=True)
class SyncRequest:
    """What to do: send, fetch, or only look what would be done."""

    push: bool = True
    pull: bool = True
    look: bool = False


def sync(
    store: RunStore, url: str, request: SyncRequest | None = None, log: Callable[[str], None] = lambda _: None
) -> SyncReport:
    """Send and fetch records, each whole; a run that both sides hold with different files is named and left alone.

    Raises:
        MissingExtra: obstore is not installed.
        UsageError: the URL names no object store.
        RecordError: the store does not answer, or a file cannot be read. Give the command again to go on.
    """
    asked, bucket = request or SyncRequest(), Bucket(url)
    with storing(store.root):
        store.root.mkdir(parents=True, exist_ok=True)
    with files.locked(store.root / ".merge.lock"):
        return _Sync(store=store, bucket=bucket, asked=asked, log=log).run()


@dataclass(kw_only=True)
class _Sync:
    store: RunStore
    bucket: Bucket
    asked: SyncRequest
    log: Callable[[str], None]
    skipped: dict[str, str] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    conflicts: dict[str, tuple[str, ...]] = field(default_factory=dict)
    sent: int = 0
    received: int = 0

    def run(self) -> SyncReport:
        there = self._there()
        here, broken = self.store.scan()
        self.skipped |= {name: problem.message for name, problem in broken.items()}
        pushed, same = [], []
        for record in here:
            name = record.folder.name
            if why := objection(record.folder):
                self.refused[name] = why
            elif name in there:
                if differing := manifest_of(record.folder).differences(there[name]):
                    self.conflicts[name] = differing
                else:
                    same.append(name)
            elif name not in self.refused and self.asked.push and self._push(record):
                pushed.append(name)
        held = {record.folder.name for record in here} | broken.keys()
        wanted = [name for name in sorted(there) if name not in held] if self.asked.pull else []
        return SyncReport(
            url=self.bucket.url,
            pushed=tuple(pushed),
            pulled=tuple(name for name in wanted if self._pull(there[name])),
            same=tuple(same),
            conflicts=self.conflicts,
            skipped=self.skipped,
            refused=self.refused,
            sent=self.sent,
            received=self.received,
        )

    def _there(self) -> dict[str, RecordManifest]:
        """Read the manifests of all runs in the store; a damaged one is refused."""
        names = self.bucket.folders()
        with ThreadPoolExecutor(THREADS) as pool:
            contents = list(pool.map(lambda name: self.bucket.read(f"{name}/manifest.json"), names))
        found = {}
        for name, content in zip(names, contents, strict=True):
            if content is None:
                continue
            try:
                found[name] = read_manifest(content, name)
            except RecordError as problem:
                self.refused[name] = problem.message
        return found

    def _push(self, record: Record) -> bool:
        name, state = record.folder.name, record.state
        if state not in FINAL_STATES:
            self.skipped[name] = f"it is {state}"
            return False
        manifest = manifest_of(record.folder)
        contents = {f.sha256: record.folder / path for path, f in manifest.files.items()}
        missing = contents.keys() - self.bucket.names(f"{name}/files")
        sizes = {f.sha256: f.size for f in manifest.files.values()}
        if not self.asked.look:
            self.log(f"{name}: {len(missing)} of {len(contents)} contents to send")
            with ThreadPoolExecutor(THREADS) as pool:
                list(pool.map(lambda k: self.bucket.send(f"{name}/files/{k}", contents[k]), sorted(missing)))
            if manifest_of(record.folder) != manifest:
                self.skipped[name] = "it changed while it was sent; sync again"
                return False
            if not self._create_manifest(manifest):
                self.skipped[name] = "somebody else sent another at the same time; sync again"
                return False
        self.sent += sum(sizes[k] for k in missing)
        return True

    def _create_manifest(self, manifest: RecordManifest) -> bool:
        name, content = f"{manifest.run}/manifest.json", manifest.model_dump_json().encode()
        # It may be our own: a store that has written it can lose the answer, and the request is then repeated.
        return self.bucket.create(name, content) or self.bucket.read(name) == content

    def _pull(self, manifest: RecordManifest) -> bool:
        target = self.store.root / manifest.run
        if self.asked.look:
            self.received += sum(f.size for f in manifest.files.values())
            return True
        # The same folder again after an interruption: what lies in it with the right content is not fetched twice.
        temporary = self.store.root / f".pull-{manifest.run}"
        self.log(f"{manifest.run}: {len(manifest.files)} files to fetch")
        try:
            with storing(temporary), ThreadPoolExecutor(THREADS) as pool:
                self.received += sum(
                    pool.map(
                        lambda path: self._fetch(manifest, path, temporary / path), sorted(manifest.files)
                    )
                )
            _require_run(temporary, manifest)
        except _DamagedError as problem:
            self.refused[manifest.run] = problem.message
            return False
        with storing(target):
            os.rename(temporary, target)
        return True

    def _fetch(self, manifest: RecordManifest, path: str, target: Path) -> int:
        """Fetch one file and return its bytes; 0 where it lies there already."""
        wanted = manifest.files[path]
        if target.is_file() and hashed(target) == wanted:
            return 0
        target.parent.mkdir(parents=True, exist_ok=True)
        problem = RecordError("")
        for _ in range(ATTEMPTS):
            try:
                with files.writing(target, durable=False) as temporary:
                    self.bucket.fetch(f"{manifest.run}/files/{wanted.sha256}", temporary)
                    if hashed(temporary) != wanted:
                        raise _DamagedError(f"{path} has another content in the store than its manifest says")
            except RecordError as e:
                problem = e
            else:
                return wanted.size
        raise problem


class _DamagedError(RecordError):
    """What lies in the store is not what its manifest says."""


def _require_run(folder: Path, manifest: RecordManifest) -> None:
    try:
        meta = Record(folder).meta
    except RecordError as problem:
        raise _DamagedError(f"its run.json cannot be read: {problem.message}") from None
    if meta.id != manifest.run:
        raise _DamagedError(f"its run.json says that it is the run {meta.id!r}")
    # Only ended runs are sent. One that waits would be taken by the workers here, as if it were queued here.
    if meta.state not in FINAL_STATES:
        raise _DamagedError(
            f"its run.json says that it is {meta.state}, and only runs that have ended are sent"
        )
    extra = set(manifest_of(folder).files) - set(manifest.files)
    for path in extra:  # of an earlier, interrupted fetch of another content
        (folder / path).unlink()
