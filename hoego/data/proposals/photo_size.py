"""The size that photos are brought to, from a look at some of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hoego.data.images import read_header
from hoego.data.proposals.commented_toml import Certainty
from hoego.errors import DataError

LOOKED_AT, LONG_SIDE = 64, 96


def typical_size(paths: Sequence[Path]) -> tuple[tuple[int, int], Certainty, str]:
    """Return the height and width for the photos: their own if small, else their proportions with a long side
    of 96.
    """
    chosen = (
        [paths[int(i)] for i in np.unique(np.linspace(0, max(len(paths) - 1, 0), LOOKED_AT).astype(int))]
        if paths
        else []
    )
    sizes = []
    for path in chosen:
        try:
            found = read_header(path)
            sizes.append((found.height, found.width))
        except DataError:
            continue
    if not sizes:
        return (224, 224), "unsure", "no photo could be opened"
    height, width = (float(v) for v in np.median(np.array(sizes), axis=0))
    same = len(set(sizes)) == 1
    seen = f"{'all' if same else 'typical'} of {len(sizes)} photos looked at: {height:.0f} high, {width:.0f} wide"
    if same and max(height, width) <= LONG_SIDE:
        return (int(height), int(width)), "sure", seen
    scale = min(1.0, LONG_SIDE / max(height, width))
    rounded = tuple(max(16, round(v * scale / 8) * 8) for v in (height, width))
    more = "; larger is slower and usually better" if scale < 1 else ""
    return (rounded[0], rounded[1]), "likely" if same else "unsure", seen + more
