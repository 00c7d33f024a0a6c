"""Several predictions as one: the folds of a run under one another, aligned members with joined provenance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from hoego.errors import MismatchError
from hoego.predictions.predictions import Predictions
from hoego.predictions.provenance import Provenance, RowProvenance, SubjectUniverse, join_sources
from hoego.predictions.whole_runs import whole_runs


def concat(parts: Sequence[Predictions]) -> Predictions:
    """Concatenate the rows of several predictions of one data set, split and schema (the folds of a run).

    Raises:
        MismatchError: they are of different data sets, splits or schemas; the message names the difference.
    """
    first = parts[0]
    require_alike(parts)
    known, offsets = joined_sources(parts)
    images = np.concatenate([p.images for p in parts])
    return replace(
        first,
        images=images,
        whole=whole_runs([p.whole for p in parts], images),
        values={k: np.concatenate([p.values[k] for p in parts]) for k in first.values},
        fold=np.concatenate([p.fold for p in parts]),
        source=np.concatenate([p.source + o for p, o in zip(parts, offsets, strict=True)]).astype(np.int32),
        sources=known.sources,
        universe=known.universe,
        lineage=tuple(dict.fromkeys(r for p in parts for r in p.lineage)),
    )


def require_alike(parts: Sequence[Predictions], *, values: bool = True) -> None:
    """Raise MismatchError unless all are of one data set, one split and one schema."""
    first = parts[0]
    for p in parts[1:]:
        for what, a, b in (
            ("data set", first.dataset_fingerprint, p.dataset_fingerprint),
            ("split", first.split_fingerprint, p.split_fingerprint),
            ("label schema", first.schema.fingerprint, p.schema.fingerprint),
        ):
            if a != b:
                raise MismatchError(
                    f"{first.name!r} and {p.name!r} differ in their {what}: {a or 'none'} against {b or 'none'}.",
                    remedy="Only predictions of the same photos, on the same split, can be combined.",
                )
        if values and (set(first.values) != set(p.values) or dict(first.scale) != dict(p.scale)):
            raise MismatchError(
                f"{first.name!r} and {p.name!r} predict different things: "
                f"{dict(first.scale)} against {dict(p.scale)}."
            )


def joined_sources(parts: Sequence[Predictions]) -> tuple[Provenance, list[int]]:
    """Return the joined provenance of all parts, and where the sources of each begin in it."""
    offsets = [0, *accumulate(len(p.sources) for p in parts)]
    return Provenance.joined([p.provenance for p in parts]), offsets[: len(parts)]


def join_rows(
    members: Sequence[Predictions], name: str
) -> tuple[SubjectUniverse, NDArray[np.int32], tuple[RowProvenance, ...]]:
    """Join the sources of several aligned members row by row.

    Args:
        members: M predictions with the same images in the same order (see `align`).
        name: the combination's name.

    Returns:
        the common universe, the source of each row [N], and the sources.
    """
    images = members[0].images
    for m in members[1:]:
        if len(m.images) != len(images) or (m.images != images).any():
            raise MismatchError(
                f"{members[0].name!r} and {m.name!r} are not aligned.", remedy="Call align() first."
            )
    known, offsets = joined_sources(members)
    rows = np.stack([m.source + o for m, o in zip(members, offsets, strict=True)], axis=1)
    patterns, source = np.unique(rows, axis=0, return_inverse=True)
    joined = tuple(
        join_sources(name, [known.sources[i] for i in sorted(set(pattern))], known.universe)
        for pattern in patterns.tolist()
    )
    return known.universe, source.reshape(-1).astype(np.int32), joined
