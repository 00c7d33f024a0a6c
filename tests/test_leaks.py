"""Ways to leak (docs/explanation/leaks): each is refused, marked or stated; none prints an unmarked number anywhere."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import scored_people
from leak_ways import WAYS, Refused, Said
from PIL import Image
from test_diagnose import people, predict
from test_records_mirrors import FakeMirror
from test_submission import request, run_and_form
from typer.testing import CliRunner

from hoego.api.run import Run
from hoego.apps.diary import period_of, retrospective, to_markdown
from hoego.cli.main import app
from hoego.data.load import load
from hoego.errors import LeakError, MismatchError, RecordError
from hoego.evaluate.compare import CompareOptions, compare
from hoego.evaluate.diagnose import diagnose
from hoego.evaluate.ensemble import EnsembleOptions, compose_best, ensemble
from hoego.evaluate.ensemble.compose import compose
from hoego.evaluate.ensemble.crossfit import cross_fitted_sources
from hoego.evaluate.score import NOT_ESTIMATED, ScoreOptions, score
from hoego.predictions import Predictions, RowProvenance, student_source
from hoego.recipe import resolve
from hoego.report import report
from hoego.results.score import Score, ScoreSummary
from hoego.runs.records import Record, RunStore
from hoego.runs.records.mirrors import sync
from hoego.runs.submission import submit
from hoego.split import make

FAST = ScoreOptions(resamples=200)


def test_1_a_photo_level_split_is_marked_and_never_ranked_beside_honest_ones() -> None:
    dataset = people(40)
    honest = predict(dataset)
    held = np.arange(dataset.n_images) % 5 == 0
    source = RowProvenance.from_training("naive", dataset, ~held, naive=True)
    naive = replace(
        honest.take(held), source=np.zeros(int(held.sum()), dtype=np.int32), sources=(source,), name="naive"
    )
    found = score(naive, dataset, FAST)
    assert (found.honesty, found.honest) == ("naive", False)
    with pytest.raises(MismatchError, match="naive"):
        compare([naive, replace(honest.take(held), name="honest")], dataset)
    with pytest.raises(MismatchError, match="naive"):
        ensemble([naive, replace(honest.take(held), name="honest")], dataset)


def test_2_scoring_trained_photos_is_a_leak_and_marked_only_on_request() -> None:
    dataset = people(40)
    run = predict(dataset)
    seen = replace(run, source=((run.fold + 1) % 3).astype(np.int32))
    with pytest.raises(LeakError, match=r"p0\d\d.*trained on"):
        score(seen, dataset, FAST)
    assert score(seen, dataset, replace(FAST, allow_in_sample=True)).honesty == "in-sample"


def test_3_a_checkpoint_that_saw_the_held_out_subjects_is_found_and_an_outside_one_is_said() -> None:
    dataset = people(40)
    run = predict(dataset)
    everyone = RowProvenance.from_training("pretraining", dataset, np.ones(dataset.n_images, dtype=bool))
    tuned = replace(
        run,
        sources=tuple(
            student_source(s, [everyone], run.universe, by="started from a checkpoint") for s in run.sources
        ),
    )
    with pytest.raises(LeakError, match="started from a checkpoint: pretraining trained on"):
        score(tuned, dataset, FAST)
    outside = replace(run, sources=tuple(replace(s, external=("imagenet.safetensors",)) for s in run.sources))
    assert any("stated, not provable" in n for n in score(outside, dataset, FAST).notes)


def test_4_a_student_of_a_teacher_that_saw_the_subjects_is_refused() -> None:
    dataset = people(40)
    run = predict(dataset)
    other_fold = replace(
        run,
        sources=tuple(
            student_source(s, [run.sources[(k + 1) % 3]], run.universe, by="pseudo-labels")
            for k, s in enumerate(run.sources)
        ),
    )
    with pytest.raises(LeakError, match="pseudo-labels"):
        score(other_fold, dataset, FAST)
    same_fold = replace(
        run,
        sources=tuple(
            student_source(s, [run.sources[k]], run.universe, by="pseudo-labels")
            for k, s in enumerate(run.sources)
        ),
    )
    assert score(same_fold, dataset, FAST).honesty == "out-of-fold"


def test_5_weights_fitted_on_the_scored_fold_are_refused_and_across_folds_said() -> None:
    dataset = people(40)
    a, b = predict(dataset, 1, name="a"), predict(dataset, 2, name="b")
    stacked = ensemble([a, b], dataset, EnsembleOptions(method="stack", resamples=200))
    assert stacked.score.honesty == "cross-fitted"
    by_photo = np.arange(a.n_images) % 3
    source, sources = cross_fitted_sources(a, dataset, by_photo, by="stacking")
    with pytest.raises(LeakError, match="stacking was fitted on the labels"):
        score(replace(a, source=source, sources=sources), dataset, FAST)


def test_6_a_photo_copied_under_a_second_subject_joins_them_and_a_rename_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOEGO_CACHE", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    rows = []
    for s in range(10):
        for k in range(2):
            Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(tmp_path / f"{s}_{k}.png")
            rows.append((f"{s}_{k}.png", f"s{s}", "ab"[s % 2]))
    (tmp_path / "copy.png").write_bytes((tmp_path / "0_0.png").read_bytes())
    rows.append(("copy.png", "s2", "a"))
    pl.DataFrame(rows, schema=["path", "who", "label"], orient="row").write_csv(tmp_path / "t.csv")
    recipe = resolve(
        {
            "dataset": {"root": str(tmp_path), "layout": "table", "table": "t.csv", "subject": ["who"]},
            "labels": {"target": "label", "attributes": {"label": {}}},
        }
    )
    dataset = load(recipe)
    assert any("identical photos" in j and "s0" in j and "s2" in j for j in dataset.joins)
    split = make(dataset, recipe.split)
    mine = np.isin(dataset.image_ids, ["0_0.png", "0_1.png", "2_0.png", "copy.png"])
    assert len(set(split.fold[mine].tolist())) == 1
    renamed = replace(dataset, images=dataset.images.with_columns(subject="new-" + pl.col("subject")))
    everyone = RowProvenance.from_training("before", dataset, np.ones(dataset.n_images, dtype=bool))
    n = dataset.n_images
    run = Predictions(
        images=renamed.image_ids,
        values={"label": np.zeros((n, 2), dtype=np.float32)},
        scale={"label": "logits"},
        schema=dataset.schema,
        fold=np.zeros(n, dtype=np.int16),
        source=np.zeros(n, dtype=np.int32),
        sources=(everyone,),
        universe=predict(people(2)).universe.of(dataset),
        dataset_fingerprint=renamed.fingerprint,
        split_fingerprint="s",
        split_kind="holdout",
        name="before",
    )
    with pytest.raises(LeakError):
        score(run, renamed, FAST)


def test_7_a_chosen_epoch_says_selected_and_what_the_choice_is_worth() -> None:
    dataset = people(40)
    run = predict(dataset)
    chosen = tuple(
        RowProvenance.from_training(f"fold {k}", dataset, run.fold != k, selection_mask=run.fold == k)
        for k in range(3)
    )
    found = score(replace(run, sources=chosen), dataset, FAST)
    assert found.honesty == "selected"
    assert any(NOT_ESTIMATED in n for n in found.notes)


def test_8_shuffled_rows_change_nothing_and_edited_files_or_other_splits_are_refused(tmp_path: Path) -> None:
    dataset = people(40)
    run = predict(dataset)
    shuffled = run.take(np.random.default_rng(0).permutation(run.n_images))
    assert score(shuffled, dataset, FAST) == score(run, dataset, FAST)
    run.write(tmp_path / "p.parquet")
    meta = pl.read_parquet_metadata(tmp_path / "p.parquet")["hoego"]
    edited = pl.read_parquet(tmp_path / "p.parquet").with_columns(image=pl.col("image").reverse())
    edited.write_parquet(tmp_path / "p.parquet", metadata={"hoego": meta})
    with pytest.raises(RecordError, match="changed after"):
        Predictions.read(tmp_path / "p.parquet")
    with pytest.raises(MismatchError, match="split"):
        compare([run, replace(run, name="b", split_fingerprint="other")], dataset)
    with pytest.raises(MismatchError, match="another data set"):
        score(run, people(40).take(np.arange(100)), FAST)


# The ways of leak_ways.py, each in every place that computes or prints a score

QUICK = ScoreOptions(resamples=50)
REFUSED = sorted(name for name, (_, outcome) in WAYS.items() if isinstance(outcome, Refused))
SAID = sorted(name for name, (_, outcome) in WAYS.items() if isinstance(outcome, Said))


def beside(run: Predictions) -> Predictions:
    """The same rows as a second run that says other things."""
    turned = {name: values + np.float32(0.01) for name, values in run.values.items()}
    return replace(run.with_values(turned, "logits"), name="second", lineage=("second",))


def by_attribute(run: Predictions) -> dict[str, Predictions]:
    return dict.fromkeys(run.schema.composite, run)


COMPUTING = {
    "score": lambda run, data: score(run, data, QUICK),
    "compare": lambda run, data: compare(
        [run, beside(run)], data, CompareOptions(resamples=50, permutations=50)
    ),
    "ensemble": lambda run, data: ensemble([run, beside(run)], data, EnsembleOptions(resamples=50)),
    "rule": lambda run, data: ensemble([run], data, EnsembleOptions(decide="prior", resamples=50)),
    "choice": lambda run, data: compose_best({a: [run, beside(run)] for a in run.schema.composite}, data),
    "composition": lambda run, data: score(compose(by_attribute(run)).predictions, data, QUICK),
    "diagnose": lambda run, data: diagnose(run, data),
}


def test_there_are_more_than_forty_ways() -> None:
    assert len(WAYS) >= 40


@pytest.mark.parametrize("name", REFUSED)
def test_a_way_is_refused_wherever_a_number_is_computed(name: str, tmp_path: Path) -> None:
    make, outcome = WAYS[name]
    assert isinstance(outcome, Refused)
    with pytest.raises(outcome.error, match=outcome.words):
        score(*make(tmp_path), QUICK)
    if outcome.error is RecordError:  # The file is not read at all.
        return
    run, data = make(tmp_path)
    for place, compute in COMPUTING.items():
        with pytest.raises(outcome.error) as caught:
            compute(run, data)
        assert outcome.words in str(caught.value) or outcome.error is MismatchError, place


@pytest.mark.parametrize("name", SAID)
def test_a_way_is_said_wherever_a_number_is_computed(name: str, tmp_path: Path) -> None:
    make, outcome = WAYS[name]
    assert isinstance(outcome, Said)
    run, data = make(tmp_path)
    found = score(run, data, QUICK)
    assert outcome.words in found.stated
    assert any(outcome.note in note for note in found.notes) or not outcome.note
    assert outcome.words in ensemble([run, beside(run)], data, EnsembleOptions(resamples=50)).score.stated
    paired = compare([run, beside(run)], data, CompareOptions(resamples=50, permutations=50))
    looked = diagnose(run, data)
    if outcome.words in found.honesty.levels:
        assert all(outcome.words in side.honesty for side in paired.sides)
        assert outcome.words in looked.honesty
    elif outcome.note:
        for notes in (paired.notes, looked.notes):
            assert any(outcome.note in note for note in notes)


@pytest.mark.parametrize("name", SAID)
def test_a_way_is_said_wherever_a_score_is_printed(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, outcome = WAYS[name]
    run, data = make(tmp_path)
    found = score(run, data, QUICK)
    assert isinstance(outcome, Said)
    for place, text in printed(found, tmp_path, monkeypatch).items():
        assert outcome.words in text, place


def test_of_an_honest_score_nothing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without this the tests above would pass on words that always stand on a page."""
    data = scored_people.people(30)
    found = score(scored_people.predict(data), data, QUICK)
    told = printed(found, tmp_path, monkeypatch)
    words = {outcome.words for _, outcome in WAYS.values() if isinstance(outcome, Said)}
    for place, text in told.items():
        # The board's table speaks of selected rows.
        assert not {w for w in words if w in text} - ({"selected"} if place.startswith("/") else set()), place


def printed(found: Score, root: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What every place that lists scores of records prints, for a record with this one."""
    (root / "hoego.toml").write_text("")
    monkeypatch.chdir(root)
    store = RunStore(root / "runs")
    record = store.create({}, name="mine")
    (record.folder / "score.json").write_text(found.model_dump_json())
    record.update(score=ScoreSummary.of(found))
    record.set_state("done")
    mirror = FakeMirror()
    sync(store, mirror)
    answers, form = run_and_form(root)
    submit(answers, form, request(root, score=ScoreSummary.of(found).model_dump(mode="json")))
    return {
        "show": command("show", record.id),
        "show --json": command("show", record.id, "--json"),
        "runs": command("runs"),
        "runs --json": command("runs", "--json"),
        "runs --csv --columns": command("runs", "--csv", "--columns", "id,macro_f1"),
        "report": report(record).read_text(encoding="utf-8"),
        "notebook": found._repr_html_(),
        "notebook of the run": Run(record)._repr_html_(),
        "retro": to_markdown(retrospective(store, period_of(today=True))),
        "submissions": command("submit"),
        "submissions --json": command("submit", "--json"),
        "mirror": str(mirror.pushed[-1]),
        **board(record),
    }


def command(*words: str) -> str:
    done = CliRunner().invoke(app, list(words), env={"COLUMNS": "250"}, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def board(record: Record) -> dict[str, str]:
    if importlib.util.find_spec("starlette") is None:
        return {}
    from board_client import asked

    pages = (f"/run/{record.id}", "/runs", "/runs?sort=-macro_f1", "/runs?group=recipe")
    return {page: asked(record.folder.parent).get(page).text for page in pages}
