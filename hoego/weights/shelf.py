"""A folder of weights as `hoego weights fetch` fills it and `hoego weights add` takes it: files, configs and a lock."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from hoego import files
from hoego.errors import TrainError
from hoego.results.weights import ShelvedWeights
from hoego.weights.facts import Found, require_hash, sha256_of
from hoego.weights.places import CONFIG, FILES, LOCK

CONFIG_KEYS = (
    "tag",
    "input_size",
    "fixed_input_size",
    "interpolation",
    "crop_pct",
    "mean",
    "std",
    "num_classes",
    "first_conv",
    "classifier",
    "license",
)


def write_facts(folder: Path, found: Found, *, origin: str) -> ShelvedWeights:
    """Write config.json (as timm's `local-dir:` reads it) and the lock beside `model.safetensors`.

    Args:
        folder: NAME.TAG, with the file in it.
        found: whose name, licence and configuration are written.
        origin: where the file came from, in words.
    """
    path = folder / FILES[0]
    own = {k: found.config[k] for k in CONFIG_KEYS if k in found.config} | {"tag": found.tag}
    digest = sha256_of(path)
    files.write_json(folder / CONFIG, {"architecture": found.model, "pretrained_cfg": own})
    lock = {"name": found.name, "sha256": digest, "licence": found.licence, "origin": origin}
    files.write_json(folder / LOCK, lock)
    return ShelvedWeights(name=found.name, folder=folder, sha256=digest, licence=found.licence)


def copy_fetched(source: Path, to: Path) -> tuple[ShelvedWeights, ...]:
    """Copy the weights of a folder that `hoego weights fetch` filled, each checked by its hash before and after.

    Raises:
        TrainError: nothing in `source` was fetched, or a file is not the one that its lock names.
    """
    out = tuple(_copied(folder, lock, to) for folder, lock in _fetched(source))
    if not out:
        raise TrainError(
            f"The folder holds no weights with a {LOCK}.",
            file=source,
            remedy="Fill it with `hoego weights fetch NAME --to FOLDER`, or add one file with --name NAME.TAG.",
        )
    return out


def _fetched(source: Path) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    for folder in (source, *sorted(p for p in source.iterdir() if p.is_dir())):
        if (folder / LOCK).is_file():
            yield folder, read_lock(folder)


def read_lock(folder: Path) -> Mapping[str, Any]:
    """Return the lock of a folder NAME.TAG. Raises TrainError where it is damaged."""
    try:
        lock = json.loads((folder / LOCK).read_text(encoding="utf-8"))
        return {key: str(lock[key]) for key in ("name", "sha256", "licence", "origin")}
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as e:
        raise TrainError(f"Not a readable lock: {e}", file=folder / LOCK, remedy="Fetch again.") from None


def _copied(folder: Path, lock: Mapping[str, Any], to: Path) -> ShelvedWeights:
    path = folder / FILES[0]
    if not path.is_file():
        raise TrainError(f"The lock names {FILES[0]}, which is missing.", file=path, remedy="Fetch again.")
    require_hash(path, lock["sha256"], LOCK)
    there = to / lock["name"]
    if there.resolve() != folder.resolve():
        there.mkdir(parents=True, exist_ok=True)
        for name in (FILES[0], CONFIG, LOCK):
            shutil.copyfile(folder / name, there / name)
        require_hash(there / FILES[0], lock["sha256"], LOCK)
    return ShelvedWeights(name=lock["name"], folder=there, sha256=lock["sha256"], licence=lock["licence"])
