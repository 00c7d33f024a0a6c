"""The heads of a probe on the disk: what `hoego predict` needs beside the weights of the backbone."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hoego import files
from hoego.errors import RecordError
from hoego.evaluate.probe import FittedHead
from hoego.evaluate.probe.nearest import Neighbours
from hoego.results.probe import HeadChoice

HEADS = "heads"
"""Folder, in a record, of the heads: one file for each fold."""

ARRAYS = ("mean", "scale", "weights", "intercept")


def write_heads(path: Path, heads: Mapping[str, FittedHead]) -> None:
    """Write the heads of one fold, by attribute."""
    arrays: dict[str, Any] = {}
    for i, head in enumerate(heads.values()):
        arrays |= {f"{i}.{name}": getattr(head, name) for name in ARRAYS}
        if head.neighbours is not None:
            # Rows of length 1 lose nothing that a cosine would show in half precision, and take half the room.
            arrays[f"{i}.neighbours"] = head.neighbours.features.astype(np.float16)
            arrays[f"{i}.labels"] = head.neighbours.labels
    about = [head.choice.model_dump(mode="json") for head in heads.values()]
    with files.writing(path) as part, part.open("wb") as stream:
        np.savez(stream, about=np.frombuffer(json.dumps(about).encode(), dtype=np.uint8), **arrays)


def read_heads(path: Path) -> dict[str, FittedHead]:
    """Read the heads of one fold, by attribute. Raises RecordError where the file is missing or damaged."""
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as content:
            about = json.loads(content["about"].tobytes())
            heads = {}
            for i, fields in enumerate(about):
                choice = HeadChoice.model_validate(fields)
                kept = {name: content[f"{i}.{name}"] for name in ARRAYS}
                neighbours = None
                if choice.rule == "nearest":
                    features = content[f"{i}.neighbours"].astype(np.float32)
                    neighbours = Neighbours(features, content[f"{i}.labels"], kept["weights"].shape[1])
                heads[choice.attribute] = FittedHead(**kept, neighbours=neighbours, choice=choice)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as problem:
        raise RecordError(
            f"The heads of the probe cannot be read: {problem}.",
            file=path,
            remedy="Restore the record from a copy, or probe again (the features are kept).",
        ) from None
    return heads
