"""How often the intervals of a score hold the population's value, with subjects correlated.

    python benchmarks/coverage_score.py [--repetitions 2000]

Target: 92-98 % wherever every class is held by at least five scored subjects. Each repetition draws new subjects,
scores them as `hoego.evaluate.score` does, and asks whether the interval holds the metric of the whole population
for the same (fixed) model. Beside it: the plain percentile interval.
"""

from __future__ import annotations

import argparse
from functools import partial

import numpy as np
from score_worlds import competition, even, rare, uneven, write_results

from hoego.evaluate.score import formulas
from hoego.evaluate.score.count_columns import CountColumns, tally
from hoego.evaluate.score.interval import (
    ProportionSupport,
    any_mark,
    cautious_size,
    minority,
    proportion_interval,
    spread,
    strata,
)
from hoego.evaluate.score.metrics import METRICS
from hoego.evaluate.score.subject_counts import SubjectTable

SHOWN = ("macro_f1", "accuracy", "balanced_accuracy", "specificity", "qwk", "mae")
RESAMPLES = 400
ORDINAL = 6  # up to so many classes the order is taken to mean something

WORLDS = (
    competition(540),
    competition(2700),
    even("3 classes, 30 subjects, easy", 3, 30, 0.8),
    even("3 classes, 60 subjects, 0.95", 3, 60, 0.95, 0.2),
    even("2 classes, 20 subjects, photos err together", 2, 20, 0.9, 0.3),
    even("2 classes, 100 subjects, 0.98", 2, 100, 0.98, 0.3),
    even("2 classes, 300 subjects, 0.99", 2, 300, 0.99, 1),
    even("18 classes, 180 subjects", 18, 180, 0.8),
    even("18 classes, 150 subjects, hard", 18, 150, 0.4, 0.3),
    even("43 classes, 600 subjects, 20 photos, 0.99", 43, 600, 0.99, 0.2, 20),
    uneven("6 uneven classes, 120 subjects", 6, 120, 0.9),
    uneven("18 uneven classes, 500 subjects", 18, 500, 0.9, 0.3),
    uneven("10 uneven classes, 400 subjects, weak correlation", 10, 400, 0.85, 5),
    rare(uneven("6 uneven classes, 60 subjects", 6, 60, 0.9), 1, 2),
    rare(uneven("6 uneven classes, 60 subjects", 6, 60, 0.9), 3, 4),
    rare(competition(60), 1, 2),
)


def intervals(world, rng):
    space = world.draw(rng)
    at = CountColumns(space.n_classes, True)
    counts = tally(
        space.truth, space.predicted, space.subject, world.n_subjects, space.n_classes, ordered=True
    )
    table = SubjectTable.of(counts)
    stratum, holders = strata(table, at)
    present = holders > 0
    resampled = table.resampled(RESAMPLES, int(rng.integers(2**31)))
    wrong = minority(table, at, present, any_mark)
    out = {}
    for name in SHOWN:
        row = METRICS[name]
        statistic = partial(row.formula, at=at, present=present)
        drawn = statistic(resampled)
        found = spread(statistic, table, stratum)
        size = cautious_size(holders, world.n_subjects) if row.spread_over_classes else world.n_subjects
        limits = proportion_interval(
            found, drawn, ProportionSupport(np.array([float(size)]), wrong), 0.95, row.span(space.n_classes)
        )
        out[name] = (limits.low[0], limits.high[0])
        if name == "macro_f1":
            out["percentile"] = tuple(np.nanquantile(drawn, [0.025, 0.975]))
    return out


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--repetitions", type=int, default=2000)
    n = parser.parse_args().repetitions
    error = 100 * np.sqrt(0.95 * 0.05 / n)
    lines = [
        f"{n} repetitions each; Monte Carlo error {error:.2f} percentage points at 95 %. Coverage in percent of the",
        "95 % intervals over subjects. `percentile`: a plain percentile bootstrap of macro F1. Correlation: between",
        "two photos of a subject.",
        "",
        "| population | correlation | macro F1 (true) | " + " | ".join(SHOWN) + " | percentile |",
        "| --- | --- | --- | " + " | ".join("---" for _ in SHOWN) + " | --- |",
    ]
    data = []
    for world in WORLDS:
        rng = np.random.default_rng(20261123)
        at, totals = world.totals()
        every = np.ones(world.n_classes, dtype=bool)
        truth = {name: float(METRICS[name].formula(totals, at, every)) for name in SHOWN}
        truth["percentile"] = float(formulas.macro_f1(totals, at, every))
        held = dict.fromkeys(truth, 0)
        for _ in range(n):
            for name, (low, high) in intervals(world, rng).items():
                held[name] += low <= truth[name] <= high
        share = {k: 100 * v / n for k, v in held.items()}
        if world.n_classes > ORDINAL:
            share |= dict.fromkeys(("qwk", "mae"))
        cells = " | ".join("" if share[k] is None else f"{share[k]:.1f}" for k in (*SHOWN, "percentile"))
        lines.append(f"| {world.name} | {world.correlation:.2f} | {truth['macro_f1']:.3f} | {cells} |")
        data.append({"world": world.name, "least": world.least, "coverage": share, "truth": truth})
        print(lines[-1], flush=True)
    write_results("coverage_score", "Coverage of the intervals of a score", lines, data)


if __name__ == "__main__":
    main()
