"""Submissions: the form is held, the ledger tells, the expectation keeps its level."""

from __future__ import annotations

import datetime
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from test_diagnose import people, predict
from typer.testing import CliRunner

from hoego import files
from hoego.cli.main import app
from hoego.errors import DataError, MismatchError, RecordError, UsageError
from hoego.predictions import Predictions
from hoego.recipe import SubmissionSettings
from hoego.results.honesty import ScoreHonesty
from hoego.results.score import ScoreSummary
from hoego.runs.submission import Ledger, SubmissionForm, SubmitRequest, expected_score, read_form, submit
from hoego.runs.submission.entry import ledger_view
from hoego.runs.submission.expected import Expected
from hoego.runs.submission.ledger import picked_by_leaderboard, winners_curse
from hoego.runs.submission.ledger_entry import LedgerEntry, SubmittedScore

NOW = datetime.datetime(2022, 3, 4, 14, 30, tzinfo=datetime.UTC)
SCORE = {
    "macro_f1": {"value": 0.75, "low": 0.70, "high": 0.80},
    "n_images": 240,
    "n_subjects": 40,
    "honesty": "out-of-fold",
}


def run_and_form(folder: Path) -> tuple[Predictions, SubmissionForm]:
    run = predict(people(40))
    names = [f"{i:03d}.jpg" for i in range(run.n_images)]
    run = Predictions(**{**run.__dict__, "images": np.asarray([f"images/{n}" for n in names])})
    order = np.random.default_rng(0).permutation(len(names))
    pl.DataFrame({"ImageID": [names[i] for i in order], "ans": 0}).write_csv(folder / "info.csv")
    return run, read_form(folder / "info.csv", "ImageID", "ans")


def request(folder: Path, name: str = "sub.csv", **changes: object) -> SubmitRequest:
    fields: dict[str, object] = {
        "project": folder,
        "out": folder / name,
        "settings": SubmissionSettings(per_day=2, timezone="Asia/Seoul"),
        "score": SCORE,
        "now": NOW,
    } | changes
    fields["score"] = ScoreSummary.model_validate(fields["score"])
    return SubmitRequest(**fields)  # type: ignore[arg-type]


def test_the_file_has_the_form_s_ids_in_its_order_and_the_composite_codes(tmp_path: Path) -> None:
    run, form = run_and_form(tmp_path)
    submit(run, form, request(tmp_path))
    table = pl.read_csv(tmp_path / "sub.csv")
    assert table.columns == ["ImageID", "ans"]
    assert tuple(table["ImageID"]) == form.ids
    said = dict(zip(run.images.tolist(), run.target_probabilities().argmax(axis=1).tolist(), strict=True))
    assert table["ans"].to_list() == [said[f"images/{i}"] for i in form.ids]


def test_a_smaller_public_share_is_expected_to_wander_more(tmp_path: Path) -> None:
    run, form = run_and_form(tmp_path)
    widths = []
    for k, share in enumerate((1.0, 0.1)):
        settings = SubmissionSettings(per_day=9, public_share=share)
        found = submit(run, form, request(tmp_path, f"{k}.csv", settings=settings)).expected
        assert found is not None
        widths.append(found.high - found.low)
    assert widths[1] > 1.5 * widths[0]


def test_missing_and_extra_photos_are_refused_and_nothing_is_written(tmp_path: Path) -> None:
    run, form = run_and_form(tmp_path)
    with pytest.raises(MismatchError, match="were not predicted"):
        submit(run.take(np.arange(run.n_images - 3)), form, request(tmp_path))
    with pytest.raises(MismatchError, match="not in the form"):
        submit(run, replace(form, ids=form.ids[1:]), request(tmp_path))
    assert not (tmp_path / "sub.csv").exists()
    assert Ledger(tmp_path).entries() == ()


def test_a_repeated_id_or_a_wrong_column_is_named(tmp_path: Path) -> None:
    (tmp_path / "info.csv").write_text("ImageID,ans\na,0\nb,0\na,0\n")
    with pytest.raises(DataError, match="row 4"):
        read_form(tmp_path / "info.csv", "ImageID", "ans")
    with pytest.raises(DataError, match="ImageID"):
        read_form(tmp_path / "info.csv", "ImageId", "ans")


def test_the_ledger_knows_agreement_and_what_is_left_today(tmp_path: Path) -> None:
    run, form = run_and_form(tmp_path)
    first = submit(run, form, request(tmp_path))
    other = run.with_values(
        {a: np.roll(v, 1, axis=1) if a == "gender" else v for a, v in run.values.items()}, "probabilities"
    )
    second = submit(other, form, request(tmp_path, "two.csv"))
    assert (first.left_today, second.left_today) == (1, 0)
    assert second.agreement == {first.id: 0.0}
    with pytest.raises(UsageError, match="used up"):
        submit(run, form, request(tmp_path, "three.csv"))
    midnight_in_seoul = NOW.replace(hour=15, minute=1)
    third = submit(run, form, request(tmp_path, "three.csv", now=midnight_in_seoul))
    assert third.left_today == 1
    assert any("identical to the file" in w for w in third.warnings)


def test_the_leaderboard_s_number_is_entered_and_compared(tmp_path: Path) -> None:
    run, form = run_and_form(tmp_path)
    submit(run, form, request(tmp_path))
    with pytest.raises(UsageError, match=r"0\.7735"):
        Ledger(tmp_path).record_score(tmp_path / "sub.csv", 77.35, NOW.isoformat())
    with pytest.raises(RecordError, match=r"sub\.csv"):
        Ledger(tmp_path).record_score("other.csv", 0.7, NOW.isoformat())
    assert Ledger(tmp_path).record_score(tmp_path / "sub.csv", 0.3, NOW.isoformat()).public == 0.3
    view = ledger_view(tmp_path, SubmissionSettings(), NOW)
    assert "outside what was expected" in view.warnings[0]


LEAKED = {
    "macro_f1": {"value": 1.0, "low": 1.0, "high": 1.0},
    "n_images": 240,
    "n_subjects": 40,
    "honest": False,
}


@pytest.mark.parametrize(
    ("honesty", "said"),
    [
        ("naive", ("lets a person be on both sides", 'split.kind = "holdout"')),
        ("in-sample", ("have seen the people", "--fold all")),
    ],
)
def test_of_a_score_that_is_not_honest_nothing_is_expected(
    honesty: str, said: tuple[str, str], tmp_path: Path
) -> None:
    run, form = run_and_form(tmp_path)
    made = submit(run, form, request(tmp_path, score={**LEAKED, "honesty": honesty}))
    assert made.expected is None
    (warning,) = [w for w in made.warnings if "no leaderboard score can be expected" in w]
    assert warning.startswith(f"the run's score is {honesty}: ")
    assert all(part in warning for part in said)
    assert Ledger(tmp_path).record_score("sub.csv", 0.3, NOW.isoformat()).expected is None
    (line,) = ledger_view(tmp_path, SubmissionSettings(), NOW).model_dump(mode="json")["entries"]
    assert (line["score"]["value"], line["score"]["honesty"]) == (1.0, honesty)
    assert (line["honest"], line["expected"]) == (None, None)
    assert ledger_view(tmp_path, SubmissionSettings(), NOW).warnings == ()
    honest = submit(run, form, request(tmp_path, "honest.csv", score=SCORE))
    assert honest.expected is not None
    assert not any("can be expected" in w for w in honest.warnings)


def test_a_leaked_score_in_an_old_ledger_is_compared_with_nothing(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    old = {"kind": "submission", "time": NOW.isoformat(), "lineage": ["r"]}
    interval = {"value": 1.0, "low": 0.99, "high": 1.0}
    files.append_line(ledger.file, {**old, "id": "a", "file": "a.csv"})
    leaked = {"honest": {**interval, "honesty": "naive"}, "expected": interval}
    files.append_line(ledger.file, {**old, "id": "b", "file": "b.csv", **leaked})
    files.append_line(ledger.file, {**old, "id": "c", "file": "c.csv", "honest": {"value": 0.7}})
    for name in "abc":
        ledger.record_score(name, 0.3, NOW.isoformat())
    bare, naive, honest = ledger.entries()
    assert (bare.score, bare.honest, bare.expected) == (None, None, None)
    assert naive.score is not None
    assert (naive.score.value, naive.score.low, naive.score.honesty) == (1.0, 0.99, "naive")
    assert (naive.honest, naive.expected, naive.public) == (None, None, 0.3)
    assert honest.honest is not None
    assert (honest.honest.value, honest.honest.low) == (0.7, None)
    assert [LedgerEntry.of_line(e.model_dump(mode="json")) for e in ledger.entries()] == [*ledger.entries()]
    assert ledger_view(tmp_path, SubmissionSettings(), NOW).warnings == ()


def test_the_ledger_s_table_shows_the_honesty_beside_the_score(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, form = run_and_form(tmp_path)
    (tmp_path / "hoego.toml").write_text("")
    submit(run, form, request(tmp_path, score={**LEAKED, "honesty": "naive"}))
    files.append_line(
        Ledger(tmp_path).file,
        {"kind": "submission", "id": "old", "time": NOW.isoformat(), "file": "old.csv", "run": "r"},
    )
    monkeypatch.chdir(tmp_path)
    shown = CliRunner().invoke(app, ["submit"]).output.splitlines()
    header, first, second, *_ = (line.split() for line in shown if line.strip() != "ledger")
    assert header == ["when", "file", "run", "score", "honesty", "expected", "leaderboard"]
    assert first[-2:] == ["1.0000", "naive"]
    assert second[-2:] == ["old.csv", "r"]


def test_members_that_only_the_leaderboard_would_pick_are_noticed() -> None:
    def entry(run: str, public: float, honest: float) -> LedgerEntry:
        score = SubmittedScore(value=honest, honesty=ScoreHonesty("out-of-fold"))
        return LedgerEntry(id=run, time=NOW.isoformat(), file=run, lineage=(run,), score=score, public=public)

    entries = (entry("a", 0.78, 0.70), entry("b", 0.77, 0.71), entry("c", 0.72, 0.76), entry("d", 0.71, 0.75))
    assert "public score" in picked_by_leaderboard(("a", "b"), entries)
    assert picked_by_leaderboard(("c", "d"), entries) == ""
    assert picked_by_leaderboard(("a", "c"), entries) == ""
    assert picked_by_leaderboard(("a", "b"), entries[:2]) == ""


def test_the_expected_interval_covers_a_test_of_another_size() -> None:
    """Accuracy of correlated photos: the widened interval holds 95 % of the scores of fresh tests of half the size."""
    rng = np.random.default_rng(0)
    subjects, test_subjects, photos, repeats = 120, 60, 6, 3000

    def accuracies(n: int) -> tuple[np.ndarray, np.ndarray]:
        skill = rng.beta(8, 2, (repeats, n))
        right = rng.binomial(photos, skill) / photos
        return right.mean(axis=1), right.std(axis=1, ddof=1) / np.sqrt(n)

    value, error = accuracies(subjects)
    tested, _ = accuracies(test_subjects)
    inside = 0
    for v, e, t in zip(value, error, tested, strict=True):
        score = {
            "accuracy": {"value": v, "low": v - 1.96 * e, "high": v + 1.96 * e},
            "n_images": subjects * photos,
            "n_subjects": subjects,
            "honesty": "out-of-fold",
        }
        found = expected_score(ScoreSummary.model_validate(score), "accuracy", test_subjects * photos)
        assert found is not None
        inside += found.low <= t <= found.high
    assert 0.93 <= inside / repeats <= 0.97


def test_the_luck_of_the_best_is_about_what_chance_gives() -> None:
    """Five equally good files whose public scores scatter: the best stands as far above the truth as is said."""
    rng = np.random.default_rng(1)
    sd, truth, m = 0.02, 0.75, 5
    best = rng.normal(truth, sd, (20_000, m)).max(axis=1).mean() - truth
    expected = Expected(value=truth, low=truth - 1.96 * sd, high=truth + 1.96 * sd)
    entries = tuple(
        LedgerEntry(id=f"{i}", time=NOW.isoformat(), file=f"{i}.csv", expected=expected, public=truth)
        for i in range(m)
    )
    said = winners_curse(entries)
    assert float(said.split("up to ")[1].split()[0]) == pytest.approx(best, abs=0.001)
    assert winners_curse(entries[:2]) == ""
