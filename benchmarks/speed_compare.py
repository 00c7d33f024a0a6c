"""Seconds for 10,000 paired resamples of macro F1, and the ratio to a loop over scikit-learn.

    python benchmarks/speed_compare.py [--big]

Sizes: one run and 20 runs at 18,900 images / 2,700 subjects / 18 classes; with --big, 2 runs at 1,000,000 images /
150,000 subjects. The loop over `sklearn.metrics.f1_score` is timed for a few resamples and extrapolated.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace

import numpy as np
from score_worlds import competition, write_results
from sklearn.metrics import f1_score

from hoego.evaluate.compare.paired import PairedResamples
from hoego.evaluate.compare.resamples import CountMetric, ResamplingOptions
from hoego.evaluate.score.metrics import METRICS
from hoego.evaluate.score.space_scores import MetricOptions, score_spaces

FORMULA = METRICS["macro_f1"].formula


def runs(n_subjects: int, m: int, seed: int = 0):
    world = competition(n_subjects)
    rng = np.random.default_rng(seed)
    g = world.groups(rng)
    return [world.finish(g, world.guesses(g, rng), rng) for _ in range(m)]


def seconds(call) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def loop(space, resamples: int) -> float:
    """Seconds for so many resamples by scikit-learn."""
    rng = np.random.default_rng(0)
    order = np.argsort(space.subject, kind="stable")
    rows = np.split(order, np.flatnonzero(np.diff(space.subject[order])) + 1)
    predicted = space.predicted
    start = time.perf_counter()
    for _ in range(resamples):
        take = np.concatenate([rows[s] for s in rng.integers(0, len(rows), len(rows))])
        f1_score(space.truth[take], predicted[take], average="macro")
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--big", action="store_true")
    big = parser.parse_args().big
    twenty = [replace(s, ordered=False) for s in runs(2700, 20)]
    draws = ResamplingOptions()
    data = {
        "one run, every metric of `hoego score`": seconds(lambda: score_spaces(twenty[:1], MetricOptions())),
        "one run, macro F1": seconds(lambda: CountMetric(twenty[:1], FORMULA, draws).replicates()),
        "20 runs, macro F1": seconds(lambda: CountMetric(twenty, FORMULA, draws).replicates()),
        "2 runs, interval and 10,000 permutations": seconds(
            lambda: PairedResamples.of(CountMetric(twenty[:2], FORMULA, draws), 0.95, 0).pair([0], [1])
        ),
        "scikit-learn, one run (from 20 resamples)": loop(twenty[0], 20) * 500,
    }
    if big:
        two = [replace(s, ordered=False) for s in runs(150_000, 2)]
        data["2 runs, 1,050,000 images / 150,000 subjects, interval and permutations"] = seconds(
            lambda: PairedResamples.of(CountMetric(two, FORMULA, draws), 0.95, 0).pair([0], [1])
        )
    ratio = data["scikit-learn, one run (from 20 resamples)"] / data["one run, macro F1"]
    lines = [
        "10,000 resamples over subjects; 18,900 images / 2,700 subjects / 18 classes where not said.",
        "",
    ]
    lines += ["| what | seconds |", "| --- | --- |", *(f"| {k} | {v:.2f} |" for k, v in data.items()), ""]
    lines.append(f"One run against the loop over scikit-learn: {ratio:,.0f} times as fast.")
    write_results("speed_compare", "Speed of paired resampling", lines, {"seconds": data, "ratio": ratio})


if __name__ == "__main__":
    main()
