"""Diagnosis against hand counts and independent implementations."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from round_trips import round_trip
from sklearn.metrics import f1_score

from hoego.data.dataset import Dataset
from hoego.data.schema import Attribute, LabelSchema
from hoego.errors import LeakError, MismatchError, NotEstimableError, UsageError
from hoego.evaluate.diagnose import (
    DiagnoseOptions,
    Diagnosis,
    as_corrections,
    designs,
    diagnose,
    find_label_issues,
    read_curves,
    suspects,
)
from hoego.evaluate.diagnose.boundary import decide, fit_thresholds
from hoego.evaluate.diagnose.calibration import fit_temperature, reliability, scale
from hoego.evaluate.diagnose.oracle import OracleComparison, shapley, substituted
from hoego.evaluate.diagnose.product_law import law_of
from hoego.evaluate.diagnose.rare import less, rare_interval, uneven_spread
from hoego.evaluate.diagnose.slices import SliceContrast, compared
from hoego.evaluate.diagnose.suspects import confidently_contradicted
from hoego.predictions import Predictions, RowProvenance, SubjectUniverse, honesty

SCHEMA = LabelSchema(
    (
        Attribute(name="mask", kind="nominal", classes=("wear", "incorrect", "normal")),
        Attribute(name="gender", kind="nominal", classes=("male", "female")),
        Attribute(name="age", kind="binned", classes=("<30", "30-59", ">=60"), edges=(30, 60)),
    ),
    "composite",
    ("mask", "gender", "age"),
)
ACCURACY = {"mask": 0.98, "gender": 0.97, "age": 0.75}


def people(n: int = 150, photos: int = 6, seed: int = 0) -> Dataset:
    rng = np.random.default_rng(seed)
    subject = np.repeat(np.arange(n), photos)
    age = rng.integers(20, 75, n)[subject].astype(np.float64)
    codes = np.stack(
        [
            np.tile(np.arange(photos) % 3, n),
            rng.integers(0, 2, n)[subject],
            SCHEMA.attribute("age").bin(age),
        ],
        axis=1,
    ).astype(np.int16)
    images = pl.DataFrame(
        {
            "image": [f"p{s:03d}/{i % photos}" for i, s in enumerate(subject.tolist())],
            "path": [f"p{s:03d}/{'abcdef'[i % photos]}.jpg" for i, s in enumerate(subject.tolist())],
            "subject": [f"p{s:03d}" for s in subject],
            "content": np.arange(n * photos, dtype=np.uint64),
            "race": np.where(subject % 3 == 0, "x", "y"),
        }
    )
    return Dataset(root=Path("."), schema=SCHEMA, images=images, codes=codes, numbers={"age": age})


def predict(
    dataset: Dataset, seed: int = 1, accuracy: dict[str, float] = ACCURACY, name: str = "run"
) -> Predictions:
    """Attribute predictions whose errors are independent of one another and of the subject."""
    rng = np.random.default_rng(seed)
    values = {}
    for a, share in accuracy.items():
        truth = dataset.classes_of(a)
        c = SCHEMA.n_classes(a)
        said = np.where(rng.random(len(truth)) < share, truth, (truth + rng.integers(1, c, len(truth))) % c)
        p = rng.dirichlet(np.ones(c), len(truth)) * 0.4
        p[np.arange(len(truth)), said] += 0.6
        values[a] = p.astype(np.float32)
    fold = (dataset.subject_index % 3).astype(np.int16)
    sources = tuple(RowProvenance.from_training(f"{name} {k}", dataset, fold != k) for k in range(3))
    return Predictions(
        images=dataset.image_ids,
        values=values,
        scale=dict.fromkeys(values, "probabilities"),
        schema=SCHEMA,
        fold=fold,
        source=fold.astype(np.int32),
        sources=sources,
        universe=SubjectUniverse.of(dataset),
        dataset_fingerprint=dataset.fingerprint,
        split_fingerprint="s",
        split_kind="folds",
        name=name,
        lineage=(name,),
    )


@pytest.fixture(scope="module")
def found() -> Diagnosis:
    dataset = people()
    return diagnose(predict(dataset), dataset)


def test_the_bottleneck_is_the_attribute_that_is_hard(found: Diagnosis) -> None:
    assert found.bottleneck == "age"
    assert found.decided
    facts = found.model_dump(mode="json")["oracle"]["age"]
    assert facts["low"] <= facts["gain"] <= facts["high"]
    assert facts["low"] > 0.1


def test_a_diagnosis_reads_back_equal_and_so_does_an_early_one(found: Diagnosis) -> None:
    round_trip(found)
    old = found.model_dump(mode="json")
    for attribute in old["oracle"].values():
        del attribute["level"], attribute["soft"]["level"]
    for suspect in old["suspects"]:
        del suspect["method"]
    back = Diagnosis.model_validate(old)
    assert back.oracle == found.oracle
    assert {s.method for s in back.label_issues} == {""}


def test_substituting_every_attribute_gives_the_truth_and_one_attribute_the_hand_count() -> None:
    dataset = people()
    run = predict(dataset)
    said = run.target_probabilities().argmax(axis=1)
    np.testing.assert_array_equal(substituted(SCHEMA, said, dataset.codes, SCHEMA.composite), dataset.target)
    by_hand = 6 * (said // 6) + 3 * (said // 3 % 2) + dataset.codes[:, 2]
    np.testing.assert_array_equal(substituted(SCHEMA, said, dataset.codes, ("age",)), by_hand)


def test_the_oracle_score_is_that_of_scikit_learn(found: Diagnosis) -> None:
    dataset = people()
    said = predict(dataset).target_probabilities().argmax(axis=1)
    fixed = substituted(SCHEMA, said, dataset.codes, ("age",))
    assert found.score == pytest.approx(f1_score(dataset.target, said, average="macro"))
    assert found.oracle["age"].score == pytest.approx(f1_score(dataset.target, fixed, average="macro"))


def test_a_combination_that_does_not_exist_counts_as_wrong() -> None:
    sparse = replace(SCHEMA, combinations=tuple(c for c in np.ndindex(3, 2, 3) if c != (0, 0, 2)))
    said = sparse.encode(np.asarray([[0, 1, 2]], dtype=np.int16))
    assert substituted(sparse, said, np.asarray([[0, 0, 1]], dtype=np.int16), ("gender",)).tolist() == [-1]


def test_shapley_is_the_mean_over_all_orders_and_sums_to_the_whole(found: Diagnosis) -> None:
    rng = np.random.default_rng(0)
    parts = ("a", "b", "c")
    worth = {frozenset(p[i] for i in range(3) if k >> i & 1): rng.random() for k in range(8) for p in [parts]}
    for name in parts:
        orders = [
            worth[frozenset(o[: o.index(name) + 1])] - worth[frozenset(o[: o.index(name)])]
            for o in permutations(parts)
        ]
        assert shapley(worth, name, parts) == pytest.approx(np.mean(orders))
    shares = [a.shapley for a in found.oracle.values()]
    assert sum(s for s in shares if s is not None) == pytest.approx(1.0 - found.score)


def test_independent_errors_keep_the_product_law_and_piled_up_ones_break_it(found: Diagnosis) -> None:
    law = found.product_law
    assert law is not None
    assert law.gap.low < 0 < law.gap.high
    assert law.expected == pytest.approx(0.98 * 0.97 * 0.75, abs=0.03)
    dataset = people()
    run = predict(dataset, accuracy={"mask": 1.0, "gender": 1.0, "age": 0.7})
    wrong = run.probabilities("age").argmax(axis=1) != dataset.classes_of("age")
    values = dict(run.values)
    for a in ("mask", "gender"):
        values[a] = np.where(wrong[:, None], np.roll(values[a], 1, axis=1), values[a])
    piled = diagnose(run.with_values(values, "probabilities"), dataset).product_law
    assert piled is not None
    assert piled.gap.low > 0.1


def test_where_the_target_determines_an_attribute_only_the_softer_oracle_applies() -> None:
    schema = LabelSchema(
        (
            Attribute(name="sign", kind="nominal", classes=tuple("abcd")),
            Attribute(name="shape", kind="nominal", classes=("round", "square")),
        ),
        "sign",
    )
    dataset = people(60)
    codes = np.stack([dataset.target % 4, dataset.target % 4 // 2], axis=1).astype(np.int16)
    signs = replace(dataset, schema=schema, codes=codes, numbers={})
    base = predict(dataset)
    p = np.random.default_rng(0).dirichlet(np.ones(4), signs.n_images).astype(np.float32)
    run = replace(base, schema=schema, values={"sign": p}, scale={"sign": "probabilities"})
    shape = diagnose(run, signs).oracle["shape"]
    assert shape.gain is None
    assert "only the softer oracle" in shape.note
    agree = np.where(np.arange(4)[None] // 2 == codes[:, 1:2], p, -1).argmax(axis=1)
    assert shape.soft == pytest.approx(f1_score(codes[:, 0], agree, average="macro"))


def test_thresholds_of_one_half_say_the_median_class() -> None:
    p = np.asarray([[0.4, 0.25, 0.35], [0.2, 0.2, 0.6], [0.7, 0.2, 0.1]])
    assert decide(p, (0.5, 0.5)).tolist() == [1, 2, 0]


def test_fitted_thresholds_find_a_shifted_boundary() -> None:
    rng = np.random.default_rng(0)
    x = rng.random(4000)
    truth = (x > 0.8).astype(np.int64)
    p = np.stack([1 - x, x], axis=1)
    assert fit_thresholds(p, truth)[0] == pytest.approx(0.8)


def test_a_known_temperature_is_found_again() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(20_000, 4)) * 2
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    truth = (p.cumsum(axis=1) > rng.random((len(p), 1))).argmax(axis=1)
    sharp = scale(p, 0.5)
    assert fit_temperature(sharp, truth) == pytest.approx(2.0, rel=0.05)
    assert reliability(p, truth)[1] < 0.02 < 0.1 < reliability(sharp, truth)[1]


def test_planted_label_errors_are_found_by_subject_and_as_an_overlay() -> None:
    dataset = people(150)
    run = predict(dataset, accuracy={"mask": 0.97, "gender": 0.95, "age": 0.8})
    codes = dataset.codes.copy()
    planted = {f"p{s:03d}" for s in range(0, 150, 15)}
    for s in planted:
        mine = dataset.images["subject"].to_numpy() == s
        codes[mine, 1] = 1 - codes[mine, 1]
    wrong = replace(dataset, codes=codes)
    found = [s for s in find_label_issues(run, wrong) if s.attribute == "gender"]
    top = {s.subject for s in found[: len(planted)]}
    assert len(top & planted) / len(planted) >= 0.9
    overlay = as_corrections(tuple(found[:1]), "run")
    assert len(overlay) == 6
    marked = replace(wrong, corrections=overlay)
    assert "labels suggested by this model: 6 of those scored" in honesty(run, marked).notes
    other = replace(run, name="another", lineage=("another",))
    assert "6 of the scored labels were suggested by the run run" in honesty(other, marked).notes
    combined = replace(run, name="run", lineage=("its member",))
    assert "labels suggested by this model: 6 of those scored" in honesty(combined, marked).notes


def test_the_built_in_ranking_follows_the_confident_joint() -> None:
    p = np.asarray([[0.9, 0.1], [0.8, 0.2], [0.2, 0.8], [0.1, 0.9], [0.05, 0.95]])
    given = np.asarray([0, 0, 1, 1, 0])
    assert confidently_contradicted(given, p).tolist() == [False, False, False, False, True]


@pytest.mark.parametrize("installed", [True, False])
def test_suspects_say_which_method_found_them(monkeypatch: pytest.MonkeyPatch, installed: bool) -> None:
    p = np.asarray([[0.9, 0.1], [0.8, 0.2], [0.2, 0.8], [0.1, 0.9], [0.05, 0.95]])
    given = np.asarray([0, 0, 1, 1, 0])
    monkeypatch.setattr(suspects, "find_spec", lambda _: object() if installed else None)
    monkeypatch.setattr(suspects, "_by_cleanlab", confidently_contradicted)
    assert suspects.doubtful(given, p)[1] == ("cleanlab" if installed else "confident joint")


def test_slices_with_few_subjects_say_that_they_cannot_say(found: Diagnosis) -> None:
    verdicts = {(s.column, s.value): s.verdict for s in found.slices}
    assert ("photo", "a") in verdicts
    assert verdicts[("photo", "a")] in ("lower", "higher", "not distinguishable")
    dataset = people(8)
    few = {(s.column, s.value): s for s in diagnose(predict(dataset), dataset).slices}
    assert few[("race", "x")].verdict == "cannot say"
    assert few[("race", "x")].p_value is None


def test_a_slice_that_is_worse_is_found() -> None:
    dataset = people(300)
    good, bad = (
        predict(dataset, accuracy=dict.fromkeys(ACCURACY, 0.95)),
        predict(dataset, accuracy=dict.fromkeys(ACCURACY, 0.7)),
    )
    x = (dataset.images["race"] == "x").to_numpy()[:, None]
    mixed = good.with_values(
        {a: np.where(x, bad.values[a], good.values[a]) for a in ACCURACY}, "probabilities"
    )
    found = {(s.column, s.value): s for s in diagnose(mixed, dataset).slices}
    assert found[("race", "x")].verdict == "lower"
    assert found[("race", "y")].verdict == "higher"


def test_consistency_counts_subjects_whose_photos_disagree() -> None:
    dataset = people(50)
    run = predict(dataset, accuracy={"mask": 1.0, "gender": 1.0, "age": 1.0})
    values = {a: v.copy() for a, v in run.values.items()}
    values["gender"][7] = values["gender"][7][::-1]
    found = {c.attribute: c for c in diagnose(run.with_values(values, "probabilities"), dataset).consistency}
    assert set(found) == {"gender", "age"}
    assert (found["gender"].subjects, found["gender"].disagree, found["gender"].worst) == (50, 1, ("p001",))


def test_curves_are_read_in_words() -> None:
    def rows(held: list[float]) -> list[dict[str, float]]:
        return [{"epoch": i, "train_loss": 1 / (i + 1), "held_loss": h} for i, h in enumerate(held)]

    assert read_curves(rows([1, 0.6, 0.5, 0.6, 0.7, 0.9])).verdict == "overfitting"
    assert read_curves(rows([1, 0.9, 0.8, 0.7, 0.6, 0.5])).verdict == "still learning"
    assert read_curves(rows([1, 0.5, 0.3, 0.3, 0.3, 0.3])).verdict == "settled"
    assert read_curves(rows([1, 0.5])).verdict == "cannot say"
    assert read_curves(rows([1, 0.5, 0.4, float("nan"), 0.3])).verdict == "diverged"


def test_designs_are_the_whole_runs_and_the_mixtures() -> None:
    dataset = people(60)
    a, b = predict(dataset, 1, name="a"), predict(dataset, 2, name="b")
    age = replace(b, values={"age": b.values["age"]}, scale={"age": "probabilities"})
    found = designs([a, age])
    assert [d.parts.get("age", "a") for d in found] == ["a", "b"]
    assert honesty(found[1].predictions, dataset).label == "out-of-fold"


def test_the_gap_is_the_errors_beyond_the_first_less_those_of_independent_errors() -> None:
    rng = np.random.default_rng(0)
    subject = np.repeat(np.arange(60), 5)
    truth = rng.integers(0, 3, 60)[subject]
    wrong = rng.random((300, 3)) < np.asarray([0.2, 0.3, 0.1])
    law = law_of(~wrong, truth, subject, (200, 0))
    rates = np.stack([wrong[truth == c].mean(axis=0) for c in range(3)])
    shares = np.bincount(truth) / 300
    expected = float(shares @ (1 - rates).prod(axis=1))
    beyond = np.maximum(wrong.sum(axis=1) - 1, 0).mean()
    by_chance = wrong.mean(axis=0).sum() - (1 - expected)
    assert law.expected == pytest.approx(expected)
    assert law.gap.value == pytest.approx(beyond - by_chance)
    assert -by_chance <= law.gap.low <= law.gap.value <= law.gap.high
    alone = law_of(np.ones((300, 2), dtype=bool), truth, subject, (50, 0))
    assert alone.gap.value == 0
    assert alone.gap.high > 0, "no error in 60 people does not show that there are none"
    assert "rests on 0 subjects" in alone.verdict
    assert "rests on" not in law.verdict


def test_what_rests_on_one_subject_is_hardly_above_the_least_and_many_give_the_normal_interval() -> None:
    def interval(carriers: int, n: int = 2000) -> tuple[float, float, float]:
        hit = np.zeros(n)
        hit[:carriers] = 1
        value = np.asarray([hit.mean()])
        found = uneven_spread(value, (hit - hit.mean()) / (n - 1), np.ones(n, dtype=np.int64))
        made = rare_interval(found, value[None], float(n), carriers, (0.0, 1.0))
        return made.value, made.low, made.high

    value, low, high = interval(1)
    assert 0 < low < 0.15 * value
    assert high > 4 * value
    value, low, high = interval(800)
    half = 1.96 * np.sqrt(value * (1 - value) / 2000)
    assert (low, high) == pytest.approx((value - half, value + half), abs=0.002)


def test_few_large_contributions_leave_few_degrees_of_freedom() -> None:
    rng = np.random.default_rng(0)
    ones = np.ones(5000, dtype=np.int64)
    even = uneven_spread(np.zeros(1), rng.normal(size=5000), ones)
    assert even.df[0] == pytest.approx(5000, rel=0.1)
    few = np.zeros(5000)
    few[:10] = 1.0
    assert uneven_spread(np.zeros(1), few, ones).df[0] == pytest.approx(20, rel=0.02)


def test_a_gain_is_the_paired_difference_of_scikit_learns_scores_inside_its_interval() -> None:
    dataset = people()
    said = predict(dataset).target_probabilities().argmax(axis=1)
    fixed = substituted(SCHEMA, said, dataset.codes, ("age",))
    stage = OracleComparison.of({"": said, "age": fixed}, dataset.target, dataset.subject_index, 18, (300, 0))
    gain = stage.gain("age", "")
    scores = [f1_score(dataset.target, x, average="macro") for x in (fixed, said)]
    assert gain.value == pytest.approx(scores[0] - scores[1])
    wide = stage.found.difference("age", "")
    assert gain.low < gain.value < gain.high
    assert (gain.low, gain.high) == pytest.approx((wide.low, wide.high), abs=0.03)


def test_the_interval_of_two_independent_sides_is_the_clustered_normal_one_and_p_touches_zero() -> None:
    rng = np.random.default_rng(0)
    subject = np.repeat(np.arange(3000), 4)
    inside = (np.arange(3000) % 3 == 0)[subject]
    right = rng.random(12_000) < np.clip(rng.normal(0.7, 0.1, 3000), 0, 1)[subject] + 0.02 * inside
    sides = SliceContrast.of(inside, right, subject)
    variance = 0.0
    for mask in (inside, ~inside):
        hits, n = np.bincount(subject[mask], right[mask], 3000), np.bincount(subject[mask], minlength=3000)
        m = (n > 0).sum()
        variance += ((hits - hits.sum() / n.sum() * n) ** 2).sum() / n.sum() ** 2 * m / (m - 1)
    gap = right[inside].mean() - right[~inside].mean()
    low, high = sides.limits(0.95)
    half = 1.96 * np.sqrt(variance)
    assert (low, high) == pytest.approx((gap - half, gap + half), abs=0.001)
    assert abs(sides.correlation) < 0.01
    edge = sides.limits(1 - sides.p_value())
    assert min(abs(edge[0]), abs(edge[1])) < 1e-4


def test_photos_of_one_person_on_both_sides_narrow_the_interval() -> None:
    rng = np.random.default_rng(0)
    subject = np.repeat(np.arange(400), 2)
    hard = rng.random(400)[subject] < 0.3
    inside = np.tile([True, False], 400)
    paired = SliceContrast.of(inside, ~hard ^ (rng.random(800) < 0.05), subject)
    alone = SliceContrast.of(inside, ~hard ^ (rng.random(800) < 0.05), np.arange(800))
    assert paired.correlation > 0.5
    assert np.ptp(paired.limits(0.95)) < 0.8 * np.ptp(alone.limits(0.95))


def test_a_slice_of_few_people_without_an_error_is_not_called_better() -> None:
    subject = np.repeat(np.arange(106), 3)
    inside = subject < 6
    right = inside | (subject % 10 > 0)
    (found,) = compared([("race", "rare", inside)], right, subject)
    assert found.difference is not None
    assert found.difference.value == pytest.approx(0.1)
    assert found.difference.low < 0
    assert found.verdict == "not distinguishable"
    (empty,) = compared([("race", "none", subject < 0)], right, subject)
    assert (empty.accuracy, empty.verdict) == (None, "cannot say")


def test_limits_are_joined_by_their_correlation() -> None:
    one, two = (0.9, 0.8, 0.95), (0.7, 0.6, 0.9)
    assert less(one, two, 0.0) == pytest.approx((0.2 - np.hypot(0.1, 0.2), 0.2 + np.hypot(0.05, 0.1)))
    assert less((0.9, 0.8, 1.0), (0.7, 0.6, 0.8), 1.0) == pytest.approx((0.2, 0.2))


def test_a_perfect_model_has_no_bottleneck() -> None:
    dataset = people(40)
    found = diagnose(predict(dataset, accuracy=dict.fromkeys(ACCURACY, 1.0)), dataset)
    assert found.bottleneck is None
    assert not found.decided
    assert any("nothing holds it back" in n for n in found.notes)
    assert all("rests on 0 subjects" in a.note for a in found.oracle.values())


def test_the_order_of_rows_changes_nothing() -> None:
    dataset = people(40)
    run = predict(dataset)
    order = np.random.default_rng(0).permutation(run.n_images)
    assert diagnose(run.take(order), dataset) == diagnose(run, dataset)


def test_a_column_that_is_not_there_is_refused() -> None:
    dataset = people(30)
    with pytest.raises(UsageError, match="no column 'rase'"):
        diagnose(predict(dataset), dataset, DiagnoseOptions(slice_by=("rase",)))


def test_a_class_that_is_never_predicted_is_diagnosed() -> None:
    dataset = people(40)
    run = predict(dataset)
    values = dict(run.values)
    values["age"] = np.where(np.arange(3) == 2, 0.0, values["age"])
    values["age"] = (values["age"] / values["age"].sum(axis=1, keepdims=True)).astype(np.float32)
    found = diagnose(run.with_values(values, "probabilities"), dataset)
    age = found.oracle["age"]
    assert age.gain is not None
    assert np.isfinite([age.gain.low, age.gain.high]).all()
    assert found.bottleneck == "age"


def test_missing_labels_of_one_attribute_leave_the_others() -> None:
    dataset = people(60)
    codes = dataset.codes.copy()
    few = dataset.subject_index >= 3
    codes[few, 2] = -1
    with pytest.raises(NotEstimableError, match="subjects"):
        diagnose(predict(dataset), replace(dataset, codes=codes))
    schema = replace(SCHEMA, composite=("mask", "gender"))
    small = replace(dataset, schema=schema, codes=codes)
    found = diagnose(replace(predict(small), schema=schema), small)
    assert any(n.startswith("boundaries: cannot say") for n in found.notes)
    assert found.boundaries == ()


def test_the_product_law_observes_the_accuracy_of_the_composite_head() -> None:
    dataset = people(60)
    base = predict(dataset)
    noise = np.random.default_rng(0).dirichlet(np.full(18, 0.3), dataset.n_images)
    p = (0.5 * base.target_probabilities() + 0.5 * noise).astype(np.float32)
    run = replace(base, values={"composite": p}, scale={"composite": "probabilities"})
    said = run.target_probabilities().argmax(axis=1)
    marginal = np.all(
        [run.probabilities(a).argmax(1) == dataset.classes_of(a) for a in SCHEMA.composite], axis=0
    )
    law = diagnose(run, dataset).product_law
    assert law is not None
    assert law.observed == pytest.approx((said == dataset.target).mean())
    assert law.observed != pytest.approx(marginal.mean())


def test_a_substitution_that_only_moves_errors_about_may_lose() -> None:
    """The second attribute's truth takes these images from one wrong class to another that was never wrong before."""
    truth = np.repeat(np.arange(4), 30)
    subject = np.repeat(np.arange(40), 3)
    said = truth.copy()
    said[:12] = 3
    moved = said.copy()
    moved[:12] = 1
    stage = OracleComparison.of({"": said, "x": moved}, truth, subject, 4, (300, 0))
    gain = stage.gain("x", "")
    assert gain.value == pytest.approx(
        f1_score(truth, moved, average="macro") - f1_score(truth, said, average="macro")
    )
    assert gain.low <= min(gain.value, 0.0)
    assert gain.high >= gain.value


def test_other_edges_of_an_attribute_are_refused() -> None:
    dataset = people(30)
    moved = replace(SCHEMA.attribute("age"), edges=(30, 58))
    schema = replace(SCHEMA, attributes=(*SCHEMA.attributes[:2], moved))
    with pytest.raises(MismatchError, match="means one thing"):
        diagnose(replace(predict(dataset), schema=schema), dataset)


def test_another_data_set_is_refused() -> None:
    dataset = people(30)
    other = replace(dataset, images=dataset.images.with_columns(content=pl.col("content") + 1))
    with pytest.raises(MismatchError):
        diagnose(predict(dataset), other)


def test_two_subjects_and_in_sample_rows_are_refused() -> None:
    dataset = people(2)
    with pytest.raises(NotEstimableError):
        diagnose(predict(dataset), dataset)
    dataset = people(30)
    run = predict(dataset)
    with pytest.raises(LeakError):
        diagnose(replace(run, fold=run.fold, source=np.roll(run.source, 7)), dataset)
