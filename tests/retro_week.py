"""A week of records for the tests of the retrospective: 28 February to 6 March 2022, written by hand."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

from hoego import files
from hoego.apps.diary import Period, period_of
from hoego.runs.records import Record, RunStore, note

SEOUL = datetime.timezone(datetime.timedelta(hours=9))
WEEK: Period = period_of(week="2022-W09", zone=SEOUL)
PRINTS = {"dataset": "d4c3b2a1d4c3b2a1", "split": "5b1e5b1e5b1e5b1e"}


def at(day: int, hour: int, minute: int = 0) -> str:
    """A moment of the week on Seoul's clock: day 0 is Monday."""
    moment = datetime.datetime(2022, 2, 28, hour, minute, tzinfo=SEOUL) + datetime.timedelta(days=day)
    return moment.astimezone(datetime.UTC).isoformat(timespec="milliseconds")


def optimism(value: float) -> dict[str, Any]:
    return {
        "metric": "macro_f1",
        "plain": value,
        "corrected": value - 0.0061,
        "optimism": 0.0061,
        "standard_error": 0.0004,
        "chosen": [7],
        "n_candidates": 8,
        "resamples": 1000,
    }


def score(value: float, honesty: str = "selected", half: float = 0.024, **more: Any) -> dict[str, Any]:
    return {
        "macro_f1": {"value": value, "low": value - half, "high": value + half, "level": 0.95},
        "accuracy": {"value": value + 0.1, "low": value + 0.08, "high": value + 0.12, "level": 0.95},
        "honesty": honesty,
        "honest": honesty != "naive",
        "n_images": 3780,
        "n_subjects": 540,
        "labels_version": "a1b2c3d4",
        "optimism": optimism(value) if honesty == "selected" else None,
        **more,
    }


def space(name: str, value: float) -> dict[str, Any]:
    counts = {"n_images": 3780, "n_subjects": 540, "n_missing": 0, "classes": [], "confusion": []}
    return {"name": name, "macro_f1": {"value": value}, **counts}


def recipe(seed: int = 0, **sections: Any) -> dict[str, Any]:
    return {
        "name": "week",
        "seed": seed,
        "epochs": 8,
        "batch_size": 64,
        "loss": "ce",
        "model": {"name": "resnet10t", "head": "multi"},
        "dataset": {"size": [128, 96]},
        "optim": {"name": "adamw", "lr": 0.002},
        "split": {"kind": "holdout"},
        "mixing": {"mixup": {"share": 0.0}},
        "sampling": {"strength": 0.0},
        **sections,
    }


def run(store: RunStore, name: str, end: str, content: dict[str, Any] | None = None, **fields: Any) -> Record:
    begin = datetime.datetime.fromisoformat(end) - datetime.timedelta(minutes=fields.pop("minutes", 22))
    why, state, kind = fields.pop("why", ""), fields.pop("state", "done"), fields.pop("kind", "run")
    tags, parents = fields.pop("tags", ()), fields.pop("parents", ())
    made = store.create(content or recipe(), name=name, why=why, tags=tags, parents=parents, kind=kind)
    moment = begin.isoformat(timespec="milliseconds")
    made.update(created=moment, started=moment, finished=end, fingerprints=PRINTS, process=None)
    made.update(state=state, **fields)
    return made


def verdict(
    word: str, value: float, half: float, scope: str, text: str, **sides: list[Record]
) -> dict[str, Any]:
    return {
        "words": word,
        "metric": "macro_f1",
        "difference": value,
        "low": value - half,
        "high": value + half,
        "p_value": 0.004 if word in ("better", "worse") else 0.41,
        "scope": scope,
        "baseline": [r.id for r in sides["baseline"]],
        "runs": [r.id for r in sides["runs"]],
        "reason": "",
        "text": text,
    }


def seeds(
    store: RunStore, name: str, day: int, hour: int, values: list[float], **fields: Any
) -> list[Record]:
    sections = fields.pop("sections", {})
    return [
        run(store, name, at(day, hour, 25 * k), recipe(k, **sections), score=score(v), **fields)
        for k, v in enumerate(values)
    ]


def write_week(project: Path) -> RunStore:
    """The records, notes and submissions of the week, under project/runs."""
    store = RunStore(project / "runs")
    naive_split = {"split": {"kind": "naive"}}
    run(
        store,
        "as everyone splits",
        at(0, 10),
        recipe(0, **naive_split),
        score=score(0.9182, "naive"),
        why="the baseline's split",
    )
    base = seeds(
        store,
        "split by person",
        0,
        14,
        [0.6612, 0.6538, 0.6701],
        why="the naive score is too good to be true",
    )
    note(store, "0.92에서 0.66으로. 리더보드와 맞는 숫자는 이쪽이다.", run=base[0].id, time=at(0, 21, 10))
    mixup = seeds(
        store,
        "mixup in half of the batches",
        1,
        11,
        [0.6888, 0.6791, 0.6930],
        sections={"mixing": {"mixup": {"share": 0.5}}},
        why="mixed batches keep the rare ages from being learned by heart",
    )
    said = verdict(
        "better", 0.0253, 0.0161, "recipes", "mixup in half of the batches", baseline=base, runs=mixup
    )
    for r in mixup:
        r.update(verdict=said)
    run(
        store,
        "convnext_tiny at 288",
        at(1, 23, 40),
        recipe(0, model={"name": "convnext_tiny"}, dataset={"size": [288, 216]}),
        state="failed",
        reason="the loss became NaN in epoch 3",
        minutes=95,
    )
    note(store, "fp16에서 발산하는 것 같다. 내일 bf16으로.", time=at(1, 23, 55))
    focal = seeds(
        store,
        "focal loss",
        2,
        15,
        [0.6702, 0.6559, 0.6689],
        sections={"loss": "focal"},
        why="focal loss should look at the old",
    )
    said = verdict("not distinguishable", 0.0033, 0.0192, "recipes", "focal loss", baseline=base, runs=focal)
    for r in focal:
        r.update(verdict=said)
    over = run(
        store,
        "oversampling, full strength",
        at(2, 20),
        recipe(0, sampling={"strength": 1.0}),
        score=score(0.6377),
    )
    said = verdict(
        "worse", -0.0235, 0.0144, "models", "oversampling, full strength", baseline=base[:1], runs=[over]
    )
    over.update(verdict=said)
    lone = run(
        store,
        "lr 3e-3",
        at(3, 12),
        recipe(0, optim={"name": "adamw", "lr": 0.003}),
        score=score(0.6655, "out-of-fold"),
    )
    said = verdict("not distinguishable", 0.0043, 0.0210, "models", "lr 3e-3", baseline=base[:1], runs=[lone])
    lone.update(verdict=said)
    members = [mixup[0], mixup[2], focal[0]]
    both = run(
        store,
        "mean of three",
        at(4, 18),
        recipe(),
        score=score(0.7011, "out-of-fold"),
        kind="ensemble",
        tags=("ensemble",),
        parents=[m.id for m in members],
        minutes=1,
    )
    files.write_json(
        mixup[2].folder / "score.json",
        {
            **dict.fromkeys(("labels_version", "dataset_fingerprint", "split_fingerprint"), ""),
            **space("composite", 0.6893),
            "name": "mixup",
            "target": "composite",
            "honesty": "selected",
            "by_subject": {},
            "resamples": 1000,
            "seed": 0,
            "attributes": {
                "mask": space("mask", 0.9921),
                "gender": space("gender", 0.9702),
                "age": space("age", 0.7718),
            },
        },
    )
    send(project, "a", at(4, 19), "mixup.csv", [mixup[2].id], 0.6930, 0.6812)
    send(project, "b", at(5, 9, 30), "mean.csv", [m.id for m in members], 0.7011, 0.6903)
    note(store, "age만 남았다. 57-59와 60의 경계를 보자.", run=both.id, time=at(5, 22))
    return store


def send(
    project: Path, id_: str, time: str, file: str, lineage: list[str], honest: float, public: float | None
) -> None:
    ledger = project / "submissions" / "ledger.jsonl"
    expected = {"value": honest, "low": honest - 0.04, "high": honest + 0.04}
    entry = {
        "kind": "submission",
        "id": id_,
        "time": time,
        "file": f"submissions/{file}",
        "lineage": lineage,
        "honest": {"value": honest},
        "expected": expected,
    }
    files.append_line(ledger, entry)
    if public is not None:
        files.append_line(ledger, {"kind": "score", "id": id_, "value": public, "time": time})
