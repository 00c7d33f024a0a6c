"""Growth of hoego's splitter: seconds for 125,000 to 1,000,000 images, 6.7 images a subject, K = 5 and holdout.

Two problems at each size: every photo with a class of its own (nearly every subject is unlike the others: the worst
case) and one class per subject (many equal subjects). Linear growth shows as an exponent near 1 or below.

    python benchmarks/split_growth.py [--rounds 3] [--json]
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

from hoego.split import assign_folds, assign_holdout, side_counts, worst_deviation

SIZES = (125_000, 250_000, 500_000, 1_000_000)
N_CLASSES = 18


def data(n_images: int, by_photo: bool) -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    n_subjects = int(n_images * 0.15)
    groups = np.concatenate([np.arange(n_subjects), rng.integers(0, n_subjects, n_images - n_subjects)])
    shares = rng.dirichlet(np.ones(N_CLASSES))
    labels = rng.choice(N_CLASSES, n_images if by_photo else n_subjects, p=shares)
    return groups, labels if by_photo else labels[groups]


def measure(by_photo: bool, rounds: int) -> dict[str, Any]:
    rows = []
    for n_images in SIZES:
        groups, labels = data(n_images, by_photo)
        taken = []
        for _ in range(rounds):
            start = time.perf_counter()
            fold = assign_folds(groups, [labels], 5)
            middle = time.perf_counter()
            assign_holdout(groups, [labels], 0.2)
            taken.append((middle - start, time.perf_counter() - middle))
        folds, holdout = np.median(taken, axis=0)
        rows.append(
            {
                "images": n_images,
                "subjects": int(groups.max()) + 1,
                "folds_seconds": round(float(folds), 3),
                "holdout_seconds": round(float(holdout), 3),
                "worst_deviation": worst_deviation(side_counts(fold, labels, 5, N_CLASSES)),
            }
        )
    sizes = np.log([r["images"] for r in rows])
    exponent = np.polyfit(sizes, np.log([r["folds_seconds"] for r in rows]), 1)[0]
    return {"rows": rows, "exponent": round(float(exponent), 2)}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    result: dict[str, Any] = {
        "date": date.today().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "versions": {"python": platform.python_version(), "numpy": np.__version__},
        "a class per photo": measure(True, args.rounds),
        "a class per subject": measure(False, args.rounds),
    }
    if args.json:
        print(json.dumps(result, indent=2))
        return
    for name in ("a class per photo", "a class per subject"):
        print(f"{name}: seconds grow as images ** {result[name]['exponent']}")
        for r in result[name]["rows"]:
            print(
                f"  {r['images']:>9,} images  {r['subjects']:>7,} subjects  folds {r['folds_seconds']:.2f} s  "
                f"holdout {r['holdout_seconds']:.2f} s  worst deviation {r['worst_deviation']:.1e}"
            )


if __name__ == "__main__":
    main()
