"""Damage the files of a project in thousands of ways, and hold Hoego to what it promises then (`make fuzz`).

Each try damages one file of a project with runs (seeded: `--seed`, and `--only N` repeats one try), runs a command that
reads it, and checks that

- the command ends well or in one error of Hoego's own, never in a traceback,
- within 5 s of CPU time,
- nothing is left half-written, and a refused command has changed no record,
- a file that Hoego wrote with a digest is never accepted with other content: the output is that of the whole file.

Every third try damages a recipe instead: it is refused, or resolved to settings that are written and read back alike.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from small_project import RECIPE, Answer, call, make_with_runs, must

from hoego import toml_text
from hoego.errors import HoegoError
from hoego.recipe import build, resolve

SECONDS = 5.0
HANG = 60
DEEP = b"[" * 5000 + b"]" * 5000

# ---------------------------------------------------------------- what is done to a file

Random = random.Random
Operation = Callable[[bytes, Random], bytes]


def cut(content: bytes, random: Random) -> bytes:
    return content[: random.randrange(len(content) + 1)]


def flip(content: bytes, random: Random) -> bytes:
    out = bytearray(content)
    for _ in range(random.choice((1, 1, 1, 4))):
        if out:
            out[random.randrange(len(out))] ^= 1 << random.randrange(8)
    return bytes(out)


def digit(content: bytes, random: Random) -> bytes:
    """Another digit in the place of one: the text stays valid as a rule."""
    places = [i for i, byte in enumerate(content) if 48 <= byte <= 57]
    if not places:
        return flip(content, random)
    out = bytearray(content)
    out[random.choice(places)] = random.choice(b"0123456789")
    return bytes(out)


def splice(content: bytes, random: Random) -> bytes:
    """A piece taken out, put in twice, or overwritten with zeros."""
    start = random.randrange(len(content) + 1)
    end = min(len(content), start + random.choice((1, 8, 64, 512)))
    middle = random.choice((b"", content[start:end] * 2, bytes(end - start)))
    return content[:start] + middle + content[end:]


def insert(content: bytes, random: Random) -> bytes:
    start = random.randrange(len(content) + 1)
    return content[:start] + random.choice(JUNK) + content[start:]


def lines(content: bytes, random: Random) -> bytes:
    """A line more, a line less, or two that change places."""
    rows = content.split(b"\n")
    at = random.randrange(len(rows))
    what = random.randrange(4)
    if what == 0:
        rows.insert(at, random.choice(JUNK))
    elif what == 1:
        del rows[at]
    elif what == 2:
        rows.insert(at, rows[random.randrange(len(rows))])
    else:
        other = random.randrange(len(rows))
        rows[at], rows[other] = rows[other], rows[at]
    return b"\n".join(rows)


def values(content: bytes, random: Random) -> bytes:
    """Another value, or a key less, somewhere in JSON; in other files as `splice`."""
    try:
        text = content.decode()
        many = "\n" in text.strip() and text.lstrip().startswith('{"') and text.count("\n{") > 0
        if many:
            rows = text.splitlines()
            at = random.randrange(len(rows))
            rows[at] = json.dumps(_changed(json.loads(rows[at]), random))
            return "\n".join(rows).encode() + b"\n"
        return json.dumps(_changed(json.loads(text), random)).encode("utf-8", "surrogatepass")
    except ValueError:
        return splice(content, random)


def _changed(value: object, random: Random) -> object:
    inside: list[tuple[object, object]] = []

    def walk(node: object) -> None:
        items = list(
            node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
        )
        for key, item in items:
            inside.append((node, key))
            walk(item)

    walk(value)
    if not inside:
        return random.choice(WRONG)
    node, key = random.choice(inside)
    if random.random() < 0.3:
        del node[key]  # type: ignore[attr-defined]
    else:
        node[key] = random.choice(WRONG)  # type: ignore[index]
    return value


WRONG: tuple[object, ...] = (
    None, True, "x", "", -1, 0, 1e308, 10**30, [], {}, [[]], {"a": {"b": 1}}, ["x"] * 50, "\ud800", "a\nb", "../..",
    0.5,
)  # fmt: skip
JUNK = (
    b"null", b"[1, 2]", b"1", b'"x"', b"{}", b"{", b'{"kind": 5}', b'{"id": "\\ud800"}', b"\xff\xfe", b"\x00" * 9,
    b"NaN", b"1e999", DEEP, b"=1+1", b"x" * 200_000, b'"', b",,,,", b"\r\n", "한글\u2028".encode(),
)  # fmt: skip


def nothing(content: bytes, random: Random) -> bytes:
    return random.choice(
        (b"", b"\n", b" " * 100, DEEP, b"{}", b"[]", b"null", bytes(len(content)), b"\xff" * 50)
    )


OPERATIONS: tuple[Operation, ...] = (
    cut,
    flip,
    flip,
    digit,
    splice,
    insert,
    lines,
    values,
    values,
    values,
    nothing,
)

# ---------------------------------------------------------------- which file, and which command reads it

A, B, E = "{A}", "{B}", "{E}"
REPORT, SHOW, SCORE, SUBMIT = (
    f"report {A}",
    f"show {A}",
    f"score {A}",
    "submit t.parquet --info ph/form.csv --out s.csv",
)
RETRO = "retro --today --lang en --out r.md"
TARGETS: tuple[tuple[str, bool, int, tuple[str, ...]], ...] = (
    # file, whether it carries a digest (or is proved otherwise) so that no change is accepted, weight, commands
    (f"runs/{A}/predictions.parquet", True, 10, (SCORE, f"compare {A} {B}", f"diagnose {A} --json")),
    (f"runs/{A}/run.json", False, 8, ("runs", SHOW, SCORE, f"tag {A} x", RETRO, REPORT)),
    (f"runs/{A}/recipe.toml", False, 6, (SHOW, SCORE, f"diff {A} {B}", REPORT)),
    (f"runs/{A}/environment.json", False, 3, (f"diff {A} {B}", REPORT)),
    (f"runs/{A}/code.json", False, 2, (f"diff {A} {B}", REPORT)),
    (f"runs/{A}/split.json", True, 4, (REPORT, SHOW)),
    (f"runs/{A}/split.parquet", True, 2, (f"train --resume {A}",)),
    (f"runs/{A}/audit.json", True, 4, (REPORT,)),
    (f"runs/{A}/labels.parquet", True, 4, (SCORE, f"compare {A} {B}", REPORT)),
    (f"runs/{A}/diagnosis.json", True, 4, (REPORT, RETRO)),
    (f"runs/{A}/score.json", True, 6, (REPORT, f"show {A} --json", RETRO)),
    (f"runs/{A}/fold-0/epochs.jsonl", False, 5, (REPORT, SHOW, f"diagnose {A}")),
    (f"runs/{A}/fold-0/predictions.parquet", True, 2, (f"score {A} --fold 0", REPORT)),
    (f"runs/{B}/fold-0/epochs/0001.npz", False, 2, (f"score {B}", f"diagnose {B}")),
    (f"runs/{B}/fold-0/epochs/index.json", False, 2, (f"score {B}",)),
    (f"runs/{A}/refit/last.safetensors", True, 5, (f"predict {A} --on ph/form.csv --out q.csv",)),
    ("runs/notes.jsonl", False, 5, (RETRO, "note again", f"show {A}")),
    ("runs/ideas.jsonl", False, 5, ("idea list", RETRO)),
    (f"runs/{E}/combined.json", True, 6, (f"report {E}", f"predict {E} --on ph/form.csv --out q.csv")),
    (f"runs/{E}/predictions.parquet", True, 3, (f"score {E}",)),
    (f"runs/{E}/run.json", False, 3, ("runs", f"show {E}", f"report {E}")),
    ("submissions/ledger.jsonl", False, 6, ("submit", SUBMIT, RETRO)),
    ("submissions/files/*.csv", False, 2, (SUBMIT,)),
    ("splits/folds-2-seed0.parquet", True, 6, ("split", "audit")),
    ("t.parquet", True, 4, (SUBMIT,)),
    ("ph/t.csv", False, 6, ("split --set split.name=new", "audit", "init ph --out x.toml", SCORE)),
    ("ph/form.csv", False, 4, (SUBMIT, f"predict {A} --on ph/form.csv --out q.csv")),
    ("c.csv", False, 4, ("audit", "split --set split.name=new")),
    ("hoego.toml", False, 6, ("split --set split.name=new", SCORE, "runs", "submit", "queue plan")),
    ("ph/s03_1.png", False, 3, ("audit", "split --set split.name=new")),
)  # fmt: skip


@dataclass
class Project:
    """A project as it was made: its files, and what the commands print on them."""

    folder: Path
    names: dict[str, str]
    files: dict[str, bytes] = field(default_factory=dict)
    stamps: dict[str, tuple[int, int]] = field(default_factory=dict)
    printed: dict[str, str] = field(default_factory=dict)

    def walk(self) -> Iterator[tuple[str, os.stat_result]]:
        for top, folders, found in os.walk(self.folder):
            for name in found + [f for f in folders if os.path.islink(os.path.join(top, f))]:
                path = os.path.join(top, name)
                yield os.path.relpath(path, self.folder), os.lstat(path)

    def keep(self) -> None:
        for name, stat in self.walk():
            self.files[name] = (self.folder / name).read_bytes()
            self.stamps[name] = (stat.st_mtime_ns, stat.st_size)

    def changed(self) -> list[str]:
        """Files that are new, gone or touched, relative to the folder."""
        now = {name: (stat.st_mtime_ns, stat.st_size) for name, stat in self.walk()}
        return [n for n in {*now, *self.stamps} if now.get(n) != self.stamps.get(n)]

    def restore(self) -> None:
        for name in self.changed():
            path = self.folder / name
            if name not in self.files:
                path.unlink(missing_ok=True)
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.is_file() or path.read_bytes() != self.files[name]:
                path.write_bytes(self.files[name])
            mtime = self.stamps[name][0]
            os.utime(path, ns=(mtime, mtime))
        for top, folders, _ in os.walk(self.folder, topdown=False):
            for name in folders:
                with contextlib.suppress(OSError):
                    os.rmdir(os.path.join(top, name))

    def command(self, text: str) -> list[str]:
        return [word.format(**self.names) for word in text.split()]

    def run(self, text: str) -> tuple[Answer, str]:
        """The answer of a command and all that it printed and wrote to compare."""
        answer = call(self.folder, *self.command(text))
        wrote = [self.folder / w for w in ("q.csv", "s.csv", "r.md") if (self.folder / w).is_file()]
        if text.startswith("report") and answer.code == 0:
            wrote.append(Path(answer.out.strip().splitlines()[-1]))
        return answer, answer.out + "".join(p.read_text(encoding="utf-8") for p in wrote if p.is_file())


def prepare(folder: Path) -> Project:
    one, two, both = make_with_runs(folder)
    must(folder, "report", one)
    project = Project(folder, {"A": one, "B": two, "E": both})
    project.keep()
    for _, proved, _, commands in TARGETS:
        for text in commands if proved else ():
            if text not in project.printed:
                said = []
                for _ in range(2):
                    said.append(project.run(text)[1])
                    project.restore()
                # A command that prints the time, or a new id, cannot be compared.
                project.printed[text] = said[0] if said[0] == said[1] else ""
    return project


@contextlib.contextmanager
def limited(seconds: int) -> Iterator[None]:
    """Raise TimeoutError in the body after `seconds`."""

    def ring(*_: object) -> None:
        raise TimeoutError(f"no end after {seconds} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def damaged_file(project: Project, number: int, seed: int) -> tuple[str, str]:
    """One try; returns what was done, and what is wrong ("" for nothing)."""
    chance = Random(f"{seed}/{number}")
    place, proved, _, commands = chance.choices(TARGETS, [t[2] for t in TARGETS])[0]
    pattern = place.format(**project.names)
    path = next(iter(project.folder.glob(pattern)))
    name = str(path.relative_to(project.folder))
    whole = project.files[name]
    if chance.random() < 0.03:
        what, content = "a folder", whole
        path.unlink()
        path.mkdir()
    else:
        operation = chance.choice(OPERATIONS)
        what, content = operation.__name__, operation(whole, chance)
        path.write_bytes(content)
    text = chance.choice(commands)
    done = f"{number}: {what} of {place}; hoego {text}"
    stamp = path.lstat().st_mtime_ns
    began = time.process_time()
    try:
        with limited(HANG):
            answer, printed = project.run(text)
    except TimeoutError as problem:
        return done, str(problem)
    used = time.process_time() - began
    wrong = _verdict(project, answer, used, name)
    if not wrong and answer.code == 0 and proved and what != "a folder" and content != whole:
        kept = path.is_file() and path.lstat().st_mtime_ns == stamp
        expected = project.printed[text]
        if expected and printed != expected and kept and not _said(answer, printed, path):
            wrong = "accepted with another result"
    return done, wrong


def _said(answer: Answer, printed: str, path: Path) -> bool:
    """Whether the output says that something is wrong with the file."""
    text = printed + answer.err
    return path.name in text or any(
        word in text for word in ("not readable", "cannot be read", "changed after")
    )


def _verdict(project: Project, answer: Answer, used: float, damaged: str) -> str:
    if answer.traceback:
        last = answer.traceback.strip().splitlines()
        where = [line.strip() for line in last if line.strip().startswith("File")][-3:]
        return f"traceback: {last[-1][:200]} | {' < '.join(w.split('hoego/')[-1] for w in reversed(where))}"
    if used > SECONDS:
        return f"{used:.1f} s"
    if answer.code and not (answer.err + answer.out).strip():
        return f"exit {answer.code} without a word"
    if len(answer.err) > 6000 and answer.code:
        return f"an error of {len(answer.err):,} characters"
    touched = [n for n in project.changed() if n != damaged]
    torn = [n for n in touched if n.endswith(".part") or Path(n).name.startswith(".new-") or "/.new-" in n]
    if torn:
        return f"left behind: {torn[0]}"
    lost = [n for n in touched if n in project.files and not (project.folder / n).exists()]
    if lost:
        return f"gone: {lost[0]}"
    if answer.code:
        records = [
            n for n in touched if n.startswith(("runs/", "submissions/", "splits/")) and "log.txt" not in n
        ]
        new = [n for n in records if Path(n).name not in (".lock", ".ledger.lock", ".ballast", "heartbeat")]
        if new:
            return f"refused, and changed {new[0]}"
    return ""


VALUES = ('""', "true", "-1", "1e400", "nan", "inf", "[]", "[[1]]", "{}", "{a={b=1}}", "x", "0", "9" * 400,
          "[" * 500, '"\\ud800"', "1979-05-27", "'../../x'", "0.5", "3")  # fmt: skip
WORDS = ("epochs", "model.name", "optim.lr", "batch_size", "mixing.mixup.share", "split.folds", "seed", "dataset.size",
         "average.ema", "score.metrics", "views.n", "loss", "labels.attributes.label.kind", "precision")  # fmt: skip


def damaged_recipe(folder: Path, number: int, seed: int) -> tuple[str, str]:
    """One recipe that is damaged as text, or has settings of any type; returns what was done and what is wrong."""
    chance = Random(f"{seed}/recipe/{number}")
    content = RECIPE.encode()
    for _ in range(chance.choice((1, 1, 2, 5))):
        content = chance.choice((cut, flip, digit, splice, insert, lines))(content, chance)
    overrides = []
    if chance.random() < 0.6:
        content = RECIPE.encode()
        value = chance.choice(VALUES)
        key = (
            chance.choice(WORDS)
            if chance.random() < 0.8
            else "".join(chance.choices("abc._-[]\"'= \n가", k=9))
        )
        overrides = [f"{key}={value}"]
    path = folder / "fuzzed.toml"
    path.write_bytes(content)
    done = f"recipe {number}: {overrides or 'damaged text'}"
    began = time.process_time()
    try:
        with limited(HANG):
            recipe = resolve(path, overrides=overrides)
            again = build(toml_text.loads(toml_text.dumps(recipe.to_dict())))
    except HoegoError as problem:
        return done, "" if len(str(problem)) < 6000 else f"an error of {len(str(problem)):,} characters"
    except BaseException as problem:
        return done, f"traceback: {type(problem).__name__}: {str(problem)[:200]}"
    if time.process_time() - began > SECONDS:
        return done, "slow"
    return done, "" if again == recipe else "what is recorded is another recipe"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("-n", type=int, default=20_000, help="tries")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, nargs="*", help="these tries alone")
    parser.add_argument("--minutes", type=float, default=60.0, help="stop after so long")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["HOEGO_CACHE"] = f"{scratch}/cache"
        return run(Path(scratch), options)


def run(scratch: Path, options: argparse.Namespace) -> int:
    project = prepare(scratch / "project")
    kinds: Counter[str] = Counter()
    wrong: list[str] = []
    began, n, slowest = time.monotonic(), 0, 0.0
    for number in options.only if options.only else range(options.n):
        if time.monotonic() - began > 60 * options.minutes:
            print(f"stopped after {options.minutes:g} minutes", flush=True)
            break
        n += 1
        if number % 3 == 2:
            done, what = damaged_recipe(scratch, number, options.seed)
        else:
            started = time.process_time()
            done, what = damaged_file(project, number, options.seed)
            slowest = max(slowest, time.process_time() - started)
            project.restore()
        kinds["recipes" if number % 3 == 2 else "files"] += 1
        if what:
            wrong.append(f"{done}: {what}")
            print(wrong[-1], flush=True)
        if n % 1000 == 0:
            print(
                f"{n:,} tries, {len(wrong)} wrong, {time.monotonic() - began:.0f} s",
                file=sys.stderr,
                flush=True,
            )
    print(
        f"{n:,} tries (seed {options.seed}): {kinds['files']:,} damaged files, {kinds['recipes']:,} recipes; "
        f"{len(wrong)} wrong; slowest {slowest:.1f} s of CPU"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
