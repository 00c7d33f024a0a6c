"""Results: what was written reads back equal, old shapes are read, and what may be ranked is one rule."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin
from xml.etree.ElementTree import fromstring as parse

import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from round_trips import round_trip
from scored_people import people, predict

import hoego
from hoego.apps.doctor.defects import BY_ID
from hoego.evaluate.compare import CompareOptions, compare
from hoego.evaluate.score import ScoreOptions, score
from hoego.results.base import Result
from hoego.results.honesty import HonestyLevel, ScoreHonesty
from hoego.results.score import DefinedEstimate, IntervalEstimate, MetricEstimate, Score, ScoreSummary
from hoego.results.verdict import ComparisonVerdict


@pytest.fixture(scope="module")
def scored() -> Score:
    dataset = people(40)
    return score(predict(dataset), dataset, ScoreOptions(resamples=100))


def test_a_score_and_its_summary_read_back_equal(scored: Score) -> None:
    round_trip(scored)
    round_trip(ScoreSummary.of(scored))
    assert ScoreSummary.of(scored).primary == scored.primary
    assert ScoreSummary.of(scored).rankable == scored.rankable is True


def test_score_json_of_before_is_read(scored: Score) -> None:
    """Parts without a name or class names, the target's notes not kept."""
    content = scored.model_dump(mode="json")
    for part in (content, *content["attributes"].values(), *content["by_subject"].values()):
        del part["class_names"]
        if part is not content:
            del part["name"]
    del content["target_notes"], content["marks"]
    old = Score.model_validate(content)
    assert old.attributes["age"].metrics == scored.attributes["age"].metrics
    assert old.attributes["age"].name == "age"
    assert old.target.confusion == scored.target.confusion
    assert old.honesty == scored.honesty


def test_summaries_of_early_records_are_read() -> None:
    old = ScoreSummary.model_validate(
        {"macro_f1": {"value": 0.4, "low": 0.3, "high": 0.5}, "honesty": "naive"}
    )
    assert (old.primary, old.rankable) == (MetricEstimate(value=0.4, low=0.3, high=0.5), False)
    assert ScoreSummary.model_validate({"macro_f1": 0.5, "honest": True}).rankable
    assert not ScoreSummary.model_validate({"macro_f1": 0.5, "honest": False}).rankable
    assert not ScoreSummary.model_validate({"macro_f1": 0.5}).rankable


def test_a_comparison_reads_back_equal() -> None:
    dataset = people(40)
    runs = [predict(dataset, name="a"), predict(dataset, name="b", seed=1)]
    found = compare(runs, dataset, CompareOptions(resamples=100, permutations=99))
    round_trip(found)
    assert found.model_dump()["best_set"] == list(found.best_set)


def test_both_old_verdicts_are_read_as_one() -> None:
    sides = {"scope": "recipes", "baseline": ["a"], "runs": ["b"], "p_value": 0.01}
    idea = {
        "words": "better",
        "metric": "accuracy",
        "difference": 0.1,
        "low": 0.05,
        "high": 0.15,
        "reason": "why",
    }
    ablation = {
        "words": "x=1: better, by far",
        "verdict": "better",
        "difference": {"value": 0.1, "low": 0.05},
    }
    one = ComparisonVerdict.model_validate({**idea, **sides, "idea": "i", "text": "lr"})
    other = ComparisonVerdict.model_validate({**ablation, **sides})
    assert (one.outcome, one.change, one.sentence, one.metric) == ("better", "lr", "why", "accuracy")
    assert (other.outcome, other.change, other.metric) == ("better", "x=1", "macro_f1")
    assert one.difference == DefinedEstimate(value=0.1, low=0.05, high=0.15)
    for found in (one, other, ComparisonVerdict(outcome="failed", sentence="gone")):
        round_trip(found)
    named = one.model_dump(mode="json")
    named["subject"] = named.pop("change")
    assert ComparisonVerdict.model_validate(named) == one, "what was compared was once called the subject"
    merged = {**idea, **sides, **one.model_dump(mode="json")}
    assert ComparisonVerdict.model_validate(merged) == one, "an older verdict in the same run.json"
    bare = ComparisonVerdict.model_validate({"words": "already so", "difference": None, "reason": "same"})
    assert (bare.difference, str(bare)) == (None, "already so: same")


def test_a_key_that_nobody_declared_is_refused() -> None:
    with pytest.raises(ValidationError, match="nobody"):
        IntervalEstimate.model_validate({"value": 1, "low": 0, "high": 2, "nobody": 3})


@given(st.lists(st.sampled_from(HonestyLevel), min_size=1, max_size=3, unique=True))
def test_honesty_is_that_of_the_worst_row(levels: list[HonestyLevel]) -> None:
    found = ScoreHonesty(", ".join(levels))
    assert found.worst == max(levels, key=lambda level: level.rank)
    trusted = ("out-of-fold", "selected", "cross-fitted")
    assert found.rankable == all(level in trusted for level in levels)


numbers = st.one_of(st.none(), st.floats(allow_nan=True, allow_infinity=True))


@given(numbers, numbers, numbers, st.text())
def test_estimates_read_back_equal(value, low, high, note: str) -> None:
    round_trip(MetricEstimate(value=value, low=low, high=high, note=note[:50]))


def pages(scored: Score) -> dict[str, Result]:
    dataset = people(40)
    runs = [predict(dataset, name="<b>a</b>"), predict(dataset, name="b", seed=1)]
    compared = compare(runs, dataset, CompareOptions(resamples=100, permutations=99))
    space = scored.attributes["age"]
    return {
        "score": scored,
        "summary": ScoreSummary.of(scored),
        "space": space,
        "class": space.classes[0],
        "estimate": space.metrics["macro_f1"],
        "comparison": compared,
        "side": compared.sides[0],
        "ranked": compared.ranking[1],
        "verdict": ComparisonVerdict(
            outcome="better", subject="<script>", difference=compared.difference, runs=("a",)
        ),
    }


def test_a_notebook_shows_value_interval_honesty_and_chart(scored: Score) -> None:
    for name, found in pages(scored).items():
        page = found._repr_html_()
        root = parse("<div>" + page.replace("&times;", "x") + "</div>")
        facts = {row[0].text: row[1].text for row in root.iter("tr")}
        assert facts["honesty"], name
        assert "<script" not in page
        assert "<b>a</b>" not in page
        assert name == "side" or list(root.iter("svg")), name
    page = scored._repr_html_()
    assert "out-of-fold" in page
    assert f"{scored.primary.value:.4f}" in page
    assert f"{scored.primary.low:.4f}" in page


def test_a_score_of_unknown_honesty_says_so() -> None:
    assert "not known" in ScoreSummary.model_validate({"macro_f1": 0.5})._repr_html_()


@pytest.mark.parametrize("level", HonestyLevel)
def test_every_honesty_is_shown(scored: Score, level: HonestyLevel) -> None:
    assert level.value in scored.with_(honesty=ScoreHonesty(level))._repr_html_()


PACKAGE = Path(hoego.__file__).parent
st.register_type_strategy(ScoreHonesty, st.sampled_from(HonestyLevel).map(ScoreHonesty))
# A number that may be undefined has a type of its own (MaybeFloat, NanFloat), tested above; all others are finite.
st.register_type_strategy(Path, st.just(Path("a/b")) | st.just(Path("가.toml")))
st.register_type_strategy(float, st.floats(allow_nan=False, allow_infinity=False))
# No text is the name of a field: metrics and other entries of a FLAT mapping are never named like the fields beside.
st.register_type_strategy(str, st.text('Aé<"\n ', max_size=8))

JSON_SCALARS = st.none() | st.booleans() | st.integers() | st.from_type(float) | st.from_type(str)


def mappings(kind: type) -> st.SearchStrategy[Mapping[Any, Any]]:
    """Any mapping type as a dictionary; values of type Any are what JSON can hold."""
    key, value = get_args(kind) or (str, Any)
    values = JSON_SCALARS if value is Any else st.from_type(value)
    return st.dictionaries(st.from_type(key), values, max_size=4)


# Hypothesis resolves `Any` or not depending on which other types were registered before, by whatever tests ran first.
st.register_type_strategy(Mapping, mappings)  # type: ignore[arg-type]
st.register_type_strategy(dict, mappings)


HOLD_RESULTS = ("results", "weights", "recipe", "data", "split", "predictions", "evaluate", "runs", "apps")


def result_types() -> list[type[Result]]:
    """Every class of the rooms that derives from Result."""
    for found in pkgutil.walk_packages(hoego.__path__, "hoego."):
        # The other rooms need an extra to be imported; they return the types of these.
        if found.name.split(".")[1] in HOLD_RESULTS:
            importlib.import_module(found.name)

    def below(kind: type[Result]) -> Iterator[type[Result]]:
        for sub in kind.__subclasses__():
            yield sub
            yield from below(sub)

    return [*dict.fromkeys(below(Result))]


CERTAIN = {
    ("DefectFinding", "defect"): st.sampled_from(sorted(BY_ID)),
    ("Proposal", "settings"): st.just({"dataset": {"layout": "csv", "table": "a.csv"}}),
    ("LedgerEntry", "time"): st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat),
    ("LedgerEntry", "expected"): st.none(),  # a score that is not honest expects nothing
    ("SyncedFile", "sha256"): st.binary(min_size=32, max_size=32).map(bytes.hex),
    ("RunsTable", "rows"): st.just(()),  # as many cells as columns: tests/test_records.py
    ("RunMeta", "state"): st.sampled_from(["waiting", "running", "done", "failed"]),
}
"""What fields hold that take certain texts only."""


def values_of(declared: Any, metadata: Iterable[Any] = ()) -> st.SearchStrategy[Any]:
    """Any value of a type; of type Any, what JSON can hold."""
    if declared is Any:
        return JSON_SCALARS
    if get_origin(declared) is tuple and "typing.Any" in str(declared):
        first, *rest = get_args(declared)
        if rest == [...]:
            return st.lists(values_of(first), max_size=4).map(tuple)
        return st.tuples(*map(values_of, (first, *rest)))
    return st.from_type(Annotated[declared, *metadata, None])  # type: ignore[valid-type]


def drawn(kind: type[Result]) -> st.SearchStrategy[Result]:
    """Any value of a result, by the fields that pydantic resolved.

    Hypothesis would read the signature: what it finds there depends on which tests ran before, and the default of a
    field with a factory is a placeholder.
    """
    fields = {}
    for name, field in kind.model_fields.items():
        known = CERTAIN.get((kind.__name__, name))
        values = values_of(field.annotation, field.metadata) if known is None else known
        if not field.is_required():
            values |= st.builds(field.get_default, call_default_factory=st.just(True))
        fields[name] = values

    def build(**values: Any) -> Result:
        try:
            return kind(**values)
        except ValidationError:  # fields that contradict one another
            reject()

    return st.builds(build, **fields)


for result_type in result_types():
    st.register_type_strategy(result_type, drawn)


@pytest.mark.parametrize("kind", result_types(), ids=lambda k: k.__name__)
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_every_result_reads_back_equal(kind: type[Result], data: st.DataObject) -> None:
    round_trip(data.draw(st.from_type(kind)))


CONVERTS_BY_HAND = """
    cli/output.py
    runs/queue/keep.py
    runs/queue/plan.py
    runs/queue/status.py
    runs/queue/work_options.py
    runs/queue/worker_processes.py
    runs/run_result.py
"""
"""Modules of results with a `to_dict` or `from_dict` of their own; only ever shorter."""

SAVED_SETTINGS = {
    "data/preprocess.py": "settings of the photos, in an exported folder without Hoego, too",
    "recipe/recipe.py": "settings, written as TOML, which has no null",
}
"""Modules with a `to_dict` that hold settings, no results; tests/test_images.py and test_recipes.py read them back."""


def read_keys(tree: ast.Module) -> Iterator[object]:
    """Constant keys that are read: `x["key"]`, `x.get("key")`, `x.pop("key")`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
            key: ast.expr = node.slice
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in ("get", "pop")
            and node.args
        ):
            key = node.args[0]
        else:
            continue
        if isinstance(key, ast.Constant):
            yield key.value


def test_only_records_and_results_read_scores_by_key() -> None:
    found = {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        if {"honesty", "kind", "macro_f1"} & {*read_keys(ast.parse(path.read_text(encoding="utf-8")))}
    }
    found = {f for f in found if not f.startswith(("results/", "runs/records/"))}
    assert not found, "take the typed result instead of its JSON"


def test_no_result_is_converted_by_hand() -> None:
    found = {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        if re.search(r"def (to|from)_dict\(", path.read_text(encoding="utf-8"))
    }
    assert found <= {*SAVED_SETTINGS, *CONVERTS_BY_HAND.split()}, (
        "results derive from hoego.results.base.Result"
    )
