"""Damaged files, foreign files and bad days: one error that names the file, and everything else stays usable."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from small_project import Answer, call, make, make_with_runs, must, write_table

from hoego import files
from hoego.data.preprocess import read_boxes
from hoego.errors import DataError, RecordError
from hoego.runs.records import RunStore, merge

pytest.importorskip("torch")
pytestmark = pytest.mark.torch

DEEP = "[" * 100_000 + "]" * 100_000
Damage = Callable[[Path], None]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A project with every file that Hoego writes, and the names of its records."""
    folder = tmp_path_factory.mktemp("whole") / "project"
    one, two, both = make_with_runs(folder)
    must(folder, "report", one)
    return folder, {"A": one, "B": two, "E": both}


@pytest.fixture
def damaged(whole: tuple[Path, dict[str, str]], tmp_path: Path) -> Iterator[tuple[Path, dict[str, str]]]:
    """The same project, to be damaged and mended again."""
    folder, names = whole
    kept = tmp_path / "kept"
    shutil.copytree(folder, kept, symlinks=True)
    yield folder, names
    shutil.rmtree(folder)
    shutil.copytree(kept, folder, symlinks=True)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def not_utf8(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] = 0xFF
    path.write_bytes(bytes(content))


def deep(path: Path) -> None:
    path.write_text(DEEP)


def folder_instead(path: Path) -> None:
    path.unlink()
    path.mkdir()


def line(text: str) -> Damage:
    """A line before the last one; a torn last line is forgiven."""

    def add(path: Path) -> None:
        lines = path.read_text(encoding="utf-8").splitlines()
        path.write_text("\n".join([*lines[:-1], text, *lines[-1:]]) + "\n", encoding="utf-8")

    return add


def key(*keys: str, value: Any = None) -> Damage:
    """Another value of a JSON file; without a value the key is taken out."""

    def change(path: Path) -> None:
        content = inner = json.loads(path.read_text(encoding="utf-8"))
        for k in keys[:-1]:
            inner = inner[k]
        if value is None:
            del inner[keys[-1]]
        else:
            inner[keys[-1]] = value
        path.write_text(json.dumps(content))

    return change


def metadata(change: Callable[[str], str]) -> Damage:
    """Another text in the metadata of a Parquet file."""

    def edit(path: Path) -> None:
        text = change(pl.read_parquet_metadata(path)["hoego"])
        pl.read_parquet(path, use_pyarrow=False).write_parquet(path, metadata={"hoego": text})

    return edit


def metadata_key(name: str, value: Any = None) -> Damage:
    def edit(text: str) -> str:
        content = json.loads(text)
        if value is None:
            del content[name]
        else:
            content[name] = value
        return json.dumps(content)

    return metadata(edit)


def flip_packed(text: str) -> str:
    content = json.loads(text)
    source = content["provenance"]["sources"][0]
    middle = len(source["seen"]) // 2
    letter = "B" if source["seen"][middle] == "A" else "A"
    source["seen"] = source["seen"][:middle] + letter + source["seen"][middle + 1 :]
    return json.dumps(content)


def without_column(path: Path) -> None:
    text = pl.read_parquet_metadata(path)["hoego"]
    pl.read_parquet(path, use_pyarrow=False).drop("source").write_parquet(path, metadata={"hoego": text})


def note_is_a_list(path: Path) -> None:
    """The note that Hoego leaves in a file of weights."""
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    header["__metadata__"]["hoego"] = "[1]"
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + content[8 + length :])


def blank_line(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([*lines[:14], "", *lines[14:]]) + "\n")


def replaced(old: str, new: str) -> Damage:
    return lambda path: path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")


REPORT, RETRO = "report A", "retro --today --lang en --out r.md"
CASES: dict[str, tuple[str, Damage, str, str]] = {
    # file, damage, command after it, what the error says besides the file
    "predictions without a column": ("runs/A/predictions.parquet", without_column, "score A", "source"),
    "predictions' metadata cut": (
        "runs/A/predictions.parquet", metadata(lambda t: t[: len(t) // 2]), "score A", "not valid JSON",
    ),
    "predictions without a scale": (
        "runs/A/predictions.parquet", metadata_key("scale"), "score A", "'scale' is missing",
    ),
    "predictions with a flipped letter": (
        "runs/A/predictions.parquet", metadata(flip_packed), "score A", "damaged",
    ),
    "predictions are a folder": ("runs/A/predictions.parquet", folder_instead, "score A", "a folder"),
    "run.json without a name": ("runs/A/run.json", key("name", value="\ud800"), "tag A x", "surrogates"),
    "run.json with tags of true": ("runs/A/run.json", key("tags", value=True), "show A", "tags"),
    "recipe that is not UTF-8": ("runs/A/recipe.toml", not_utf8, "show A", "not UTF-8"),
    "environment that is not UTF-8": ("runs/A/environment.json", not_utf8, REPORT, "not UTF-8"),
    "environment nested deep": ("runs/A/environment.json", deep, "diff A B", "nested"),
    "code is a folder": ("runs/A/code.json", folder_instead, "diff A B", "a folder"),
    "split.json cut": ("runs/A/split.json", cut, REPORT, "not valid JSON"),
    "split.json of another type": ("runs/A/split.json", key("sides", value=["x"] * 50), REPORT, "changed"),
    "audit that is not UTF-8": ("runs/A/audit.json", not_utf8, REPORT, "not UTF-8"),
    "audit of another type": ("runs/A/audit.json", key("findings", value=[[[]]]), REPORT, "changed"),
    "diagnosis empty": ("runs/A/diagnosis.json", lambda p: p.write_bytes(b""), REPORT, "not valid JSON"),
    "diagnosis with an empty bin": (
        "runs/A/diagnosis.json", key("calibration", "bins", value=[[]]), REPORT, "changed",
    ),
    "score without a key": (
        "runs/A/score.json", key("attributes", "label", "macro_f1"), REPORT, "changed",
    ),
    "score of another type": ("runs/A/score.json", key("confusion", value=[["x", 0]]), REPORT, "changed"),
    "score nested deep": ("runs/A/score.json", deep, REPORT, "nested"),
    "epochs with null": ("runs/A/fold-0/epochs.jsonl", line("null"), REPORT, "row 2: not a JSON object"),
    "epochs nested deep": ("runs/A/fold-0/epochs.jsonl", line(DEEP), REPORT, "row 2"),
    "epochs with a text": ("runs/A/fold-0/epochs.jsonl", line('{"epoch": "x"}'), REPORT, "row 2"),
    "checkpoint whose note is a list": (
        "runs/A/fold-0/last.safetensors",
        note_is_a_list,
        "train r.toml --fold 0 --set model.checkpoint=runs/A/fold-0/last.safetensors",
        "not a JSON object",
    ),
    "notes with null": ("runs/notes.jsonl", line("null"), RETRO, "row 1: not a JSON object"),
    "notes nested deep": ("runs/notes.jsonl", line(DEEP), RETRO, "row 1"),
    "notes with a number": ("runs/notes.jsonl", line('{"id": 1, "time": 2, "text": []}'), RETRO, "row 1"),
    "ideas with a list": ("runs/ideas.jsonl", line("[1, 2]"), "idea list", "row 1: not a JSON object"),
    "ideas with a bare idea": ("runs/ideas.jsonl", line('{"kind": "idea"}'), "idea list", "row 1: id"),
    "ledger with a number": ("submissions/ledger.jsonl", line("1"), "submit", "row 1: not a JSON object"),
    "ledger without an id": (
        "submissions/ledger.jsonl", line('{"kind": "submission"}'), "submit", "row 1: id",
    ),
    "ledger nested deep": ("submissions/ledger.jsonl", line(DEEP), "submit", "row 1"),
    "ensemble that is an empty object": ("runs/E/combined.json", lambda p: p.write_text("{}"), "report E", ""),
    "ensemble that cannot predict": (
        "runs/E/combined.json",
        lambda p: p.write_text("{}"),
        "predict E --on ph/form.csv --out q.parquet",
        "members",
    ),
    "split with folds of text": ("splits/folds-2-seed0.parquet", metadata_key("folds", "x"), "split", "folds"),
    "split with stratify of true": (
        "splits/folds-2-seed0.parquet", metadata_key("stratify", True), "split", "stratify",
    ),
    "form with a blank line": (
        "ph/form.csv", blank_line, "submit t.parquet --info ph/form.csv --out s.csv", "row 15",
    ),
    "project whose root is a table": ("hoego.toml", replaced('root = "ph"', "root = {}"), "score A", "root"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_damaged_file_is_one_error_and_the_other_records_stay(
    damaged: tuple[Path, dict[str, str]], case: str
) -> None:
    folder, names = damaged
    place, spoil, command, says = CASES[case]

    def named(text: str) -> str:
        return "/".join(names.get(part, part) for part in text.split("/"))

    path = folder / named(place)
    spoil(path)
    answer = call(folder, *map(named, command.split()))
    assert (answer.code, answer.traceback) == (1, "")
    assert path.name in answer.err
    assert says in answer.err
    assert len(answer.err.splitlines()) <= 3
    other = call(folder, "show", names["B"])
    assert (other.code, other.traceback) == (0, "")
    assert names["B"] in must(folder, "runs")


def test_the_broken_record_stays_in_the_listing(damaged: tuple[Path, dict[str, str]]) -> None:
    folder, names = damaged
    folder_instead(folder / "runs" / names["A"] / "run.json")
    listing = must(folder, "runs")
    assert f"not readable {names['A']}" in listing
    assert names["B"] in listing


def test_a_crop_file_with_an_endless_cell_names_its_row(tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    path.write_text("image,x0,y0,x1,y1\na.png,0,0,20,20\na.png," + "9" * 200_000 + ",0,20,20\n")
    with pytest.raises(DataError, match=r"row 3") as caught:
        read_boxes(path)
    assert len(str(caught.value)) < 1000


def test_a_link_that_points_to_itself_is_passed_over(tmp_path: Path) -> None:
    rows = make(tmp_path / "p")
    folder = tmp_path / "p"
    os.symlink("loop.png", folder / "ph/loop.png")
    write_table(folder / "ph/t.csv", ("path", "person", "label"), [*rows, ("nope.png", "zz", "a")])
    answer = call(folder, "split")
    assert (answer.code, answer.traceback) == (1, "")
    assert f"row {len(rows) + 2}" in answer.err
    assert "nope.png" in answer.err
    found = call(folder, "init", "ph", "--out", "x.toml")
    assert found.traceback == ""


def test_a_cell_of_a_million_characters_is_named_within_seconds(tmp_path: Path) -> None:
    rows = make(tmp_path / "p")
    folder = tmp_path / "p"
    rows[3] = ("x" * 1_000_000, *rows[3][1:])
    write_table(folder / "ph/t.csv", ("path", "person", "label"), list(rows))
    for command in (("split",), ("audit",), ("init", "ph/t.csv", "--out", "x.toml")):
        answer = call(folder, *command)
        assert (answer.code, answer.traceback) == (1, ""), command
        assert "row 5" in answer.err
        assert len(answer.err) < 2000
        assert answer.seconds < 5


def test_ten_of_fourteen_submissions_at_one_moment_are_taken(damaged: tuple[Path, dict[str, str]]) -> None:
    folder, _ = damaged
    shutil.rmtree(folder / "submissions")
    code = (
        "import sys; from hoego.cli.main import main; sys.argv = ['hoego', 'submit', 't.parquet', "
        "'--info', 'ph/form.csv', '--out', sys.argv[1]]; main()"
    )

    def one(n: int) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", code, f"many/{n}.csv"]
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)

    with ThreadPoolExecutor(14) as pool:
        done = list(pool.map(one, range(14)))
    assert sorted(d.returncode for d in done) == [0] * 10 + [2] * 4
    assert all("The 10 submissions of today" in d.stderr for d in done if d.returncode)
    assert len(files.read_lines(folder / "submissions/ledger.jsonl")) == 10
    assert len(list((folder / "many").glob("*.csv"))) == 10


def test_what_a_killed_merge_left_is_removed_by_the_next_one(
    whole: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    folder, names = whole
    target = RunStore(tmp_path / "m")
    half = target.root / f".new-{names['A']}-0a1b2c"
    shutil.copytree(folder / "runs" / names["A"], half)
    merge(RunStore(folder / "runs"), target)
    assert not half.exists()
    assert set(names.values()) == set(target.ids())


def test_a_run_that_is_being_created_is_no_leftover(tmp_path: Path) -> None:
    theirs, ours = RunStore(tmp_path / "a"), RunStore(tmp_path / "b")
    theirs.create({"epochs": 1})
    alive = ours.root / ".new-20260103-000000-aaaa3"
    alive.mkdir(parents=True)
    merge(theirs, ours)
    assert alive.is_dir()


def train(folder: Path, *settings: str) -> Answer:
    return call(folder, "train", "r.toml", "--fold", "0", *settings)


def test_batches_of_one_photo_are_an_error_that_names_the_setting(tmp_path: Path) -> None:
    make(tmp_path / "p")
    recipe = (tmp_path / "p/r.toml").read_text().replace("options = {width = 0.125}", "")
    (tmp_path / "p/r.toml").write_text(recipe)
    small = ("--set", "model.name=test_resnet", "--set", "dataset.size=[32,32]", "--set", "refit=false")
    answer = train(tmp_path / "p", *small, "--set", "batch_size=1")
    assert (answer.code, answer.traceback) == (1, "")
    assert "TrainError: batch_size = 1" in answer.err
    assert "2 or more" in answer.err
    # A last batch of one photo is not an error: 23 of 24 photos are in the first one.
    assert train(tmp_path / "p", *small, "--set", "batch_size=23").code == 0


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project, and weights of its network as other programs pack them."""
    import argparse

    import safetensors.torch
    import timm
    import torch

    folder = tmp_path_factory.mktemp("weights") / "project"
    make(folder)
    (folder / "w").mkdir()
    weights = timm.create_model("hoego_small32", num_classes=10, width=0.125).state_dict()
    average = {k: v + 1 if v.is_floating_point() else v for k, v in weights.items()}

    def prefixed(prefix: str) -> dict[str, Any]:
        return {prefix + k: v.contiguous() for k, v in weights.items()}

    whole = {
        "epoch": 3,
        "arch": "x",
        "state_dict": weights,
        "optimizer": {"state": {0: {"m": weights["head.bias"]}}},
    }
    packed = {
        "net.ckpt": {"state_dict": prefixed("net."), "hyper_parameters": {}},
        "encoder.pth": prefixed("encoder."),
        "compiled.pth": {"model": prefixed("_orig_mod.module.")},
        "student.pth": {"student": prefixed("module.backbone.")},
        "teacher.pth": {"teacher": prefixed("backbone."), "student": average},
        "args.pth.tar": {**whole, "args": argparse.Namespace(lr=0.1)},
        "ema.pth.tar": {**whole, "version": 2, "state_dict_ema": average},
        "unknown.pth": {"generator": prefixed(""), "step": 5},
        "nothing.pth": {"step": 5, "config": {"a": 1}},
    }
    for name, content in packed.items():
        torch.save(content, folder / "w" / name)
    safetensors.torch.save_file(prefixed("timm_model."), folder / "w/timm_model.safetensors")
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 12\n"
    for name in ("pointer.pth", "pointer.safetensors"):
        (folder / "w" / name).write_text(pointer)
    return folder


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("net.ckpt", "prefix 'net.'"),
        ("encoder.pth", "prefix 'encoder.'"),
        ("timm_model.safetensors", "prefix 'timm_model.'"),
        ("compiled.pth", ""),
        ("student.pth", ""),
        ("teacher.pth", "'teacher' is taken, and not 'student'"),
        ("args.pth.tar", ""),
        ("ema.pth.tar", "'state_dict' is taken, and not 'state_dict_ema'"),
        ("unknown.pth", ""),
    ],
)
def test_weights_of_other_programs_are_taken_and_the_choice_is_said(
    checkpoints: Path, name: str, says: str
) -> None:
    answer = train(
        checkpoints, "--set", f"model.checkpoint=w/{name}", "--set", "epochs=1", "--set", "refit=false"
    )
    assert (answer.code, answer.traceback) == (0, ""), answer.err
    assert says in answer.out + answer.err


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("pointer.pth", "a Git LFS pointer to a file of 12 bytes"),
        ("pointer.safetensors", "a Git LFS pointer to a file of 12 bytes"),
        ("nothing.pth", "It holds 'step', 'config'."),
    ],
)
def test_files_without_weights_are_named_as_what_they_are(checkpoints: Path, name: str, says: str) -> None:
    answer = train(checkpoints, "--set", f"model.checkpoint=w/{name}")
    assert (answer.code, answer.traceback) == (1, "")
    assert says in answer.err
    assert "\x1b" not in answer.err + answer.out


def submission(folder: Path, header: str, ids: list[str], settings: str) -> None:
    (folder / "ph/f.csv").write_text("\n".join([header, *(i + "," * header.count(",") for i in ids)]) + "\n")
    kept = (folder / "hoego.toml").read_text(encoding="utf-8").partition("\n[submission]")[0]
    (folder / "hoego.toml").write_text(f'{kept}\n[submission]\ninfo = "f.csv"\n{settings}\n')


def test_the_form_that_hoego_toml_names_today_counts(damaged: tuple[Path, dict[str, str]]) -> None:
    folder, _ = damaged
    ids = [row["ImageID"] for row in csv.DictReader((folder / "ph/form.csv").read_text().splitlines())]
    submission(folder, "photo,verdict", ids[::-1], 'image = "photo"\nanswer = "verdict"')
    must(folder, "submit", "t.parquet", "--out", "s.csv")
    rows = list(csv.reader((folder / "s.csv").read_text().splitlines()))
    assert rows[0] == ["photo", "verdict"]
    assert [row[0] for row in rows[1:]] == ids[::-1]


def test_a_column_per_class_is_filled_with_probabilities(damaged: tuple[Path, dict[str, str]]) -> None:
    folder, _ = damaged
    ids = [row["ImageID"] for row in csv.DictReader((folder / "ph/form.csv").read_text().splitlines())]
    submission(folder, "img,b,a", ids, 'image = "img"\nanswer = "b"')
    must(folder, "submit", "t.parquet", "--out", "s.csv")
    table = pl.read_csv(folder / "s.csv")
    assert table.columns == ["img", "b", "a"]
    assert (table["a"] + table["b"] - 1).abs().max() < 1e-5
    again = call(folder, "submit", "t.parquet", "--out", "s2.csv", "--json")
    assert 1.0 in json.loads(again.out)["agreement"].values()


@pytest.mark.parametrize(
    ("header", "settings", "says"),
    [
        ("img,x,y", 'image = "img"\nanswer = "x"', "2 columns"),
        ("img,a,b,c", 'image = "img"\nanswer = "a"', "3 columns"),
        ("img,said", 'image = "img"', 'submission.answer = "said"'),
        ("img,said", "", "submission.image"),
    ],
)
def test_a_form_that_would_not_be_met_is_refused(
    damaged: tuple[Path, dict[str, str]], header: str, settings: str, says: str
) -> None:
    folder, _ = damaged
    submission(folder, header, ["s00_0.png"], settings)
    answer = call(folder, "submit", "t.parquet", "--out", "s.csv")
    assert (answer.code, answer.traceback) == (1, "")
    assert says in answer.err
    assert not (folder / "s.csv").exists()
    assert len(files.read_lines(folder / "submissions/ledger.jsonl")) == 1


def test_results_that_were_changed_by_hand_are_noticed(damaged: tuple[Path, dict[str, str]]) -> None:
    folder, names = damaged
    path = folder / "runs" / names["A"] / "score.json"
    content = files.read_json(path)
    files.write_json(path, {**content, "n_images": content["n_images"] + 1})
    with pytest.raises(RecordError, match="changed after it was written"):
        _ = RunStore(folder / "runs").find(names["A"]).full_score
    must(folder, "score", names["A"])  # computes it anew, from the predictions


@pytest.mark.parametrize(
    "metric", ["nope", "mine.py:missing", "gone.py:m", "mine.py:broken", "mine.py:pair", "mine.py:nothing"]
)
def test_a_metric_that_cannot_be_computed_is_refused_before_the_training(tmp_path: Path, metric: str) -> None:
    make(tmp_path / "p")
    (tmp_path / "p/mine.py").write_text(
        "def broken(truth, p):\n    raise ValueError('x')\ndef pair(truth, p):\n    return [1, 2]\n"
        "def nothing():\n    return 1\n"
    )
    answer = train(tmp_path / "p", "--set", f'score.metrics=["{metric}"]')
    assert (answer.code, answer.traceback) == (2, "")
    assert metric.rpartition(":")[2] in answer.err
    assert not [*(tmp_path / "p").glob("runs/*/run.json")]


@pytest.mark.parametrize("path", ["..\\x.png", "a\\..\\..\\x.png", "a/../../x.png", "/etc/x.png"])
def test_a_path_that_leaves_the_root_is_refused_as_any_system_reads_it(tmp_path: Path, path: str) -> None:
    rows = make(tmp_path / "p")
    write_table(tmp_path / "p/ph/t.csv", ("path", "person", "label"), [(path, "s00", "a"), *rows])
    answer = call(tmp_path / "p", "split")
    assert (answer.code, answer.traceback) == (1, "")
    assert "row 2" in answer.err
