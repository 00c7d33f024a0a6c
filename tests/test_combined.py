"""Ensembles and compositions as a whole: what each member adds, what is refused, what new images get, the page."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from round_trips import round_trip
from sklearn.metrics import f1_score
from test_diagnose import SCHEMA, people, predict

from hoego.data.dataset import Dataset
from hoego.data.schema import LabelSchema
from hoego.draw import matrix
from hoego.errors import DataError, LeakError, MismatchError, NotEstimableError, UsageError
from hoego.evaluate.ensemble import (
    METHODS,
    EnsembleOptions,
    Offsets,
    apply_combiners,
    compose_best,
    diversity,
    ensemble,
    with_fitted,
)
from hoego.evaluate.ensemble.combiners import Combiner, fit
from hoego.evaluate.ensemble.compose import compose
from hoego.evaluate.ensemble.crossfit import parts_of
from hoego.evaluate.ensemble.judge import StackedColumn, best_on_other_parts
from hoego.evaluate.score import ScoreOptions, score
from hoego.predictions import Predictions, RowProvenance, honesty
from hoego.report import render
from hoego.results.ensemble import SavedEnsemble
from hoego.runs.combined import predict_combined, save_composition, save_ensemble
from hoego.runs.records import Record, RunStore

FAST = EnsembleOptions(resamples=200)
STRONG = {"mask": 0.98, "gender": 0.97, "age": 0.9}
WEAK = {"mask": 0.98, "gender": 0.97, "age": 0.5}


def said(predictions: Predictions) -> np.ndarray:
    return predictions.target_probabilities().argmax(axis=1)


def relabelled(dataset: Dataset, rows: np.ndarray, seed: int = 5) -> Dataset:
    """The same data set with the labels of some rows dealt out anew."""
    codes = dataset.codes.copy()
    codes[rows] = np.random.default_rng(seed).permutation(codes[rows])
    return replace(dataset, codes=codes)


@pytest.mark.parametrize("method", sorted(METHODS))
def test_taking_a_member_out_leaves_the_others_with_their_weights_scaled_up(method: str) -> None:
    rng = np.random.default_rng(0)
    stack = rng.dirichlet(np.ones(4) * 0.5, (5, 90)).astype(np.float32)
    truth, parts = rng.integers(0, 4, 90), np.arange(90) % 3
    fitted = [fit(method, stack[:, parts != k], truth[parts != k]) for k in range(3)]
    total = np.empty((90, 4))
    for k, combiner in enumerate(fitted):
        total[parts == k] = combiner.total(stack[:, parts == k])
    column = StackedColumn(stack, fitted, parts, total)
    for i in range(5):
        kept = np.arange(5) != i
        for k, whole in enumerate(fitted):
            rest = whole.weights[kept]
            scaled = (
                rest * whole.weights.sum() / rest.sum()
                if rest.sum() > 1e-9
                else np.full(4, whole.weights.sum() / 4)
            )
            expected = Combiner(method, scaled, whole.bias).apply(stack[kept][:, parts == k])
            made = column.without(i)[parts == k]
            if method in ("vote", "rank"):
                np.testing.assert_array_equal(made.argmax(axis=1), expected.argmax(axis=1))
            else:
                np.testing.assert_allclose(made, expected, atol=1e-9)


def test_the_marginal_of_every_member_is_the_difference_that_it_makes() -> None:
    dataset = people(40)
    runs = [predict(dataset, k, name=f"m{k}") for k in range(4)]
    found = ensemble(runs, dataset, FAST)
    stack = np.stack([r.target_probabilities() for r in runs])

    def macro(p: np.ndarray) -> float:
        return float(f1_score(dataset.target, p.argmax(axis=1), average="macro"))

    for i, member in enumerate(found.members):
        assert member.marginal is not None
        expected = macro(stack.mean(axis=0)) - macro(np.delete(stack, i, axis=0).mean(axis=0))
        assert member.marginal.value == pytest.approx(expected)
        assert member.marginal.low <= member.marginal.value <= member.marginal.high
        assert member.score == pytest.approx(macro(stack[i]))
    assert found.gain is not None
    assert found.comparison.p_value <= 1
    round_trip(found.summary)


def test_a_member_without_weight_adds_nothing() -> None:
    dataset = people(40)
    good, bad = predict(dataset, 1, STRONG, "good"), predict(dataset, 2, dict.fromkeys(STRONG, 0.02), "bad")
    found = ensemble([good, bad], dataset, replace(FAST, method="greedy"))
    assert [m.weight for m in found.members] == [1, 0]
    assert found.members[1].marginal is not None
    assert found.members[1].marginal.model_dump() == {"value": 0, "low": 0, "high": 0, "level": 0.95}
    assert found.members[0].marginal is not None
    assert found.members[0].marginal.value > 0.3
    assert "not distinguishable from its best member" in found.verdict


def test_the_best_member_is_chosen_by_the_other_parts() -> None:
    truth, parts = np.asarray([0, 1, 0, 1]), np.asarray([0, 0, 1, 1])
    here, there = np.asarray([0, 1, 1, 0]), np.asarray([1, 0, 0, 1])
    np.testing.assert_array_equal(best_on_other_parts([here, there], truth, parts, 2), [1, 0, 1, 0])


@pytest.mark.parametrize("method", ["greedy", "stack"])
def test_the_labels_of_a_fold_do_not_move_its_own_rows(method: str) -> None:
    dataset = people(60)
    runs = [predict(dataset, k, WEAK, name=f"m{k}") for k in range(3)]
    first = runs[0].fold == 0
    a, b = (
        ensemble(runs, d, replace(FAST, method=method)).predictions
        for d in (dataset, relabelled(dataset, first))
    )
    np.testing.assert_array_equal(a.values["composite"][first], b.values["composite"][first])
    assert (a.values["composite"][~first] != b.values["composite"][~first]).any()


@pytest.mark.parametrize("method", ["greedy", "vote"])
@pytest.mark.parametrize("on", ["target", "attributes"])
def test_the_order_of_rows_does_not_matter(method: str, on: str) -> None:
    dataset = people(40)
    runs = [predict(dataset, k, name=f"m{k}") for k in range(3)]
    order = np.random.default_rng(0).permutation(dataset.n_images)
    options = replace(FAST, method=method, on=on)
    a = ensemble(runs, dataset, options)
    b = ensemble([r.take(order) for r in runs], dataset, options)
    assert a.summary == b.summary


def test_members_of_other_splits_or_images_are_refused_as_are_numbers_that_are_none() -> None:
    dataset = people(30)
    a, b = predict(dataset, 1, name="a"), predict(dataset, 2, name="b")
    with pytest.raises(MismatchError, match="split"):
        ensemble([a, replace(b, split_fingerprint="other")], dataset)
    with pytest.raises(MismatchError, match="data set"):
        ensemble([a, replace(b, dataset_fingerprint="other")], dataset)
    with pytest.raises(MismatchError, match="lack"):
        ensemble([a, b.take(np.arange(20))], dataset)
    with pytest.raises(MismatchError, match="lacks"):
        ensemble([a.take(np.arange(20)), b], dataset)
    with pytest.raises(UsageError, match="named twice"):
        ensemble([a, a], dataset)
    broken = {k: v.copy() for k, v in b.values.items()}
    broken["age"][3] = np.nan
    with pytest.raises(DataError, match="not finite"):
        replace(b, values=broken)


@pytest.mark.parametrize("method", sorted(METHODS))
def test_a_class_that_nobody_predicts_scores_nothing_and_two_subjects_say_nothing(method: str) -> None:
    dataset = people(30)
    runs = []
    for k in range(2):
        run = predict(dataset, k, name=f"m{k}")
        age = run.values["age"].copy()
        age[:, 2] = 0
        runs.append(
            replace(run, values={**run.values, "age": (age / age.sum(axis=1, keepdims=True)).astype("f4")})
        )
    found = ensemble(runs, dataset, replace(FAST, method=method))
    value = found.score.primary.value
    assert value is not None
    assert 0 < value < 0.75
    few = people(2)
    with pytest.raises(NotEstimableError, match="2 subjects"):
        ensemble([predict(few, k, name=f"m{k}") for k in range(2)], few, EnsembleOptions(method=method))


def test_a_fitted_combiner_takes_what_it_saw_to_new_images() -> None:
    dataset = people(60)
    runs = [predict(dataset, k, name=f"m{k}") for k in range(2)]
    held = [
        replace(
            r.take(r.fold == 0), sources=r.sources[:1], source=np.zeros((r.fold == 0).sum(), dtype=np.int32)
        )
        for r in runs
    ]
    fixed = ensemble(held, dataset, FAST)
    assert fixed.fitted is None
    fitted = ensemble(held, dataset, replace(FAST, method="stack"))
    assert fitted.fitted is not None
    assert fitted.score.honesty == "out-of-fold", (
        "no model behind the fitted rows has seen a held-out subject"
    )
    again = apply_combiners(held, fitted.combiners, "again")
    assert honesty(again, dataset).label == "out-of-fold"
    with pytest.raises(LeakError, match="fitted on the labels of 20 subjects"):
        score(with_fitted(again, fitted.fitted), dataset, ScoreOptions(resamples=100))


def test_naive_runs_are_fitted_by_subject_and_stay_naive() -> None:
    dataset = people(40)
    fold = (np.arange(dataset.n_images) % 3).astype(np.int16)
    runs = [
        replace(
            predict(dataset, k, name=f"m{k}"),
            fold=fold,
            source=fold.astype(np.int32),
            sources=tuple(
                RowProvenance.from_training(f"m{k} {f}", dataset, fold != f, naive=True) for f in range(3)
            ),
        )
        for k in range(2)
    ]
    parts = parts_of(runs[0], dataset)
    assert all(len(set(parts[dataset.subject_index == s].tolist())) == 1 for s in range(40))
    assert ensemble(runs, dataset, replace(FAST, method="stack")).score.honesty == "naive"


def test_disagreement_and_error_correlation_are_the_hand_counts() -> None:
    dataset = people(40)
    runs = [predict(dataset, k, name=f"m{k}") for k in range(3)]
    specialist = replace(runs[0], values={"age": runs[0].values["age"]}, scale={"age": "probabilities"})
    disagreement, correlation = diversity([*runs, specialist], dataset.target)
    a, b = said(runs[0]), said(runs[1])
    assert disagreement[0, 1] == disagreement[1, 0] == (a != b).mean()
    wrong = [(x != dataset.target).astype(float) for x in (a, b)]
    assert correlation[0, 1] == pytest.approx(np.corrcoef(*wrong)[0, 1])
    assert disagreement[1, 1] == 0
    assert np.isnan(disagreement[3]).all()
    assert np.isnan(correlation[:, 3]).all()


def candidates(dataset: Dataset) -> dict[str, list[Predictions]]:
    masks = predict(dataset, 1, {"mask": 0.99, "gender": 0.8, "age": 0.5}, "masks")
    ages = predict(dataset, 2, {"mask": 0.8, "gender": 0.8, "age": 0.95}, "ages")
    return {"mask": [ages, masks], "gender": [masks], "age": [masks, ages]}


def test_the_best_source_of_each_attribute_is_chosen_across_the_folds() -> None:
    dataset = people(60)
    from_runs = candidates(dataset)
    made = compose_best(from_runs, dataset)
    assert dict(made.parts) == {"mask": "masks", "gender": "masks", "age": "ages"}
    by_attribute = {c.attribute: c for c in made.choices}
    assert all(
        f"(selected, the highest of {len(c.scores)})" in c.stated for c in made.choices if len(c.scores) > 1
    )
    assert by_attribute["age"].by_part == ("ages",) * 3
    truth = dataset.classes_of("mask")
    expected = f1_score(truth, from_runs["mask"][1].probabilities("mask").argmax(axis=1), average="macro")
    assert by_attribute["mask"].scores["masks"] == pytest.approx(expected)
    np.testing.assert_allclose(
        made.predictions.probabilities("age"), from_runs["age"][1].probabilities("age")
    )
    assert honesty(made.predictions, dataset).label == "cross-fitted"
    assert made.fitted is not None
    plain = compose_best({a: runs[-1:] for a, runs in from_runs.items()}, dataset)
    assert plain.choices == ()
    assert honesty(plain.predictions, dataset).label == "out-of-fold"


def test_a_fold_s_own_labels_do_not_choose_its_source() -> None:
    dataset = people(60)
    a, b = predict(dataset, 1, STRONG, "a"), predict(dataset, 2, STRONG, "b")
    first = a.fold == 0
    kinds = dataset.classes_of("age")
    values = b.values["age"].copy()
    values[first] = np.eye(3, dtype=np.float32)[kinds[first]]
    values[~first] = np.eye(3, dtype=np.float32)[(kinds[~first] + 1) % 3]
    lucky = replace(b, values={**b.values, "age": values})
    made = compose_best({"mask": [a], "gender": [a], "age": [a, lucky]}, dataset)
    age = next(c for c in made.choices if c.attribute == "age")
    assert age.by_part[0] == "a", "a run that is right in this fold alone is not chosen for it"
    np.testing.assert_allclose(made.predictions.probabilities("age")[first], a.probabilities("age")[first])


def test_choosing_refuses_what_cannot_be_chosen_from() -> None:
    dataset = people(30)
    a, b = predict(dataset, 1, name="a"), predict(dataset, 2, name="b")
    ages = replace(b, values={"age": b.values["age"]}, scale={"age": "probabilities"})
    with pytest.raises(MismatchError, match="says nothing of 'mask'"):
        compose_best({"mask": [a, ages], "gender": [a], "age": [a]}, dataset)
    with pytest.raises(UsageError, match="gender"):
        compose_best({"mask": [a], "gender": [], "age": [a]}, dataset)
    with pytest.raises(UsageError, match="--of gender=RUN"):
        compose_best({"mask": [a, b], "age": [a]}, dataset)
    seen = replace(b, sources=tuple(b.sources[(k + 1) % 3] for k in range(3)))
    with pytest.raises(LeakError):
        compose_best({"mask": [a, seen], "gender": [a], "age": [a]}, dataset)


def test_a_combination_that_does_not_exist_is_never_said() -> None:
    dense = people(60)
    some = tuple(c for c in map(tuple, SCHEMA.combination_codes.tolist()) if not (c[1] == 0 and c[2] == 2))
    schema = LabelSchema(SCHEMA.attributes, "composite", SCHEMA.composite, some)
    there = ~((dense.codes[:, 1] == 0) & (dense.codes[:, 2] == 2))
    kept = dense.take(there)
    dataset = Dataset(
        root=kept.root, schema=schema, images=kept.images, codes=kept.codes, numbers=kept.numbers
    )
    runs = [replace(predict(dataset, k, name=f"m{k}"), schema=schema) for k in range(2)]
    man = np.tile(np.float32([0.9, 0.1]), (dataset.n_images, 1))
    old = np.tile(np.float32([0.05, 0.05, 0.9]), (dataset.n_images, 1))
    sure = [
        replace(r, values={**r.values, name: v})
        for r, name, v in zip(runs, ("gender", "age"), (man, old), strict=True)
    ]
    made = compose({"mask": sure[0], "gender": sure[0], "age": sure[1]}).predictions
    p = made.target_probabilities()
    assert p.shape[1] == len(some) == 15
    np.testing.assert_allclose(p.sum(axis=1), 1)
    codes = schema.decode(p.argmax(axis=1))
    assert not ((codes[:, 1] == 0) & (codes[:, 2] == 2)).any()
    assert (made.probabilities("gender").argmax(axis=1) == 0).all()
    assert (made.probabilities("age").argmax(axis=1) == 2).all()
    both = ensemble(runs, dataset, replace(FAST, on="attributes"))
    codes = schema.decode(said(both.predictions))
    assert not ((codes[:, 1] == 0) & (codes[:, 2] == 2)).any()


def kept_runs(folder: Path, dataset: Dataset) -> tuple[RunStore, dict[str, Record], list[Predictions]]:
    store = RunStore(folder)
    records, runs = {}, []
    for k in range(3):
        record = store.create({}, name=f"run {k}", fingerprints={"split": "s"})
        record.set_state("done")
        runs.append(predict(dataset, k, {"mask": 0.97, "gender": 0.9, "age": 0.5 + 0.2 * k}, record.id))
        records[record.id] = record
    return store, records, runs


def test_a_kept_ensemble_predicts_as_it_was_made_and_its_page_shows_the_members(tmp_path: Path) -> None:
    dataset = people(60)
    store, records, runs = kept_runs(tmp_path, dataset)
    by_id = {r.name: r for r in runs}
    made = ensemble(runs, dataset, replace(FAST, method="stack", decide="prior"))
    record = save_ensemble(store, made, records, dataset)
    new = predict_combined(record, store, lambda member: by_id[member.id])
    expected = apply_combiners(runs, made.combiners, "x").target_probabilities()
    assert made.decision is not None
    if made.decision.kept:
        expected = Offsets.of(made.decision.offsets["composite"]).apply(expected)
    np.testing.assert_allclose(new.target_probabilities(), expected, atol=1e-6)
    assert "fitted on the labels" in " ".join(new.sources[0].path)
    assert record.score is not None
    assert record.score.target == "composite"
    assert record.score.rankable
    stored = record.combined
    assert isinstance(stored, SavedEnsemble)
    assert np.asarray(stored.ensemble.disagreement).shape == (3, 3)
    round_trip(stored)
    old = stored.model_dump(mode="json")
    del old["offsets"], old["fitted"], old["ensemble"]["decision"], old["ensemble"]["gain"]["p_value"]
    assert SavedEnsemble.model_validate(old).combiners == stored.combiners
    html = render(record)
    for label in ("marginal gain of each member", "members side by side"):
        assert f'aria-label="{label}"' in html
    assert html.count('aria-label="members side by side"') == 2
    assert "run 2" in html
    assert "left off" in html or "is applied" in html


def test_a_kept_rule_goes_to_new_images(tmp_path: Path) -> None:
    dataset = people(60)
    store, records, runs = kept_runs(tmp_path, dataset)
    made = ensemble(runs, dataset, replace(FAST, decide="thresholds"))
    assert made.decision is not None
    made = replace(made, decision=made.decision.with_(kept=True))
    record = save_ensemble(store, made, records, dataset)
    by_id = {r.name: r for r in runs}
    new = predict_combined(record, store, lambda member: by_id[member.id])
    mean = np.mean([r.target_probabilities() for r in runs], axis=0)
    assert made.decision is not None
    np.testing.assert_allclose(
        new.target_probabilities(), Offsets.of(made.decision.offsets["composite"]).apply(mean), atol=1e-5
    )


def test_a_kept_composition_predicts_with_the_sources_chosen_on_all_rows(tmp_path: Path) -> None:
    dataset = people(60)
    store, records, runs = kept_runs(tmp_path, dataset)
    by_id = {r.name: r for r in runs}
    made = compose_best({"mask": runs[:1], "gender": runs[:1], "age": runs}, dataset)
    assert made.parts["age"] == runs[2].name
    record = save_composition(
        store, made, score(made.predictions, dataset, ScoreOptions(resamples=50)), records, dataset
    )
    new = predict_combined(record, store, lambda member: by_id[member.id])
    np.testing.assert_allclose(new.probabilities("age"), runs[2].probabilities("age"))
    assert "the choice among 3 runs was fitted" in " ".join(new.sources[0].path)
    assert "Each part of the subjects is predicted by the runs that were best" in render(record)


def test_a_matrix_leaves_out_its_diagonal_and_what_is_unknown() -> None:
    picture = matrix([[1.0, 0.25, None], [0.25, 1.0, -0.5], [None, -0.5, 1.0]], ["a", "<b>", "c"], top=0.5)
    assert picture.count("<title>") == 4
    assert "a and &lt;b&gt;: 0.250" in picture
    assert picture.count("var(--s1)") == 2
