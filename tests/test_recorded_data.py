"""What a record knows of its data stands beside every score of its run: warnings of the audit, crops from a file."""

# ruff: noqa: F811

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from test_train_run import QUIET, own_cache, photos, recipe  # noqa: E402, F401

from hoego.evaluate.score import ScoreOptions  # noqa: E402
from hoego.recipe import build  # noqa: E402
from hoego.report import report  # noqa: E402
from hoego.runs.evaluate_runs import compare_runs, diagnose_run, ensemble_runs  # noqa: E402
from hoego.runs.loading import rescore  # noqa: E402
from hoego.runs.records import RunStore  # noqa: E402
from hoego.runs.train import TrainOptions, train  # noqa: E402

CROPS = "external, stated, not provable: crops from c.csv"


def test_crops_from_a_file_and_what_the_audit_warned_of_stand_beside_every_score(
    photos: Path, tmp_path: Path
) -> None:
    table = pl.read_csv(photos / "train.csv")
    side = {"r": 6, "g": 10, "b": 14}
    boxes = pl.DataFrame({"image": table["path"], "x0": 0, "y0": 0}).with_columns(
        x1=table["colour"].replace_strict(side), y1=table["colour"].replace_strict(side)
    )
    boxes.write_csv(photos / "c.csv")
    data = recipe(photos, epochs=1).to_dict()
    cropped = build({**data, "dataset": {**data["dataset"], "crop": {"file": "c.csv"}}})
    first, second = (
        train(cropped.model_copy(update={"seed": k}), TrainOptions(folder=tmp_path), QUIET) for k in (0, 1)
    )
    store = RunStore(tmp_path / "runs")
    record = store.find(first.run)
    names = [first.run, second.run]
    combined = ensemble_runs(store.root, names)
    told = {
        "train": first.score.notes if first.score else (),
        "record": record.score.notes if record.score else (),
        "score": rescore(store.root, first.run, ScoreOptions(resamples=100)).notes,
        "compare": compare_runs(store.root, names).notes,
        "diagnose": diagnose_run(store.root, first.run).notes,
        "ensemble": combined.made.score.notes,
    }
    for where, notes in told.items():
        assert CROPS in notes, where
        assert sum("crop file: " in n and n.endswith("(audit)") for n in notes) == 1, where
    page = report(record).read_text(encoding="utf-8")
    assert "crops from c.csv" in page
    assert "the size of the box goes with" in page


def test_a_run_of_data_that_were_not_audited_says_so(photos: Path, tmp_path: Path) -> None:
    done = train(recipe(photos, epochs=1), TrainOptions(folder=tmp_path, audit=False), QUIET)
    assert done.score is not None
    assert "the data were not audited" in done.score.notes
    audited = train(recipe(photos, epochs=1), TrainOptions(folder=tmp_path), QUIET)
    assert audited.score is not None
    assert "the data were not audited" not in audited.score.notes
