"""The deadline: what people write, what is predicted, what is planned, and that it is kept."""

from __future__ import annotations

import datetime
import importlib.util
import math
import random
import zoneinfo
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from hoego.errors import UsageError
from hoego.runs.queue import PlannedJob, RunTimeHistory, make_plan, parse_duration, parse_until
from hoego.runs.queue.plan import CONFIDENCE, LEAST_SHARE, PlannedWorker, default_reserve, fit, order
from hoego.runs.queue.timing import cost_keys, units
from hoego.runs.records import RunTimeSample, RunTiming

SEOUL = zoneinfo.ZoneInfo("Asia/Seoul")
NOON = datetime.datetime(2022, 3, 1, 12, 0, tzinfo=SEOUL)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("8h", 28800), ("90m", 5400), ("1h30m", 5400), ("1.5h", 5400), ("45 s", 45), ("2d", 172800), ("30", 30)],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "h", "8x", "8h!", "-3h", "0h", "eight hours"])
def test_what_is_not_a_duration(text: str) -> None:
    with pytest.raises(UsageError):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("19:00", "2022-03-01T19:00:00+09:00"),
        ("9:05", "2022-03-02T09:05:00+09:00"),
        ("12:00", "2022-03-02T12:00:00+09:00"),
        ("24:00", "2022-03-02T00:00:00+09:00"),
        ("2022-03-04 19:00", "2022-03-04T19:00:00+09:00"),
        ("2022-03-04T19:00:30", "2022-03-04T19:00:30+09:00"),
        ("04:00 UTC", "2022-03-01T04:00:00+00:00"),
        ("02:00 UTC", "2022-03-02T02:00:00+00:00"),
        ("2022-03-01T19:00:00+01:00", "2022-03-01T19:00:00+01:00"),
    ],
)
def test_until_is_the_next_occurrence(text: str, moment: str) -> None:
    assert parse_until(text, now=NOON) == datetime.datetime.fromisoformat(moment)


def test_until_follows_the_change_to_summer_time() -> None:
    berlin = zoneinfo.ZoneInfo("Europe/Berlin")
    evening = datetime.datetime(2022, 3, 26, 23, 0, tzinfo=berlin)
    seconds = parse_until("07:00", now=evening).timestamp() - evening.timestamp()
    assert seconds == 7 * 3600


@pytest.mark.parametrize(
    "text", ["", "soon", "25:00", "19:60", "2022-02-30 19:00", "19:00 Nowhere/City", "2022-03-04"]
)
def test_what_is_not_a_time(text: str) -> None:
    with pytest.raises(UsageError):
        parse_until(text, now=NOON)


def test_a_time_that_has_passed_is_refused() -> None:
    with pytest.raises(UsageError, match="has passed"):
        parse_until("2022-03-01 11:59", now=NOON)


def recipe(**fields: Any) -> dict[str, Any]:
    return {"epochs": 10, "model": {"name": "m"}, "dataset": {"size": [64, 64]}, **fields}


def sample(rate: float, overhead: float = 0.0, **fields: Any) -> RunTimeSample:
    base = recipe(**fields)
    return RunTimeSample(keys=cost_keys(base), units=10, rate=rate, overhead=overhead, pixels=64.0 * 64.0)


def test_units_are_epochs_of_all_folds_and_the_refit() -> None:
    folds = {"split": {"kind": "folds", "folds": 4}}
    assert units(recipe()) == 10
    assert units(recipe(refit=True)) == 20
    assert units(recipe(**folds), "all") == 40
    assert units(recipe(**folds, refit=True), "all") == 50
    assert units(recipe(**folds), 2) == 10


def test_a_prediction_scales_with_epochs_and_ignores_the_seed() -> None:
    history = RunTimeHistory([sample(2.0, overhead=5.0, seed=k) for k in range(5)])
    assert history.predict(recipe(seed=99)).seconds == pytest.approx(25.0)
    assert history.predict(recipe(epochs=40)).seconds == pytest.approx(85.0)
    assert history.predict(recipe(), done=4).seconds == pytest.approx(17.0)


def test_what_a_prediction_rests_on_widens_its_margin() -> None:
    history = RunTimeHistory([sample(2.0) for _ in range(5)])
    same = history.predict(recipe())
    similar = history.predict(recipe(loss="focal"))
    larger = history.predict(recipe(dataset={"size": [128, 128]}))
    unknown = history.predict(recipe(model={"name": "other"}))
    assert [e.level for e in (same, similar, larger, unknown)] == [0, 1, 2, -1]
    assert larger.seconds == pytest.approx(80.0)
    margins = [e.within(0.98) / (e.seconds or 1.0) for e in (same, similar, larger)]
    assert margins == sorted(margins)
    assert unknown.within(0.5) == math.inf


def test_past_errors_widen_the_margin_and_reach_their_coverage() -> None:
    """Runs whose lengths scatter by 20 %, against predictions with the margin: it holds about as often as it says."""
    rng = random.Random(0)
    held, asked = 0, 400
    for _ in range(asked):
        history = RunTimeHistory([sample(math.exp(rng.gauss(0, 0.2))) for _ in range(12)])
        held += 10 * math.exp(rng.gauss(0, 0.2)) <= history.predict(recipe()).within(0.9)
    assert 0.86 <= held / asked <= 0.96
    calm = RunTimeHistory([sample(1.0) for _ in range(12)]).predict(recipe())
    wild = RunTimeHistory([sample(1.0).with_(error=(0, 0.4))] * 12).predict(recipe())
    assert wild.spread > 3 * calm.spread


def test_the_rest_of_a_run_is_read_from_its_own_epochs() -> None:
    empty = RunTimeHistory()
    assert empty.remaining(recipe(), None, [4.0, 2.0, 2.0]).seconds == pytest.approx(7 * 2.0 + 1.0)
    slow_start = RunTimeHistory([sample(3.0).with_(first=2.0)] * 3)
    alone = slow_start.remaining(recipe(), None, [6.0]).seconds
    assert alone == pytest.approx(9 * 3.0, rel=0.01)
    slower = slow_start.remaining(recipe(), None, [12.0, 6.0, 6.0, 6.0, 6.0]).seconds
    assert 5 * 3.0 < (slower or 0) <= 5 * 6.0


def jobs(*specs: dict[str, Any]) -> list[PlannedJob]:
    return [
        PlannedJob(**{"id": f"r{k}", "recipe": recipe(), "created": f"{k:03d}", **spec})
        for k, spec in enumerate(specs)
    ]


KNOWN = RunTimeHistory([sample(1.0) for _ in range(30)])


def test_the_order_is_that_of_asking_while_everything_fits() -> None:
    asked = jobs({"recipe": recipe(epochs=30)}, {"recipe": recipe(epochs=5)}, {"priority": 1})
    assert [j.id for j in order(asked, KNOWN, None)] == ["r2", "r0", "r1"]
    assert [j.id for j in order(asked, KNOWN, 1000.0)] == ["r2", "r0", "r1"]


def test_scarce_time_goes_to_priority_then_to_value_per_second() -> None:
    asked = jobs(
        {"recipe": recipe(epochs=30)},
        {"recipe": recipe(epochs=5)},
        {"recipe": recipe(epochs=40), "priority": 1},
        {"recipe": recipe(epochs=30), "value": 10.0},
    )
    assert [j.id for j in order(asked, KNOWN, 60.0)] == ["r2", "r3", "r1", "r0"]


def test_the_plan_says_what_fits_and_why_not() -> None:
    plan = make_plan(jobs({}, {}, {}), KNOWN, 28.0, reserve=2.0)
    assert [line.fits for line in plan.lines] == [True, True, False]
    assert "needs about 10 s" in plan.lines[2].reason
    assert [line.ends_in for line in plan.lines[:2]] == [pytest.approx(10), pytest.approx(20)]
    two = make_plan(jobs({}, {}, {}), KNOWN, 28.0, reserve=2.0, workers=2)
    assert [line.fits for line in two.lines] == [True, True, True]
    assert two.to_dict()["fits"] == 3
    unknown = make_plan(jobs({"recipe": recipe(model={"name": "new"})}), KNOWN, 28.0)
    assert unknown.lines[0].fits is None


def test_each_worker_is_planned_with_the_speed_of_its_own_machine() -> None:
    """Three runs of 10 s on the fast worker and of 40 s on the slow one; the fast one is busy for another 5 s."""
    fast = PlannedWorker(name="fast", history=KNOWN, free_in=5.0)
    slow = PlannedWorker(name="slow", history=RunTimeHistory([sample(4.0) for _ in range(30)]))
    new = PlannedWorker(name="new", history=RunTimeHistory())

    def planned(window: float, *crew: PlannedWorker) -> list[tuple[str, bool | None, float | None]]:
        plan = make_plan(jobs({}, {}, {}), KNOWN, window, reserve=0.0, workers=crew)
        return [(line.worker, line.fits, line.ends_in and round(line.ends_in)) for line in plan.lines]

    assert planned(100.0, fast, slow) == [("slow", True, 40), ("fast", True, 15), ("fast", True, 25)]
    assert planned(30.0, fast, slow) == [("fast", True, 15), ("fast", True, 25), ("", False, None)]
    leaving = replace(fast, ends_in=20.0)
    assert planned(100.0, leaving, slow) == [("slow", True, 40), ("fast", True, 15), ("slow", True, 80)]
    assert planned(30.0, new) == [("", None, None)] * 3
    assert planned(30.0, new, fast)[0] == ("fast", True, 15)


def test_folds_that_are_spread_are_planned_on_all_workers() -> None:
    """Five folds of 10 epochs: 50 s on one worker, three rounds on two; and nobody is free before their end."""
    (job,) = jobs({"recipe": recipe(split={"kind": "folds", "folds": 5}), "fold": "all", "folds": 5})
    (behind,) = jobs({"created": "9"})
    alone = make_plan([job], KNOWN, None)
    assert alone.lines[0].ends_in == pytest.approx(50)
    both = make_plan([job, replace(behind, id="r9")], KNOWN, None, workers=2)
    assert [line.ends_in for line in both.lines] == [pytest.approx(30), pytest.approx(40)]
    assert "shared by 2 workers" in both.lines[0].reason


def test_a_run_is_planned_behind_what_it_comes_after() -> None:
    asked = jobs({"after": ("r1",), "priority": 9}, {}, {"after": ("gone",)})
    plan = make_plan(asked, KNOWN, None, states={"gone": "failed"})
    assert [line.id for line in plan.lines] == ["r1", "r0", "r2"]
    assert plan.lines[1].ends_in == pytest.approx(20)
    assert (plan.lines[2].fits, "gone (failed)" in plan.lines[2].reason) == (False, True)


def test_a_run_is_shortened_as_little_as_needed_and_never_below_its_least_share() -> None:
    (job,) = jobs({"recipe": recipe(epochs=20, queue={"shorten": True})})
    fits, epochs, estimate = fit(job, KNOWN, 15.0)
    assert fits
    assert epochs is not None
    assert estimate.within(CONFIDENCE) <= 15.0
    assert KNOWN.predict(recipe(epochs=epochs + 1)).within(CONFIDENCE) > 15.0
    assert fit(job, KNOWN, LEAST_SHARE * 20 - 1)[0] is False
    assert fit(jobs({"recipe": recipe(epochs=20)})[0], KNOWN, 15.0)[0] is False
    begun = PlannedJob(id="b", recipe=job.recipe, done=3)
    assert fit(begun, KNOWN, 15.0)[:2] == (False, None)


def test_the_reserve() -> None:
    assert default_reserve(None) == 0
    assert default_reserve(1000.0) == 50
    assert default_reserve(1e6) == 600


def test_a_sample_survives_its_record() -> None:
    kept = sample(2.0, overhead=3.0).with_(error=(0, 0.1))
    timing = RunTiming(seconds=23.0, sample=kept)
    assert RunTiming.model_validate_json(timing.model_dump_json()) == timing
    assert RunTiming.model_validate({"seconds": 3.0}).sample is None


def simulation() -> ModuleType:
    path = Path(__file__).parents[1] / "benchmarks" / "deadline_simulation.py"
    spec = importlib.util.spec_from_file_location("deadline_simulation", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    import sys

    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_random_queues_keep_their_deadlines() -> None:
    """The benchmark's simulation, small: the real worker, simulated clocks, run times the planner does not know."""
    seen = [simulation().simulate(seed) for seed in range(7_000, 7_005)]
    assert all(queue["kept"] for queue in seen)
    assert sum(queue["done"] for queue in seen) > len(seen)
