"""One run's folder: run.json, recipe.toml, environment.json, code.json, log.txt, fold-K/epochs.jsonl."""

from __future__ import annotations

import contextlib
import datetime
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from hoego import files, process, toml_text
from hoego.damage import parsing
from hoego.errors import HoegoError, RecordError
from hoego.recipe.fold import Fold, fold_of
from hoego.results.audit import AuditReport
from hoego.results.base import Result
from hoego.results.diagnosis import Diagnosis
from hoego.results.ensemble import SavedComposition, SavedEnsemble
from hoego.results.honesty import HonestyMark
from hoego.results.left_out import LeftOut
from hoego.results.score import Score, ScoreSummary
from hoego.results.split import SplitSummary
from hoego.results.verdict import ComparisonVerdict
from hoego.runs.records.environment import environment
from hoego.runs.records.meta import STATES, RunMeta, now
from hoego.runs.records.reserve import free_reserve
from hoego.runs.records.run_facts import RunKind
from hoego.storage import storing

R = TypeVar("R", bound=Result)
FINAL_STATES = ("done", "failed", "cancelled", "stopped")


class Record:
    """A run's record. `meta` is what run.json said when it was last read or written through this object.

    Every change goes to the disk at once and whole; several processes may change one record.

    Args:
        folder: of the record.
        meta: run.json as it was read already.
        read_only: refuse every change of run.json.
    """

    def __init__(self, folder: Path, meta: RunMeta | None = None, *, read_only: bool = False) -> None:
        self.folder = Path(folder)
        self._meta = meta
        self._read_only = read_only
        self.labels_changed = 0

    def __repr__(self) -> str:
        return f"Record({self.folder})"

    @property
    def id(self) -> str:
        """The run's id, which is also its folder's name."""
        return self.meta.id

    @property
    def meta(self) -> RunMeta:
        """The fields of run.json as last read; `refresh` reads them again."""
        return self._meta if self._meta is not None else self.refresh()

    def refresh(self) -> RunMeta:
        """Read run.json again. Raises RecordError naming the file when it is missing or broken."""
        path = self.folder / "run.json"
        self._meta = RunMeta.read(files.read_json(path), file=path)
        return self._meta

    @property
    def state(self) -> str:
        """The state that is true: a run left "running" whose process is dead is "interrupted"."""
        state = self.meta.state
        return "interrupted" if state == "running" and not self.is_alive() else state

    @property
    def reason(self) -> str:
        """Why the run is in its state, in one line; "" when there is nothing to say."""
        meta = self.meta
        if meta.state == "running" and self.state == "interrupted":
            who = meta.process or {}
            return f"its process ended without a word (pid {who.get('pid', '?')} on {who.get('host', '?')})"
        return meta.reason

    @property
    def kind(self) -> RunKind:
        """What made the predictions: a run, an ensemble, a composition, a training outside ..."""
        return self.meta.kind

    @property
    def fold(self) -> Fold:
        """The fold that the run holds out, or "all"."""
        return fold_of(self.recipe) if self.meta.fold is None else self.meta.fold

    @property
    def target(self) -> str:
        """What is scored: the project's target, or the one attribute that the run predicts; "" where unknown."""
        scored = self.score.target if self.score is not None else ""
        return scored or self.meta.target

    @property
    def score(self) -> ScoreSummary | None:
        """The score of the held-out predictions as run.json summarises it; None before there is one.

        Where `labels_now.note_changed_labels` has looked, it also says how many labels changed since.
        """
        found = self.meta.score
        if found is None or not self.labels_changed:
            return found
        what = "label has" if self.labels_changed == 1 else "labels have"
        when = f"since this score was made on the labels {found.labels_version}"
        notes = (*found.notes, f"{self.labels_changed:,} {what} changed {when}")
        return found.model_copy(
            update={"marks": (*found.marks, HonestyMark.LABELS_CHANGED_SINCE), "notes": notes}
        )

    @property
    def full_score(self) -> Score | None:
        """The score with its attributes and classes (score.json); None before there is one.

        Raises RecordError where the file is broken.
        """
        return self._result("score.json", Score, "; hoego score prints it anew, from the predictions")

    @property
    def split(self) -> SplitSummary | None:
        """The split of the run, without its images (split.json); None where the record holds none.

        Raises RecordError where the file is broken.
        """
        return self._result("split.json", SplitSummary)

    @property
    def diagnosis(self) -> Diagnosis | None:
        """What holds the run back (diagnosis.json); None before it was diagnosed.

        Raises RecordError where the file is broken.
        """
        return self._result("diagnosis.json", Diagnosis, ", or diagnose the run again (hoego diagnose)")

    @property
    def combined(self) -> SavedEnsemble | SavedComposition | None:
        """What an ensemble or a composition is made of (combined.json); None for a run.

        Raises RecordError where the file is broken.
        """
        if self.kind is RunKind.ENSEMBLE:
            return self._result("combined.json", SavedEnsemble, ", or combine the runs again")
        return self._result("combined.json", SavedComposition, ", or compose the runs again")

    @property
    def audit(self) -> AuditReport | None:
        """What the audit before the training found (audit.json); None where there was none.

        Raises RecordError where the file is broken.
        """
        return self._result("audit.json", AuditReport, ", or move it away")

    @property
    def left_out(self) -> LeftOut | None:
        """What its data set leaves out (left-out.json); None where nothing was.

        Raises RecordError where the file is broken.
        """
        return self._result("left-out.json", LeftOut)

    @property
    def verdict(self) -> ComparisonVerdict | None:
        """What the comparison said that the run was trained for; None without one."""
        return self.meta.verdict

    def is_alive(self) -> bool:
        """Return whether the process that runs this record is alive (see `process.is_alive`)."""
        heartbeat = self.folder / "heartbeat"
        return process.is_alive(self.meta.process, heartbeat, may_write=not self._read_only)

    def runs_elsewhere(self) -> bool:
        """Return whether a process that is not this one runs the record now."""
        own = process.this_process()
        return self.meta.state == "running" and self.meta.process != own and self.is_alive()

    def update(self, **changes: Any) -> RunMeta:
        """Change fields of run.json, atomically and under the record's lock; returns the new content.

        A group of fields (`training`, `queue`, `timing` ...) and a table are merged, and a None inside takes that key
        out; every other field is replaced. Raises RecordError for a field that run.json does not have.
        """
        return self.change(lambda _: changes)

    def change(self, decide: Callable[[RunMeta], Mapping[str, Any] | None]) -> RunMeta:
        """Read run.json, let `decide` return the changes (None: leave it), write it: one locked step."""
        if self._read_only:
            raise RecordError(
                "The records are open for reading only.", file=self.folder, remedy="Open them to write."
            )
        with files.locked(self.folder / ".lock"):
            meta = self.refresh()
            changes = decide(meta)
            if changes is None:
                return meta
            self._meta = meta.changed({**changes, "updated": now()})
            files.write_json(self.folder / "run.json", self._meta.model_dump(mode="json"))
            return self._meta

    def set_state(self, state: str, reason: str = "") -> RunMeta:
        """Move to `state` with a reason of one line; notes the time and, when running, this process.

        Raises RecordError for an unknown state.
        """
        if state not in STATES:
            raise RecordError(f"unknown state {state!r}", remedy=f"One of {', '.join(STATES)}.")
        changes: dict[str, Any] = {"state": state, "reason": " ".join(reason.split())}
        if state == "running":
            changes["process"] = process.this_process()
            self.heartbeat()

        def decide(meta: RunMeta) -> dict[str, Any]:
            if state == "running":
                changes["started"] = meta.started or now()
                changes["finished"] = ""
            elif state != "waiting":
                changes["finished"] = now()
                changes["process"] = None
            else:
                changes["process"] = None
            return changes

        meta = self.change(decide)
        self.log(f"{state}{': ' if reason else ''}{changes['reason']}")
        return meta

    def fail(self, reason: str) -> None:
        """Move to failed; where the disk is full, the reserve beside the records makes the room to write it.

        Nothing is raised where the record cannot be written at all: what led here is to be raised.
        """
        try:
            self.set_state("failed", reason)
        except (OSError, HoegoError):
            free_reserve(self.folder.parent)
            with contextlib.suppress(OSError, HoegoError):
                self.set_state("failed", reason)

    def heartbeat(self) -> None:
        """Say that the run's process is alive (the file `heartbeat` is touched)."""
        path = self.folder / "heartbeat"
        with storing(path):
            try:
                os.utime(path)
            except FileNotFoundError:
                path.touch()

    def log(self, text: str) -> None:
        """Append `text` to log.txt, each line with the local time."""
        stamp = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
        lines = "".join(f"{stamp} {line}\n" for line in text.splitlines() or [""])
        path = self.folder / "log.txt"
        with storing(path), open(path, "a", encoding="utf-8", errors="backslashreplace") as stream:
            stream.write(lines)

    def fold_folder(self, fold: int) -> Path:
        """Return fold-K's folder; make it if it is absent."""
        folder = self.folder / f"fold-{int(fold)}"
        with storing(folder):
            folder.mkdir(exist_ok=True)
        return folder

    def folds(self) -> list[int]:
        """Return the folds that have a folder, sorted."""
        found = (p.name.removeprefix("fold-") for p in self.folder.glob("fold-*") if p.is_dir())
        return sorted(int(text) for text in found if text.isdigit())

    def append_epoch(self, fold: int, row: Mapping[str, Any]) -> None:
        """Append one epoch's figures to fold-K/epochs.jsonl; `row["epoch"]` numbers it."""
        if "epoch" not in row:
            raise RecordError("an epoch's row has no epoch", column="epoch", remedy="Number the epochs.")
        files.append_line(self.fold_folder(fold) / "epochs.jsonl", row)

    def epochs(self, fold: int) -> list[dict[str, Any]]:
        """Return the epochs of a fold, in order; of an epoch written twice (after a resume), the later row."""
        path = self.folder / f"fold-{int(fold)}" / "epochs.jsonl"
        latest: dict[int, dict[str, Any]] = {}
        for place, (line, row) in enumerate(files.numbered_lines(path)):
            wrong = [key for key, value in row.items() if not _is_figure(value)]
            if wrong or row.get("epoch", place) is None:
                raise RecordError(
                    "an epoch's figure is not a number",
                    file=path,
                    row=line,
                    column=wrong[0] if wrong else "epoch",
                    remedy=files.REMOVE,
                )
            latest[int(row.get("epoch", place))] = {"epoch": place, **row}
        return [latest[epoch] for epoch in sorted(latest)]

    def save_recipe(self, recipe: Mapping[str, Any]) -> None:
        """Write the resolved recipe as recipe.toml."""
        files.write_text(self.folder / "recipe.toml", toml_text.dumps(recipe))

    @property
    def recipe(self) -> dict[str, Any]:
        """The resolved recipe as plain settings. Raises RecordError where recipe.toml is missing or broken."""
        path = self.folder / "recipe.toml"
        return toml_text.loads(files.read_text(path), file=path)

    def note_environment(self) -> None:
        """Write environment.json as it is now (once torch is loaded it names the accelerator and the threads)."""
        files.write_json(self.folder / "environment.json", environment(), durable=False)

    @property
    def environment(self) -> dict[str, Any]:
        """environment.json; {} when it was not written."""
        return self._json("environment.json")

    @property
    def code(self) -> dict[str, Any]:
        """code.json; {} when it was not written."""
        return self._json("code.json")

    def _json(self, name: str) -> dict[str, Any]:
        path = self.folder / name
        return files.read_json(path) if path.exists() else {}

    def _result(self, name: str, kind: type[R], otherwise: str = "") -> R | None:
        path = self.folder / name
        if not path.is_file():
            return None
        content = files.read_sealed(path)
        with parsing(path, remedy=f"Restore the file from a copy{otherwise}."):
            return kind.model_validate(content)

    def tag(self, *add: str, remove: tuple[str, ...] = ()) -> RunMeta:
        """Add and remove tags."""
        return self.change(lambda meta: {"tags": tuple(sorted(({*meta.tags, *add}) - set(remove)))})

    def size(self) -> int:
        """Return the bytes that the folder takes on the disk (lengths of its files)."""
        total = 0
        for path in self.folder.rglob("*"):
            with contextlib.suppress(OSError):
                total += path.stat().st_size if path.is_file() else 0
        return total


def _is_figure(value: Any) -> bool:
    return value is None or isinstance(value, (bool, int, float))
