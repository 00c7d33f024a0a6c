"""The one rule for ranking: what may be ranked, beside what, and that every reader keeps to it."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from hoego.api.records import Runs
from hoego.recipe import build
from hoego.results.honesty import HonestyLevel
from hoego.runs.ideas import IdeaWorker, ideas
from hoego.runs.ideas import add as add_idea
from hoego.runs.records import RankingRule, Record, RunKind, RunsQuery, RunStore, rankings, runs

PRINTS = {"dataset": "d", "split": "s", "labels": "l"}


def done(store: RunStore, value: float | None, honesty: str = "out-of-fold", **fields: Any) -> Record:
    recipe = build({"optim": {"lr": value or 0.5}}).to_dict()
    record = store.create(recipe, **{"fingerprints": PRINTS, "target": "age", **fields})
    if value is not None:
        metrics = {"macro_f1": {"value": value}, "log_loss": {"value": value}}
        record.update(score={**metrics, "honesty": honesty, "target": fields.get("target", "age")})
    record.set_state("done")
    return record


def ids(records: Any) -> list[str]:
    return [r.id for r in records]


@pytest.mark.parametrize("honesty", [level.value for level in HonestyLevel])
def test_a_score_is_ranked_as_its_honesty_says(honesty: str, tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    record, plain = done(store, 0.9, honesty), done(store, 0.1)
    rankable = honesty in ("out-of-fold", "selected", "cross-fitted")
    found = store.ranked()
    assert ids(found.records) == ids([record, plain] if rankable else [plain])
    assert ids(found.apart) == ids([] if rankable else [record])
    assert ids(store.ranked(honest=False).records) == ids([record, plain])
    assert ids(Runs(store).ranked()) == ids(found.records)


def test_scores_of_other_people_photos_labels_or_targets_are_apart(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    own = [done(store, 0.5), done(store, 0.6)]
    changed = [done(store, 0.9, fingerprints={**PRINTS, name: "other"}) for name in PRINTS]
    target = done(store, 0.99, target="mask")
    waiting = store.create({"epochs": 1}, state="waiting")
    found = store.ranked()
    assert ids(found.records) == ids([own[1], own[0]])
    assert sorted(ids(found.apart)) == sorted(ids([*changed, target]))
    assert found.group is not None
    assert (found.group.dataset, found.group.target) == ("d", "age")
    assert ids(store.ranked(target="mask").records) == [target.id]
    assert len(rankings(store.list())) == 5
    assert waiting.id not in ids((*found.records, *found.apart))


def test_one_fold_is_not_ranked_beside_all_of_them(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    whole = [done(store, 0.5, fold="all"), done(store, 0.6, fold="all")]
    fold = done(store, 0.9, fold=0)
    for record, images in ((whole[0], 100), (whole[1], 100), (fold, 20)):
        record.update(score={**record.meta.model_dump(mode="json")["score"], "n_images": images})
    assert ids(store.ranked().records) == ids([whole[1], whole[0]])
    assert runs(store, RunsQuery(sort="-macro_f1")).apart == {fold.id: "another fold"}


def test_two_folds_of_equal_size_hold_out_other_people_and_are_not_ranked_together(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    first = [done(store, value, fold=0) for value in (0.5, 0.6)]
    second = done(store, 0.9, fold=1)
    for record in (*first, second):
        record.update(score={**record.meta.model_dump(mode="json")["score"], "n_images": 50})
    assert ids(store.ranked().records) == ids([first[1], first[0]])
    assert runs(store, RunsQuery(sort="-macro_f1")).apart == {second.id: "another fold"}


def test_a_kind_and_a_metric_are_chosen(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    low, high = done(store, 0.2), done(store, 0.7)
    both = done(store, 0.9, kind="ensemble")
    assert ids(store.ranked().records) == ids([both, high, low])
    assert ids(store.ranked(kinds=(RunKind.RUN,)).records) == ids([high, low])
    assert ids(store.ranked("log_loss").records) == ids([low, high, both]), "a lower loss is better"
    assert store.ranked("auroc").records == ()


def test_the_order_of_the_records_changes_nothing(tmp_path: Path) -> None:
    records = [done(RunStore(tmp_path), v) for v in (0.1, 0.2, 0.2, 0.3)]
    (once,) = rankings(records)
    for order in itertools.permutations(records):
        (again,) = rankings(order, RankingRule())
        assert ids(once.records) == ids(again.records)
    assert [r.score.primary.value for r in once.records if r.score and r.score.primary] == [
        0.3,
        0.2,
        0.2,
        0.1,
    ]


def test_a_table_sorted_by_a_score_puts_what_is_not_ranked_last_and_says_so(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    naive, good, fair = done(store, 0.99, "naive"), done(store, 0.5), done(store, 0.4)
    other = done(store, 0.9, fingerprints={**PRINTS, "split": "another"})
    unscored = done(store, None)
    table = runs(store, RunsQuery(columns=("id", "macro_f1"), sort="-macro_f1"))
    order = [row[0] for row in table.rows]
    assert order == ids([good, fair, naive, other, unscored]), (
        "honest ones first, then what is apart, each by its score"
    )
    assert table.apart == {naive.id: "naive", other.id: "another split"}
    assert runs(store, RunsQuery(sort="-id")).apart == {}


def test_an_ensemble_never_leads_the_ideas(tmp_path: Path) -> None:
    """The recipe in an ensemble's record is its first member's: ideas would be laid over a recipe that did not win."""
    store = RunStore(tmp_path)
    weak, best = done(store, 0.3), done(store, 0.6)
    done(store, 0.9, kind="ensemble", parents=[weak.id, best.id])
    done(store, 0.95, "naive")
    add_idea(store, "smoother", ["loss=smooth"])
    IdeaWorker().idle(store, 1e9)
    leader = ideas(store).leader
    assert leader is not None
    assert leader["optim"]["lr"] == best.recipe["optim"]["lr"] == 0.6
