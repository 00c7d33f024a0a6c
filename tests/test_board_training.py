"""A training beside an open board: the page sees its epochs, and it ends with the same numbers."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path

import httpx2
import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("starlette")
pytestmark = pytest.mark.torch

from board_client import Started  # noqa: E402
from test_train_run import QUIET, own_cache, photos, recipe  # noqa: E402, F401

from hoego.predictions import Predictions  # noqa: E402
from hoego.runs.records import Record, RunStore  # noqa: E402
from hoego.runs.train import TrainOptions, train  # noqa: E402


def watch(board: Started, stop: threading.Event, seen: list[str]) -> None:
    """Open the pages again and again, and follow the stream, as an open tab does."""
    with (
        contextlib.suppress(httpx2.HTTPError),  # the board is killed in the end
        httpx2.Client(base_url=board.base, follow_redirects=True, timeout=60) as client,
    ):
        client.get(board.url)
        while not stop.is_set():
            for path in ("/", "/runs?sort=-macro_f1"):
                assert client.get(path).status_code == 200
            with client.stream("GET", "/live") as answer:
                for line in answer.iter_lines():
                    seen.append(line)
                    if stop.is_set() or line.startswith("event: state"):
                        break


def tensors(record: Record) -> bytes:
    """The numbers of the selected checkpoint; the header before them names the run."""
    content = (record.folder / "fold-0" / "macro_f1.safetensors").read_bytes()
    return content[8 + int.from_bytes(content[:8], "little") :]


def test_a_training_beside_an_open_board_ends_with_the_same_numbers(
    photos: Path,  # noqa: F811
    tmp_path: Path,
) -> None:
    asked = recipe(photos, epochs=60)
    alone = train(asked, TrainOptions(folder=tmp_path / "alone", audit=False), QUIET)
    beside, seen, stop = tmp_path / "beside", list[str](), threading.Event()
    (beside / "runs").mkdir(parents=True)
    board = Started(beside / "runs")
    tab = threading.Thread(target=watch, args=(board, stop, seen))
    tab.start()
    try:
        watched = train(asked, TrainOptions(folder=beside, audit=False), QUIET)
    finally:
        stop.set()
        board.kill()
        tab.join(timeout=60)
    assert any(line.startswith("event: epochs") for line in seen), "the tab was told of the training"
    found = [
        RunStore(tmp_path / name / "runs").find(run.run)
        for name, run in (("alone", alone), ("beside", watched))
    ]
    one, two = (Predictions.read(record.folder / "predictions.parquet") for record in found)
    assert one.images.tolist() == two.images.tolist()
    assert all(np.array_equal(values, two.values[name]) for name, values in one.values.items())
    losses = [[row["train_loss"] for row in record.epochs(0)] for record in found]
    assert losses[0] == losses[1]
    assert tensors(found[0]) == tensors(found[1])
