"""Bad days in a loop (`make faults`): a full disk, a read-only folder, kill -9.

Every command runs in a forked process, since a process that was killed tells nothing. The parent only imports and never
computes, so that a fork is whole. What must hold:

- full disk, at every write of a training: one error that says so; the record says it, too, or is interrupted; the
  training goes on from it to the very predictions of an undisturbed one; nothing is left half-written,
- read-only, at every command: a command ends well or in one error with the path, and nothing has changed,
- kill -9, at any moment: every record stays readable; the command again ends well, with the result of an undisturbed
  one.
"""

from __future__ import annotations

import argparse
import errno
import json
import os
import random
import resource
import select
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from typing import Any

from small_project import Answer, call, make_with_runs, run_names

import hoego.train.fold  # noqa: F401  torch and all, before the forks
from hoego import files
from hoego.predictions import Predictions
from hoego.runs.records import RunStore

HANG = 120
WRITES = os.O_WRONLY | os.O_RDWR
MOVES = (
    "os.mkdir",
    "os.rename",
    "os.remove",
    "os.rmdir",
    "os.utime",
    "os.chmod",
    "os.truncate",
    "os.link",
    "os.symlink",
)
TRAIN = ("train", "r.toml", "--fold", "0", "--set", "refit=false", "--set", "score.resamples=100")
Trap = Callable[[str, str], None]

# ---------------------------------------------------------------- one command in a process of its own


def forked(
    folder: Path, arguments: tuple[str, ...], trap: Trap | None = None, kill_after: float = 0.0
) -> Answer | None:
    """Run a command in a fork; None where it was killed. `trap(event, path)` sees every write within the folder."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.close(read)
        if trap is not None:
            _set(folder, trap)
        answer = call(folder, *arguments)
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        short = {k: v[-8000:] if isinstance(v, str) else v for k, v in vars(answer).items()}
        os.write(write, json.dumps(short).encode())
        os._exit(0)
    os.close(write)
    if kill_after:
        time.sleep(kill_after)
        os.kill(child, signal.SIGKILL)
    with os.fdopen(read, "rb") as stream:
        if not select.select([stream], [], [], HANG)[0]:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return Answer(1, "", "", f"no end after {HANG} s", HANG)
        content = stream.read()
    os.waitpid(child, 0)
    return Answer(**json.loads(content)) if content else None


def _set(folder: Path, trap: Trap) -> None:
    inside = f"{folder.resolve()}/"

    def hook(event: str, given: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = given
            if not isinstance(path, str | bytes | os.PathLike) or not flags & WRITES:
                return
        elif event in MOVES:
            path = given[0]
        else:
            return
        name = os.path.abspath(os.fsdecode(path)) if not isinstance(path, int) else ""
        if name.startswith(inside):
            trap(event, name)

    sys.addaudithook(hook)


def at(number: int, act: Callable[[], None]) -> Trap:
    """Act at the write of this number, counted from 0."""
    left = [number]

    def count(event: str, path: str) -> None:
        if event == "open":
            left[0] -= 1
            if left[0] == -1:
                act()

    return count


def no_more_than(size: int) -> Callable[[], None]:
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def refuse(event: str, path: str) -> None:
    raise OSError(errno.EROFS, os.strerror(errno.EROFS), path)


def writes_of(folder: Path, arguments: tuple[str, ...], scratch: Path) -> tuple[int, float]:
    """How many files a command opens for writing, and the seconds that it takes."""
    log = scratch / "writes.log"
    log.unlink(missing_ok=True)

    def note(event: str, path: str) -> None:
        if event == "open":
            descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.write(descriptor, b"x")
            os.close(descriptor)

    began = time.monotonic()
    answer = forked(folder, arguments, note)
    assert answer is not None
    assert answer.code == 0, answer
    return log.stat().st_size, time.monotonic() - began


# ---------------------------------------------------------------- what is left


def left_over(folder: Path) -> list[str]:
    """Temporary files and folders that nothing refers to."""
    return [
        str(p.relative_to(folder))
        for p in folder.rglob("*")
        if p.name.endswith(".part") or p.name.startswith(".new-")
    ]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def unreadable(folder: Path) -> str:
    """What the listing says of records that cannot be read; a traceback where it ends in one."""
    answer = forked(folder, ("runs",))
    if answer is None or answer.code or answer.traceback:
        return f"hoego runs: {answer}"
    broken = [line for line in answer.out.splitlines() if line.startswith("not readable")]
    return "; ".join(broken)


def one_error(answer: Answer | None) -> str:
    if answer is None:
        return "no answer"
    if answer.traceback:
        return "traceback: " + " | ".join(answer.traceback.strip().splitlines()[-6:])[-700:]
    if answer.code and not (answer.err + answer.out).strip():
        return "no word"
    return ""


def figures(folder: Path, run: str) -> str:
    """A digest of the predictions of a run, to be compared bit for bit; in a fork, since polars starts threads."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        try:
            table = Predictions.read(folder / "runs" / run / "predictions.parquet")
            said = blake2b(
                b"".join(table.values[name].tobytes() for name in sorted(table.values))
            ).hexdigest()
        except BaseException as problem:
            said = f"{type(problem).__name__}: {problem}"
        os.write(write, said.encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as stream:
        said = stream.read()
    os.waitpid(child, 0)
    return said


# ---------------------------------------------------------------- the three kinds


class Faults:
    """A project, copied anew for every fault, and what came of all of them."""

    def __init__(self, scratch: Path, seed: int, shown: bool) -> None:
        self.scratch, self.seed, self.shown = scratch, seed, shown
        self.whole = scratch / "whole"
        self.names = self._made()
        self.done: Counter[str] = Counter()
        self.wrong: list[str] = []

    def _made(self) -> tuple[str, ...]:
        child = os.fork()
        if not child:
            make_with_runs(self.whole)
            os._exit(0)
        if os.waitpid(child, 0)[1]:
            raise SystemExit("the project could not be made")
        return tuple(run_names(self.whole))

    def fresh(self) -> Path:
        folder = self.scratch / "project"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.whole, folder)
        return folder

    def report(self, kind: str, what: str, wrong: str) -> None:
        self.done[kind] += 1
        if wrong:
            self.wrong.append(f"{kind}, {what}: {wrong}")
            print(self.wrong[-1], flush=True)
        elif self.shown:
            print(f"{kind}, {what}: right", flush=True)

    # full disk

    def full_disk(self, most: int) -> None:
        folder = self.fresh()
        n, _ = writes_of(folder, TRAIN, self.scratch)
        expected = figures(folder, next(r for r in run_names(folder) if r not in self.names))
        places = range(n) if n <= most else sorted(random.Random(self.seed).sample(range(n), most))
        for size in (0, 30_000):
            for k in places:
                self.report("full disk", f"write {k} of {n}, {size:,} bytes", self._full(k, size, expected))

    def _full(self, k: int, size: int, expected: Any) -> str:
        folder = self.fresh()
        answer = forked(folder, TRAIN, at(k, no_more_than(size)))
        if wrong := one_error(answer):
            return wrong
        assert answer is not None
        if answer.code and "full" not in answer.err:
            return f"says {answer.err[-300:]}"
        if left := left_over(folder):
            return f"left {left}"
        if wrong := unreadable(folder):
            return wrong
        return self._resumed(folder, expected, answer)

    def _resumed(self, folder: Path, expected: Any, answer: Answer | None) -> str:
        """Whether the training that was broken off goes on to the predictions of an undisturbed one."""
        new = [r for r in run_names(folder) if r not in self.names]
        if not new:
            return "" if answer is None or answer.code else "exit 0 and no record"
        record = RunStore(folder / "runs").find(new[0])
        if record.state == "done":
            return "" if figures(folder, new[0]) == expected else "done with other predictions"
        if answer is not None and record.state == "failed" and "full" not in record.reason:
            return f"the record says {record.state}: {record.reason}"
        again = forked(folder, ("train", "--resume", new[0]))
        if again is None or again.code or again.traceback:
            return f"cannot be resumed: {again}"
        if figures(folder, new[0]) != expected:
            return "resumed to other predictions"
        left = left_over(folder)
        return f"left after the resume: {left}" if left else ""

    # read-only

    def read_only(self) -> None:
        one, two, both = self.names
        folder = self.scratch / "read-only"
        shutil.copytree(self.whole, folder)
        before = contents(folder)
        for text in READ_ONLY:
            words = tuple(w.format(A=one, B=two, E=both) for w in text.split())
            answer = forked(folder, words, refuse)
            wrong = one_error(answer)
            if not wrong and answer is not None and answer.code:
                wrong = self._says_read_only(answer, words)
            if not wrong and contents(folder) != before:
                wrong = "something has changed"
            self.report("read-only", f"hoego {text}", wrong)

    def _says_read_only(self, answer: Answer, words: tuple[str, ...]) -> str:
        if any(said in answer.err for said in ("read-only", "may not be opened")):
            return "" if len(answer.err.strip().splitlines()) <= 3 else f"says {answer.err[-300:]!r}"
        elsewhere = forked(self.fresh(), words)  # what is refused anyway says why
        same = elsewhere is not None and elsewhere.err == answer.err
        return "" if same else f"says {answer.err[-300:]!r}"

    # kill -9

    def kills(self, each: int) -> None:
        for name, prepare, arguments, check in self._commands():
            folder = prepare()
            n, seconds = writes_of(folder, arguments, self.scratch)
            expected = check(folder, None)
            chance = random.Random(f"{self.seed}/{name}")
            for k in range(each):
                folder = prepare()
                if k % 2:
                    delay = chance.uniform(0.02, seconds)
                    what = f"after {delay:.2f} s"
                    answer = forked(folder, arguments, None, delay)
                else:
                    number = chance.randrange(n)
                    what = f"at write {number} of {n}"
                    answer = forked(folder, arguments, at(number, die))
                wrong = self._after_kill(folder, arguments, answer, check, expected)
                self.report(f"kill {name}", what, wrong)

    def _after_kill(
        self, folder: Path, arguments: tuple[str, ...], answer: Answer | None, check: Any, expected: Any
    ) -> str:
        if answer is not None and answer.traceback:
            return one_error(answer)
        if wrong := unreadable(folder):
            return wrong
        kept = contents(self.whole)
        now = contents(folder)
        for name, content in kept.items():
            if name.endswith(".jsonl"):
                if not now.get(name, b"").startswith(content):
                    return f"lost lines of {name}"
            elif now.get(name) != content and Path(name).name not in ("heartbeat", ".lock"):
                return f"changed {name}"
        try:
            found = check(folder, arguments)
        except BaseException as problem:
            return f"{type(problem).__name__}: {problem}"[:500]
        return "" if found == expected else f"another result: {str(found)[:200]}"

    def _commands(self) -> list[tuple[str, Callable[[], Path], tuple[str, ...], Callable[..., Any]]]:
        one, two, _ = self.names
        return [
            ("train", self.fresh, TRAIN, self._train_again),
            ("merge", self._mate, ("merge", "mate"), self._merge_again),
            (
                "submit",
                self.fresh,
                ("submit", "t.parquet", "--info", "ph/form.csv", "--out", "s.csv"),
                self._submit_again,
            ),
            ("ensemble", self.fresh, ("ensemble", one, two), self._ensemble_again),
            ("queue", self._waiting, ("queue", "work"), self._work_again),
        ]

    def _new(self, folder: Path) -> list[str]:
        return [r for r in run_names(folder) if r not in self.names]

    def _train_again(self, folder: Path, arguments: tuple[str, ...] | None) -> Any:
        new = self._new(folder)
        if arguments is not None and not new:
            must_end_well(forked(folder, arguments))
        elif arguments is not None and RunStore(folder / "runs").find(new[0]).state != "done":
            must_end_well(forked(folder, ("train", "--resume", new[0])))
        (run,) = self._new(folder)
        assert RunStore(folder / "runs").find(run).state == "done"
        return figures(folder, run), [p for p in left_over(folder) if ".new-" not in p]

    def _mate(self) -> Path:
        folder = self.fresh()
        for k in range(6):
            copied = folder / "mate" / f"2026010{k}-000000-aaaa{k}"
            shutil.copytree(folder / "runs" / self.names[0], copied)
            content = files.read_json(copied / "run.json")
            files.write_json(copied / "run.json", {**content, "id": copied.name})
        shutil.copy(folder / "runs/notes.jsonl", folder / "mate/notes.jsonl")
        files.append_line(
            folder / "mate/notes.jsonl", {"id": "m", "time": "2026-01-01T00:00:00+00:00", "text": "mate"}
        )
        return folder

    def _merge_again(self, folder: Path, arguments: tuple[str, ...] | None) -> Any:
        if arguments is not None:
            must_end_well(forked(folder, arguments))
        whole = [
            contents(folder / "runs" / name) == contents(folder / "mate" / name) for name in self._new(folder)
        ]
        return whole, files.read_lines(folder / "runs/notes.jsonl")[-1]["text"], left_over(folder)

    def _submit_again(self, folder: Path, arguments: tuple[str, ...] | None) -> Any:
        ledger = folder / "submissions/ledger.jsonl"
        if arguments is not None and len(files.read_lines(ledger)) < 2:
            must_end_well(forked(folder, arguments))
        entries = files.read_lines(ledger)
        copy = folder / "submissions/files" / f"{entries[-1]['id']}.csv"
        return (
            len(entries),
            copy.read_bytes() == (folder / "s.csv").read_bytes(),
            (folder / "s.csv").read_bytes(),
        )

    def _ensemble_again(self, folder: Path, arguments: tuple[str, ...] | None) -> Any:
        store = RunStore(folder / "runs")
        done = [r for r in self._new(folder) if store.find(r).state == "done"]
        if arguments is not None and not done:
            must_end_well(forked(folder, arguments))
            done = [r for r in self._new(folder) if store.find(r).state == "done"]
        return figures(folder, done[-1]), all(store.find(r).state != "running" for r in self._new(folder))

    def _waiting(self) -> Path:
        folder = self.fresh()
        must_end_well(forked(folder, ("queue", "add", *TRAIN[1:])))
        return folder

    def _work_again(self, folder: Path, arguments: tuple[str, ...] | None) -> Any:
        if arguments is not None:
            must_end_well(forked(folder, arguments))
        (run,) = self._new(folder)
        record = RunStore(folder / "runs").find(run)
        return record.state, figures(folder, run), left_over(folder)


def must_end_well(answer: Answer | None) -> None:
    if answer is None or answer.code or answer.traceback:
        raise AssertionError(f"the command again: {answer}")


READ_ONLY = """
runs
runs --json
show {A}
score {A}
score {A} --json
diff {A} {B}
compare {A} {B}
diagnose {A}
report {A}
report {E}
ensemble {A} {B}
compose {A} {B}
note x
idea add y --set seed=4
idea list
split
split --set split.seed=4
audit
init ph --out x.toml
settings
submit
recipes
weights list
submit t.parquet --info ph/form.csv
predict {A} --on ph/form.csv --out q.csv
retro --today --lang en --out r.md
tag {A} x
queue add r.toml
queue plan
queue work
queue cancel {A}
queue retry {A}
train r.toml --fold 0
train --resume {A}
merge mate
reproduce {A}
export {A} --out e
folds export --out f
pixels
doctor code .
ablate r.toml --dry
lr r.toml
sync
""".strip().splitlines()
"""Every command that a project has, those that only read included."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("kinds", nargs="*", default=["full", "read-only", "kill"])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--kills", type=int, default=200, help="over train, merge, submit, ensemble and queue"
    )
    parser.add_argument(
        "--writes", type=int, default=10_000, help="of a training, the most that meet a full disk"
    )
    parser.add_argument("--shown", action="store_true", help="print what is right, too")
    options = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["HOEGO_CACHE"] = f"{scratch}/cache"
        faults = Faults(Path(scratch), options.seed, options.shown)
        if "read-only" in options.kinds:
            faults.read_only()
        if "full" in options.kinds:
            faults.full_disk(options.writes)
        if "kill" in options.kinds:
            faults.kills(options.kills // 5)
    counts = ", ".join(f"{n} {kind}" for kind, n in faults.done.items())
    print(
        f"{sum(faults.done.values())} faults ({counts}); {len(faults.wrong)} wrong; {time.monotonic() - began:.0f} s"
    )
    return 1 if faults.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
