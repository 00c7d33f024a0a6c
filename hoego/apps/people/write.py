"""The data set on disk, in the competition's layout."""

from __future__ import annotations

import csv
import multiprocessing
import os
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from hoego.apps.people.cast import CastMember, age_class, eval_name, make_cast
from hoego.apps.people.person import make_person
from hoego.apps.people.render import photograph
from hoego.apps.people.shot import STEMS, mask_class
from hoego.errors import DataError, UsageError
from hoego.results.base import Result

_APPLE_DOUBLE = b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X        " + bytes(56)
_FEW = 40
"""Below so many people, one process is quicker than several."""


@dataclass(frozen=True, kw_only=True)
class PeopleSettings:
    """What to make.

    Attributes:
        n_train: people in `train/`, seven photos each.
        n_eval: people in `eval/`, seven photos each; 0 writes no eval folder.
        size: width and height of every photo, pixels.
        seed: the same seed gives the same decoded pixels, whatever the number of processes.
        error_share: share (0..1) of the training people who get one wrong label, listed in `planted_errors.csv`.
        traps: leave what the competition's folders hold beside photos: `._*` files, `.ipynb_checkpoints`,
            an id with the suffix `-1`, one id with two folders (needs four people or more).
        quality: highest JPEG quality; each photo's own lies between 62 and 95 and not above this.
    """

    n_train: int = 2700
    n_eval: int = 1800
    size: tuple[int, int] = (384, 512)
    seed: int = 0
    error_share: float = 0.0
    traps: bool = False
    quality: int = 95

    def __post_init__(self) -> None:
        if self.n_train < 1 or self.n_eval < 0:
            raise UsageError(
                f"people: n_train={self.n_train}, n_eval={self.n_eval}",
                remedy="Ask for at least one training person and no negative number.",
            )
        if not all(24 <= side <= 4096 for side in self.size):
            raise UsageError(
                f"people: size={self.size}", remedy="Width and height lie between 24 and 4096 pixels."
            )
        if not 0.0 <= self.error_share <= 1.0:
            raise UsageError(
                f"people: error_share={self.error_share}", remedy="A share lies between 0 and 1."
            )
        if not 1 <= self.quality <= 100:
            raise UsageError(f"people: quality={self.quality}", remedy="JPEG quality lies between 1 and 100.")
        if self.seed < 0:
            raise UsageError(f"people: seed={self.seed}", remedy="A seed is a whole number from 0 upwards.")


class PeopleSummary(Result):
    """What was made. `counts` maps "gender/age class" to training people by their true labels."""

    out: str
    train_people: int
    train_photos: int
    eval_people: int
    eval_photos: int
    size: tuple[int, int]
    seed: int
    counts: Mapping[str, int]
    planted_people: int
    planted_rows: int
    train_csv: str
    info_csv: str | None
    eval_truth: str | None
    planted_errors: str


def write_people(
    out: Path, settings: PeopleSettings, *, processes: int | None = None, progress: bool = True
) -> PeopleSummary:
    """Write a data set of synthetic people in the competition's layout.

    `out` receives `train/train.csv`, `train/images/{id}_{gender}_{race}_{age}/`, `eval/info.csv`,
    `eval/images/`, and beside them `eval_truth.csv` (ImageID, ans, mask, gender, age, person) and
    `planted_errors.csv` (image, attribute, written, true; image relative to `train/images`). It appears
    only when it is complete.

    Args:
        out: a folder that does not exist yet or is empty.
        settings: what to make.
        processes: worker processes; None takes every core when there is enough to do. The result does not depend on it.
        progress: report on stderr.

    Raises:
        UsageError: `out` holds something already.
        DataError: the folder cannot be written.
    """
    out = Path(out)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(
            f"{out} exists and is not empty", file=str(out), remedy="Name a new or an empty folder."
        )
    train = make_cast(0, settings.n_train, settings.seed, settings.error_share, settings.traps)
    evaluation = make_cast(1, settings.n_eval, settings.seed)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".partial", dir=out.parent))
    except OSError as error:
        raise DataError(
            f"cannot write here: {error}", file=str(out), remedy="Name a folder you may write to."
        ) from error
    try:
        partial.chmod(0o755)
        _write_photos(partial, settings, train, evaluation, processes, progress)
        _write_tables(partial, settings, train, evaluation)
        if settings.traps:
            _lay_traps(partial / "train" / "images", train)
        if out.exists():
            out.rmdir()
        os.replace(partial, out)
    except OSError as error:
        raise DataError(
            f"writing failed: {error}", file=str(out), remedy="Free some space and start again."
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return _summary(out, settings, train)


def _summary(out: Path, settings: PeopleSettings, train: Sequence[CastMember]) -> PeopleSummary:
    names = ("<30", "30-59", ">=60")
    counts = Counter((member.gender, age_class(member.age)) for member in train)
    planted = [member for member in train if member.error]
    with_eval = settings.n_eval > 0
    return PeopleSummary(
        out=str(out),
        train_people=len(train),
        train_photos=len(train) * len(STEMS),
        eval_people=settings.n_eval,
        eval_photos=settings.n_eval * len(STEMS),
        size=settings.size,
        seed=settings.seed,
        counts={
            f"{gender}/{names[kind]}": counts[(gender, kind)]
            for gender in ("male", "female")
            for kind in range(3)
        },
        planted_people=len(planted),
        planted_rows=sum(len(member.errors()) for member in planted),
        train_csv=str(out / "train" / "train.csv"),
        info_csv=str(out / "eval" / "info.csv") if with_eval else None,
        eval_truth=str(out / "eval_truth.csv") if with_eval else None,
        planted_errors=str(out / "planted_errors.csv"),
    )


def _shoot(job: tuple[CastMember, dict[str, list[str]], tuple[int, int], int]) -> int:
    """Write the photos of one person: `job` holds the person, the paths of each shot, the size, the quality."""
    member, paths, size, quality = job
    for stem, shot, image in photograph(make_person(member.gender, member.age, member.seed), size):
        for path in paths[stem]:
            _save(image, path, min(quality, shot.quality))
    return len(STEMS)


def _save(image: Image.Image, path: str, quality: int) -> None:
    if path.endswith(".png"):
        image.save(path, "PNG", compress_level=3)
    else:
        image.save(path, "JPEG", quality=quality, subsampling=0 if quality > 88 else 2)


def _write_photos(
    root: Path,
    settings: PeopleSettings,
    train: Sequence[CastMember],
    evaluation: Sequence[CastMember],
    processes: int | None,
    progress: bool,
) -> None:
    jobs = []
    for member in train:
        folder = root / "train" / "images" / member.folder
        folder.mkdir(parents=True)
        paths = {shot: [str(folder / name)] for name, shot in member.files}
        jobs.append((member, paths, settings.size, settings.quality))
    if evaluation:
        folder = root / "eval" / "images"
        folder.mkdir(parents=True)
    for member in evaluation:
        paths = {stem: [str(folder / eval_name(settings.seed, member.index, stem))] for stem in STEMS}
        jobs.append((member, paths, settings.size, settings.quality))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    workers = min(processes or (cores if len(jobs) >= _FEW else 1), len(jobs))
    with _report(len(jobs) * len(STEMS), progress) as advance:
        for done in _each(jobs, workers):
            advance(done)


def _each(jobs: Sequence[Any], workers: int) -> Iterator[int]:
    if workers == 1:
        yield from map(_shoot, jobs)
        return
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        futures = [pool.submit(_shoot, job) for job in jobs]
        try:
            for future in as_completed(futures):
                yield future.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


@contextmanager
def _report(total: int, progress: bool) -> Iterator[Callable[[int], None]]:
    if not progress:
        yield lambda _: None
        return
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (
            TextColumn("Drawing people"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("photos"),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=Console(stderr=True)) as bar:
            task = bar.add_task("people", total=total)
            yield lambda done: bar.advance(task, done)
        return
    drawn = 0

    def advance(done: int) -> None:
        nonlocal drawn
        if (drawn + done) * 4 // total > drawn * 4 // total:
            print(f"people: {drawn + done} of {total} photos drawn", file=sys.stderr)
        drawn += done

    yield advance


def _write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def _write_tables(
    root: Path, settings: PeopleSettings, train: Sequence[CastMember], evaluation: Sequence[CastMember]
) -> None:
    _write_csv(
        root / "train" / "train.csv",
        ("id", "gender", "race", "age", "path"),
        [(member.id, member.written_gender, "Asian", member.written_age, member.folder) for member in train],
    )
    _write_csv(
        root / "planted_errors.csv",
        ("image", "attribute", "written", "true"),
        [
            (f"{member.folder}/{name}", attribute, written, true)
            for member in train
            for name, attribute, written, true in member.errors()
        ],
    )
    if not evaluation:
        return
    rows = []
    for member in evaluation:
        gender, age = int(member.gender == "female"), age_class(member.age)
        for stem in STEMS:
            mask = mask_class(stem)
            name = eval_name(settings.seed, member.index, stem)
            rows.append((name, 6 * mask + 3 * gender + age, mask, gender, age, f"eval-{member.index:06d}"))
    rows.sort()
    _write_csv(root / "eval" / "info.csv", ("ImageID", "ans"), [(row[0], 0) for row in rows])
    _write_csv(root / "eval_truth.csv", ("ImageID", "ans", "mask", "gender", "age", "person"), rows)


def _lay_traps(images: Path, train: Sequence[CastMember]) -> None:
    for member in train[:: max(1, len(train) // 5)][:5]:
        folder = images / member.folder
        for name, _ in member.files[:2]:
            (folder / f"._{name}").write_bytes(_APPLE_DOUBLE)
    (images / ".ipynb_checkpoints").mkdir()
    first = images / train[0].folder
    inner = first / ".ipynb_checkpoints"
    inner.mkdir()
    name = train[0].files[0][0]
    stem, end = name.rsplit(".", 1)
    shutil.copyfile(first / name, inner / f"{stem}-checkpoint.{end}")
