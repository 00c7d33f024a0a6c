"""Scores: each metric against scikit-learn, rows found by name, honesty, missing labels, votes, what cannot be said."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scored_people import people, predict
from sklearn import metrics as sk

from hoego.errors import DataError, LeakError, MismatchError, NotEstimableError, UsageError
from hoego.evaluate.score import (
    METRICS,
    NOT_ESTIMATED,
    MetricContract,
    ScoreOptions,
    SelectionCandidates,
    load_own,
    metric,
    score,
)

QUICK = ScoreOptions(resamples=300)


@pytest.fixture(scope="module")
def scored():
    dataset = people(80)
    predictions = predict(dataset)
    return dataset, predictions, score(predictions, dataset, QUICK)


def space(dataset, predictions, name):
    return dataset.classes_of(name), predictions.probabilities(name)


@pytest.mark.parametrize("name", ["composite", "mask", "gender", "age"])
def test_every_metric_is_scikit_learns(scored, name: str) -> None:
    dataset, predictions, found = scored
    part = found.target if name == "composite" else found.attributes[name]
    truth, p = space(dataset, predictions, name)
    said = p.argmax(axis=1)
    present = np.unique(truth)
    recalls = sk.recall_score(truth, said, labels=present, average=None)
    matrices = sk.multilabel_confusion_matrix(truth, said, labels=present)
    specificity = matrices[:, 0, 0] / matrices[:, 0].sum(axis=1)
    areas = [sk.roc_auc_score(truth == c, p[:, c]) for c in present]
    expected = {
        "macro_f1": sk.f1_score(truth, said, labels=present, average="macro"),
        "accuracy": sk.accuracy_score(truth, said),
        "balanced_accuracy": recalls.mean(),
        "specificity": specificity.mean(),
        "auroc": np.mean(areas),
        "log_loss": sk.log_loss(truth, p, labels=np.arange(p.shape[1])),
    }
    if name == "age":
        expected["qwk"] = sk.cohen_kappa_score(truth, said, weights="quadratic")
        expected["mae"] = np.abs(truth - said).mean()
    assert set(part.metrics) == set(expected)
    for key, value in expected.items():
        assert part.metrics[key].value == pytest.approx(value, abs=1e-9), key
    f1 = sk.f1_score(truth, said, labels=present, average=None)
    precision = sk.precision_score(truth, said, labels=present, average=None)
    for k, row in enumerate(part.classes):
        assert row.metrics["f1"].value == pytest.approx(f1[k])
        assert row.metrics["sensitivity"].value == pytest.approx(recalls[k])
        assert row.metrics["specificity"].value == pytest.approx(specificity[k])
        assert row.metrics["precision"].value == pytest.approx(precision[k])
        assert row.metrics["auroc"].value == pytest.approx(areas[k])
    assert (np.asarray(part.confusion) == sk.confusion_matrix(truth, said, labels=range(p.shape[1]))).all()


def test_intervals_hold_their_value_and_are_of_the_right_size(scored) -> None:
    _, _, found = scored
    for part in (found.target, *found.attributes.values(), *found.by_subject.values()):
        for name, estimate in part.metrics.items():
            assert estimate.low <= estimate.value <= estimate.high, (part.name, name)
            assert 0 < estimate.high - estimate.low < 8 * max(estimate.standard_error, 0.01), (
                part.name,
                name,
            )


def test_the_order_of_rows_changes_nothing(scored) -> None:
    dataset, predictions, found = scored
    order = np.random.default_rng(0).permutation(predictions.n_images)
    again = score(predictions.take(order), dataset, QUICK)
    assert json.dumps(again.model_dump(mode="json")) == json.dumps(found.model_dump(mode="json"))


def test_the_same_seed_gives_the_same_and_another_does_not(scored) -> None:
    dataset, predictions, found = scored
    assert score(predictions, dataset, QUICK).primary == found.primary
    assert score(predictions, dataset, replace(QUICK, seed=1)).primary != found.primary


def test_the_dictionary_is_what_the_commands_print(scored) -> None:
    dataset, _, found = scored
    out = json.loads(json.dumps(found.model_dump(mode="json")))
    assert set(out["macro_f1"]) >= {"value", "low", "high", "level"}
    assert out["macro_f1"]["level"] == 0.95
    assert out["accuracy"]["value"] == found.metrics["accuracy"].value
    assert out["honesty"] == "out-of-fold"
    assert (out["n_images"], out["n_subjects"]) == (560, 80)
    assert out["labels_version"] == dataset.labels_version
    assert out["attributes"]["age"]["macro_f1"]["value"] < out["attributes"]["mask"]["macro_f1"]["value"]


def test_photos_of_a_subject_vote_where_its_truth_is_constant(scored) -> None:
    dataset, predictions, found = scored
    assert set(found.by_subject) == {"gender", "age"}
    truth, p = space(dataset, predictions, "age")
    mean = np.stack([p[dataset.subject_index == s].mean(axis=0) for s in range(dataset.n_subjects)])
    one = np.asarray([truth[dataset.subject_index == s][0] for s in range(dataset.n_subjects)])
    want = sk.f1_score(one, mean.argmax(axis=1), average="macro")
    assert found.by_subject["age"].metrics["macro_f1"].value == pytest.approx(want)
    assert found.by_subject["age"].n_images == dataset.n_subjects
    assert any("cannot say for the composite" in n for n in found.notes)


def test_missing_labels_are_left_out_of_their_attribute_only(scored) -> None:
    dataset, predictions, _ = scored
    codes = dataset.codes.copy()
    codes[::4, 2] = -1
    found = score(predictions, replace(dataset, codes=codes), QUICK)
    assert found.attributes["age"].n_missing == 140
    assert found.attributes["age"].n_images == 420
    assert found.attributes["mask"].n_images == 560
    assert found.n_images == 420
    said = predictions.probabilities("age").argmax(axis=1)
    kept = codes[:, 2] >= 0
    want = sk.f1_score(codes[kept, 2], said[kept], average="macro")
    assert found.attributes["age"].metrics["macro_f1"].value == pytest.approx(want)


def test_a_class_absent_from_the_truth_is_not_averaged_over(scored) -> None:
    dataset, predictions, _ = scored
    young = dataset.codes[:, 2] < 2
    found = score(predictions.take(young), dataset, QUICK)
    part = found.attributes["age"]
    truth, p = space(dataset, predictions, "age")
    want = sk.f1_score(truth[young], p[young].argmax(axis=1), labels=[0, 1], average="macro")
    assert part.metrics["macro_f1"].value == pytest.approx(want)
    assert [c.name for c in part.classes] == ["<30", "30-59"]
    assert np.asarray(part.confusion).shape == (3, 3)


def test_in_sample_rows_are_refused_or_marked(scored) -> None:
    dataset, predictions, _ = scored
    leaky = replace(predictions, source=(predictions.source + 1) % 5)
    with pytest.raises(LeakError, match="in-sample"):
        score(leaky, dataset, QUICK)
    found = score(leaky, dataset, replace(QUICK, allow_in_sample=True))
    assert found.honesty == "in-sample"
    assert not found.honest


def test_another_data_set_is_refused(scored) -> None:
    _, predictions, _ = scored
    with pytest.raises(MismatchError, match="another data set"):
        score(predictions, people(81), QUICK)


def test_other_edges_are_another_question(scored) -> None:
    dataset, predictions, _ = scored
    mask, gender, age = dataset.schema.attributes
    other = replace(dataset.schema, attributes=(mask, gender, replace(age, edges=(30, 58))))
    with pytest.raises(MismatchError, match="edges"):
        score(predictions, replace(dataset, schema=other), QUICK)


def test_without_a_subject_column_the_score_says_so() -> None:
    dataset = people(20, subject_shown=False)
    found = score(predict(dataset), dataset, QUICK)
    assert "independence not shown" in found.notes
    assert not found.by_subject


def test_classes_of_few_subjects_are_named() -> None:
    dataset = people(26)
    found = score(predict(dataset), dataset, QUICK)
    (note,) = [n for n in found.notes if "fewer than 5 scored subjects" in n]
    few = [c for c in found.target.classes if c.subjects < 5]
    assert few
    assert all(f"{c.name} ({c.subjects})" in note for c in few)
    lone = [c for c in found.target.classes if c.subjects == 1]
    assert all(c.metrics["f1"].low is None for c in lone)


def test_two_subjects_give_a_number_and_no_interval() -> None:
    dataset = people(30)
    predictions = predict(dataset)
    found = score(predictions.take(dataset.subject_index < 2), dataset, QUICK)
    assert found.primary.value is not None
    assert found.primary.low is None
    assert found.primary.high is None
    assert "fewer than 5" in found.primary.note
    assert "no interval: only 2 scored subjects" in found.notes


def test_nothing_to_score_is_an_error(scored) -> None:
    dataset, predictions, _ = scored
    with pytest.raises(NotEstimableError, match="no image to score"):
        score(predictions.take(np.zeros(560, dtype=bool)), dataset, QUICK)
    blank = replace(dataset, codes=np.full_like(dataset.codes, -1))
    with pytest.raises(NotEstimableError, match="has a label"):
        score(predictions, blank, QUICK)


def test_nan_never_becomes_a_score(scored) -> None:
    _, predictions, _ = scored
    broken = {k: np.where(np.arange(560)[:, None] == 3, np.nan, v) for k, v in predictions.values.items()}
    with pytest.raises(DataError, match="not finite"):
        replace(predictions, values=broken)


def test_one_class_in_the_truth_leaves_what_cannot_be_said_unsaid(scored) -> None:
    dataset, predictions, _ = scored
    young = dataset.codes[:, 2] == 0
    part = score(predictions.take(young), dataset, QUICK).attributes["age"]
    assert part.metrics["auroc"].value is None
    assert "complement" in part.metrics["auroc"].note
    assert part.metrics["specificity"].value is None
    assert part.metrics["accuracy"].value is not None


def test_a_model_of_one_attribute_is_scored_on_it(scored) -> None:
    dataset, predictions, _ = scored
    alone = replace(
        predictions, values={"age": predictions.values["age"]}, scale={"age": predictions.scale["age"]}
    )
    found = score(alone, dataset, QUICK)
    assert found.target.name == "age"
    assert any("says nothing of composite" in n for n in found.notes)


def test_a_selected_score_carries_its_optimism_or_says_that_it_has_none(scored) -> None:
    dataset, _, _ = scored
    selected = predict(dataset, selected=True)
    bare = score(selected, dataset, QUICK)
    assert bare.honesty == "selected"
    assert NOT_ESTIMATED in bare.notes
    assert bare.optimism is None
    epochs = [predict(dataset, seed=s).target_probabilities().argmax(axis=1) for s in range(8)]
    given = SelectionCandidates(selected.images, np.stack(epochs))
    found = score(selected, dataset, replace(QUICK, candidates=given))
    assert found.optimism is not None
    assert found.optimism.n_candidates == 8
    assert found.model_dump(mode="json")["optimism"]["corrected"] == found.optimism.corrected
    assert NOT_ESTIMATED not in found.notes


def test_the_table_of_metrics_names_what_it_does_not_know() -> None:
    assert all(m.help.endswith(".") and name == m.name for name, m in METRICS.items())
    assert METRICS["mae"].better == METRICS["log_loss"].better == "lower"
    with pytest.raises(UsageError, match="did you mean 'macro_f1'"):
        metric("macro-f1")


MINE = """
import numpy as np

def old_recall(truth, probabilities):
    said = probabilities.argmax(axis=1)
    return float((said == truth)[truth == truth.max()].mean())

def brier(truth, probabilities):
    return float(((np.eye(probabilities.shape[1])[truth] - probabilities) ** 2).sum(axis=1).mean())

brier.better = "lower"

def broken(truth, probabilities):
    return float("nan")
"""


def test_ones_own_metric_is_scored_with_an_interval(scored, tmp_path: Path) -> None:
    dataset, predictions, _ = scored
    (tmp_path / "mine.py").write_text(MINE)
    name = f"{tmp_path / 'mine.py'}:brier"
    found = score(predictions, dataset, replace(QUICK, metrics=(name,)))
    truth, p = space(dataset, predictions, "composite")
    estimate = found.metrics[name]
    assert estimate.value == pytest.approx(((np.eye(p.shape[1])[truth] - p) ** 2).sum(axis=1).mean())
    assert estimate.low < estimate.value < estimate.high
    assert metric(name).better == "lower"
    with pytest.raises(NotEstimableError, match="gave nan"):
        score(predictions, dataset, replace(QUICK, metrics=(f"{tmp_path / 'mine.py'}:broken",)))
    with pytest.raises(UsageError, match="cannot be loaded"):
        load_own("nowhere.at_all:metric")


def _brier(truth, probabilities):
    return float(((np.eye(probabilities.shape[1])[truth] - probabilities) ** 2).sum(axis=1).mean())


_brier.better = "lower"  # type: ignore[attr-defined]


class TestBrier(MetricContract):
    metric = staticmethod(_brier)


def test_the_contract_refuses_a_metric_that_looks_at_the_order() -> None:
    class Bad(MetricContract):
        metric = staticmethod(lambda truth, p: float(p[0, truth[0]]))

    with pytest.raises(AssertionError):
        Bad().test_blind_to_the_order_of_images()


def test_a_metric_that_means_nothing_for_the_labels_is_refused_with_the_remedy() -> None:
    dataset = people(20)
    run = predict(dataset)
    found = score(run, dataset, ScoreOptions(resamples=50, metrics=("qwk",)))
    assert "qwk" in found.attributes["age"].metrics, "one attribute is ordered"
    gender = replace(dataset.schema, target="gender", composite=())
    alone = replace(dataset, schema=gender)
    values = {"gender": run.values["gender"]}
    one = replace(run, schema=gender, values=values, scale={"gender": "logits"})
    for name in ("qwk", "mae"):
        with pytest.raises(
            UsageError, match=f"'{name}' needs ordered classes, and those of gender"
        ) as caught:
            score(one, alone, ScoreOptions(resamples=50, metrics=(name,)))
        assert "[labels.attributes.gender]" in caught.value.remedy
