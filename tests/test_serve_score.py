"""Labels that come later judge a service on new people alone, beside what was promised."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

for needed in ("torch", "onnx", "onnxruntime", "starlette", "python_multipart"):
    pytest.importorskip(needed)
pytestmark = pytest.mark.torch

from export_project import photo_project, trained  # noqa: E402
from starlette.testclient import TestClient  # noqa: E402

from hoego.errors import DataError, NotEstimableError  # noqa: E402
from hoego.exported import open_model  # noqa: E402
from hoego.runs.exporting import ExportRequest, export  # noqa: E402
from hoego.serve.app import make_app  # noqa: E402
from hoego.serve.model import load_served  # noqa: E402
from hoego.serve.options import ServeOptions  # noqa: E402
from hoego.serve.scoring import serve_score  # noqa: E402
from hoego.serve.service import Service  # noqa: E402


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with photos/, an export model/, and what it answered: answers.jsonl."""
    with photo_project(tmp_path_factory.mktemp("scoring")) as root:
        export(trained(root), ExportRequest(to=root / "model", formats=("onnx",)))
    options = ServeOptions(folder=root / "model")
    with TestClient(make_app(Service(load_served(options), options))) as client:
        lines = [
            client.post(
                f"/predict?name={p.name}", content=p.read_bytes(), headers={"content-type": "image/png"}
            ).text
            for p in sorted((root / "photos").glob("p*"))
        ]
    (root / "answers.jsonl").write_text("\n".join(lines) + "\n")
    return root


def labels(project: Path) -> pl.DataFrame:
    return pl.read_csv(project / "photos" / "train.csv")


def test_on_the_held_out_people_themselves_it_is_what_was_promised(project: Path) -> None:
    found = serve_score(
        project / "answers.jsonl", project / "photos" / "train.csv", project / "model", subject="subject"
    )
    promised = open_model(project / "model").manifest.score
    assert found.metric == "macro_f1"
    assert found.in_use.value == pytest.approx(promised.primary.value)
    assert (found.n_images, found.n_subjects, found.left_out, found.unlabelled) == (60, 12, 60, 0)
    assert found.verdict == "compatible"
    assert found.sentence.endswith(": compatible")
    assert " in use, " in found.sentence
    assert found.answered_wrong is None


def test_a_person_that_the_model_has_seen_is_left_out_on_new_photos_too(
    project: Path, tmp_path: Path
) -> None:
    """The photos of training are answered as if they were new ones: only the names can tell."""
    lines = [json.loads(line) for line in (project / "answers.jsonl").read_text().splitlines()]
    for line in lines:
        line["answers"][0]["seen"] = False
    (tmp_path / "answers.jsonl").write_text("\n".join(map(json.dumps, lines)))
    given = (tmp_path / "answers.jsonl", project / "photos" / "train.csv", project / "model")
    assert (serve_score(*given, subject="subject").left_out, serve_score(*given).left_out) == (60, 0)
    assert "name --subject" in serve_score(*given).notes[0]


def test_a_model_that_has_become_worse_is_found(project: Path, tmp_path: Path) -> None:
    table = labels(project).with_columns(
        colour=pl.col("colour").replace_strict({"b": "r", "g": "b", "r": "g"}), age=90 - pl.col("age")
    )
    table.write_csv(tmp_path / "labels.csv")
    found = serve_score(
        project / "answers.jsonl", tmp_path / "labels.csv", project / "model", subject="subject"
    )
    assert found.in_use.value is not None
    assert found.in_use.value < 0.2
    same = serve_score(
        project / "answers.jsonl", project / "photos" / "train.csv", project / "model", subject="subject"
    )
    assert same.in_use.value is not None
    assert found.difference is not None
    assert found.difference.value < 0


def test_withheld_answers_are_not_counted_among_the_wrong(project: Path, tmp_path: Path) -> None:
    lines = [json.loads(line) for line in (project / "answers.jsonl").read_text().splitlines()]
    truth = {r["path"]: r for r in labels(project).iter_rows(named=True)}
    for line in lines:
        answer = line["answers"][0]
        said = answer["attributes"]["composite"]["label"]
        row = truth[answer["photo"]]
        age = "young" if row["age"] < 30 else "middle" if row["age"] < 60 else "old"
        answer["abstain"] = said != f"{row['colour']}/{age}"
    (tmp_path / "answers.jsonl").write_text("\n".join(map(json.dumps, lines)))
    given = (tmp_path / "answers.jsonl", project / "photos" / "train.csv", project / "model")
    assert serve_score(*given, subject="subject").answered_wrong == 0.0


def test_what_cannot_be_read_is_named(project: Path, tmp_path: Path) -> None:
    model, table = project / "model", project / "photos" / "train.csv"
    (tmp_path / "none.jsonl").write_text('{"answers": 3}\n')
    with pytest.raises(DataError, match="not an answer of /predict") as caught:
        serve_score(tmp_path / "none.jsonl", table, model)
    assert caught.value.row == 1
    line = json.loads((project / "answers.jsonl").read_text().splitlines()[0])
    (tmp_path / "other.jsonl").write_text(json.dumps({**line, "digest": "0" * 64}))
    with pytest.raises(DataError, match="of another model"):
        serve_score(tmp_path / "other.jsonl", table, model)
    labels(project).with_columns(colour=pl.lit("purple")).write_csv(tmp_path / "labels.csv")
    with pytest.raises(DataError, match="'purple' is not a class of 'colour'") as caught:
        serve_score(project / "answers.jsonl", tmp_path / "labels.csv", model)
    assert caught.value.column == "colour"
    labels(project).with_columns(path=pl.col("path") + "x").write_csv(tmp_path / "labels.csv")
    with pytest.raises(NotEstimableError, match="0 have a label"):
        serve_score(project / "answers.jsonl", tmp_path / "labels.csv", model)
