"""A RunMeta from what the listing's index holds, without checking it again: ten thousand records in a second.

The index is written by this very version from objects that were checked. Validating them once more is two thirds of the
time of a listing (10,000 records: 1.2 s of CPU with it, half of that without).
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, TypeVar

from hoego.results.base import Content, Result
from hoego.results.honesty import HonestyMark, ScoreHonesty
from hoego.results.score import MetricEstimate, Optimism, ScoreSummary
from hoego.results.training import RunThroughput, RunTiming
from hoego.results.verdict import ComparisonVerdict
from hoego.runs.records.meta import RunMeta
from hoego.runs.records.run_facts import QueueFacts, RunKind, TrainingFacts

R = TypeVar("R", bound=Result)

# Fields that an index of an older commit does not hold take their defaults from these.
_META = dict(RunMeta(id="-").__dict__)
_SUMMARY = dict(ScoreSummary(metrics={}).__dict__)
_METRIC = dict(MetricEstimate(value=None).__dict__)
_GROUPS = (
    ("throughput", RunThroughput),
    ("timing", RunTiming),
    ("training", TrainingFacts),
    ("queue", QueueFacts),
)
_KINDS = {kind.value: kind for kind in RunKind}


def restored(content: Content) -> RunMeta:
    """Build the RunMeta whose `model_dump` gave `content`."""
    fields = {**_META, **content, "kind": _KINDS[content["kind"]]}
    for name in ("tags", "parents", "after"):
        fields[name] = tuple(content[name])
    for name, group in _GROUPS:
        fields[name] = group.model_validate(content[name]) if content[name] else _META[name]
    verdict = content["verdict"]
    fields["verdict"] = None if verdict is None else ComparisonVerdict.model_validate(verdict)
    score = content["score"]
    fields["score"] = None if score is None else _summary(score)
    return _made(RunMeta, fields)


def _summary(content: Mapping[str, Any]) -> ScoreSummary:
    own = {name: value for name, value in content.items() if name in _SUMMARY}
    metrics = {
        name: _made(MetricEstimate, {**_METRIC, **value})
        for name, value in content.items()
        if name not in _SUMMARY and name not in ScoreSummary.DERIVED
    }
    optimism = content.get("optimism")
    fields = {
        **_SUMMARY,
        **own,
        "metrics": metrics,
        "honesty": _honesty(content["honesty"]),
        "marks": tuple(map(HonestyMark, content.get("marks", ()))),
        "optimism": None if optimism is None else Optimism.model_validate(optimism),
        "notes": tuple(content.get("notes", ())),
    }
    return _made(ScoreSummary, fields)


@functools.cache
def _honesty(text: str) -> ScoreHonesty:
    return ScoreHonesty(text)


def _made(cls: type[R], fields: dict[str, Any]) -> R:
    """Do what `model_construct` does, without its search for aliases and defaults."""
    made = object.__new__(cls)
    object.__setattr__(made, "__dict__", fields)
    object.__setattr__(made, "__pydantic_fields_set__", set(fields))
    object.__setattr__(made, "__pydantic_extra__", None)
    object.__setattr__(made, "__pydantic_private__", None)
    return made
