"""The file of predictions: one Parquet table, with its provenance and a digest of both in the metadata."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from hoego import files
from hoego.damage import parsing
from hoego.data.parquet_file import DamagedParquet, read_metadata, read_parquet
from hoego.data.schema import LabelSchema
from hoego.data.spelling import pack_names
from hoego.errors import RecordError
from hoego.predictions.fields import PredictionFields
from hoego.predictions.provenance import Provenance
from hoego.predictions.whole_runs import WholeRun
from hoego.results.labels import ModelLabels

FORMAT = 2
"""1: all models were trained by Hoego. 2: a source states whether its model was trained outside (see `provenance`)."""
RESERVED = ("image", "fold", "source")
"""Columns that every file has; an attribute of such a name gets an underscore."""
_AGAIN = "Restore the file from a copy, or make the predictions again."


def write_fields(path: Path, fields: PredictionFields) -> None:
    """Write a row per image and a fixed-size list column per attribute. The file appears whole or not at all."""
    columns: dict[str, Any] = {
        "image": fields["images"],
        "fold": fields["fold"],
        "source": fields["source"],
    }
    for name, array in fields["values"].items():
        dtype = pl.Array(pl.Float32, array.shape[1])
        columns[_column(name)] = pl.Series(np.ascontiguousarray(array), dtype=dtype)
    meta = _metadata(fields)
    meta["digest"] = _digest(fields, meta)
    with files.writing(path) as temporary:
        pl.DataFrame(columns).write_parquet(temporary, metadata={"hoego": json.dumps(meta)})


def read_fields(path: Path) -> tuple[PredictionFields, bool]:
    """Read what `write_fields` wrote; the second value says whether it is as it was written, by its digest.

    Raises:
        RecordError: no such file, a damaged one, or no provenance or no row in it.
    """
    with parsing(path, remedy=_AGAIN):
        return _read(path)


def stated_digest(path: Path) -> str:
    """Return the digest that a file of predictions states, without reading its rows; "" where it states none.

    `read_fields` checks it.
    """
    try:
        found = json.loads(read_metadata(path) or "{}") if path.is_file() else {}
        return str(found.get("digest", ""))
    except (DamagedParquet, ValueError, AttributeError, RecursionError):
        return ""


def _read(path: Path) -> tuple[PredictionFields, bool]:
    table, meta = _open(path)
    provenance = Provenance.read(meta["provenance"])
    values = {}
    for name in meta["scale"]:
        values[name] = table[_column(name)].to_numpy().reshape(table.height, -1).astype(np.float32)
    fields: PredictionFields = {
        "images": table["image"].to_numpy().astype(np.str_),
        "values": values,
        "scale": meta["scale"],
        "schema": LabelSchema.of(ModelLabels.model_validate(meta["schema"])),
        "fold": table["fold"].to_numpy(),
        "source": table["source"].to_numpy(),
        "sources": provenance.sources,
        "universe": provenance.universe,
        "dataset_fingerprint": meta["dataset_fingerprint"],
        "split_fingerprint": meta["split_fingerprint"],
        "split_kind": meta["split_kind"],
        "name": meta["name"],
        "lineage": tuple(meta["lineage"]),
        "notes": tuple(meta["notes"]),
        "whole": {name: _whole_run(run) for name, run in meta.get("whole", {}).items()},
    }
    digest = meta.pop("digest", None)
    return fields, digest == _digest(fields, meta)


def _open(path: Path) -> tuple[pl.DataFrame, dict[str, Any]]:
    """Return the table and the metadata of a file. Raises RecordError if it was not written by Hoego."""
    if not path.exists():
        raise RecordError(f"There are no predictions at {path}.")
    if path.is_dir():
        raise RecordError("a folder is in place of the file", file=path, remedy=_AGAIN)
    try:
        table, text = read_parquet(path)
    except DamagedParquet as e:
        raise RecordError(f"Not a readable Parquet file: {e}", file=path, remedy=_AGAIN) from None
    if text is None:
        raise RecordError(
            "The file carries no provenance, so nothing can be computed from it.",
            remedy="Use the predictions.parquet of a run, or what `hoego predict --out FILE.parquet` writes.",
            file=path,
        )
    if not table.height:
        raise RecordError("The file holds no rows: nothing was predicted.", file=path)
    meta = files.parse_object(text, path)
    if meta.get("format", 1) > FORMAT:
        raise RecordError(
            f"The file has the format {meta['format']}, this Hoego reads up to {FORMAT}.",
            remedy="Upgrade Hoego on this machine.",
            file=path,
        )
    return table, meta


def _column(attribute: str) -> str:
    return f"{attribute}_" if attribute in RESERVED else attribute


def _metadata(fields: PredictionFields) -> dict[str, Any]:
    # Rows are seldom left out; without the key the file is as one of before.
    whole = {
        name: {"label": run.label, "images": run.images.tolist(), "predicted": run.predicted.tolist()}
        for name, run in fields["whole"].items()
    }
    return {
        **({"whole": whole} if whole else {}),
        "format": FORMAT,
        "scale": dict(fields["scale"]),
        "schema": fields["schema"].described().model_dump(mode="json"),
        "provenance": Provenance(fields["universe"], fields["sources"]).content(),
        "dataset_fingerprint": fields["dataset_fingerprint"],
        "split_fingerprint": fields["split_fingerprint"],
        "split_kind": fields["split_kind"],
        "name": fields["name"],
        "lineage": list(fields["lineage"]),
        "notes": list(fields["notes"]),
    }


def _whole_run(said: Mapping[str, Any]) -> WholeRun:
    images, predicted = np.asarray(said["images"], np.str_), np.asarray(said["predicted"], np.int32)
    if images.ndim != 1 or images.shape != predicted.shape:
        raise ValueError(f"whole: {images.shape} images and {predicted.shape} classes")
    return WholeRun(label=str(said["label"]), images=images, predicted=predicted)


def _digest(fields: PredictionFields, meta: Mapping[str, Any]) -> str:
    # Little-endian and of fixed widths, so that the digest is the same on every machine.
    h = blake2b(json.dumps(meta, sort_keys=True).encode(), digest_size=16)
    h.update(pack_names(fields["images"].tolist()))
    h.update(np.ascontiguousarray(fields["source"], dtype="<i4").tobytes())
    h.update(np.ascontiguousarray(fields["fold"], dtype="<i2").tobytes())
    for name in sorted(fields["values"]):
        h.update(np.ascontiguousarray(fields["values"][name], dtype="<f4").tobytes())
    return h.hexdigest()
