"""Merge subjects that several columns, identical photos or split.join name as one, transitively."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from hoego.data.spelling import plain_name
from hoego.errors import SplitError, first_few, nearest

Ints = NDArray[np.int64]


def join_subjects(
    rows: pl.DataFrame,
    subject_columns: Sequence[str],
    contents: NDArray[np.uint64],
    joins: Sequence[Sequence[str]],
) -> tuple[list[str], list[str]]:
    """Return the joined subject of each image, and sentences on what was joined.

    Two images are of one subject when a chain links them: an equal value in a subject column, identical content, or
    a list of `joins` (values of subject columns, or image ids). A joined subject takes the smallest name among its
    values of the first subject column (the image ids where there is none).

    Args:
        rows: one row per image, with `image` and the subject columns.
        subject_columns: their names; none makes each photo a subject of its own.
        contents: content hash of each image [N].
        joins: lists of names that are one subject.

    Raises:
        SplitError: a list names what is neither a subject nor an image.
    """
    n = rows.height
    images = rows["image"].to_numpy().astype(np.str_)
    columns = [rows[c].cast(pl.String).to_numpy().astype(np.str_) for c in subject_columns] or [images]
    nodes, known = _nodes(columns)
    edges = [np.stack([np.arange(n), column], axis=1) for column in nodes]
    sentences = []
    if subject_columns and len(columns) > 1:
        sentences.append(f"subjects are joined over the columns {', '.join(subject_columns)}")
    edges.append(_by_content(contents))
    edges.append(_by_hand(joins, known, images))
    size = n + sum(len(np.unique(c)) for c in nodes)
    component = _components(np.concatenate(edges), size)[:n]
    plain = _components(np.concatenate(edges[:-2]), size)[:n]
    names = _smallest(columns[0], component)
    return names.tolist(), sentences + _said(columns[0], plain, component, images, contents)


def _nodes(columns: list[NDArray[Any]]) -> tuple[list[Ints], dict[str, int]]:
    """Return a node for every distinct value of every column, numbered after the N images; and values by name."""
    nodes: list[Ints] = []
    known: dict[str, int] = {}
    first = len(columns[0])
    for column in columns:
        values, index = np.unique(column, return_inverse=True)
        nodes.append(index.astype(np.int64) + first)
        for i, value in enumerate(values.tolist()):
            known.setdefault(value, first + i)
        first += len(values)
    return nodes, known


def _by_content(contents: NDArray[np.uint64]) -> Ints:
    _, first, index = np.unique(contents, return_index=True, return_inverse=True)
    pairs = np.stack([np.arange(len(contents)), first[index.reshape(-1)]], axis=1)
    distinct: Ints = pairs[pairs[:, 0] != pairs[:, 1]].astype(np.int64)
    return distinct


def _by_hand(joins: Sequence[Sequence[str]], known: dict[str, int], images: NDArray[Any]) -> Ints:
    if not joins:
        return np.empty((0, 2), dtype=np.int64)
    where = {image: i for i, image in enumerate(images.tolist())} | known
    pairs = []
    for group in joins:
        plain = plain_name(pl.Series(group, dtype=pl.String)).to_list()
        nodes = [where.get(name, where.get(p)) for name, p in zip(group, plain, strict=True)]
        if None in nodes:
            name = group[nodes.index(None)]
            raise SplitError(
                f"split.join names {name!r}, which is neither a subject nor an image.",
                remedy=nearest(name, where),
            )
        pairs += list(itertools.pairwise(nodes))
    return np.asarray(pairs, dtype=np.int64).reshape(-1, 2)


def _components(edges: Ints, size: int) -> Ints:
    graph = coo_array((np.ones(len(edges), dtype=np.int8), (edges[:, 0], edges[:, 1])), shape=(size, size))
    labels: Ints = connected_components(graph, directed=False)[1].astype(np.int64)
    return labels


def _smallest(values: NDArray[Any], component: Ints) -> NDArray[Any]:
    """Return for each image the smallest value of its component."""
    order = np.lexsort((values, component))
    starts = np.r_[True, component[order][1:] != component[order][:-1]]
    best: NDArray[Any] = values[order][starts]
    index = np.searchsorted(component[order][starts], component)
    return best[index]


def _said(
    values: NDArray[Any], plain: Ints, component: Ints, images: NDArray[Any], contents: NDArray[np.uint64]
) -> list[str]:
    """Return one sentence for each pair of subjects that content or hand has joined (20 at most, then a count)."""
    pairs = np.unique(np.stack([component, plain], axis=1), axis=0)
    joined, counts = np.unique(pairs[:, 0], return_counts=True)
    sentences = []
    affected = joined[counts > 1]
    for c in affected[:20].tolist():
        members = np.unique(values[component == c])
        mine = np.flatnonzero(component == c)
        same, times = np.unique(contents[mine], return_counts=True)
        twice = images[mine][contents[mine] == same[times > 1][0]] if (times > 1).any() else None
        why = f"identical photos ({twice[0]} = {twice[1]})" if twice is not None else "split.join"
        sentences.append(f"{len(members)} subjects are joined by {why}: {first_few(members.tolist(), 4)}")
    if len(affected) > 20:
        sentences.append(f"… and {len(affected) - 20} more joined groups")
    return sentences
