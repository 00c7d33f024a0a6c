"""Paired comparisons of simulated models: do the intervals hold, and how often is "better" said when nothing differs?

    python benchmarks/coverage_compare.py [--pairs 4000]

Targets, with at least 30 subjects and photos of a subject correlated: intervals cover 93-97 %; "better" is said at
most 3.2 % of the time in each direction when the two models do not differ in truth. Each pair is compared by the code
behind `hoego compare` (fewer resamples and permutations). At scope recipes, each side has three seeds whose true
quality varies.
"""

from __future__ import annotations

import argparse

import numpy as np
from score_worlds import World, competition, even, uneven, write_results

from hoego.evaluate.compare.comparing import verdict
from hoego.evaluate.compare.paired import PairedResamples
from hoego.evaluate.compare.resamples import CountMetric, ResamplingOptions
from hoego.evaluate.score.metrics import METRICS

DRAWS = ResamplingOptions(resamples=600, swaps=499)
METRIC = METRICS["macro_f1"].formula


def improved(confusion: np.ndarray, by: float) -> np.ndarray:
    """A confusion whose errors are fewer by the share `by`."""
    return confusion * (1 - by) + by * np.eye(len(confusion))


def true_value(world: World, confusion: np.ndarray) -> float:
    at, totals = world.totals(confusion)
    return float(METRIC(totals, at, np.ones(world.n_classes, dtype=bool)))


def one_pair(
    world: World, by: float, alike: float, rng: np.random.Generator, seeds: int = 1, spread: float = 0.0
):
    """(paired result, true difference): B agrees with A on a share `alike` of subjects, elsewhere errs less by `by`."""
    g = world.groups(rng)
    spaces, values = [], ([], [])
    base = world.guesses(g, rng)
    slip = np.random.default_rng(rng.integers(2**31))
    state = slip.bit_generator.state
    for side, gain in enumerate((0.0, by)):
        for _ in range(seeds):
            mine = improved(world.confusion, np.clip(gain + spread * rng.normal(), -0.2, 1))
            own = base if (side == 0 and seeds == 1) else world.guesses(g, rng, mine)
            guess = np.where(rng.random(len(g))[:, None] < alike, base, own)
            slip.bit_generator.state = state if alike > 0.5 else slip.bit_generator.state
            spaces.append(world.finish(g, guess, slip))
            values[side].append(
                true_value(world, alike * world.confusion + (1 - alike) * improved(world.confusion, gain))
            )
    draws = ResamplingOptions(DRAWS.resamples, DRAWS.swaps, int(rng.integers(2**31)))
    bench = PairedResamples.of(CountMetric(spaces, METRIC, draws), 0.95, draws.seed)
    return bench.pair(range(seeds), range(seeds, 2 * seeds)), np.mean(values[0]) - np.mean(values[1])


def worlds() -> list[tuple[World, float, float]]:
    small = even("3 classes, 30 subjects", 3, 30, 0.8)
    skew = uneven("6 uneven classes, 120 subjects", 6, 120, 0.9)
    return [
        (small, 0.0, 0.0),
        (small, 0.0, 0.5),
        (small, 0.4, 0.3),
        (even("2 classes, 40 subjects, strong correlation", 2, 40, 0.7, 0.1), 0.0, 0.0),
        (even("6 classes, 40 subjects, weak correlation", 6, 40, 0.7, 5), 0.2, 0.0),
        (skew, 0.0, 0.5),
        (skew, 0.4, 0.2),
        (even("18 classes, 180 subjects", 18, 180, 0.8), 0.0, 0.5),
        (competition(540), 0.0, 0.5),
        (competition(540), 0.2, 0.2),
    ]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=4000)
    n = parser.parse_args().pairs
    lines = [
        f"{n} pairs each ({n // 2} at scope recipes). Monte Carlo error: "
        f"{100 * np.sqrt(0.95 * 0.05 / n):.2f} points for the coverage, "
        f"{100 * np.sqrt(0.025 * 0.975 / n):.2f} for `better` and `worse`.",
        "Macro F1; agreement: share of subjects on whom the two agree by construction.",
        "",
        "| population | scope | agreement | correlation | true difference | coverage % | better % | worse % |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    data = []
    cases = [(*w, 1, 0.0) for w in worlds()]
    small, skew = (
        even("3 classes, 60 subjects", 3, 60, 0.8),
        uneven("6 uneven classes, 120 subjects", 6, 120, 0.9),
    )
    large = even("6 classes, 600 subjects", 6, 600, 0.8)
    cases += [(w, 0.0, 0.3, 3, s) for w in (small, skew) for s in (0.0, 0.15)]
    cases += [(large, 0.0, 0.3, 3, 0.1), (large, 0.0, 0.3, 3, 0.3), (skew, 0.3, 0.3, 5, 0.1)]
    for world, by, alike, seeds, spread in cases:
        rng = np.random.default_rng(20261123)
        held = better = worse = 0
        total = n if seeds == 1 else n // 2
        for _ in range(total):
            found, truth = one_pair(world, by, alike, rng, seeds, spread)
            held += found.low - 1e-12 <= truth <= found.high + 1e-12
            said = verdict(found, higher=True)
            better, worse = better + (said == "better"), worse + (said == "worse")
        shares = [100 * x / total for x in (held, better, worse)]
        scope = "models" if seeds == 1 else f"recipes, {seeds} seeds, spread {spread}"
        data.append(
            {
                "world": world.name,
                "scope": scope,
                "agreement": alike,
                "difference": truth,
                "pairs": total,
                "coverage": shares[0],
                "better": shares[1],
                "worse": shares[2],
            }
        )
        cells = " | ".join(f"{x:.1f}" for x in shares)
        lines.append(
            f"| {world.name} | {scope} | {alike} | {world.correlation:.2f} | {truth:+.4f} | {cells} |"
        )
        print(lines[-1], flush=True)
    write_results("coverage_compare", "Coverage and error rate of paired comparisons", lines, data)


if __name__ == "__main__":
    main()
