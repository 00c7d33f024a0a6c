"""`hoego predict`: what a run's model says of new photos."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from hoego import files
from hoego.data.dataset import Dataset
from hoego.data.load import load_unlabelled
from hoego.errors import MismatchError, RecordError, UsageError
from hoego.extras import require
from hoego.predictions import Predictions, Provenance, RowProvenance, SubjectUniverse, join_sources
from hoego.recipe import build
from hoego.results.predicting import PredictResult
from hoego.runs.combined import is_combined, member_names, predict_combined
from hoego.runs.inputs import REFIT, decode, preprocess_of
from hoego.runs.outside.facts import NEW_PHOTOS, is_outside
from hoego.runs.outside.new_photos import predict_outside
from hoego.runs.probing.facts import is_probe
from hoego.runs.probing.predicting import heads_of, predict_probe
from hoego.runs.records import Record, RunStore
from hoego.terminal import spreadsheet_cell

FORMATS = (".parquet", ".csv")


@dataclass(frozen=True, kw_only=True)
class PredictOptions:
    """What is predicted, and how.

    Args:
        on: a table with a path column, or a folder of photos.
        out: a .parquet file keeps the provenance, a .csv does not; None writes nothing.
        root: what the table's paths are relative to; its folder where None.
        views: random views of each photo to average; 0 for the recipe's.
        spreadsheet: in a .csv, put an apostrophe before each text that a spreadsheet would run.
    """

    on: Path
    out: Path | None = None
    root: Path | None = None
    views: int = 0
    spreadsheet: bool = False


def predict(runs: Path, run: str, options: PredictOptions) -> PredictResult:
    """Predict photos with the model of a run: the refit where there is one, else the mean of its folds' selected ones.

    Args:
        runs: the folder of records.
        run: id, unique prefix or path of a run that is done.
        options: see there.

    Raises:
        UsageError: the file to write is neither .parquet nor .csv.
        RecordError: no such run, or it has no model yet.
        DataError: a photo cannot be read.
    """
    if options.out is not None and options.out.suffix not in FORMATS:
        raise UsageError(
            f"Predictions are not written as {options.out.suffix or 'a file without a suffix'}.",
            remedy="Name a .parquet file, which keeps the provenance, or a .csv file.",
            file=options.out,
        )
    record = RunStore(runs).find(run)
    if not is_outside(record):
        require("train", "Predicting")
    if is_combined(record):
        models = member_names(record)
    elif is_outside(record):
        models = (NEW_PHOTOS,)
    else:
        paths = heads_of(record) if is_probe(record) else models_of(record)
        models = tuple(str(p.relative_to(record.folder)) for p in paths)
    predictions = predict_run(record, options.on, root=options.root, views=options.views)
    notes = [] if options.out is None else write(predictions, options)
    schema, target = predictions.schema, _target(predictions)
    counts = np.bincount(predictions.probabilities(target).argmax(axis=1), minlength=schema.n_classes(target))
    return PredictResult(
        run=record.id,
        images=predictions.n_images,
        out=options.out,
        models=models,
        classes=dict(zip(schema.classes(target), counts.tolist(), strict=True)),
        notes=tuple(notes),
    )


def _target(predictions: Predictions) -> str:
    schema = predictions.schema
    return schema.target if predictions.has(schema.target) else predictions.attributes[0]


def models_of(record: Record) -> list[Path]:
    """Return the checkpoints of a run that predict new photos. Raises RecordError if there are none."""
    if record.refresh().state != "done":
        raise RecordError(
            f"The run {record.id} is {record.state}: it has no model to predict with.",
            remedy=f"Continue it: hoego train --resume {record.id}",
        )
    refit = record.folder / REFIT / "last.safetensors"
    if refit.is_file():
        return [refit]
    return fold_checkpoints(record)


def fold_checkpoints(record: Record) -> list[Path]:
    """Return the selected checkpoint of each fold of a run. Raises RecordError if one is missing."""
    select = build(record.recipe).select
    name = "last" if select.on == "last" else select.by
    found = [record.folder / f"fold-{k}" / f"{name}.safetensors" for k in record.folds()]
    missing = [p for p in found if not p.is_file()]
    if missing or not found:
        raise RecordError(
            f"The run {record.id} has no checkpoint of {name}.",
            file=missing[0] if missing else record.folder,
            remedy="It was deleted (hoego queue tidy), or the record is incomplete.",
        )
    return found


def predict_run(
    record: Record, on: Path | Dataset, *, root: Path | None = None, views: int = 0
) -> Predictions:
    """Predict, with the provenance of every model involved; a combination asks its members."""
    if is_combined(record):
        store = RunStore(record.folder.parent)
        return predict_combined(record, store, lambda member: predict_run(member, on, root=root, views=views))
    if is_outside(record):
        return predict_outside(record, on, root)
    if is_probe(record):
        if views:
            raise UsageError(
                f"{record.id} is a probe: it averages a photo and its mirror image, and has no random views.",
                remedy="Leave --views out.",
            )
        return predict_probe(record, on, root=root)
    return predict_with(record, models_of(record), on, root=root, views=views)


def predict_with(
    record: Record,
    checkpoints: Sequence[Path],
    on: Path | Dataset,
    *,
    root: Path | None = None,
    views: int = 0,
) -> Predictions:
    """Return the mean prediction of some of a run's checkpoints, with the provenance of each."""
    require("train", "Predicting")
    from hoego.train.checkpoints import require_written_by
    from hoego.train.predict import load_model, predict_photos

    models = [load_model(path, views=views) for path in checkpoints]
    for path, model in zip(checkpoints, models, strict=True):
        require_written_by(model.provenance, f"{record.id}/{path.parent.name}", path)
    first = models[0]
    dataset = on if isinstance(on, Dataset) else load_unlabelled(Path(on), first.schema, root=root)
    if dataset.schema.fingerprint != first.schema.fingerprint:
        raise MismatchError(f"The photos have other labels than the run {record.id} was trained on.")
    cache = decode(first.recipe, dataset, preprocess_of(first.recipe))
    outputs = predict_photos(models, cache, dataset.image_ids)
    universe, source = _one_source(record.id, [m.provenance for m in models])
    n = dataset.n_images
    return Predictions(
        images=dataset.image_ids,
        values=outputs.values,
        scale=outputs.scale,
        schema=first.schema,
        fold=np.full(n, -1, dtype=np.int16),
        source=np.zeros(n, dtype=np.int32),
        sources=(source,),
        universe=universe,
        dataset_fingerprint=dataset.fingerprint,
        name=record.id,
        lineage=(record.id,),
    )


def _one_source(name: str, models: Sequence[Provenance]) -> tuple[SubjectUniverse, RowProvenance]:
    """Join what several models have seen: the universe of all of them, and their mean as one source."""
    known = Provenance.joined(models)
    return known.universe, join_sources(name, known.sources, known.universe)


def write(predictions: Predictions, options: PredictOptions) -> list[str]:
    """Write predictions as .parquet, or as .csv with the columns path, one per predicted thing, and p:<class>."""
    out = options.out
    assert out is not None
    if out.suffix == ".parquet":
        predictions.write(out)
        return []
    schema = predictions.schema
    target = _target(predictions)
    probabilities = predictions.probabilities(target)
    columns: dict[str, Any] = {"path": predictions.images}
    for name in dict.fromkeys((target, *predictions.attributes)):
        best = predictions.probabilities(name).argmax(axis=1)
        classes = np.asarray(schema.classes(name), dtype=np.str_)
        columns[name] = classes[best]
    for i, name in enumerate(schema.classes(target)):
        columns[f"p:{name}"] = probabilities[:, i].astype(np.float32)
    table = pl.DataFrame(columns)
    if options.spreadsheet:
        texts = [pl.Series(c.name, map(spreadsheet_cell, c)) for c in table if c.dtype == pl.String]
        table = table.with_columns(texts)
    with files.writing(out) as temporary:
        table.write_csv(temporary)
    return [f"{out.name} carries no provenance; nothing can be scored from it. A .parquet file keeps it."]
