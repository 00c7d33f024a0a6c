"""Do the intervals of a diagnosis hold? The product law, the oracle's gains, slices, and the leak.

    python benchmarks/coverage_diagnose.py [--repetitions 1000] [--only law oracle slices leak]

People are drawn from populations whose true values are known (from 150,000 of them), photos of a person err together,
and so may attributes. Each drawn set goes through the code behind `hoego diagnose`. Targets: 95 % intervals cover
92-98 %; where nothing differs, any slice at all is called lower or higher in at most 5 % of the sets.
"""

from __future__ import annotations

import argparse
import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm
from score_worlds import RESULTS, write_results

from hoego.data.schema import Attribute, LabelSchema
from hoego.evaluate.diagnose.oracle import OracleComparison
from hoego.evaluate.diagnose.product_law import law_of
from hoego.evaluate.diagnose.slices import compared
from hoego.evaluate.score.count_columns import CountColumns, tally
from hoego.evaluate.score.formulas import macro_f1
from hoego.evaluate.score.interval import (
    ProportionSupport,
    any_mark,
    cautious_size,
    minority,
    proportion_interval,
    spread,
    strata,
)
from hoego.evaluate.score.space import LabelSpace
from hoego.evaluate.score.subject_counts import SubjectTable
from hoego.runs.leak import promised_less_kept, together

Ints = NDArray[np.int64]
RESAMPLES = 400
CROWD = 150_000
MASKS = np.asarray([0, 0, 0, 0, 0, 1, 2])


@dataclass(frozen=True)
class Town:
    """A population of people with several photos each, and a model that errs on them.

    Args:
        shares: of gender x age among people [2, ages].
        errors: chance of an error of each attribute: mask (None: no such attribute), gender, and each class of age.
        within: correlation of the photos of a person in what makes an attribute fail.
        across: correlation of the attributes in it.
        harder: errors of people of the second kind (a column `kind`, of whom there are `kinds`) multiplied by this.
        masks_harder: errors of the mask multiplied by this where it is not worn properly.
        least: accepted number of people in the rarest gender x age.
    """

    name: str
    people: int
    shares: NDArray[np.float64]
    errors: tuple[float | None, float, tuple[float, ...]]
    within: float = 0.6
    across: float = 0.0
    kinds: tuple[float, float] = (0.7, 0.3)
    harder: float = 1.0
    masks_harder: float = 1.0
    least: int = 5
    photos: int = 7

    @cached_property
    def schema(self) -> LabelSchema:
        ages = self.shares.shape[1]
        parts = [Attribute(name="gender", kind="nominal", classes=("m", "f"))]
        parts.append(Attribute(name="age", kind="nominal", classes=tuple(f"a{k}" for k in range(ages))))
        if self.errors[0] is not None:
            parts.insert(0, Attribute(name="mask", kind="nominal", classes=("wear", "incorrect", "normal")))
        return LabelSchema(tuple(parts), "composite", tuple(p.name for p in parts))

    def draw(self, rng: np.random.Generator, n: int | None = None) -> Drawn:
        """`n` people (the town's number, with enough of each class, where not said)."""
        cells = self.shares.size
        while True:
            cell = rng.choice(cells, n or self.people, p=self.shares.reshape(-1))
            if n or np.bincount(cell, minlength=cells).min() >= self.least:
                break
        s, ages = len(cell), self.shares.shape[1]
        kind = (rng.random(s) < self.kinds[1]).astype(np.int64)
        gender, age = (np.repeat(v, self.photos) for v in (cell // ages, cell % ages))
        subject, a_photo = np.repeat(np.arange(s), self.photos), np.tile(np.arange(self.photos), s)
        factor = np.where(kind == 1, self.harder, 1.0)[subject]
        side = np.where(rng.random(s) < 0.5, 1, -1)[subject]
        truth, said = [], []
        if self.errors[0] is not None:
            truth.append(MASKS[a_photo % 7])
            rate = self.errors[0] * factor * np.where(truth[0] > 0, self.masks_harder, 1.0)
            said.append((rate, 3, rng.integers(1, 3, len(subject))))
        truth += [gender, age]
        said += [(self.errors[1] * factor, 2, 1), (np.asarray(self.errors[2])[age] * factor, ages, side)]
        failing = self.failing(s, len(truth), rng)
        guessed = []
        for k, (rate, c, move) in enumerate(said):
            wrong = failing[:, k] < norm.ppf(rate)
            moved = (truth[k] + move) % c if c < 3 or k == 0 else reflected(truth[k], move, c)
            guessed.append(np.where(wrong, moved, truth[k]))
        codes = (np.stack(truth, 1), np.stack(guessed, 1))
        alike = self.across == 0 and self.harder == 1 and self.masks_harder == 1
        return Drawn(self.schema, *codes, subject, kind[subject], a_photo, failing, alike)

    def failing(self, s: int, attributes: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """What makes attributes fail [N, A]: standard normal, correlated within people and across attributes."""

        def level(size: int) -> NDArray[np.float64]:
            common, own = rng.standard_normal((size, 1)), rng.standard_normal((size, attributes))
            return np.sqrt(self.across) * common + np.sqrt(1 - self.across) * own

        by_person = np.repeat(level(s), self.photos, axis=0)
        return np.sqrt(self.within) * by_person + np.sqrt(1 - self.within) * level(s * self.photos)


def reflected(truth: Ints, move: Ints, c: int) -> Ints:
    """A neighbouring class; at the ends the only one."""
    moved = truth + move
    return np.where((moved < 0) | (moved >= c), truth - move, moved)


@dataclass(frozen=True)
class Drawn:
    """Photos with codes of truth and prediction [N, A], person [N], kind and photo's place [N]."""

    schema: LabelSchema
    codes: Ints
    said: Ints
    subject: Ints
    kind: Ints
    photo: Ints
    failing: NDArray[np.float64]
    independent: bool

    @cached_property
    def right(self) -> NDArray[np.bool_]:
        return self.codes == self.said

    @cached_property
    def truth(self) -> Ints:
        return self.schema.encode(self.codes.astype(np.int16)).astype(np.int64)

    def substituted(self, attribute: str) -> Ints:
        """The composite prediction with one attribute replaced by its truth; as it is for ""."""
        made = self.said.copy()
        if attribute:
            k = self.schema.position(attribute)
            made[:, k] = self.codes[:, k]
        return self.schema.encode(made.astype(np.int16)).astype(np.int64)


def f1_of(truth: Ints, said: Ints) -> float:
    n = int(max(truth.max(), said.max())) + 1
    counts = [np.bincount(v, minlength=n) for v in (truth[truth == said], truth, said)]
    there = counts[1] > 0
    return float((2 * counts[0] / np.maximum(counts[1] + counts[2], 1))[there].mean())


@lru_cache(maxsize=1)
def crowd(town: str) -> Drawn:
    return TOWNS_BY_NAME[town].draw(np.random.default_rng(1), CROWD)


TOWNS_BY_NAME: dict[str, Town] = {}


def everybody(town: Town) -> Drawn:
    TOWNS_BY_NAME[town.name] = town
    return crowd(town.name)


COMPETITION = np.array([[549, 410, 83], [732, 817, 109.0]]) / 2700
AGES = (0.07, 0.15, 0.40)
EVEN = np.full((2, 2), 0.25)


def law_truth(drawn: Drawn) -> dict[str, float]:
    if drawn.independent:
        return {"gap": 0.0}
    shape = np.bincount(drawn.truth)
    n = np.maximum(shape, 1)
    each = [np.bincount(drawn.truth, weights=r) / n for r in drawn.right.T]
    expected = float((shape / shape.sum() * np.prod(each, axis=0)).sum())
    return {"gap": float(drawn.right.all(axis=1).mean()) - expected}


def law_found(drawn: Drawn, seed: int) -> dict[str, tuple[float, float]]:
    found = law_of(drawn.right, drawn.truth, drawn.subject, (RESAMPLES, seed)).gap
    return {"gap": (found.low, found.high)}


def oracle_truth(drawn: Drawn) -> dict[str, float]:
    today = f1_of(drawn.truth, drawn.substituted(""))
    gains = {a: f1_of(drawn.truth, drawn.substituted(a)) - today for a in drawn.schema.composite}
    return gains | {"age less gender": gains["age"] - gains["gender"]}


def oracle_found(drawn: Drawn, seed: int) -> dict[str, tuple[float, float]]:
    named = {a: drawn.substituted(a) for a in ("", *drawn.schema.composite)}
    stage = OracleComparison.of(
        named, drawn.truth, drawn.subject, drawn.schema.n_target_classes, (RESAMPLES, seed)
    )
    gains = {a: stage.gain(a, "") for a in drawn.schema.composite}
    lead = stage.found.difference("age", "gender")
    return {a: (g.low, g.high) for a, g in gains.items()} | {"age less gender": (lead.low, lead.high)}


def columns_of(drawn: Drawn) -> list[tuple[str, str, NDArray[np.bool_]]]:
    """Two kinds of people, four hues of their walls, seven photos."""
    hue = (drawn.subject * 2654435761 >> 7) % 4
    columns = {"kind": drawn.kind, "hue": hue, "photo": drawn.photo}
    return [(name, str(v), values == v) for name, values in columns.items() for v in np.unique(values)]


def slices_truth(drawn: Drawn) -> dict[str, float]:
    right = drawn.right.all(axis=1)
    return {
        f"{column} {value}": float(right[mask].mean() - right[~mask].mean())
        for column, value, mask in columns_of(drawn)
    }


def slices_found(drawn: Drawn, seed: int) -> dict[str, Any]:
    found = compared(columns_of(drawn), drawn.right.all(axis=1), drawn.subject)
    out: dict[str, Any] = {
        f"{s.column} {s.value}": (s.difference.low, s.difference.high)
        for s in found
        if s.difference is not None
    }
    return out | {"called": {f"{s.column} {s.value}": s.verdict for s in found}}


def space(truth: Ints, said: Ints, subject: Ints, classes: int) -> LabelSpace:
    names = tuple(str(c) for c in range(classes))
    return LabelSpace(
        name="target",
        classes=names,
        ordered=False,
        truth=truth,
        probabilities=np.eye(classes)[said],
        subject=subject,
        rows=np.arange(len(truth)),
    )


def macro_interval(scored: LabelSpace, seed: int) -> dict[str, float]:
    """The interval of macro F1 as in score.json."""
    at = CountColumns(scored.n_classes)
    names, owner = np.unique(scored.subject, return_inverse=True)
    counts = tally(scored.truth, scored.predicted, owner.reshape(-1), len(names), scored.n_classes)
    table = SubjectTable.of(counts)
    stratum, holders = strata(table, at)
    present = holders > 0
    statistic = partial(macro_f1, at=at, present=present)
    few = minority(table, at, present, any_mark)
    support = ProportionSupport(np.array([cautious_size(holders, len(names))]), few)
    drawn = statistic(table.resampled(RESAMPLES, seed))
    found = spread(statistic, table, stratum)
    limits = proportion_interval(found, drawn, support, 0.95)
    return {"value": float(found.value[0]), "low": float(limits.low[0]), "high": float(limits.high[0])}


def leak_truth(drawn: Drawn) -> dict[str, float]:
    return {
        "leak": f1_of(drawn.truth, naive_of(drawn)) - f1_of(drawn.truth, drawn.substituted("")),
    }


def naive_of(drawn: Drawn) -> Ints:
    """What a model says that has seen the people: the same errors where they are strongest, a third of them."""
    kept = drawn.right | (drawn.failing > np.quantile(drawn.failing[~drawn.right], 0.33))
    made = np.where(kept, drawn.codes, drawn.said)
    return drawn.schema.encode(made.astype(np.int16)).astype(np.int64)


def leak_found(drawn: Drawn, seed: int) -> dict[str, tuple[float, float]]:
    rng = np.random.default_rng(seed)
    photos = rng.random(len(drawn.subject)) < 0.3
    people = rng.permutation(drawn.subject.max() + 1) < 0.3 * (drawn.subject.max() + 1)
    apart = people[drawn.subject]
    spaces = [
        space(drawn.truth[k], said[k], drawn.subject[k], drawn.schema.n_target_classes)
        for said, k in ((naive_of(drawn), photos), (drawn.substituted(""), apart))
    ]
    sides = [macro_interval(s, seed) for s in spaces]
    found = promised_less_kept(*sides, together(*spaces))
    assert found["low"] is not None
    assert found["high"] is not None
    return {"leak": (found["low"], found["high"])}


@dataclass(frozen=True)
class Study:
    """What is measured, its truth in the population, its interval from a drawn set, and where."""

    title: str
    truth: Callable[[Drawn], dict[str, float]]
    found: Callable[[Drawn, int], dict[str, Any]]
    towns: tuple[Town, ...]


def towns() -> dict[str, Town]:
    made = [
        Town("competition, 540 people", 540, COMPETITION, (0.02, 0.03, AGES)),
        Town("competition, 200 people", 200, COMPETITION, (0.02, 0.03, AGES)),
        Town("2 x 2 classes, 30 people", 30, EVEN, (None, 0.1, (0.25, 0.25))),
        Town(
            "2 x 2 classes, 40 people, photos err together", 40, EVEN, (None, 0.1, (0.25, 0.25)), within=0.9
        ),
        Town("2 x 2 classes, 100 people, 0.99", 100, EVEN, (None, 0.01, (0.01, 0.01))),
        Town("3 x 2 x 3 classes, 120 people, hard", 120, np.full((2, 3), 1 / 6), (0.1, 0.2, (0.4, 0.4, 0.4))),
    ]
    return {t.name: t for t in made}


def leaky() -> tuple[Town, ...]:
    """Populations of which three in ten people, at least 36, are held out."""
    return (
        Town("competition, 540 people", 540, COMPETITION, (0.02, 0.03, AGES), least=14),
        Town("2 x 2 classes, 120 people", 120, EVEN, (None, 0.1, (0.25, 0.25))),
        Town(
            "2 x 2 classes, 120 people, photos err together", 120, EVEN, (None, 0.1, (0.25, 0.25)), within=0.9
        ),
        Town("2 x 2 classes, 300 people, 0.99", 300, EVEN, (None, 0.01, (0.01, 0.01))),
        Town("3 x 2 x 3 classes, 200 people, hard", 200, np.full((2, 3), 1 / 6), (0.1, 0.2, (0.4, 0.4, 0.4))),
    )


def studies() -> dict[str, Study]:
    plain = tuple(towns().values())
    piled = tuple(replace(t, name=f"{t.name}, attributes fail together", across=0.7) for t in plain)
    uneven = tuple(replace(t, name=f"{t.name}, some harder", harder=1.8, masks_harder=2.0) for t in plain)
    return {
        "law": Study("The product law's gap", law_truth, law_found, plain + piled),
        "oracle": Study("The oracle's gains", oracle_truth, oracle_found, plain + piled[:2]),
        "slices": Study("Slices less the rest", slices_truth, slices_found, plain + uneven),
        "leak": Study("The leak", leak_truth, leak_found, leaky()),
    }


def measured(study: Study, town: Town, n: int) -> list[dict[str, Any]]:
    """Coverage of each interval of a study in one town, and how often anything was called different."""
    truth = study.truth(everybody(town))
    rng = np.random.default_rng(20261123)
    held: dict[str, list[bool]] = {k: [] for k in truth}
    wide: dict[str, list[float]] = {k: [] for k in truth}
    called = []
    for _ in range(n):
        found = study.found(town.draw(rng), int(rng.integers(2**31)))
        words = found.pop("called", None)
        if words is not None:
            called.append(any(w in ("lower", "higher") for w in words.values()))
        for k, (low, high) in found.items():
            held[k].append(low - 1e-9 <= truth[k] <= high + 1e-9)
            wide[k].append(high - low)
    rows = []
    for k, value in truth.items():
        m = len(held[k])
        share = float(np.mean(held[k])) if m else float("nan")
        rows.append(
            {
                "study": study.title,
                "population": town.name,
                "what": k,
                "sets": n,
                "true": value,
                "intervals": m,
                "coverage": 100 * share,
                "error": 100 * float(np.sqrt(max(share * (1 - share), 0.05 * 0.95) / max(m, 1))),
                "width": float(np.mean(wide[k])) if m else float("nan"),
                "any_called": 100 * float(np.mean(called)) if called else None,
            }
        )
    return rows


def lines_of(title: str, rows: list[dict[str, Any]]) -> list[str]:
    """Tables: the coverage, and how often any slice was called different."""
    lines = [
        "",
        f"## {title}",
        "",
        "| population | of | true value | coverage % | error | mean width |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
    ]
    for r in rows:
        lines.append(
            f"| {r['population']} | {r['what']} | {r['true']:+.4f} | {r['coverage']:.1f} | {r['error']:.1f} | "
            f"{r['width']:.3f} |"
        )
    calls = {r["population"]: r for r in rows if r["any_called"] is not None}
    if calls:
        lines += [
            "",
            "| population | anything differs | any slice called, % of sets |",
            "| --- | --- | ---: |",
        ]
        for name, r in calls.items():
            differs = "some harder" in name
            lines.append(f"| {name} | {'yes' if differs else 'no'} | {r['any_called']:.1f} |")
    return lines


def kept() -> list[dict[str, Any]]:
    """The rows measured before."""
    path = RESULTS / "coverage_diagnose.json"
    return list(json.loads(path.read_text())["results"]) if path.is_file() else []


def write(fresh: list[dict[str, Any]]) -> None:
    """The page and its data: what was measured now in place of what was measured before."""
    now = {(r["study"], r["population"]) for r in fresh}
    rows = [r for r in kept() if (r["study"], r["population"]) not in now] + fresh
    known = [(s.title, t.name) for s in studies().values() for t in s.towns]
    rows = [r for key in known for r in rows if (r["study"], r["population"]) == key]
    least = min(r["sets"] for r in rows)
    lines = [
        f"{least} sets of people each; Monte Carlo error {100 * np.sqrt(0.95 * 0.05 / least):.2f} points at 95 %.",
        "Coverage in percent of the 95 % intervals over subjects, of the value in the whole population.",
    ]
    for study in studies().values():
        mine = [r for r in rows if r["study"] == study.title]
        lines += lines_of(study.title, mine) if mine else []
    write_results("coverage_diagnose", "Coverage of the intervals of a diagnosis", lines, rows)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--repetitions", type=int, default=1000)
    parser.add_argument("--only", nargs="+", choices=sorted(studies()), default=sorted(studies()))
    parser.add_argument("--town", default="", help="only populations with this in their name")
    parser.add_argument("--dry", action="store_true", help="print, and leave the results as they are")
    args = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for name in args.only:
        study = studies()[name]
        for town in [t for t in study.towns if args.town in t.name]:
            mine = measured(study, town, args.repetitions)
            rows += mine
            shown = {r["what"]: round(r["coverage"], 1) for r in mine}
            print(name, town.name, shown, mine[0]["any_called"], flush=True)
            if not args.dry:
                with contextlib.redirect_stdout(None):
                    write(rows)


if __name__ == "__main__":
    main()
