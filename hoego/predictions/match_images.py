"""Which photo of a data set a name from outside means: an id, a path, or the name of a file."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hoego.data.dataset import Dataset
from hoego.errors import DataError, nearest

Spelling = Callable[[str], str]


def _plain(text: str) -> str:
    return text.replace(os.sep, "/") if os.sep != "/" else text


def _file(text: str) -> str:
    return text.rsplit("/", 1)[-1]


def _stem(text: str) -> str:
    return PurePath(_file(text)).stem


def match_images(names: Sequence[Any] | NDArray[Any], dataset: Dataset) -> NDArray[Any]:
    """Find the photos that N names mean.

    A name may be an id, a path below the data set's root, a whole path, or a file name with or without its suffix
    where no two photos share it. All names must be of one of these kinds, so that none is matched by accident.

    Returns:
        image ids [N], in the order of the names.

    Raises:
        DataError: a name means no photo, or two names mean the same one; names it and its row.
    """
    texts = [_plain(str(n)) for n in (names.tolist() if isinstance(names, np.ndarray) else names)]
    best: list[str | None] = [None] * len(texts)
    for spelled, read in _kinds(dataset):
        found = [spelled.get(read(t)) for t in texts]
        if sum(f is not None for f in found) > sum(b is not None for b in best):
            best = found
        if None not in best:
            break
    _require_known(texts, best, dataset)
    _require_distinct(texts, best)
    return np.asarray(best, dtype=np.str_)


def _kinds(dataset: Dataset) -> list[tuple[Mapping[str, str], Spelling]]:
    ids = dataset.image_ids.tolist()
    paths = [_plain(p) for p in dataset.images["path"].to_list()]
    root = _plain(str(dataset.root.resolve()))
    given = _plain(str(dataset.root))
    whole = dict(zip([f"{root}/{p}" for p in paths], ids, strict=True))
    whole |= dict(zip([f"{given}/{p}" for p in paths], ids, strict=True))
    return [
        (dict(zip(ids, ids, strict=True)), str),
        (_unique(paths, ids), lambda t: t.removeprefix("./")),
        (whole, lambda t: _plain(os.path.abspath(t)) if t not in whole else t),
        (_unique([_file(p) for p in paths], ids), _file),
        (_unique([_stem(p) for p in paths], ids), _stem),
    ]


def _unique(names: Sequence[str], ids: Sequence[str]) -> dict[str, str]:
    """Map each name that one photo alone has to its id."""
    counts = Counter(names)
    return {n: i for n, i in zip(names, ids, strict=True) if counts[n] == 1}


def _require_known(texts: Sequence[str], found: Sequence[str | None], dataset: Dataset) -> None:
    unknown = [k for k, f in enumerate(found) if f is None]
    if unknown:
        first = texts[unknown[0]]
        raise DataError(
            f"{len(unknown):,} of {len(texts):,} names mean no photo of the data set, or more than one: {first!r} "
            f"(row {unknown[0]}, from 0).",
            remedy=f"Name photos by their ids, such as {dataset.image_ids[0]!r}, or by their paths. "
            + nearest(first, dataset.image_ids.tolist()[:2_000]),
        )


def _require_distinct(texts: Sequence[str], found: Sequence[str | None]) -> None:
    if len(set(found)) == len(found):
        return
    seen: dict[str | None, int] = {}
    for row, image in enumerate(found):
        if image in seen:
            raise DataError(
                f"The photo {image!r} occurs twice: as {texts[seen[image]]!r} (row {seen[image]}, from 0) and as "
                f"{texts[row]!r} (row {row}).",
                remedy="Give one row per photo; average the views of a photo before.",
            )
        seen[image] = row
