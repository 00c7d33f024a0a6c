"""Search: what is asked, what is stopped, what is chosen, and that the choice is paid for in the score."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("optuna")
pytestmark = pytest.mark.torch

from test_train_run import own_cache, photos, recipe  # noqa: E402, F401

from hoego.data.load import load  # noqa: E402
from hoego.errors import RecipeError, UsageError  # noqa: E402
from hoego.evaluate.score import optimism  # noqa: E402
from hoego.evaluate.score.formulas import macro_f1_score  # noqa: E402
from hoego.predictions import honesty  # noqa: E402
from hoego.recipe import build  # noqa: E402
from hoego.report.search_page import write_search_page  # noqa: E402
from hoego.runs.loading import rescore  # noqa: E402
from hoego.runs.queue import QueueOptions, retry  # noqa: E402
from hoego.runs.queue.train_record import enqueue  # noqa: E402
from hoego.runs.record_predictions import predictions_of  # noqa: E402
from hoego.runs.records import RunStore  # noqa: E402
from hoego.runs.required_runs import StudyRunner  # noqa: E402
from hoego.runs.searching.halving import Halving, behind  # noqa: E402
from hoego.runs.searching.sampling import ask, grid, require_sampler  # noqa: E402
from hoego.runs.searching.search import SearchRequest, search  # noqa: E402
from hoego.runs.searching.space import Axis, SearchSpace, parse_axis  # noqa: E402
from hoego.runs.searching.trials import SearchTrial, curve_of, records_of, trials_of  # noqa: E402
from hoego.runs.verdicts import compare_records  # noqa: E402


@pytest.mark.parametrize(
    ("text", "axis"),
    [
        ("loss=ce,focal", Axis(key="loss", choices=("ce", "focal"))),
        ("epochs=4..12", Axis(key="epochs", low=4, high=12, whole=True)),
        ("optim.lr=log:1e-4..1e-2", Axis(key="optim.lr", low=1e-4, high=1e-2, log=True)),
        ("augment.flip=0..0.5/3", Axis(key="augment.flip", choices=("0.0", "0.25", "0.5"))),
    ],
)
def test_axes_are_read_as_they_are_written(text: str, axis: Axis) -> None:
    assert parse_axis(text) == axis
    if not axis.choices:
        assert parse_axis(axis.text) == axis


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("optim.lr", "names no values"),
        ("optim.lr=1e-2..1e-4", "empty range"),
        ("optim.lr=log:0..1", "empty range"),
        ("loss=ce", "one value"),
        ("seed=1,2", "cannot be varied"),
        ("split.seed=1,2", "cannot be varied"),
    ],
)
def test_axes_that_cannot_be_searched_are_refused(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parse_axis(text)


def test_a_space_names_settings_that_there_are_and_their_range() -> None:
    with pytest.raises(RecipeError, match=r"optim\.lrr"):
        SearchSpace.of(build({}), ["optim.lrr=1e-4..1e-2"])
    with pytest.raises(RecipeError, match=r"inner_ratio"):
        SearchSpace.of(build({}), ["select.inner_ratio=0.1..1.5"])
    with pytest.raises(UsageError, match="no end"):
        require_sampler("grid", SearchSpace.of(build({}), ["optim.lr=1e-4..1e-2"]))


def trial(number: int, curve: list[float], state: str = "done", epochs: int = 9) -> SearchTrial:
    value = max(curve) if state == "done" else None
    return SearchTrial(number=number, point={}, state=state, value=value, curve=tuple(curve), epochs=epochs)


def test_a_trial_is_stopped_only_where_too_many_were_better_at_the_same_epoch() -> None:
    rule = Halving(first=2, factor=2)
    others = [trial(0, [0.1, 0.5]), trial(1, [0.3, 0.3]), trial(2, [0.2, 0.4])]
    good, bad = trial(3, [0.4, 0.45], "running"), trial(4, [0.1, 0.2], "running")
    assert behind(good, [*others, good], rule) == ""
    assert "behind after 2 epochs: 4 of 5" in behind(bad, [*others, good, bad], rule)
    # One epoch says nothing yet, whatever it says; and nobody is stopped before its last epoch.
    assert behind(trial(5, [0.0], "running"), others, rule) == ""
    assert behind(trial(6, [0.0, 0.0], "running", epochs=2), others, rule) == ""
    # The first to get there goes on: there is nobody to be behind.
    assert behind(trial(7, [0.0, 0.0], "running"), [trial(7, [0.0, 0.0])], rule) == ""


def test_a_curve_is_the_mean_over_folds_of_the_better_weights() -> None:
    rows = {0: [{"macro_f1": 0.2, "macro_f1_ema": 0.4}, {"macro_f1": 0.5}], 1: [{"macro_f1": 0.6}]}
    assert curve_of(rows, "macro_f1", 1.0) == (0.5, 0.5)
    assert curve_of(rows, "mae", -1.0) == (0.5, 0.5)  # epochs know no mae: macro F1 stands for it


def test_a_finite_space_is_tried_once_and_no_more() -> None:
    space = SearchSpace.of(build({}), ["loss=ce,focal", "epochs=4..6"])
    for sampler in ("grid", "tpe", "random"):
        trials: list[SearchTrial] = []
        while (point := ask(space, trials, sampler, seed=1)) is not None:
            trials.append(SearchTrial(number=len(trials), point=point, state="done", value=0.5))
        assert sorted(map(repr, (t.point for t in trials))) == sorted(map(repr, grid(space)))


AXES = ["optim.lr=log:1e-4..1e-1", "optim.weight_decay=log:1e-4..1", "loss=ce,focal,sce", "epochs=4..12"]
CLASSES, SUBJECTS, PHOTOS = 4, 60, 5


def accuracy_at(point: Any) -> float:
    """A response surface: one hill in the rates, one loss that is better, epochs that saturate."""
    hill = (math.log10(point["optim.lr"]) + 2.4) ** 2 / 0.8 + (
        math.log10(point["optim.weight_decay"]) + 1.5
    ) ** 2 / 3
    other = 0.04 * (point["loss"] != "focal") + 0.01 * (12 - point["epochs"]) / 8
    return 0.35 + 0.4 * math.exp(-hill) - other


def predicted(point: Any, truth: Any, subject: Any, random: np.random.Generator) -> Any:
    """Classes that a model of this accuracy predicts; some people are hard for every model."""
    hard = np.random.default_rng(0).normal(0, 0.08, subject.max() + 1)[subject]
    right = random.random(len(truth)) < accuracy_at(point) + hard
    return np.where(right, truth, (truth + random.integers(1, CLASSES, len(truth))) % CLASSES)


def searched(sampler: str, seed: int, trials: int = 64) -> tuple[list[SearchTrial], Any, Any, Any]:
    """A search on the surface: its trials, the classes that each predicted, the truth and the subjects."""
    random = np.random.default_rng([seed, 7])
    subject = np.repeat(np.arange(SUBJECTS), PHOTOS)
    truth = random.permutation(np.arange(len(subject)) % CLASSES)
    space = SearchSpace.of(build({}), AXES)
    made: list[SearchTrial] = []
    classes = []
    for number in range(trials):
        point = ask(space, made, sampler, seed)
        assert point is not None
        classes.append(predicted(point, truth, subject, random))
        value = macro_f1_score(classes[-1], truth, CLASSES)
        made.append(SearchTrial(number=number, point=point, state="done", value=value))
    return made, np.stack(classes), truth, subject


def best_of(trials: list[SearchTrial]) -> SearchTrial:
    return max(trials, key=lambda t: t.value or 0.0)


def test_sixty_four_trials_of_tpe_end_better_than_random_and_the_optimism_covers_the_truth() -> None:
    wins, flattered, left = 0, [], []
    for seed in range(20):
        own, classes, truth, subject = searched("tpe", seed)
        random = best_of(searched("random", seed)[0])
        chosen = best_of(own)
        # What the choice is truly worth: the surface itself, which no held-out person has touched.
        true = accuracy_at(chosen.point)
        wins += true > accuracy_at(random.point)
        found = optimism(classes, truth, subject, CLASSES)
        flattered.append(found.plain - true)
        left.append(found.corrected - true)
    error = np.std(left, ddof=1) / math.sqrt(len(left))
    assert wins >= 15
    assert np.mean(flattered) > 3 * np.std(flattered, ddof=1) / math.sqrt(len(flattered))
    assert abs(np.mean(left)) < 2.5 * error, (np.mean(flattered), np.mean(left), error)


SPACE = ("optim.lr=log:1e-4..1e-1", "loss=ce,focal", "batch_size=8..32")
_SEARCH = """
import sys
from pathlib import Path
from hoego.recipe import build
from hoego.runs.required_runs import StudyRunner
from hoego.runs.searching.search import SearchRequest, search
from hoego import toml_text
if __name__ == "__main__":
    recipe = build(toml_text.loads(Path(sys.argv[1]).read_text()))
    request = SearchRequest(space={space!r}, trials=20, workers=2, seeds=3, metric="macro_f1")
    search(recipe, request, StudyRunner(folder=Path(sys.argv[2]), fold=0))
"""


def wait_until(condition: Any, seconds: float = 240.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "what was waited for did not happen"
        time.sleep(0.05)


def children_of(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children")
    pids = [int(p) for p in found.read_text().split()] if found.exists() else []
    return [p for p in pids if b"spawn_main" in Path(f"/proc/{p}/cmdline").read_bytes()]


def test_twenty_trials_by_two_workers_one_killed_then_the_command_again(photos: Path, tmp_path: Path) -> None:  # noqa: F811
    from hoego import toml_text

    base = recipe(photos, epochs=12, optim={"lr": 1e-3}, split={"ratio": 0.5})
    (tmp_path / "recipe.toml").write_text(toml_text.dumps(base.to_dict()))
    program = tmp_path / "program.py"
    program.write_text(_SEARCH.format(space=SPACE))
    command = [sys.executable, str(program), str(tmp_path / "recipe.toml"), str(tmp_path)]
    store = RunStore(tmp_path / "runs")
    first = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def ended() -> int:
        return len(store.list(states=("done", "stopped")))

    def working() -> list[int]:
        pids = [(r.meta.process or {}).get("pid") for r in store.list(states=("running",))]
        return [p for p in children_of(first.pid) if p in pids]

    wait_until(lambda: ended() >= 3 and working())
    os.kill(working()[0], signal.SIGKILL)
    wait_until(lambda: ended() >= 7)
    # The command itself dies, too; its workers end by themselves.
    orphans = children_of(first.pid)
    first.kill()
    first.wait()
    wait_until(lambda: not any(Path(f"/proc/{p}").exists() for p in orphans))

    request = SearchRequest(space=SPACE, trials=20, workers=2)
    found = search(base, request, StudyRunner(folder=tmp_path, fold=0))
    trials = records_of(store, found.search, "trial")
    assert sorted(r.meta.queue.search.trial for r in trials if r.meta.queue.search) == list(range(20))
    assert {r.state for r in trials} <= {"done", "stopped"}
    assert found.counts == {s: [r.state for r in trials].count(s) for s in found.counts}
    for record in trials:  # stopped runs are never ranked, and no epoch is lost or doubled
        assert (record.state == "stopped") == (record.score is None)
        assert [row["epoch"] for row in record.epochs(0)] == list(range(len(record.epochs(0))))
    ranked = {r.id for r in store.ranked().records}
    assert not ranked & {r.id for r in trials if r.state == "stopped"}
    kinds = {p.suffix for p in tmp_path.rglob("*") if p.is_file()}
    assert not kinds & {".db", ".sqlite", ".sqlite3", ".log"}

    winner = store.find(found.winner)
    assert winner.score is not None
    assert str(winner.score.honesty) == "selected"
    assert winner.score.optimism is not None
    assert found.optimism is not None
    assert found.optimism.n_candidates == sum(len(r.epochs(0)) for r in trials)
    again = rescore(store.root, winner.id, _options())
    assert again.optimism == winner.score.optimism
    assert honesty(predictions_of(winner), load(base)).selected.all()
    page = write_search_page(found, winner.folder)
    text = Path(page.page).read_text()
    assert "honest gain" in text
    assert all(r.id in text for r in trials)

    confirming = records_of(store, found.search, "winner", "start")
    if dict(found.point) != {}:
        assert found.gain is not None
        assert {r.recipe["seed"] for r in confirming} == {1, 2, 3}
        sides = [records_of(store, found.search, role) for role in ("winner", "start")]
        assert compare_records(*sides).difference.value == pytest.approx(found.gain.difference.value)
        assert all("selected" in str(r.score.honesty) for r in sides[0] if r.score)
    # A third time there is nothing left to do.
    before = set(store.ids())
    assert search(base, request, StudyRunner(folder=tmp_path, fold=0)).winner == found.winner
    assert set(store.ids()) == before


def _options() -> Any:
    from hoego.evaluate.score import ScoreOptions

    return ScoreOptions()


def test_a_stopped_run_is_final_until_it_is_asked_for_again(photos: Path, tmp_path: Path) -> None:  # noqa: F811
    from hoego.runs.queue.context import STOP_FILE
    from hoego.runs.queue.train_record import train_runner
    from hoego.runs.queue.worker import work

    store = RunStore(tmp_path / "runs")
    record = enqueue(store, recipe(photos).to_dict(), QueueOptions(fold=0))
    (record.folder / STOP_FILE).write_text("behind after 3 epochs")
    work(store, train_runner)
    assert (store.find(record.id).state, store.find(record.id).reason) == ("stopped", "behind after 3 epochs")
    assert store.ranked().records == ()
    retry(store, record.id)
    work(store, train_runner)
    assert store.find(record.id).state == "done"


def test_a_search_needs_an_end(photos: Path, tmp_path: Path) -> None:  # noqa: F811
    with pytest.raises(UsageError, match="no end"):
        search(recipe(photos), SearchRequest(space=SPACE), StudyRunner(folder=tmp_path))
    assert trials_of(RunStore(tmp_path / "runs"), "none", "macro_f1", 1.0) == []
