"""Do the promises of a service hold over people: prediction sets, and "wrong on at most x of the people answered"?

    python benchmarks/coverage_promises.py [--repetitions 2000] [--exported DIR ...]

Worlds: people with 1 to 9 photos each; the photos of a person are easy or hard together, and in "crowded" those with
many photos are the easy ones. A promise is set on the people of one draw and judged on people of another. With
--exported, the held-out people of an exported folder are divided at random into two halves, over and over: the promise
is set on the first and judged on the second.

Targets. Sets: over the draws the share of new people's photos whose set holds the truth (a person at random, then one
of their photos) is at least 1 - error. Abstention: of all draws, at most 5 % give a promise that new people break.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from score_worlds import write_results

from hoego.errors import NotEstimableError
from hoego.evaluate.promises import abstention_rule, in_sets, prediction_set_rule
from hoego.evaluate.promises.sets import person_weights

Draw = tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]
JUDGES = 4000
WORLDS: dict[str, dict[str, Any]] = {
    "one photo each": {"photos": (1, 2), "skill": 2.5, "spread": 1.0},
    "like errs with like": {"photos": (1, 10), "skill": 2.5, "spread": 1.5},
    "seven of everybody": {"photos": (7, 8), "skill": 3.5, "spread": 2.0},
    "crowded": {"photos": (1, 10), "skill": 1.5, "spread": 1.0, "easier": 0.5},
    "never wrong": {"photos": (1, 10), "skill": 30.0, "spread": 0.0},
}


def drawn(rng: np.random.Generator, people: int, world: dict[str, Any]) -> Draw:
    """Probabilities [N, 5], truth [N] and person [N]."""
    photos = rng.integers(*world["photos"], people)
    owner = np.repeat(np.arange(people), photos)
    truth = rng.integers(0, 5, len(owner))
    ease = world["skill"] + world["spread"] * rng.normal(size=people) + world.get("easier", 0.0) * photos
    logits = rng.normal(size=(len(owner), 5))
    logits[np.arange(len(owner)), truth] += ease[owner]
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    return p / p.sum(axis=1, keepdims=True), truth, owner


def covered(new: Draw, least: float) -> float:
    """The share of new people's photos whose set holds the truth."""
    p, truth, owner = new
    right = in_sets(p, least)[np.arange(len(p)), truth]
    return float((person_weights(owner)[0] * right).sum())


def wrong(new: Draw, above: float) -> float:
    """Of the new people who get an answer, the mean share of their answers that are wrong."""
    p, truth, owner = new
    given = p.max(axis=1) > above
    answers = np.bincount(owner[given], minlength=int(owner.max()) + 1)
    errors = np.bincount(owner[given & (p.argmax(axis=1) != truth)], minlength=len(answers))
    return float((errors[answers > 0] / answers[answers > 0]).mean())


def sets(pairs: Callable[[int], tuple[Draw, Draw]], error: float, repetitions: int) -> dict[str, Any]:
    """Set and judge the sets so many times."""
    found, sizes = [], []
    for k in range(repetitions):
        old, new = pairs(k)
        try:
            rule = prediction_set_rule("x", *old, error)
        except NotEstimableError as e:
            return {"promise": f"sets {error:g}", "refused": e.remedy}
        found.append(covered(new, rule.least))
        sizes.append(rule.mean_size)
    return {
        "promise": f"sets {error:g}",
        "kept": float(np.mean(found)),
        "standard_error": float(np.std(found) / np.sqrt(repetitions)),
        "mean_size": float(np.mean(sizes)),
    }


def answers(pairs: Callable[[int], tuple[Draw, Draw]], error: float, repetitions: int) -> dict[str, Any]:
    """Set and judge the abstention so many times."""
    broken, given, shares, remedy = 0, 0, [], ""
    for k in range(repetitions):
        old, new = pairs(k)
        try:
            rule = abstention_rule("x", *old, error)
        except NotEstimableError as e:
            remedy = e.remedy
            continue
        given += 1
        shares.append(rule.answered_photos)
        broken += wrong(new, rule.above) > error
    if not given:
        return {"promise": f"abstain {error:g}", "refused": remedy}
    return {
        "promise": f"abstain {error:g}",
        "given": given / repetitions,
        "broken": broken / repetitions,
        "answered_photos": float(np.mean(shares)),
    }


def of_world(name: str, people: int) -> Callable[[int], tuple[Draw, Draw]]:
    """Pairs of draws; the new people are one crowd that all draws share."""
    crowd = drawn(np.random.default_rng(999), JUDGES, WORLDS[name])
    return lambda k: (drawn(np.random.default_rng(k), people, WORLDS[name]), crowd)


def of_folder(folder: Path, attribute: str) -> Callable[[int], tuple[Draw, Draw]]:
    """Pairs of halves of the held-out people of an exported folder."""
    from hoego.exported import open_model

    model = open_model(folder)
    reference = model.reference()
    p = reference.honest_predictions(model.schema).probabilities(attribute)
    truth = model.schema.class_codes(attribute, reference.codes).astype(np.int64)
    owner = np.unique(reference.subject, return_inverse=True)[1].reshape(-1)

    def halves(k: int) -> tuple[Draw, Draw]:
        first = np.random.default_rng(k).permutation(int(owner.max()) + 1) < (int(owner.max()) + 1) // 2
        a = first[owner]
        return (p[a], truth[a], owner[a]), (p[~a], truth[~a], np.unique(owner[~a], return_inverse=True)[1])

    return halves


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--repetitions", type=int, default=2000)
    parser.add_argument("--exported", type=Path, action="append", default=[])
    given = parser.parse_args()
    rows = []
    cases = [(name, people, of_world(name, people)) for name in WORLDS for people in (50, 200, 1000)]
    for folder in given.exported:
        from hoego.exported import open_model

        manifest = open_model(folder).manifest
        half = manifest.n_held_subjects // 2
        cases += [(f"synthetic people: {a}", half, of_folder(folder, a)) for a in manifest.outputs]
    for name, people, pairs in cases:
        n = given.repetitions if people < 1000 else given.repetitions // 4
        found = [sets(pairs, e, n) for e in (0.01, 0.1, 0.2)] + [
            answers(pairs, x, n) for x in (0.02, 0.05, 0.1)
        ]
        rows += [{"world": name, "people": people, "repetitions": n, **one} for one in found]
        print(name, people, found, flush=True)
    kept = [r for r in rows if "kept" in r]
    worst = min(r["kept"] - (1 - float(r["promise"].split()[1])) for r in kept)
    verdict = {
        "sets_least_margin": worst,
        "abstention_most_broken": max(r["broken"] for r in rows if "broken" in r),
    }
    title = "Do the promises of a service hold over people?"
    write_results("coverage_promises", title, table(rows), {"rows": rows, **verdict})


def table(rows: list[dict[str, Any]]) -> list[str]:
    """The results as Markdown."""
    header = "| world | people | promise | kept / broken | given | mean size / answered |"
    lines = [header, "| --- | --- | --- | --- | --- | --- |"]
    for r in rows:
        if "refused" in r:
            cells = ("refused", "0 %", r["refused"])
        elif "kept" in r:
            cells = (
                f"{r['kept']:.3f} ± {r['standard_error']:.3f} kept",
                "100 %",
                f"{r['mean_size']:.2f} classes",
            )
        else:
            cells = (f"{r['broken']:.3f} broken", f"{r['given']:.0%}", f"{r['answered_photos']:.0%} answered")
        lines.append(f"| {r['world']} | {r['people']} | {r['promise']} | {' | '.join(cells)} |")
    return lines


if __name__ == "__main__":
    main()
