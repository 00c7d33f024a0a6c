"""Balance of hoego's splitter against scikit-learn's StratifiedGroupKFold(shuffle=True), on random problems.

Problems: 2-10 folds, from as few groups as folds up to 150, 2-18 classes with even to very uneven shares, groups of
equal, Poisson or Pareto sizes, groups of one class or of several. Measures: the worst class deviation
(hoego.split.balance), the spread of a class, the error of a fold's size, empty folds, and classes absent from a fold
although enough groups hold them. The other side is taken at one seed, and at the best of 20 seeds.

    python benchmarks/split_balance.py [--problems 200] [--json]
"""

from __future__ import annotations

import argparse
import json
import platform
import time
import warnings
from datetime import date
from typing import Any

import numpy as np
import sklearn
from sklearn.model_selection import StratifiedGroupKFold

from hoego.split import assign_folds, side_counts, spread_deviation, worst_deviation

KINDS = ("harsh", "mild")


def random_problem(rng: np.random.Generator, kind: str) -> tuple[int, Any, Any]:
    """Folds, groups [N], labels [N]; harsh: groups as few as the folds and classes of one group are common."""
    harsh = kind == "harsh"
    n_folds = int(rng.choice([2, 3, 4, 5, 5, 5, 8, 10]))
    few = [n_folds, n_folds + 1, 2 * n_folds] if harsh else [15, 20]
    n_groups = max(n_folds, int(rng.choice([*few, 15, 30, 60, 150])))
    n_classes = int(rng.integers(2, 19 if harsh else 9))
    shares = rng.dirichlet(np.full(n_classes, rng.choice([0.3, 1.0, 5.0]) if harsh else 5.0))
    sizes = [
        np.full(n_groups, 7),
        1 + rng.poisson(6, n_groups),
        np.ceil(rng.pareto(1.2, n_groups) * 4).clip(1, 200),
    ]
    groups = np.repeat(np.arange(n_groups), sizes[rng.integers(3)].astype(int))
    form = rng.integers(3)
    if form == 0:
        labels = rng.choice(n_classes, n_groups, p=shares)[groups]
    elif form == 1:
        labels = rng.choice(n_classes, len(groups), p=shares)
    else:
        own = rng.dirichlet(shares * 2 + 1e-3, n_groups)
        labels = np.array([rng.choice(n_classes, p=own[g]) for g in groups])
    return n_folds, groups, np.unique(labels, return_inverse=True)[1]


def sklearn_folds(n_folds: int, groups: Any, labels: Any, seed: int) -> Any:
    fold = np.zeros(len(labels), dtype=int)
    try:
        splitter = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed)
        for k, (_, held) in enumerate(splitter.split(labels, labels, groups)):
            fold[held] = k
    except (
        ValueError
    ):  # every class has fewer images than there are folds: it refuses, counted as everything in one fold
        fold[:] = 0
    return fold


def judge(fold: Any, groups: Any, labels: Any, n_folds: int) -> dict[str, float]:
    counts = side_counts(fold, labels, n_folds, int(labels.max()) + 1)
    holders = np.array([len(np.unique(groups[labels == c])) for c in range(counts.shape[1])])
    ideal = np.full(n_folds, 1 / n_folds)
    return {
        "deviation": worst_deviation(counts),
        "spread": spread_deviation(counts, ideal),
        "size": float(np.abs(counts.sum(axis=1) / counts.sum() * n_folds - 1).max()),
        "empty": float((counts.sum(axis=1) == 0).sum()),
        "absent": float(np.maximum(np.minimum(holders, n_folds) - (counts > 0).sum(axis=0), 0).sum()),
    }


def compare(kind: str, n_problems: int, best_of: int, seed: int = 1) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    rows = []
    seconds = {"ours": 0.0, "theirs": 0.0}
    for i in range(n_problems):
        n_folds, groups, labels = random_problem(rng, kind)
        start = time.perf_counter()
        ours = judge(assign_folds(groups, [labels], n_folds, i), groups, labels, n_folds)
        middle = time.perf_counter()
        tries = [
            judge(sklearn_folds(n_folds, groups, labels, i * best_of + s), groups, labels, n_folds)
            for s in range(best_of)
        ]
        seconds["ours"] += middle - start
        seconds["theirs"] += time.perf_counter() - middle
        rows.append((ours, tries[0], min(tries, key=lambda t: t["deviation"])))

    def versus(other: int, key: str) -> dict[str, float]:
        a, b = (np.array([r[k][key] for r in rows]) for k in (0, other))
        return {
            "never_worse": float((a <= b + 1e-9).mean()),
            "better": float((a < b - 1e-9).mean()),
            "mean_ours": round(float(a.mean()), 5),
            "mean_theirs": round(float(b.mean()), 5),
        }

    return {
        "problems": n_problems,
        "against_one_seed": {k: versus(1, k) for k in rows[0][0]},
        f"against_best_of_{best_of}": {k: versus(2, k) for k in ("deviation", "spread", "absent")},
        "milliseconds_each": {
            "ours": round(seconds["ours"] / n_problems * 1e3, 1),
            "theirs_one_seed": round(seconds["theirs"] / n_problems / best_of * 1e3, 1),
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--problems", type=int, default=200)
    parser.add_argument("--best-of", type=int, default=20)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    warnings.simplefilter("ignore", UserWarning)
    result: dict[str, Any] = {
        "date": date.today().isoformat(),
        "machine": f"{platform.machine()}, {platform.system()}",
        "versions": {
            "python": platform.python_version(),
            "numpy": np.__version__,
            "scikit-learn": sklearn.__version__,
        },
        **{kind: compare(kind, args.problems, args.best_of) for kind in KINDS},
    }
    if args.json:
        print(json.dumps(result, indent=2))
        return
    for kind in KINDS:
        for against, table in result[kind].items():
            if not against.startswith("against"):
                continue
            print(f"{kind} problems, {against.replace('_', ' ')}")
            for key, row in table.items():
                print(
                    f"  {key:<10} never worse {row['never_worse']:6.1%}   better {row['better']:6.1%}   "
                    f"mean {row['mean_ours']:.4f} against {row['mean_theirs']:.4f}"
                )
        print(f"  milliseconds each: {result[kind]['milliseconds_each']}")


if __name__ == "__main__":
    main()
