"""Which photo goes to which shard."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def plan_shards(subject: NDArray[np.integer], per_shard: int, seed: int = 0) -> list[NDArray[np.int64]]:
    """Put the photos of subjects into shards, a subject into one.

    Subjects come in random order and so do the photos of a shard: every shard is a random sample, and whoever reads
    one after another meets no order of the table. A subject of more photos than a shard holds has one for itself.

    Args:
        subject: of each photo [N], from 0.
        per_shard: photos that a shard holds, at most.
        seed: of both orders.

    Returns:
        The photos of each shard; together a permutation of all N.

    >>> [np.sort(shard).tolist() for shard in plan_shards(np.array([0, 0, 1, 1, 1, 2]), 3)]
    [[0, 1, 5], [2, 3, 4]]
    """
    random = np.random.default_rng(seed)
    counts = np.bincount(subject)
    shard_of, shard, held = np.zeros(len(counts), dtype=np.int64), 0, 0
    for s in random.permutation(len(counts)).tolist():
        if held and held + counts[s] > per_shard:
            shard, held = shard + 1, 0
        shard_of[s] = shard
        held += int(counts[s])
    mixed = random.permutation(len(subject))
    mine = shard_of[subject[mixed]]
    ends = np.cumsum(np.bincount(mine, minlength=shard + 1))
    return [part for part in np.split(mixed[np.argsort(mine, kind="stable")], ends[:-1]) if len(part)]
