"""Mirrors: the records shown in MLflow or Weights & Biases as well, live, without the run ever depending on them.

A mirror reads the records' files and pushes what is new; how far it came is kept in the record's folder
(`mirrors/<name>.json`). Where the server is down nothing happens to the run: the next `sync` goes on from there.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from pydantic import TypeAdapter

from hoego import files
from hoego.damage import parsing
from hoego.errors import UsageError
from hoego.results.records import SyncResult, SyncResults
from hoego.runs.records.labels_now import note_changed_labels
from hoego.runs.records.record import FINAL_STATES, Record
from hoego.runs.records.store import RunStore

ARTIFACTS = ("recipe.toml", "environment.json", "score.json", "report.html", "predictions.parquet")
HELD_OUT = ("macro_f1", "accuracy", "held_loss")
"""How the figures of an epoch begin that are measured on held-out photos."""
ENVIRONMENT = "HOEGO_MIRRORS"
"""Mirrors by name and address, separated by commas: `mlflow=http://host:5000,wandb=project`."""


class ExperimentLogger(Protocol):
    """A place where records are shown. Every method may raise anything; what was pushed may be pushed again."""

    name: str

    def begin(self, record: Record, params: Mapping[str, str]) -> str:
        """Make the run there, with its settings; returns its id there."""

    def metrics(self, remote: str, fold: int, rows: Sequence[Mapping[str, float]]) -> None:
        """Write each number as `fold-K/name` by epoch."""

    def artifact(self, remote: str, path: Path) -> None:
        """Upload a file of the record."""

    def end(self, remote: str, state: str, summary: Mapping[str, float], honesty: str) -> None:
        """Write the score's numbers, their honesty and the state, and end the run."""


@dataclass
class MirrorProgress:
    """How far a record has been mirrored."""

    remote: str = ""
    rows: dict[str, int] = field(default_factory=dict)
    artifacts: dict[str, int] = field(default_factory=dict)
    state: str = ""


def sync(store: RunStore, mirror: ExperimentLogger, *, records: Sequence[Record] | None = None) -> SyncResult:
    """Push what is new of every record (or of `records`); never raises for what the mirror does.

    After the first failure the others are left for the next time: the server is down for them too.
    """
    current: list[str] = []
    behind: dict[str, str] = {}
    chosen = store.list() if records is None else records
    note_changed_labels(chosen)
    for record in chosen:
        if behind:
            behind[record.id] = "left for the next time"
            continue
        try:
            _push(record, mirror)
            current.append(record.id)
        except Exception as problem:
            behind[record.id] = " ".join(f"{type(problem).__name__}: {problem}".split())[:300]
    return SyncResult(mirror=mirror.name, current=tuple(current), behind=behind)


def sync_all(store: RunStore, mirrors: Sequence[ExperimentLogger]) -> SyncResults:
    """Call `sync` with each of `mirrors`."""
    return SyncResults(mirrors=tuple(sync(store, mirror) for mirror in mirrors))


def _progress(path: Path) -> MirrorProgress:
    if not path.exists():
        return MirrorProgress()
    content = files.read_json(path)
    with parsing(path, remedy="Delete the file; the run is mirrored anew."):
        return TypeAdapter(MirrorProgress).validate_python(content)


def _push(record: Record, mirror: ExperimentLogger) -> None:
    meta = record.refresh()
    path = record.folder / "mirrors" / f"{mirror.name}.json"
    progress = _progress(path)
    if progress.state == meta.state and meta.state in FINAL_STATES:
        return
    if meta.state == "waiting" and not record.folds():
        return
    if not progress.remote:
        progress.remote = mirror.begin(record, params_of(record))
        files.write_json(path, asdict(progress), durable=False)
    for fold in record.folds():
        rows = record.epochs(fold)
        fresh = rows[progress.rows.get(str(fold), 0) :]
        if fresh:
            mark = "naive_" if params_of(record).get("split.kind") == "naive" else ""
            mirror.metrics(progress.remote, fold, [_numbers(row, record, mark) for row in fresh])
            progress.rows[str(fold)] = len(rows)
            files.write_json(path, asdict(progress), durable=False)
    if meta.state not in FINAL_STATES:
        return
    for name in ARTIFACTS:
        file = record.folder / name
        if file.is_file() and progress.artifacts.get(name) != (stamp := file.stat().st_mtime_ns):
            mirror.artifact(progress.remote, file)
            progress.artifacts[name] = stamp
    honesty = "" if meta.score is None else meta.score.stated
    mirror.end(progress.remote, meta.state, summary_of(record), honesty)
    progress.state = meta.state
    files.write_json(path, asdict(progress), durable=False)


def params_of(record: Record) -> dict[str, str]:
    """Return every setting under its dotted name, as text."""
    found: dict[str, str] = {}

    def walk(table: Mapping[str, Any], prefix: str) -> None:
        for key, value in table.items():
            if isinstance(value, Mapping):
                walk(value, f"{prefix}{key}.")
            else:
                found[f"{prefix}{key}"] = str(value)

    walk(record.recipe, "")
    return found


def summary_of(record: Record) -> dict[str, float]:
    """Return the score's numbers: `macro_f1`, `macro_f1.low`, `macro_f1.high`, and so on.

    Those of a score that is not honest are named after it (`naive_macro_f1`, `in_sample_macro_f1`), so that the other
    tool ranks them beside no honest one.
    """
    score = record.score
    if score is None:
        return {}
    mark = "" if score.rankable else f"{score.honesty.worst or 'dishonest'}_".replace("-", "_")
    found: dict[str, float] = {}
    for name, metric in score.metrics.items():
        parts = {name: metric.value, f"{name}.low": metric.low, f"{name}.high": metric.high}
        found |= {f"{mark}{key}": value for key, value in parts.items() if value is not None}
    return found


def _numbers(row: Mapping[str, Any], record: Record, mark: str = "") -> dict[str, float]:
    """Return the finite numbers of an epoch's row, nested ones joined by dots; with a time that is the same at
    every push.

    `mark` stands before the names of what was measured on held-out photos.
    """
    found: dict[str, float] = {}

    def walk(table: Mapping[str, Any], prefix: str) -> None:
        for key, value in table.items():
            if isinstance(value, Mapping):
                walk(value, f"{prefix}{key}.")
            elif isinstance(value, (int, float)) and not isinstance(value, bool):
                name = f"{prefix}{key}"
                found[mark + name if name.startswith(HELD_OUT) else name] = float(value)

    walk(row, "")
    created = datetime.datetime.fromisoformat(record.meta.started or record.meta.created).timestamp()
    found.setdefault("time", (created + found.get("epoch", 0.0)) * 1000)
    return found


class MlflowLogger:
    """Runs in an MLflow tracking server (or store) at `uri`, in one experiment."""

    name = "mlflow"

    def __init__(self, uri: str, experiment: str = "hoego") -> None:
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
        self.uri, self.experiment = uri, experiment
        self._made: Any = None

    @property
    def _client(self) -> Any:
        if self._made is None:
            from mlflow import MlflowClient

            self._made = MlflowClient(tracking_uri=self.uri)
        return self._made

    def begin(self, record: Record, params: Mapping[str, str]) -> str:
        """Return the run that has this record's id as a tag, or a new one."""
        from mlflow.entities import Param

        experiment = self._client.get_experiment_by_name(self.experiment)
        id_ = experiment.experiment_id if experiment else self._client.create_experiment(self.experiment)
        known = self._client.search_runs([id_], f"tags.`hoego.runs` = '{record.id}'", max_results=1)
        meta = record.meta
        tags = {"hoego.runs": meta.id, "hoego.why": meta.why, "hoego.tags": " ".join(meta.tags)}
        started = int(datetime.datetime.fromisoformat(meta.started or meta.created).timestamp() * 1000)
        run = (
            known[0]
            if known
            else self._client.create_run(id_, start_time=started, tags=tags, run_name=meta.name or meta.id)
        )
        pairs = [Param(key, value[:6000]) for key, value in params.items()]
        for k in range(0, len(pairs), 100):
            self._client.log_batch(run.info.run_id, params=pairs[k : k + 100])
        return str(run.info.run_id)

    def metrics(self, remote: str, fold: int, rows: Sequence[Mapping[str, float]]) -> None:
        """Write each number as `fold-K/name` by epoch."""
        from mlflow.entities import Metric

        made = [
            Metric(f"fold-{fold}/{key}", value, int(row["time"]), int(row["epoch"]))
            for row in rows
            for key, value in row.items()
            if key not in ("time", "epoch")
        ]
        for k in range(0, len(made), 500):
            self._client.log_batch(remote, metrics=made[k : k + 500])

    def artifact(self, remote: str, path: Path) -> None:
        """Upload a file of the record."""
        self._client.log_artifact(remote, str(path))

    def end(self, remote: str, state: str, summary: Mapping[str, float], honesty: str) -> None:
        """Write the score's numbers, their honesty and the state, and end the run."""
        if honesty:
            self._client.set_tag(remote, "hoego.honesty", honesty)
        for key, value in summary.items():
            self._client.log_metric(remote, key, value)
        words = {"done": "FINISHED", "failed": "FAILED", "cancelled": "KILLED", "stopped": "KILLED"}
        self._client.set_terminated(remote, words.get(state, "FINISHED"))


class WandbLogger:
    """Runs in a Weights & Biases project; `mode` "offline" writes to `folder` for a later `wandb sync`."""

    name = "wandb"

    def __init__(self, project: str, *, mode: Any = None, folder: Path | None = None) -> None:
        self.project, self.mode, self.folder = project, mode, folder
        self._open: dict[str, Any] = {}
        self._config: dict[str, dict[str, Any]] = {}

    def _run(self, remote: str) -> Any:
        if remote not in self._open:
            import wandb

            self._open[remote] = wandb.init(
                project=self.project,
                id=remote,
                resume="allow",
                mode=self.mode,
                dir=None if self.folder is None else str(self.folder),
                reinit="create_new",
                settings=wandb.Settings(silent=True, console="off", x_disable_stats=True),
                **self._config.get(remote, {}),
            )
        return self._open[remote]

    def begin(self, record: Record, params: Mapping[str, str]) -> str:
        """Return the run whose id there is the record's."""
        meta = record.meta
        about = {"name": meta.name or meta.id, "notes": meta.why, "tags": list(meta.tags)}
        self._config[meta.id] = {**about, "config": dict(params)}
        self._run(meta.id)
        return meta.id

    def metrics(self, remote: str, fold: int, rows: Sequence[Mapping[str, float]]) -> None:
        """Write each number as `fold-K/name` by epoch."""
        run = self._run(remote)
        run.define_metric(f"fold-{fold}/*", step_metric=f"fold-{fold}/epoch")
        for row in rows:
            run.log({f"fold-{fold}/{key}": value for key, value in row.items() if key != "time"})

    def artifact(self, remote: str, path: Path) -> None:
        """Upload a file of the record."""
        self._run(remote).save(str(path), base_path=str(path.parent), policy="now")

    def end(self, remote: str, state: str, summary: Mapping[str, float], honesty: str) -> None:
        """Write the score's numbers, their honesty and the state, and end the run."""
        run = self._run(remote)
        if honesty:
            run.config.update({"honesty": honesty}, allow_val_change=True)
        run.summary.update({**summary, "state": state})
        run.finish(exit_code=0 if state == "done" else 1)
        del self._open[remote]


def mirrors_of(text: str) -> tuple[ExperimentLogger, ...]:
    """Parse the mirrors in `mlflow=ADDRESS,wandb=PROJECT`. Raises UsageError for anything else."""
    made: list[ExperimentLogger] = []
    for part in filter(None, (p.strip() for p in text.split(","))):
        name, _, address = part.partition("=")
        if name not in ("mlflow", "wandb") or not address:
            raise UsageError(f"{part!r} is not a mirror", remedy="Write mlflow=ADDRESS or wandb=PROJECT.")
        made.append(MlflowLogger(address) if name == "mlflow" else WandbLogger(address))
    return tuple(made)


@contextlib.contextmanager
def following(
    store: RunStore,
    mirrors: Sequence[ExperimentLogger] | None = None,
    *,
    every: float = 5.0,
    patience: float = 15.0,
) -> Iterator[None]:
    """Mirror the records live while the body runs, from a thread: by default those that HOEGO_MIRRORS names.

    A mirror that is down or slow costs the body nothing. At the end at most `patience` seconds are given to what
    is left; the rest is pushed by the next `sync`.
    """
    chosen = mirrors_of(os.environ.get(ENVIRONMENT, "")) if mirrors is None else tuple(mirrors)
    if not chosen:
        yield
        return
    ended = threading.Event()

    def follow(mirror: ExperimentLogger) -> None:
        last, complete = False, set[str]()
        while not last:
            last = ended.wait(every)
            with contextlib.suppress(Exception):
                open_ones = [r for r in store.list() if r.id not in complete]
                current = sync(store, mirror, records=open_ones).current
                ended_ones = {r.id for r in open_ones if r.meta.state in FINAL_STATES}
                complete |= ended_ones.intersection(current)

    threads = [
        threading.Thread(target=follow, args=(m,), name=f"mirror {m.name}", daemon=True) for m in chosen
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join(patience / len(threads))
