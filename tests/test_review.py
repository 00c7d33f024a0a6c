"""The review of suspect labels: blind first, every decision on record, whole files, conflicts shown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest
from test_cli import project  # noqa: F401  (a fixture)

from hoego import files
from hoego.data.dataset import LabelCorrection
from hoego.data.load import load
from hoego.data.overlay import read_overlay, write_overlay
from hoego.errors import UsageError
from hoego.predictions import Predictions, honesty
from hoego.recipe import resolve
from hoego.runs import review
from hoego.runs.loading import dataset_of, load_runs
from hoego.runs.records import Record, RunStore
from hoego.runs.review import Review, ReviewAnswer, ReviewConflict, ReviewItem


@dataclass
class Desk:
    """A review and what lies around it."""

    folder: Path
    record: Record
    predictions: Predictions
    review: Review

    @classmethod
    def at(cls, root: Path) -> Desk:
        record = RunStore(root / "runs").list(states=["done"])[0]
        found = load_runs(root / "runs", [record.id])
        overlay = review.name_overlay(record)
        given = review.as_given(found.dataset)
        rows = read_overlay(overlay, given.schema, given.image_ids.tolist())
        suspects = review.review_suspects(found.predictions[0], given, rows)
        made = Review(root / "runs", record.id, given, overlay=overlay, suspects=suspects)
        return cls(root / "runs", record, found.predictions[0], made)

    def say(self, key: str, answer: str, who: str = "kim", reason: str = "") -> ReviewItem:
        seen = self.review.item(key, who).version
        return self.review.answer(ReviewAnswer(suspect=key, answer=answer, seen=seen, who=who, reason=reason))

    @property
    def rows(self) -> tuple[LabelCorrection, ...]:
        given = self.review.given
        return read_overlay(self.review.overlay, given.schema, given.image_ids.tolist())


@pytest.fixture
def desk(project: Path) -> Iterator[Desk]:  # noqa: F811
    names = ("hoego.toml", "photos.csv")
    before = {name: (project / name).read_text() for name in names}
    plant_errors(project / "photos.csv", 6)
    yield Desk.at(project)
    for name, text in before.items():
        (project / name).write_text(text)
    (project / "corrections.csv").unlink(missing_ok=True)
    (project / "runs" / review.JOURNAL).unlink(missing_ok=True)


def plant_errors(table: Path, n: int) -> None:
    """Give the first people the wrong gender in all their photos."""
    rows = pl.read_csv(table)
    wrong = rows["person"].is_in(rows["person"].unique().sort()[:n].to_list())
    flipped = rows["gender"].replace({"male": "female", "female": "male"})
    rows.with_columns(
        gender=pl.select(pl.when(wrong).then(flipped).otherwise(rows["gender"])).to_series()
    ).write_csv(table)


def other(item: ReviewItem) -> str:
    """A class that is neither the label nor the suggestion; the label where there are two."""
    rest = [c for c in item.suspect.classes if c not in (item.given, item.suspect.suggested)]
    return rest[0] if rest else item.given


def test_a_person_is_one_suspect_and_the_most_contradicted_come_first(desk: Desk) -> None:
    suspects = [*desk.review.suspects.values()]
    gender = [s for s in suspects if s.attribute == "gender"]
    assert len(gender) == 6
    assert all(len(s.images) == 6 and not s.others for s in gender)
    assert len({s.subject for s in gender}) == len(gender)
    masks = [s for s in suspects if s.attribute == "mask"]
    assert all(len(s.images) == 1 and s.others for s in masks)
    assert [not s.confident for s in suspects] == sorted(not s.confident for s in suspects)


def test_an_answer_that_agrees_with_the_unseen_suggestion_decides(desk: Desk) -> None:
    key = desk.review.progress("kim").open[0]
    suspect = desk.review.suspects[key]
    item = desk.say(key, suspect.suggested, reason="b")
    assert item.decision is not None
    assert (item.decision.outcome, item.decision.after_suggestion) == ("changed", False)
    assert {(r.image, r.value, r.source) for r in desk.rows} == {
        (i, suspect.suggested, "review:kim") for i in suspect.images
    }
    assert all(r.reason.startswith("blurred or dark; ") for r in desk.rows)
    assert key not in desk.review.progress("kim").open


def test_the_suggestion_comes_after_the_first_answer_and_a_change_of_mind_is_on_record(desk: Desk) -> None:
    key = desk.review.progress("kim").open[0]
    before = desk.review.item(key, "kim")
    assert before.first is None
    shown = desk.say(key, before.given)
    assert (shown.first, shown.decision, desk.rows) == (before.given, None, ())
    item = desk.say(key, before.suspect.suggested)
    assert item.decision is not None
    assert item.decision.after_suggestion
    assert {(r.source, r.run) for r in desk.rows} == {("review:kim", desk.record.id)}


def test_a_kept_label_is_on_record_and_never_asked_again(desk: Desk) -> None:
    key = desk.review.progress("kim").open[0]
    given = desk.review.item(key, "kim").given
    desk.say(key, given)
    item = desk.say(key, given)
    assert item.decision is not None
    assert (item.decision.outcome, item.decision.who, desk.rows) == ("kept", "kim", ())
    assert key not in Desk.at(desk.folder.parent).review.progress("lee").open


def test_what_cannot_be_told_changes_no_label(desk: Desk) -> None:
    key = desk.review.progress("kim").open[0]
    desk.say(key, review.review.CANNOT_BE_TOLD)
    item = desk.say(key, review.review.CANNOT_BE_TOLD)
    assert item.decision is not None
    assert (item.decision.outcome, desk.rows) == ("cannot be told", ())


def test_undo_gives_the_overlay_back_as_it_was(desk: Desk) -> None:
    first, second = desk.review.progress("kim").open[:2]
    image = desk.review.suspects[second].images[0]
    attribute = desk.review.suspects[second].attribute
    hand = LabelCorrection(
        image=image,
        attribute=attribute,
        value=other(desk.review.item(second, "kim")),
        reason="by hand",
        source="lee",
    )
    write_overlay(desk.review.overlay, [hand])
    desk.say(first, desk.review.suspects[first].suggested)
    between = desk.rows
    desk.say(second, desk.review.suspects[second].suggested)
    assert hand not in desk.rows
    assert desk.review.undo("kim").suspect.key == second
    assert set(desk.rows) == set(between)
    assert desk.review.undo("kim").suspect.key == first
    assert desk.rows == (hand,)
    with pytest.raises(UsageError, match="no decision"):
        desk.review.undo("kim")


def test_two_reviewers_of_one_suspect_get_a_conflict(desk: Desk) -> None:
    key = desk.review.progress("kim").open[0]
    suspect = desk.review.suspects[key]
    stale = desk.review.item(key, "lee").version
    desk.say(key, suspect.suggested)
    rows = desk.rows
    with pytest.raises(ReviewConflict, match="kim has decided meanwhile"):
        desk.review.answer(
            ReviewAnswer(suspect=key, answer=desk.review.item(key, "lee").given, seen=stale, who="lee")
        )
    assert desk.rows == rows


def test_a_blind_answer_of_one_reviewer_does_not_disturb_another(desk: Desk) -> None:
    key = desk.review.progress("kim").open[0]
    given = desk.review.item(key, "lee").given
    seen = desk.review.item(key, "lee").version
    desk.say(key, given, who="kim")
    assert desk.review.answer(ReviewAnswer(suspect=key, answer=given, seen=seen, who="lee")).first == given


def test_a_process_that_is_killed_between_both_files_loses_no_correction(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = desk.review.progress("kim").open[0]

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(review.review.log, "write_decision", killed)
    with pytest.raises(KeyboardInterrupt):
        desk.say(key, desk.review.suspects[key].suggested)
    again = Desk.at(desk.folder.parent).review
    found = again.item(key, "lee").decision
    assert found is not None
    assert (found.who, found.outcome) == ("kim", "changed")
    assert key not in again.progress("lee").open


def test_the_next_score_says_who_corrected_and_what_followed_a_suggestion(desk: Desk) -> None:
    keys = [k for k in desk.review.progress("kim").open if desk.review.suspects[k].attribute == "gender"]
    assert len(keys) == 6
    for n, key in enumerate(keys):
        if n < 2:
            desk.say(key, desk.review.item(key, "kim").given)
        desk.say(key, desk.review.suspects[key].suggested)
    dataset = dataset_of(desk.record)
    assert dataset is not None
    [note] = [n for n in honesty(desk.predictions, dataset).notes if "corrected by the overlay" in n]
    assert f"{len(keys)} corrections, kim, 2 after seeing the suggestion" in note
    photos = sum(len(desk.review.suspects[k].images) for k in keys)
    assert note.startswith(f"{photos} of ")
    scores = review.three_label_scores(desk.predictions, desk.review.given, dataset, resamples=200)
    values = {k: e.value for k, e in scores.estimates().items()}
    assert values["as_given"] < values["without_suggestions"] < values["as_corrected"]  # type: ignore[operator]


def test_naming_the_overlay_leaves_the_rest_of_the_project_file(project: Path) -> None:  # noqa: F811
    file = project / "hoego.toml"
    before = file.read_text()
    file.write_text("# ours\n" + before)
    try:
        [record] = RunStore(project / "runs").list(states=["done"])[:1]
        made = review.name_overlay(record)
        text = file.read_text()
        assert text.startswith("# ours\n")
        assert text.replace('overlay = "corrections.csv"\n', "") == "# ours\n" + before
        assert files.read_text(made).startswith("image,attribute")
        assert load(resolve({}, project=file)).corrections == ()
    finally:
        file.write_text(before)
        (project / "corrections.csv").unlink(missing_ok=True)
