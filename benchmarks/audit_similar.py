"""The audit's search for near-duplicates: seconds and pairs for 25,000 to 100,000 thumbnails, and what it recalls.

Pictures are smooth random fields (as alike as the low frequencies of photos are). One in a hundred is a changed copy of
another: brighter, noisier, or both. Growth, the share of copies found and the false alarms are printed.

    python benchmarks/audit_similar.py [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from datetime import date
from typing import Any

import numpy as np

from hoego.data.audit.similar import close_pairs, confirmed, hashes

SIZES = (25_000, 50_000, 100_000)
DISTANCE = 6


def pictures(n: int, rng: np.random.Generator) -> Any:
    """float32[n, 32, 32]: bilinear fields over a 6 x 6 grid of random heights, with a little noise."""
    grid = np.linspace(0, 5, 32)
    low = np.minimum(grid.astype(int), 4)
    weights = np.zeros((32, 6), dtype=np.float32)
    weights[np.arange(32), low] = 1 - (grid - low)
    weights[np.arange(32), low + 1] += grid - low
    heights = rng.random((n, 6, 6), dtype=np.float32)
    fields = np.einsum("xi,nij,yj->nxy", weights, heights, weights, optimize=True) * 255
    return fields + rng.normal(0, 2, fields.shape).astype(np.float32)


def measure(n: int) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    luma = pictures(n, rng)
    chosen = rng.permutation(n)[: n // 50].reshape(-1, 2)
    gain, noise = rng.uniform(0.9, 1.15, len(chosen)), rng.uniform(0, 2, len(chosen))
    spread = rng.normal(0, 1, (len(chosen), 32, 32)) * noise[:, None, None]
    luma[chosen[:, 1]] = luma[chosen[:, 0]] * gain[:, None, None] + spread
    times = [time.perf_counter()]
    codes = hashes(luma)
    times.append(time.perf_counter())
    pairs = close_pairs(codes, np.arange(n) // 7, DISTANCE)
    times.append(time.perf_counter())
    kept = {tuple(p) for p in pairs[confirmed(luma.__getitem__, pairs)].tolist()}
    times.append(time.perf_counter())
    planted = {tuple(sorted(p)) for p in chosen.tolist() if p[0] // 7 != p[1] // 7}
    steps = np.diff(times)
    return {
        "thumbnails": n,
        "seconds": dict(zip(("hashes", "pairs", "confirmation"), np.round(steps, 2).tolist(), strict=True)),
        "seconds_in_all": round(float(steps.sum()), 2),
        "candidates": len(pairs),
        "recall": round(len(planted & kept) / len(planted), 4),
        "false_alarms": len(kept - planted),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    result = {
        "date": date.today().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "versions": {"python": platform.python_version(), "numpy": np.__version__},
        "distance": DISTANCE,
        "rows": [measure(n) for n in SIZES],
    }
    if args.json:
        print(json.dumps(result, indent=2))
        return
    for row in result["rows"]:
        print(
            f"{row['thumbnails']:>8,} thumbnails  {row['seconds_in_all']:6.2f} s {row['seconds']}  "
            f"recall {row['recall']:.1%}  false alarms {row['false_alarms']}"
        )


if __name__ == "__main__":
    main()
