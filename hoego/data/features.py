"""Features of photos that a network has computed, kept by the photo's content and by all that made them."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hoego import files

FORMAT = 1
Half = NDArray[np.float16]


@dataclass(frozen=True)
class FeatureStore:
    """A folder of features in half precision, in parts that are written whole.

    Args:
        folder: of one network, one preprocessing and one way of computing.
    """

    folder: Path

    @classmethod
    def of(cls, made_by: Mapping[str, Any], root: Path) -> FeatureStore:
        """Return the store of features that are made by exactly this: weights, preprocessing, precision, flips.

        Args:
            made_by: plain values; any other value is another store.
            root: the cache folder.
        """
        text = json.dumps({"format": FORMAT, **made_by}, sort_keys=True)
        return cls(root / "features" / blake2b(text.encode(), digest_size=8).hexdigest())

    def read(self, keys: NDArray[np.uint64]) -> tuple[Half | None, NDArray[np.bool_]]:
        """Return the features float16 [N, F] of photos, and which of them are here, bool [N].

        The rows of those that are not here are zeros; the features are None where none is. A damaged part counts as
        absent, so that what it held is computed again.
        """
        found: Half | None = None
        have = np.zeros(len(keys), dtype=bool)
        for path in sorted(self.folder.glob("*.npz")):
            part = _read_part(path)
            if part is None or (found is not None and part[1].shape[1] != found.shape[1]):
                continue
            known, features = part
            order = np.argsort(known)
            at = np.minimum(np.searchsorted(known, keys, sorter=order), len(known) - 1)
            here = (known[order[at]] == keys) & ~have
            if not here.any():
                continue
            if found is None:
                found = np.zeros((len(keys), features.shape[1]), dtype=np.float16)
            found[here] = features[order[at[here]]]
            have |= here
        return found, have

    def add(self, keys: NDArray[np.uint64], features: Half) -> None:
        """Keep the features float16 [n, F] of photos with distinct keys [n].

        Raises:
            DataError: the disk is full or the folder is read-only.
        """
        name = blake2b(keys.tobytes(), digest_size=8).hexdigest()
        with (
            files.writing(self.folder / f"{name}.npz", durable=False) as part,
            part.open("wb") as stream,
        ):
            np.savez(stream, keys=keys, features=features)


def _read_part(path: Path) -> tuple[NDArray[np.uint64], Half] | None:
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as content:
            keys, features = content["keys"], content["features"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    sound = keys.dtype == np.uint64 and features.dtype == np.float16 and features.ndim == 2
    return (keys, features) if sound and len(keys) == len(features) > 0 else None
