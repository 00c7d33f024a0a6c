"""Many ideas, one table of evidence: each change of a recipe against the recipe as it stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np

from hoego.compare import CompareOptions, compare
from hoego.dataset.manifest import Dataset
from hoego.errors import UsageError
from hoego.recipe import Recipe, parse_override
from hoego.records import Record
from hoego.studies.running import Workshop, predictions_of, varied

SIGNIFICANT = 0.05


@dataclass(frozen=True)
class AblateRequest:
    """What is to be varied.

    Args:
        vary: `key=v1,v2,...` each.
        grid: every combination instead of one change at a time.
        seeds: runs a side; a claim about recipes needs three.
        metric: what is compared.
        why: the hypothesis, kept in every record.
    """

    vary: Sequence[str]
    grid: bool = False
    seeds: int = 3
    metric: str = "macro_f1"
    why: str = ""


@dataclass(frozen=True)
class Effect:
    """One row of the table.

    Args:
        change: the settings that differ from the recipe, `a=b` each; empty for the recipe itself.
        runs: ids, one a seed.
        value: the metric (mean over seeds).
        difference: against the recipe, paired, as in `hoego compare`; None for the recipe itself.
        p_value, p_adjusted: plain, and by Holm over all rows.
        verdict: better, worse, not distinguishable, cannot say; "" for the recipe itself.
        seconds: of training, mean over seeds; `cost` is that over the recipe's.
    """

    change: tuple[str, ...]
    runs: tuple[str, ...]
    value: float
    difference: Mapping[str, Any] | None
    p_value: float | None
    p_adjusted: float | None
    verdict: str
    seconds: float
    cost: float
    detectable: float | None = None

    @property
    def title(self) -> str:
        return ", ".join(self.change) or "the recipe as it stands"

    def to_dict(self) -> dict[str, Any]:
        return {**self.__dict__, "change": list(self.change), "runs": list(self.runs), "title": self.title}


@dataclass(frozen=True)
class Ablation:
    """The result of `hoego ablate`.

    Args:
        scope: `recipes` with at least three seeds a side, else `models`.
        rows: the recipe first, then the changes, best first.
        words: a sentence for each change.
    """

    recipe: str
    metric: str
    scope: str
    rows: tuple[Effect, ...]
    words: tuple[str, ...]
    notes: tuple[str, ...] = field(default=())

    def to_dict(self) -> dict[str, Any]:
        return {
            "recipe": self.recipe,
            "metric": self.metric,
            "scope": self.scope,
            "rows": [r.to_dict() for r in self.rows],
            "words": list(self.words),
            "notes": list(self.notes),
        }


def ablate(recipe: Recipe, dataset: Dataset, request: AblateRequest, workshop: Workshop) -> Ablation:
    """Train the recipe and every change of it under the same seeds, and compare each change with the recipe.

    Args:
        recipe: the base.
        dataset: of the recipe.
        request: what is varied.
        workshop: where to train; runs that are done already are taken as they are.

    Raises:
        UsageError: nothing to vary, or a change that leaves the recipe as it is.
        RecipeError: an unknown setting or a value out of range (before anything is trained).
    """
    changes = changes_of(recipe, request)
    seeds = [recipe.seed + i for i in range(request.seeds)]
    plans = [
        [varied(recipe, change, name=title(recipe, change, s), seed=s, refit=False) for s in seeds]
        for change in ((), *changes)
    ]
    records = [[workshop.obtain(r, why=request.why) for r in plan] for plan in plans]
    return judge(recipe.name, (((), *changes)), records, dataset, request)


def judge(
    name: str,
    changes: Sequence[tuple[str, ...]],
    records: Sequence[Sequence[Record]],
    dataset: Dataset,
    request: AblateRequest,
) -> Ablation:
    """The table of runs that are done: the first side is the recipe as it stands."""
    sides = [[predictions_of(r) for r in side] for side in records]
    seconds = [float(np.mean([r.meta.timing.get("seconds", 0.0) for r in side])) for side in records]
    options = CompareOptions(metric=request.metric)
    found = [compare([side, sides[0]], dataset, options) for side in sides[1:]]
    adjusted = holm([f.p_value for f in found])
    base = Effect(
        (),
        tuple(r.id for r in records[0]),
        float(found[0].sides[1].value),
        None,
        None,
        None,
        "",
        seconds[0],
        1.0,
    )
    rows = []
    for i, f in enumerate(found):
        p = adjusted[i]
        undecided = f.verdict in ("better", "worse") and (p is None or p >= SIGNIFICANT)
        verdict = "not distinguishable" if undecided else f.verdict
        rows.append(
            Effect(
                changes[i + 1],
                tuple(r.id for r in records[i + 1]),
                float(f.sides[0].value),
                f.difference.to_dict(),
                f.p_value,
                adjusted[i],
                verdict,
                seconds[i + 1],
                seconds[i + 1] / seconds[0] if seconds[0] else float("nan"),
                f.detectable,
            )
        )
    sign = 1.0 if found[0].better == "higher" else -1.0
    rows.sort(key=lambda r: -sign * r.value)
    scope = found[0].scope
    words = tuple(_words(r, scope, request.metric) for r in rows)
    _write_verdicts(rows, words, records, scope)
    notes = tuple(dict.fromkeys(n for f in found for n in f.notes))
    return Ablation(name, request.metric, scope, (base, *rows), words, notes)


def changes_of(recipe: Recipe, request: AblateRequest) -> list[tuple[str, ...]]:
    """The changes to try, those that leave the recipe as it is left out."""
    axes = []
    for text in request.vary:
        key, _, values = text.partition("=")
        parse_override(text)
        axes.append([f"{key.strip()}={v.strip()}" for v in split_values(values)])
    if not axes:
        raise UsageError("Nothing is varied.", remedy="Example: --vary mixing.mixup.share=0,0.5,1")
    candidates = [tuple(c) for c in product(*axes)] if request.grid else [(c,) for axis in axes for c in axis]
    base = recipe.to_dict()
    kept = [c for c in candidates if varied(recipe, c, name=recipe.name).to_dict() != base]
    if not kept:
        raise UsageError("Every change leaves the recipe as it is.", remedy="Vary to other values.")
    return kept


def split_values(text: str) -> list[str]:
    """Values at commas that stand outside brackets and quotes.

    >>> split_values("0,0.5,[1, 2]")
    ['0', '0.5', '[1, 2]']
    """
    out, depth, quote, start = [], 0, "", 0
    for i, c in enumerate(text):
        if quote:
            quote = "" if c == quote else quote
        elif c in "\"'":
            quote = c
        elif c in "[{(":
            depth += 1
        elif c in "]})":
            depth -= 1
        elif c == "," and depth == 0:
            out.append(text[start:i])
            start = i + 1
    return [v.strip() for v in [*out, text[start:]] if v.strip()]


def title(recipe: Recipe, change: Sequence[str], seed: int) -> str:
    """The name of one run of an ablation."""
    return f"{recipe.name or 'recipe'}{''.join(f' {c}' for c in change)} seed {seed}"


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm's step-down correction (1979); None stays None.

    >>> holm([0.01, None, 0.04])
    [0.02, None, 0.04]
    """
    order = sorted((i for i, p in enumerate(p_values) if p is not None), key=lambda i: p_values[i] or 0.0)
    out: list[float | None] = [None] * len(p_values)
    running = 0.0
    for rank, i in enumerate(order):
        running = max(running, min(1.0, (len(order) - rank) * (p_values[i] or 0.0)))
        out[i] = running
    return out


def _words(row: Effect, scope: str, metric: str) -> str:
    d = row.difference or {}
    numbers = f"{metric} {d['value']:+.4f}"
    if d.get("low") is not None:
        numbers += f" [{d['low']:+.4f}, {d['high']:+.4f}]"
    whose = "" if scope == "recipes" else " (these two models; three seeds would speak of the recipe)"
    more = (
        f"; {row.detectable:.4f} could have been detected"
        if row.verdict == "not distinguishable" and row.detectable
        else ""
    )
    return f"{row.title}: {row.verdict}, {numbers}{more}{whose}"


def _write_verdicts(
    rows: Sequence[Effect], words: Sequence[str], records: Sequence[Sequence[Record]], scope: str
) -> None:
    by_id = {r.id: r for side in records for r in side}
    baseline = [r.id for r in records[0]]
    for row, text in zip(rows, words, strict=True):
        for run in row.runs:
            by_id[run].update(
                verdict={
                    "words": text,
                    "verdict": row.verdict,
                    "scope": scope,
                    "difference": dict(row.difference or {}),
                    "p_value": row.p_adjusted,
                    "baseline": baseline,
                    "runs": list(row.runs),
                }
            )
