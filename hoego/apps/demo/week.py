"""The demo while it runs: its project, its runs, its chapters."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from hoego import files
from hoego.apps.demo.result import DemoChapter
from hoego.apps.people import PeopleSettings, write_people
from hoego.data.dataset import Dataset
from hoego.data.images import cpu_count
from hoego.data.load import load_unlabelled
from hoego.evaluate.compare import CompareOptions, compare
from hoego.evaluate.diagnose import designs
from hoego.evaluate.ensemble import EnsembleOptions, ensemble
from hoego.evaluate.score import Score, ScoreOptions, score
from hoego.predictions import Predictions
from hoego.recipe import Recipe, resolve
from hoego.results.ablation import Ablation
from hoego.runs.ablate import AblateRequest, changes_of, judge
from hoego.runs.combined import save_ensemble
from hoego.runs.evaluate_runs import diagnose_record
from hoego.runs.leak import measure_leak
from hoego.runs.predict import predict_run
from hoego.runs.project import audit_project, open_project
from hoego.runs.record_predictions import predictions_of
from hoego.runs.records import Record, RunKind, RunStore
from hoego.runs.required_runs import StudyRunner, varied

BASE: dict[str, Any] = {
    "name": "baseline",
    "dataset": {"root": "people/train", "layout": "competition", "size": [64, 48]},
    "split": {"kind": "holdout", "ratio": 0.3, "seed": 0},
    "model": {"name": "hoego_small32", "head": "multi", "options": {"width": 0.34}},
    "epochs": 12,
    "batch_size": 64,
    # All cores, unmeasured: another number of threads adds in another order, and the demo's figures are compared.
    "threads": cpu_count(),
    "optim": {"name": "adamw", "lr": 3e-3, "schedule": "onecycle"},
    "select": {"on": "last"},
    "score": {"resamples": 2000},
}


@dataclass(frozen=True, kw_only=True)
class DemoSize:
    """How large the demo is."""

    train: int
    evaluate: int
    epochs: int
    seeds: int
    width: int = 96


FULL = DemoSize(train=260, evaluate=120, epochs=16, seeds=3)
QUICK = DemoSize(train=160, evaluate=60, epochs=20, seeds=1)


PROJECT = """# The demo's project.
[dataset]
root = "people/train"
layout = "competition"

[split]
kind = "holdout"
ratio = 0.3

[submission]
info = "../eval/info.csv"
per_day = 10
timezone = "Asia/Seoul"
"""


class DemoWeek:
    """The demo while it runs: its project, its shop, its chapters."""

    def __init__(self, folder: Path, scale: DemoSize, seed: int, log: Callable[[str], None]) -> None:
        self.folder, self.scale, self.seed, self.log = folder, scale, seed, log
        self.started = time.perf_counter()
        self.chapters: list[DemoChapter] = []
        self.shop = StudyRunner(
            folder=folder, log=lambda text: self.log_step(f"  {text}"), progress=False, measure_seconds=0.0
        )

    def log_step(self, text: str) -> None:
        """Log a step with the seconds since the start."""
        self.log(f"[{time.perf_counter() - self.started:4.0f} s] {text}")

    def prepare(self) -> None:
        """Draw the people, write hoego.toml, audit, split."""
        people = self.folder / "people"
        if not (people / "train" / "train.csv").is_file():
            self.log_step(f"drawing {self.scale.train + self.scale.evaluate} people, seven photos each")
            size = (self.scale.width, self.scale.width * 4 // 3)
            write_people(
                people,
                PeopleSettings(
                    n_train=self.scale.train, n_eval=self.scale.evaluate, size=size, seed=self.seed
                ),
            )
        files.write_text(self.folder / "hoego.toml", PROJECT)
        data = {**BASE, "epochs": self.scale.epochs, "seed": self.seed}
        data["dataset"] = {**BASE["dataset"], "root": str((people / "train").resolve())}
        self.recipe = resolve(data)
        self.log_step("audit and split")
        self.audit = audit_project(self.recipe)
        project = open_project(self.recipe, self.folder)
        self.dataset, self.split = project.dataset, project.split

    def measure_leak(self) -> None:
        """Measure the leak: the photo-level split against the honest one."""
        self.log_step("Monday: the leak, measured")
        self.leak = measure_leak(self.recipe, self.shop)
        self.base = RunStore(self.folder / "runs").find(self.leak.honest.run)
        rows = [
            ("promised by a photo-level split", self.leak.naive.macro_f1),
            ("on new people (split by person)", self.leak.honest.macro_f1),
        ]
        self.chapters.append(
            DemoChapter(
                question="Monday. Our validation score is excellent. Can we believe it?",
                answer=(
                    f"{_sentence(self.leak.words)}",
                    "With the same photos, the same model and the same number of epochs, the only difference is "
                    "whether a person may stand on both sides. From here on nobody does.",
                ),
                rows=tuple((label, e.value, e.low, e.high, "") for label, e in rows),
                runs=(self.leak.naive.run, self.leak.honest.run),
            )
        )

    def ablation(self, question: str, base: Sequence[str], vary: str, why: str) -> Ablation:
        """Return one setting varied, every other left alone; under several seeds where there is time."""
        recipe = varied(self.recipe, base, name="baseline" if not base else " ".join(base))
        request = AblateRequest(vary=(vary,), seeds=self.scale.seeds, why=why)
        changes = ((), *changes_of(recipe, request))
        records = [
            [
                self.shop.find_or_train(
                    varied(recipe, change, name=_name(recipe, change), seed=self.seed + s, refit=False),
                    why=why,
                )
                for s in range(self.scale.seeds)
            ]
            for change in changes
        ]
        found = judge(recipe.name, changes, records, self.dataset, request)
        self.chapters.append(
            DemoChapter(
                question=question,
                answer=tuple(_sentence(w) for w in found.words) + _scope(found),
                rows=tuple(
                    (r.title, r.difference.value, r.difference.low, r.difference.high, r.verdict)
                    for r in found.rows
                    if r.difference is not None
                ),
                zero=True,
                runs=tuple(r for row in found.rows for r in row.runs),
            )
        )
        return found

    def combine(self) -> None:
        """Combine the finished runs into an ensemble."""
        self.log_step("Thursday: an ensemble")
        store = self.shop.store
        records = {r.id: r for r in store.list(states=("done",)) if r.kind is RunKind.RUN}
        able = [
            r
            for r in records.values()
            if r.meta.fingerprints.get("split") == self.base.meta.fingerprints.get("split")
            and predictions_of(r).has("composite")
        ]
        runs = [predictions_of(r) for r in able]
        made = ensemble(runs, self.dataset, EnsembleOptions(method="mean", resamples=1000))
        record = save_ensemble(
            store, made, {p.name: r for p, r in zip(runs, able, strict=True)}, self.dataset
        )
        gain = made.gain
        rows = (
            () if gain is None else (("ensemble less its best member", gain.value, gain.low, gain.high, ""),)
        )
        self.chapters.append(
            DemoChapter(
                question="Thursday. Will an ensemble save us?",
                answer=(
                    f"{_sentence(made.verdict)}",
                    f"The mean of {len(runs)} models scores {made.score.primary}; the best member is chosen on "
                    "other people than it is compared on.",
                ),
                rows=rows,
                zero=True,
                runs=(record.id,),
            )
        )

    def which_attribute(self) -> None:
        """Diagnose the first run: what each attribute costs."""
        self.log_step("Friday: mask, gender and age")
        self.diagnosis = diagnose_record(self.base, predictions_of(self.base), self.dataset)
        found = self.diagnosis
        rows = []
        for name, o in found.oracle.items():
            if o.gain is not None:
                rows.append((f"if every {name} were right", o.gain.value, o.gain.low, o.gain.high, ""))
        lead = (
            "and no other attribute comes near" if found.decided else "though its lead is not distinguishable"
        )
        law, holds = found.product_law, found.bottleneck
        answer = [f"{holds.capitalize()} holds the score back, {lead}." if holds else "No attribute does."]
        if law is not None:
            answer.append(_sentence(law.verdict))
        self.chapters.append(
            DemoChapter(
                question="Friday. Of mask, gender and age, what holds us back?",
                answer=tuple(answer),
                rows=tuple(rows),
                zero=True,
                runs=(self.base.id,),
            )
        )

    def which_design(self) -> None:
        """Run the experiment that the diary regrets not having run."""
        self.log_step("Friday: one model or three?")
        heads = [("composite", None), ("single", "mask"), ("single", "gender"), ("single", "age")]
        runs = [self.base]
        for head, attribute in heads:
            change = [f"model.head={head}"] + ([f"model.attribute={attribute}"] if attribute else [])
            recipe = varied(self.recipe, change, name=attribute or "one composite head")
            runs.append(
                self.shop.find_or_train(recipe, why="the product of three probabilities must be lower")
            )
        names = {self.base.id: "one multi-head model"} | {r.id: r.meta.name for r in runs[1:]}
        specialists = runs[2:]
        ways = [d for d in designs([predictions_of(r) for r in runs]) if _wanted(d.parts, specialists)]
        titles = tuple(names.get(d.name, "three specialists" if d.parts else d.name) for d in ways)
        found = compare(
            [d.predictions for d in ways], self.dataset, CompareOptions(names=titles, resamples=2000)
        )
        best = ", ".join(found.best_set)
        self.chapters.append(
            DemoChapter(
                question="Friday. Separate models for mask, gender and age, or one?",
                answer=(
                    f"Not distinguishable from the best: {best}.",
                    "“The product of three probabilities must be lower” was an argument; this is the experiment.",
                ),
                rows=tuple(
                    (r.name, r.value, None, None, "among the best" if r.in_best_set else "behind")
                    for r in found.ranking
                ),
                runs=tuple(r.id for r in runs),
            )
        )

    def submit(self) -> tuple[Record, Predictions, Score]:
        """Refit on everybody, predict the test people, and look up the truth that only the demo has."""
        self.log_step("Sunday: refit on everybody, predict, hand in")
        chosen = varied(self.recipe, ["refit=true"], name="final")
        final = self.shop.find_or_train(chosen, why="the held-out people teach as well")
        eval_folder = self.folder / "people" / "eval"
        truth = truth_of(eval_folder, self.folder / "people" / "eval_truth.csv", self.dataset)
        test = predict_run(final, truth)
        return final, test, score(test, truth, ScoreOptions(resamples=2000))


def truth_of(eval_folder: Path, truth_file: Path, dataset: Dataset) -> Dataset:
    """Return the synthetic test set with its truth, as a data set of the same schema.

    Args:
        eval_folder: with info.csv and images/.
        truth_file: ImageID, ans, the code of each attribute, person.
        dataset: the training set, for the schema.
    """
    photos = load_unlabelled(eval_folder / "images", dataset.schema)
    table = pl.read_csv(truth_file)
    name = pl.col("path").str.extract(r"([^/]+)$", 1)
    joined = photos.images.with_columns(ImageID=name).join(
        table, on="ImageID", how="left", maintain_order="left"
    )
    codes = np.stack([joined[a].to_numpy() for a in dataset.schema.names], axis=1).astype(np.int16)
    images = photos.images.with_columns(subject=joined["person"])
    return replace(photos, images=images, codes=codes, subject_shown=True, labelled=True)


def _sentence(text: str) -> str:
    """Return a text as a sentence; a setting keeps its name.

    >>> _sentence("the leak is large"), _sentence("loss=focal: worse")
    ('The leak is large.', 'loss=focal: worse.')
    """
    first = text[:1] if "=" in text.split(maxsplit=1)[0] else text[:1].upper()
    return f"{first}{text[1:].rstrip('.')}."


def _name(recipe: Recipe, change: Sequence[str]) -> str:
    return f"{recipe.name}{''.join(f' {c}' for c in change)}"


def _scope(found: Ablation) -> tuple[str, ...]:
    if found.scope == "recipes":
        return ("Three seeds a side, the same people; seeds and people are both resampled.",)
    return ()


def _wanted(parts: Mapping[str, str], specialists: Sequence[Record]) -> bool:
    """Return, of the mixtures, only that of the three specialists."""
    return not parts or set(parts.values()) == {r.id for r in specialists}
