"""The winner's curse: is the corrected score of the best of M candidates what it is worth?

    python benchmarks/curse_simulation.py [--repetitions 1000]

Targets (mean of corrected - true score of the chosen): within 0.003 where the candidates do not differ in truth (the
plain score is off by more than 0.01); where they differ, pessimistic by 0.006 at most. Candidates agree on 60 % of the
subjects, as epochs of one training do.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import numpy as np
from coverage_compare import improved, true_value
from score_worlds import World, competition, even, write_results

from hoego.evaluate.score.optimism import OptimismOptions, optimism
from hoego.results.score import Optimism

AGREEMENT = 0.6


def chosen(
    world: World, gains: np.ndarray, folds: int, seed: int, rng: np.random.Generator
) -> tuple[Optimism, float]:
    """The optimism of the best candidate, and the true score of what was chosen (mean over folds)."""
    g = world.groups(rng)
    base = world.guesses(g, rng)
    rows, values = [], []
    for gain in gains:
        confusion = improved(world.confusion, gain)
        own = world.guesses(g, rng, confusion)
        rows.append(np.where(rng.random(len(g))[:, None] < AGREEMENT, base, own).reshape(-1))
        values.append(true_value(world, AGREEMENT * world.confusion + (1 - AGREEMENT) * confusion))
    subject = np.repeat(np.arange(len(g)), world.photos)
    found = optimism(
        np.stack(rows),
        np.repeat(g, world.photos),
        subject,
        world.n_classes,
        OptimismOptions(resamples=200, seed=seed),
        subject % folds,
    )
    return found, float(np.mean([values[i] for i in found.chosen]))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--repetitions", type=int, default=1000)
    n = parser.parse_args().repetitions
    ages = replace(competition(540), states=(), name="competition without masks, 540 subjects")
    small = even("6 classes, 120 subjects", 6, 120, 0.8)
    cases = [
        (ages, 40, 0.0, 1),
        (ages, 40, 0.3, 1),
        (small, 30, 0.0, 1),
        (small, 30, 0.3, 1),
        (even("18 classes, 180 subjects", 18, 180, 0.8), 20, 0.0, 1),
        (even("6 classes, 150 subjects", 6, 150, 0.8), 20, 0.0, 5),
    ]
    lines = [
        f"{n} repetitions each. `off`: mean of the score less the true macro F1 of the chosen. `error`: Monte Carlo.",
        "",
        "| population | candidates | best errs less by | folds | true | plain off | corrected off | error |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    data = []
    for world, m, by, folds in cases:
        rng = np.random.default_rng(20261123)
        world = replace(world, least=2)
        gains = np.linspace(0, by, m)
        plain, corrected, truth = np.array(
            [
                (found.plain, found.corrected, true)
                for found, true in (chosen(world, gains, folds, r, rng) for r in range(n))
            ]
        ).T
        error = float((corrected - truth).std() / np.sqrt(n))
        row = {
            "world": world.name,
            "candidates": m,
            "gain": by,
            "folds": folds,
            "true": float(truth.mean()),
            "plain_off": float((plain - truth).mean()),
            "corrected_off": float((corrected - truth).mean()),
            "error": error,
        }
        data.append(row)
        lines.append(
            f"| {world.name} | {m} | {by} | {folds} | {row['true']:.4f} | {row['plain_off']:+.4f} | "
            f"{row['corrected_off']:+.4f} | {error:.4f} |"
        )
        print(lines[-1], flush=True)
    write_results("curse_simulation", "The winner's curse, corrected", lines, data)


if __name__ == "__main__":
    main()
