"""`hoego serve-score`: labels that came later, beside the promise, on people that the model has not seen."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hoego.data.dataset import Dataset
from hoego.data.readers.tables import DataTable, read_table
from hoego.data.schema import COMPOSITE, MISSING, Attribute, LabelSchema
from hoego.errors import DataError, NotEstimableError, nearest
from hoego.evaluate.diagnose.rare import less
from hoego.evaluate.promises.sets import person_weights
from hoego.evaluate.score import Score, ScoreOptions, score
from hoego.exported import ExportedModel, open_model
from hoego.predictions import Predictions, RowProvenance, SubjectUniverse
from hoego.results.promise import ServedScore
from hoego.results.score import IntervalEstimate, MetricEstimate
from hoego.short_repr import ShortRepr

NAMES = ("photo", "path", "image", "file")
"""Columns that may name the photo, in the order in which they are looked for."""


@dataclass(frozen=True, eq=False, repr=False)
class GivenAnswers(ShortRepr):
    """N answers of /predict.

    Args:
        names: of the photos [N].
        values: probabilities [N, C] by head.
        seen: whether the photo was in training [N].
        abstained: whether the answer was withheld [N]; None where nothing was promised.
    """

    names: list[str]
    values: Mapping[str, NDArray[np.float32]]
    seen: NDArray[np.bool_]
    abstained: NDArray[np.bool_] | None


def serve_score(answers: Path, labels: Path, model: Path, subject: str = "") -> ServedScore:
    """Score the answers of a service by labels that came later.

    Args:
        answers: a .jsonl file with an answer of /predict in each line.
        labels: a table with a column photo (or path, image, file), a column for each attribute, and one for people.
        model: the exported folder that was served.
        subject: the column for people; each photo is its own person where not given.

    Raises:
        DataError: an answer or a label cannot be read; names file and row.
        NotEstimableError: no answer of a new person has a label.
    """
    served = open_model(model)
    given = read_answers(answers, served)
    table = read_table(labels)
    rows = _rows(table, given.names, labels)
    people = _people(table, labels, subject, given.names, rows)
    codes = _codes(table, labels, served.schema, rows)
    known_people = served.seen().subjects(people) if subject else np.zeros(len(people), bool)
    new = ~(given.seen | known_people)
    target = served.manifest.target
    labelled = served.schema.class_codes(target, codes) >= 0
    if not (new & labelled).any():
        raise NotEstimableError(
            f"Of {len(new):,} answers, {int(labelled.sum()):,} have a label and none of those is of a new person.",
            remedy="Photos are matched by name; check the column of the photos.",
        )
    dataset = _dataset(served.schema, given.names, people, codes, shown=bool(subject))
    kept = np.flatnonzero(new & labelled)
    predictions = _predictions(served, dataset, given, kept)
    found = score(predictions, dataset, ScoreOptions())
    compared = _compared(found, served.manifest.score)
    return ServedScore(
        **compared,
        n_images=found.n_images,
        n_subjects=found.n_subjects,
        left_out=int((~new).sum()),
        unlabelled=int((~labelled).sum()),
        answered_wrong=_answered_wrong(predictions, dataset, given, kept),
        notes=() if subject else ("each photo is taken for a person of its own: name --subject",),
    )


def read_answers(path: Path, served: ExportedModel) -> GivenAnswers:
    """Read a .jsonl file of answers. Raises DataError where a line is none, or of another model."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as e:
        raise DataError(f"The answers cannot be read: {e}", file=path) from None
    found: dict[str, dict[str, Any]] = {}
    for row, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            content = json.loads(line)
            digest, answers = content["digest"], content["answers"]
            named = {a["photo"]: a for a in answers}
        except (ValueError, KeyError, TypeError):
            raise DataError(
                "The line is not an answer of /predict.",
                file=path,
                row=row,
                remedy="Keep one whole answer a line.",
            ) from None
        if digest != served.manifest.digest:
            raise DataError(
                "The answer is of another model: its digest differs.",
                file=path,
                row=row,
                remedy="Name its --model.",
            )
        found |= named
    if not found:
        raise DataError("There are no answers in it.", file=path)
    return _arrays(list(found.values()), served, path)


def _arrays(answers: list[dict[str, Any]], served: ExportedModel, path: Path) -> GivenAnswers:
    heads, schema = served.manifest.heads, served.schema
    try:
        values = {
            h: np.asarray(
                [[a["attributes"][h]["probabilities"][c] for c in schema.classes(h)] for a in answers],
                np.float32,
            )
            for h in heads
        }
        abstained = np.asarray([bool(a["abstain"]) for a in answers]) if "abstain" in answers[0] else None
        return GivenAnswers(
            [str(a["photo"]) for a in answers],
            values,
            np.asarray([a["seen"] is True for a in answers]),
            abstained,
        )
    except (KeyError, TypeError, ValueError):
        raise DataError("An answer lacks probabilities.", file=path) from None


def _rows(table: DataTable, names: list[str], path: Path) -> list[int | None]:
    """Return the row of the labels of each photo; None where it has none. A path's last part is enough."""
    column = next((c for c in NAMES if c in table.frame.columns), None)
    if column is None:
        raise DataError(
            "No column names the photos.", file=path, remedy=f"Call one of them {', '.join(NAMES)}."
        )
    texts = table.frame[column].cast(pl.String).to_list()
    whole = {t: k for k, t in enumerate(texts) if t}
    last: dict[str, int | None] = {}
    for k, text in enumerate(texts):
        if text:
            part = text.replace("\\", "/").rpartition("/")[2]
            last[part] = None if part in last else k
    return [whole.get(n, last.get(n)) for n in names]


def _people(
    table: DataTable, path: Path, subject: str, names: list[str], rows: list[int | None]
) -> list[str]:
    if not subject:
        return names
    if subject not in table.frame.columns:
        raise DataError(
            f"There is no column {subject!r}.", file=path, remedy=nearest(subject, table.frame.columns)
        )
    texts = table.frame[subject].cast(pl.String).to_list()
    return [name if k is None or not texts[k] else str(texts[k]) for name, k in zip(names, rows, strict=True)]


def _codes(table: DataTable, path: Path, schema: LabelSchema, rows: list[int | None]) -> NDArray[np.int16]:
    """Return the labels of each answer [N, A], -1 where there is none."""
    out = np.full((len(rows), schema.n_attributes), MISSING, np.int16)
    present = [a for a in schema.attributes if a.name in table.frame.columns]
    if not present:
        raise DataError(
            "The table has none of the model's attributes.",
            file=path,
            remedy=f"Name columns {', '.join(schema.names)}.",
        )
    for attribute in present:
        texts = table.frame[attribute.name].cast(pl.String).str.strip_chars().to_list()
        at = schema.position(attribute.name)
        for i, k in enumerate(rows):
            if k is not None and texts[k]:
                out[i, at] = _code(attribute, texts[k], path, table.line(k))
    return out


def _code(attribute: Attribute, text: str, path: Path, row: int) -> int:
    if text in attribute.classes:
        return attribute.classes.index(text)
    try:
        if attribute.kind == "binned":
            return int(attribute.bin([float(text)])[0])
    except ValueError:
        pass
    raise DataError(
        f"{text!r} is not a class of {attribute.name!r}.",
        file=path,
        row=row,
        column=attribute.name,
        remedy=nearest(text, attribute.classes),
    )


def _dataset(
    schema: LabelSchema, names: list[str], people: list[str], codes: NDArray[np.int16], *, shown: bool
) -> Dataset:
    images = pl.DataFrame(
        {
            "image": names,
            "path": names,
            "subject": people,
            "content": pl.Series(np.arange(len(names)), dtype=pl.UInt64),
        }
    )
    order = np.argsort(np.asarray(names, dtype=np.str_), kind="stable")
    return Dataset(
        root=Path(),
        schema=schema,
        images=images[order.tolist()],
        codes=codes[order],
        subject_shown=shown,
    )


def _predictions(
    served: ExportedModel, dataset: Dataset, given: GivenAnswers, kept: NDArray[np.intp]
) -> Predictions:
    universe = SubjectUniverse.of(dataset)
    none = universe.no_subjects()
    return Predictions(
        images=np.asarray(given.names, dtype=np.str_)[kept],
        values={h: v[kept] for h, v in given.values.items()},
        scale=dict.fromkeys(given.values, "probabilities"),
        schema=served.schema,
        fold=np.zeros(len(kept), np.int16),
        source=np.zeros(len(kept), np.int32),
        sources=(RowProvenance(name=served.manifest.name, seen=none, seen_through=none, selected=none),),
        universe=universe,
        dataset_fingerprint=dataset.fingerprint,
    )


def _compared(found: Score, promised: Score) -> dict[str, Any]:
    """Return the metric, both estimates, their difference and the verdict."""
    same = {c.name for c in found.target.classes} == {c.name for c in promised.target.classes}
    metric = "macro_f1" if same else "accuracy"
    here, there = found.metrics[metric], promised.metrics[metric]
    out: dict[str, Any] = {"metric": metric, "in_use": here, "promised": there}
    sides = _limits(here), _limits(there)
    if None in sides:
        return {**out, "difference": None, "verdict": "cannot say"}
    low, high = less(*sides, 0.0)  # type: ignore[arg-type]
    value = sides[0][0] - sides[1][0]  # type: ignore[index]
    verdict = "compatible" if low <= 0 <= high else "higher" if low > 0 else "lower"
    return {**out, "difference": IntervalEstimate(value=value, low=low, high=high), "verdict": verdict}


def _limits(found: MetricEstimate) -> tuple[float, float, float] | None:
    if found.value is None or found.low is None or found.high is None:
        return None
    return found.value, found.low, found.high


def _answered_wrong(
    predictions: Predictions, dataset: Dataset, given: GivenAnswers, kept: NDArray[np.intp]
) -> float | None:
    if given.abstained is None:
        return None
    answered = ~given.abstained[kept]
    if not answered.any():
        return None
    rows = dataset.positions(predictions.images)
    target = dataset.schema.target if predictions.has(dataset.schema.target) else COMPOSITE
    wrong = predictions.probabilities(target).argmax(axis=1) != dataset.classes_of(target)[rows]
    weight, _ = person_weights(dataset.subject_index[rows][answered])
    return float((weight * wrong[answered]).sum())
