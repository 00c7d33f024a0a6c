"""Ways to get a score that should not be: each makes predictions and a data set, and says what must come of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from scored_people import FOLDS, people, predict

from hoego.data.aliases import SubjectAliases
from hoego.data.dataset import NOT_AUDITED, Dataset, LabelCorrection
from hoego.data.label_changes import label_table
from hoego.errors import HoegoError, LeakError, MismatchError, RecordError
from hoego.evaluate.ensemble import EnsembleOptions, ensemble
from hoego.evaluate.ensemble.crossfit import cross_fitted_sources, fitted_on_all, with_fitted
from hoego.predictions import Predictions, RowProvenance, SubjectUniverse, concat, join_rows, student_source
from hoego.results.left_out import LeftOutPhotos

Pair = tuple[Predictions, Dataset]
SUBJECTS = 30


@dataclass(frozen=True)
class Refused:
    """No number comes of it: the error that is raised, and words of its message."""

    error: type[HoegoError]
    words: str


@dataclass(frozen=True)
class Said:
    """A number comes of it, and beside it stand these words: a level of honesty or a mark, in every place."""

    words: str
    note: str = ""


WAYS: dict[str, tuple[Callable[[Path], Pair], Refused | Said]] = {}


def way(outcome: Refused | Said) -> Callable[[Callable[[Path], Pair]], Callable[[Path], Pair]]:
    """Enter a way under the name of its function."""

    def enter(make: Callable[[Path], Pair]) -> Callable[[Path], Pair]:
        WAYS[make.__name__] = make, outcome
        return make

    return enter


def seen(words: str = "trained on") -> Refused:
    return Refused(LeakError, words)


def pair(**names: Any) -> Pair:
    data = people(SUBJECTS)
    return predict(data, **names), data


def everyone(data: Dataset, name: str = "pretraining") -> RowProvenance:
    return RowProvenance.from_training(name, data, np.ones(data.n_images, dtype=bool))


def students(run: Predictions, teachers: Callable[[int], RowProvenance], by: str) -> Predictions:
    """The run whose fold k has learned from `teachers(k)`."""
    made = (student_source(s, [teachers(k)], run.universe, by=by) for k, s in enumerate(run.sources))
    return replace(run, sources=tuple(made))


# ------------------------------------------------------------------ the models have seen the people


@way(seen())
def a_model_trained_on_everybody(_: Path) -> Pair:
    run, data = pair()
    return replace(run, source=np.zeros(run.n_images, np.int32), sources=(everyone(data),)), data


@way(seen())
def the_rows_of_one_fold_by_the_model_of_another(_: Path) -> Pair:
    run, data = pair()
    return replace(run, source=((run.fold + 1) % FOLDS).astype(np.int32)), data


@way(seen("1 of 210 rows"))
def one_row_among_hundreds_of_honest_ones(_: Path) -> Pair:
    run, data = pair()
    source = run.source.copy()
    source[7] = (source[7] + 1) % FOLDS
    return replace(run, source=source), data


@way(seen())
def one_photo_of_a_held_out_person_in_training(_: Path) -> Pair:
    run, data = pair()
    mask = run.fold != 0
    mask[np.flatnonzero(run.fold == 0)[0]] = True
    slipped = RowProvenance.from_training("run fold 0", data, mask)
    return replace(run, sources=(slipped, *run.sources[1:])), data


@way(seen())
def the_training_side_of_a_holdout(_: Path) -> Pair:
    run, data = pair()
    held = run.fold == 0
    train = replace(run.take(~held), source=np.zeros(int((~held).sum()), np.int32), sources=run.sources[:1])
    return train, data


@way(seen("refit"))
def the_refit_in_the_place_of_the_folds(_: Path) -> Pair:
    run, data = pair()
    return replace(run, sources=(everyone(data, "run/refit"),) * FOLDS), data


@way(seen("started from a checkpoint"))
def a_checkpoint_that_saw_them(_: Path) -> Pair:
    run, data = pair()
    return students(run, lambda _: everyone(data), "started from a checkpoint"), data


@way(seen("started from a checkpoint: pseudo-labels"))
def a_checkpoint_whose_teacher_saw_them(_: Path) -> Pair:
    run, data = pair()
    taught = student_source(run.sources[0], [everyone(data)], run.universe, by="pseudo-labels")
    return students(run, lambda _: taught, "started from a checkpoint"), data


@way(seen("pseudo-labels"))
def a_teacher_of_another_fold(_: Path) -> Pair:
    run, data = pair()
    return students(run, lambda k: run.sources[(k + 1) % FOLDS], "pseudo-labels"), data


@way(seen("soft targets"))
def a_teacher_that_is_a_stack_of_all_folds(_: Path) -> Pair:
    """What the stack's members have seen, the stack has seen only through them; its student has seen it whole."""
    run, data = pair()
    stacked = ensemble(
        [run, predict(data, seed=1, name="b")], data, EnsembleOptions(method="stack", resamples=20)
    )
    assert stacked.score.honesty == "cross-fitted"
    made = stacked.predictions
    return students(run, lambda k: made.sources[k], "soft targets"), data


@way(seen())
def a_leaked_run_behind_one_of_the_attributes(_: Path) -> Pair:
    run, data = pair()
    leaked, _ = a_model_trained_on_everybody(Path())
    universe, source, sources = join_rows([run, leaked.named("b")], "both")
    return replace(run, universe=universe, source=source, sources=sources), data


@way(seen())
def a_leaked_fold_among_honest_ones(_: Path) -> Pair:
    run, data = pair()
    leaked, _ = a_model_trained_on_everybody(Path())
    return concat([run.take(run.fold > 0), leaked.take(leaked.fold == 0)]), data


@way(seen())
def the_very_photo_of_a_naive_split(_: Path) -> Pair:
    run, data = pair()
    naive = RowProvenance.from_training("naive", data, np.ones(data.n_images, dtype=bool), naive=True)
    return replace(run, source=np.zeros(run.n_images, np.int32), sources=(naive,)), data


@way(seen())
def a_witnessed_model_that_saw_them(_: Path) -> Pair:
    run, data = pair()
    watched = replace(everyone(data, "theirs"), outside="witnessed")
    return replace(run, sources=(watched,) * FOLDS), data


@way(seen())
def a_declared_model_that_saw_them(_: Path) -> Pair:
    run, data = pair()
    sworn = replace(everyone(data, "theirs"), outside="declared")
    return replace(run, sources=(sworn,) * FOLDS), data


# ------------------------------------------------------------------ something was fitted on their labels


@way(seen("a stack was fitted on the labels"))
def weights_fitted_on_the_scored_rows(_: Path) -> Pair:
    run, data = pair()
    return with_fitted(run, fitted_on_all(run, data, by="a stack")), data


@way(seen("stacking was fitted"))
def weights_fitted_on_other_photos_of_the_same_people(_: Path) -> Pair:
    run, data = pair()
    parts = np.arange(run.n_images) % 3
    source, sources = cross_fitted_sources(run, data, parts, by="stacking")
    return replace(run, source=source, sources=sources), data


@way(seen("thresholds"))
def thresholds_fitted_on_the_scored_people(_: Path) -> Pair:
    run, data = pair()
    fitted = fitted_on_all(run.take(run.fold == 0), data, by="thresholds")
    return with_fitted(run, fitted).take(run.fold == 0), data


# ------------------------------------------------------------------ the people go by another name


def renamed(data: Dataset, call: Callable[[str], str]) -> Dataset:
    names = [call(s) for s in data.images["subject"].to_list()]
    return replace(data, images=data.images.with_columns(subject=pl.Series(names)))


def seen_before(here: Dataset, before: Dataset) -> Pair:
    """Predictions of `here` that started from weights which have seen all of `before`."""
    run = predict(here)
    universe = run.universe.union(SubjectUniverse.of(before))
    old = everyone(before, "before").lifted(SubjectUniverse.of(before), universe)
    own = [s.lifted(run.universe, universe) for s in run.sources]
    tuned = (student_source(s, [old], universe, by="started from a checkpoint") for s in own)
    return replace(run, universe=universe, sources=tuple(tuned)), here


def other_photos(data: Dataset) -> Dataset:
    return replace(data, images=data.images.with_columns(content=pl.col("content") + 10**6))


@way(seen())
def the_same_photos_under_new_names(_: Path) -> Pair:
    data = people(SUBJECTS)
    return seen_before(renamed(data, lambda s: f"new-{s}"), data)


@way(seen())
def other_photos_of_the_same_names(_: Path) -> Pair:
    data = people(SUBJECTS)
    return seen_before(other_photos(data), data)


@way(seen())
def a_few_people_of_a_larger_set(_: Path) -> Pair:
    return seen_before(other_photos(people(SUBJECTS)), people(10))


@way(seen())
def one_photo_in_common_under_another_name(_: Path) -> Pair:
    data = people(SUBJECTS)
    strangers = renamed(other_photos(data), lambda s: f"x{s}")
    content = strangers.images["content"].to_numpy().copy()
    content[3] = data.contents[3]
    return seen_before(replace(strangers, images=strangers.images.with_columns(content=content)), data)


@way(seen())
def a_name_with_a_line_break(tmp: Path) -> Pair:
    """Through a file: joined by line breaks, such a name would come back as two people nobody has seen."""
    data = renamed(people(SUBJECTS), lambda s: f"a\n{s}")
    run, data = seen_before(other_photos(data), data)
    run.write(tmp / "p.parquet")
    return Predictions.read(tmp / "p.parquet"), data


@way(seen())
def a_name_that_is_two_names_with_a_null_between(tmp: Path) -> Pair:
    data = renamed(people(SUBJECTS), lambda s: f"a\0{s}")
    run, data = seen_before(other_photos(data), data)
    run.write(tmp / "p.parquet")
    return Predictions.read(tmp / "p.parquet"), data


@way(seen())
def a_further_column_that_names_them(_: Path) -> Pair:
    data = people(SUBJECTS)
    before = replace(data, aliases=SubjectAliases(column="patient"))
    keys = {f"patient={s}": f"visit-{s}" for s in data.subjects.tolist()}
    visits = renamed(other_photos(data), lambda s: f"visit-{s}")
    return seen_before(replace(visits, aliases=SubjectAliases.from_keys("visit", keys)), before)


@way(seen("hoego.toml has joined subjects"))
def two_names_that_turn_out_to_be_one_person(_: Path) -> Pair:
    run, data = pair()
    a, b = (str(data.subjects[data.subject_index[run.fold == k]][0]) for k in (0, 1))
    return run, replace(data, merged_subjects=((a, b),))


# ------------------------------------------------------------------ files are changed or swapped


def rewritten(tmp: Path, change: Callable[[pl.DataFrame, dict[str, Any]], pl.DataFrame]) -> Pair:
    run, data = pair()
    path = tmp / "p.parquet"
    run.write(path)
    frame, about = pl.read_parquet(path), json.loads(pl.read_parquet_metadata(path)["hoego"])
    change(frame, about).write_parquet(path, metadata={"hoego": json.dumps(about)})
    return Predictions.read(path), data


CHANGED = Refused(RecordError, "changed after")


@way(CHANGED)
def photos_in_another_order_in_the_file(tmp: Path) -> Pair:
    return rewritten(tmp, lambda frame, _: frame.with_columns(image=pl.col("image").reverse()))


@way(CHANGED)
def better_numbers_in_the_file(tmp: Path) -> Pair:
    return rewritten(tmp, lambda frame, _: frame.with_columns(mask=pl.col("mask").reverse()))


@way(CHANGED)
def another_source_for_the_rows_of_the_file(tmp: Path) -> Pair:
    return rewritten(tmp, lambda frame, _: frame.with_columns(source=pl.lit(0, dtype=frame["source"].dtype)))


@way(CHANGED)
def the_hard_photos_left_out_of_the_file(tmp: Path) -> Pair:
    return rewritten(tmp, lambda frame, _: frame.head(100))


@way(CHANGED)
def a_source_in_the_file_that_has_seen_nobody(tmp: Path) -> Pair:
    def change(frame: pl.DataFrame, about: dict[str, Any]) -> pl.DataFrame:
        sources = about["provenance"]["sources"]
        sources[0]["seen"] = sources[0]["seen_through"]
        return frame

    return rewritten(tmp, change)


@way(CHANGED)
def another_data_set_named_in_the_file(tmp: Path) -> Pair:
    def change(frame: pl.DataFrame, about: dict[str, Any]) -> pl.DataFrame:
        about["dataset_fingerprint"] = "0" * 16
        return frame

    return rewritten(tmp, change)


@way(Refused(MismatchError, "another data set"))
def another_data_set(_: Path) -> Pair:
    run, data = pair()
    return run, data.take(np.arange(100))


@way(Refused(MismatchError, "another data set"))
def subjects_that_were_given_out_anew(_: Path) -> Pair:
    run, data = pair()
    turned = data.images.with_columns(subject=pl.col("subject").reverse())
    return run, replace(data, images=turned)


# ------------------------------------------------------------------ marked


@way(Said("naive"))
def a_photo_level_split(_: Path) -> Pair:
    run, data = pair()
    held = np.arange(data.n_images) % 5 == 0
    source = RowProvenance.from_training("naive", data, ~held, naive=True)
    n = int(held.sum())
    return replace(run.take(held), source=np.zeros(n, np.int32), sources=(source,), split_kind="naive"), data


@way(Said("selected", "optimism: not estimated"))
def the_epoch_chosen_on_the_scored_photos(_: Path) -> Pair:
    return pair(selected=True)


@way(Said("selected"))
def a_teacher_whose_epoch_was_chosen_on_them(_: Path) -> Pair:
    run, data = pair()
    chosen = predict(data, selected=True, name="teacher")
    return students(run, lambda k: chosen.sources[k], "soft targets"), data


@way(Said("cross-fitted"))
def weights_fitted_on_the_other_folds(_: Path) -> Pair:
    run, data = pair()
    options = EnsembleOptions(method="stack", resamples=20)
    return ensemble([run, predict(data, seed=1, name="b")], data, options).predictions, data


@way(Said("witnessed"))
def a_model_of_another_tool_that_was_watched(_: Path) -> Pair:
    run, data = pair()
    return replace(run, sources=tuple(replace(s, outside="witnessed") for s in run.sources)), data


@way(Said("declared"))
def a_model_of_another_tool_by_somebodys_word(_: Path) -> Pair:
    run, data = pair()
    return replace(run, sources=tuple(replace(s, outside="declared") for s in run.sources)), data


# ------------------------------------------------------------------ stated


@way(Said("independence not shown"))
def no_subject_column(_: Path) -> Pair:
    data = people(SUBJECTS, subject_shown=False)
    return predict(data), data


@way(Said("external", "stated, not provable: imagenet"))
def weights_from_outside(_: Path) -> Pair:
    run, data = pair()
    return replace(run, sources=tuple(replace(s, external=("imagenet",)) for s in run.sources)), data


@way(Said("external", "crops from c.csv"))
def crops_from_a_file(_: Path) -> Pair:
    run, data = pair()
    return replace(run, sources=tuple(replace(s, external=("crops from c.csv",)) for s in run.sources)), data


@way(Said("audit warned", "the size of the box goes with the label"))
def a_shortcut_that_the_audit_found(_: Path) -> Pair:
    run, data = pair()
    return run, replace(data, warnings=("the size of the box goes with the label (audit)",))


@way(Said("not audited", NOT_AUDITED))
def data_that_nobody_audited(_: Path) -> Pair:
    run, data = pair()
    return run, replace(data, warnings=(NOT_AUDITED,))


def corrected(data: Dataset, source: str, run: str = "") -> Dataset:
    name = data.schema.names[0]
    value = data.schema.attribute(name).classes[0]
    rows = [
        LabelCorrection(image=str(i), attribute=name, value=value, reason="", source=source, run=run)
        for i in data.image_ids[:4]
    ]
    return replace(data, corrections=tuple(rows))


@way(Said("labels changed", "4 of 630 scored labels were corrected by the overlay (me: 4)"))
def labels_corrected_by_an_overlay(_: Path) -> Pair:
    run, data = pair()
    return run, corrected(data, "me")


@way(Said("labels changed", "labels suggested by this model: 4"))
def labels_that_the_model_itself_suggested(_: Path) -> Pair:
    run, data = pair()
    return run, corrected(data, "suspects", run="run")


def as_answered(run: Predictions, data: Dataset) -> Dataset:
    codes = data.codes.copy()
    for a, name in enumerate(data.schema.names):
        codes[:, a] = run.probabilities(name).argmax(axis=1)
    return replace(data, codes=codes, first_labels={"run": label_table(data)})


@way(Said("labels changed", "of them are now what is predicted"))
def the_table_set_to_the_models_own_answers(_: Path) -> Pair:
    run, data = pair()
    return run, as_answered(run, data)


@way(Said("labels changed", "how many differ is not recorded"))
def labels_that_changed_since_an_old_record(_: Path) -> Pair:
    run, data = pair()
    return run, replace(data, first_labels={"run": None})


def right(run: Predictions, data: Dataset) -> np.ndarray:
    return run.target_probabilities().argmax(axis=1) == data.target


@way(Said("photos left out", "of them wrong (100.0 %)"))
def only_the_photos_that_the_model_has_right(_: Path) -> Pair:
    run, data = pair()
    return run.take(right(run, data)), data


@way(Said("photos left out", "of them wrong (100.0 %)"))
def only_the_photos_that_the_model_has_right_through_a_file(tmp: Path) -> Pair:
    run, data = only_the_photos_that_the_model_has_right(tmp)
    run.named("other").write(tmp / "p.parquet")
    return Predictions.read(tmp / "p.parquet"), data


@way(Said("photos left out", "(1 whole subject)"))
def a_whole_person_left_out_of_the_predictions(_: Path) -> Pair:
    run, data = pair()
    return run.take(data.subject_index != 0), data


@way(Said("photos left out", "have lost their label"))
def the_labels_of_the_mistakes_made_blank(_: Path) -> Pair:
    run, data = pair()
    codes = data.codes.copy()
    codes[~right(run, data)] = -1
    return run, replace(data, codes=codes, first_labels={"run": label_table(data)})


@way(
    Said("photos left out", "a predicted are left out (2 whole subjects): it had 14 of them wrong (100.0 %)")
)
def a_data_set_without_what_an_earlier_run_had_wrong(_: Path) -> Pair:
    found = LeftOutPhotos(run="a", photos=14, subjects=2, of=210, labelled=14, wrong=14, error_rate=0.2)
    run, data = pair()
    return run, replace(data, left_out=(found.sentence(),))


@way(Said("labels changed", "of them are now what is predicted"))
def an_ensemble_whose_members_labels_changed(_: Path) -> Pair:
    run, data = pair()
    both = ensemble([run, predict(data, seed=1, name="b")], data, EnsembleOptions(resamples=20))
    return both.predictions, as_answered(run, data)
