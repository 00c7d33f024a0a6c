"""How often the leaderboard's score lies in the interval that `hoego submit` expects, with subjects correlated.

    python benchmarks/expected_public.py [--repetitions 300]

Each repetition draws held-out subjects, makes the honest interval of `hoego.evaluate.score`, widens it as
`expected_score`
does for a test of other subjects, draws such a test, and asks whether the test's macro F1 lies inside. Beside it:
lies in the honest interval as it is (which speaks of the population, not of one more finite test).
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
from coverage_score import intervals
from score_worlds import competition, even, uneven, write_results

from hoego.evaluate.score import formulas
from hoego.evaluate.score.count_columns import CountColumns, tally
from hoego.runs.submission import expected_score

CASES = (
    (competition(540), 900),
    (even("3 classes, 60 subjects, 0.95", 3, 60, 0.95, 0.2), 60),
    (uneven("6 uneven classes, 120 subjects", 6, 120, 0.9), 60),
    (uneven("18 uneven classes, 500 subjects", 18, 500, 0.9, 0.3), 250),
)


def macro_f1(space, n_subjects):
    at = CountColumns(space.n_classes, True)
    counts = tally(space.truth, space.predicted, space.subject, n_subjects, space.n_classes, ordered=True)
    present = np.bincount(space.truth, minlength=space.n_classes) > 0
    return float(formulas.macro_f1(np.asarray(counts.sum(axis=0)).ravel(), at, present))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--repetitions", type=int, default=300)
    n = parser.parse_args().repetitions
    error = 100 * 1.96 * np.sqrt(0.95 * 0.05 / n)
    lines = [
        f"{n} repetitions each; Monte Carlo error {error:.1f} percentage points at 95 %. Share of tests, in percent,",
        "whose macro F1 lies in the expected interval, and in the honest interval left as it is.",
        "",
        "| population | held-out subjects | test subjects | expected | honest interval as it is |",
        "| --- | --- | --- | --- | --- |",
    ]
    data = []
    for world, test_subjects in CASES:
        rng = np.random.default_rng(20261123)
        test = replace(world, n_subjects=test_subjects)
        inside = plain = 0
        for _ in range(n):
            space = world.draw(rng)
            drawn = SimpleNamespace(draw=lambda _, s=space: s, n_subjects=world.n_subjects)
            low, high = intervals(drawn, rng)["macro_f1"]
            value = macro_f1(space, world.n_subjects)
            score = {
                "macro_f1": {"value": value, "low": float(low), "high": float(high)},
                "n_images": world.n_subjects * world.photos,
                "n_subjects": world.n_subjects,
            }
            found = expected_score(score, "macro_f1", test_subjects * world.photos)
            said = macro_f1(test.draw(rng), test_subjects)
            inside += found.low <= said <= found.high
            plain += low <= said <= high
        shares = {"expected": 100 * inside / n, "plain": 100 * plain / n}
        lines.append(
            f"| {world.name} | {world.n_subjects} | {test_subjects} "
            f"| {shares['expected']:.1f} | {shares['plain']:.1f} |"
        )
        data.append(
            {"world": world.name, "held_out": world.n_subjects, "test": test_subjects, "coverage": shares}
        )
    write_results("expected_public", "Leaderboard scores in the expected interval", lines, data)


if __name__ == "__main__":
    main()
