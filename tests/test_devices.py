"""One training on several devices: the numbers of one process, each held-out photo once, an end where one dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

import tiny_training  # noqa: E402
from test_resume import EVERYTHING  # noqa: E402
from test_train_run import own_cache, photos, recipe  # noqa: E402, F401
from torch.utils.data import DistributedSampler  # noqa: E402

from hoego.errors import MismatchError, ProcessDied, RecipeError, RecordError, UsageError  # noqa: E402
from hoego.predictions import Predictions  # noqa: E402
from hoego.recipe.techniques import AugmentSettings, MixingSettings  # noqa: E402
from hoego.runs.records import RunStore  # noqa: E402
from hoego.runs.train import TrainOptions, require_devices_of, resume, train  # noqa: E402
from hoego.train.augment import Augment  # noqa: E402
from hoego.train.batch_share import BatchShare  # noqa: E402
from hoego.train.callbacks import Callbacks  # noqa: E402
from hoego.train.devices.joining import join_rows, own_share  # noqa: E402
from hoego.train.devices.processes import DeviceProcesses  # noqa: E402
from hoego.train.fold import FoldResult, train_fold  # noqa: E402
from hoego.train.fold_task import FoldTask  # noqa: E402
from hoego.train.forward import probabilities  # noqa: E402
from hoego.train.mixing import KINDS, mix, plan_batch  # noqa: E402

HELD = 101
TRANSFORMER: dict[str, Any] = {
    "model": {
        "name": "vit_tiny_patch16_224",
        "options": {"patch_size": 4, "embed_dim": 16, "depth": 2, "num_heads": 2},
        "drop_path": 0.2,
        "drop": 0.1,
    },
    "augment": {"flip": 0.5, "noise": 0.05, "erase": 0.3, "brightness": 0.2},
    "mixing": {"mixup": {"share": 0.4}, "cutmix": {"share": 0.3}},
    "loss": {"focal": 0.5, "class_balanced": 0.5},
    "batch_size": 15,
    "optim": {"name": "sgd", "lr": 0.05},
}
"""A net without batch norm, and batches that two devices cannot share evenly."""
WHOLE_BATCH: dict[str, Any] = {
    "loss": {"f1": 0.4, "ce": 0.6},
    "heads": {"weighting": "gradnorm", "every": 2},
    "batch_size": 15,
    "optim": {"name": "sgd", "lr": 0.02, "sam": 0.05, "clip": 1.0},
}
"""Losses, weights and gradients that are properties of the whole batch, with batch norm."""


def task_of(folder: Path, devices: int, changes: dict[str, Any]) -> FoldTask:
    """A training of 135 photos of other people than those on the 101 held-out ones."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiny_training, "SUBJECTS", 48)
        dataset, cache = tiny_training.tiny_dataset()
    held = np.arange(dataset.n_images) < HELD
    codes = dataset.codes.copy()
    codes[-7:, 0] = -1  # some labels are missing
    return FoldTask(
        recipe=tiny_training.tiny_recipe(**changes, devices=devices),
        dataset=replace(dataset, codes=codes),
        cache=cache,
        train_mask=dataset.subject_index > dataset.subject_index[HELD - 1],
        val_mask=held,
        folder=folder,
        name="run/fold-0",
    )


def quiet(**changes: Any) -> Callbacks:
    return Callbacks(**{"measure_seconds": 0, "state_steps": 2, "progress": False, **changes})


@pytest.fixture(scope="module")
def processes() -> Iterator[DeviceProcesses]:
    with DeviceProcesses(2) as started:
        started.start()
        yield started


@dataclass(frozen=True)
class Both:
    """The same training by one process and by two, and the folder of the second."""

    one: FoldResult
    two: FoldResult
    folder: Path

    def gap(self) -> float:
        """The largest difference of a probability."""
        return max(
            float(np.abs(probabilities(self.one.outputs)[name] - p).max())  # type: ignore[arg-type]
            for name, p in probabilities(self.two.outputs).items()  # type: ignore[arg-type]
        )


def both(folder: Path, processes: DeviceProcesses, changes: dict[str, Any]) -> Both:
    one = train_fold(task_of(folder / "one", 1, changes), quiet())
    two = train_fold(task_of(folder / "two", 2, changes), quiet(processes=processes))
    return Both(one, two, folder / "two")


@pytest.fixture(scope="module")
def transformer(tmp_path_factory: pytest.TempPathFactory, processes: DeviceProcesses) -> Both:
    return both(tmp_path_factory.mktemp("transformer"), processes, TRANSFORMER)


def test_two_processes_predict_as_one_does(transformer: Both) -> None:
    assert transformer.two.outputs is not None
    assert {len(v) for v in transformer.two.outputs.values.values()} == {HELD}
    np.testing.assert_array_equal(transformer.two.images, transformer.one.images)
    assert transformer.gap() < 1e-5
    with np.load(transformer.folder / "epochs" / "0000.npz") as first:
        assert {len(first[name]) for name in first.files} == {HELD}


@pytest.mark.parametrize(
    "changes",
    [
        {**EVERYTHING, "batch_size": 15, "optim": {**EVERYTHING["optim"], "name": "sgd", "lr": 0.02}},
        WHOLE_BATCH,
    ],
    ids=["everything", "whole batch"],
)
def test_what_belongs_to_the_whole_batch_is_computed_over_all_devices(
    tmp_path: Path, processes: DeviceProcesses, changes: dict[str, Any]
) -> None:
    """Batch norm, dropout, averages of weights, views, and losses and weights that are no means over photos."""
    assert both(tmp_path, processes, changes).gap() < 1e-5


def test_batch_norm_of_each_device_by_itself_is_another_training(
    tmp_path: Path, processes: DeviceProcesses
) -> None:
    changes = {"batch_size": 16, "epochs": 1, "sync_norm": False, "average": {"ema": 0.9, "swa": 1.0}}
    found = both(tmp_path, processes, changes)
    assert found.gap() > 1e-4
    again = train_fold(task_of(tmp_path / "again", 2, changes), quiet(processes=processes))
    for name, values in found.two.outputs.values.items():  # type: ignore[union-attr]
        np.testing.assert_array_equal(values, again.outputs.values[name])  # type: ignore[union-attr]


def test_a_killed_process_ends_the_attempt_and_the_next_gives_the_undisturbed_numbers(
    tmp_path: Path, transformer: Both
) -> None:
    """As with one process: bit for bit on a CPU."""
    steps = iter(range(100))
    with DeviceProcesses(2) as mortal:

        def kill() -> str:
            if next(steps) == 12:
                os.kill(mortal.pids[0], signal.SIGKILL)
            return ""

        with pytest.raises(ProcessDied, match=r"device 1 of 2 \(pid \d+\) was killed \(SIGKILL\)"):
            train_fold(task_of(tmp_path, 2, TRANSFORMER), quiet(processes=mortal, should_stop=kill))
    resumed = train_fold(task_of(tmp_path, 2, TRANSFORMER), quiet())
    assert resumed.best == transformer.two.best
    for name, values in transformer.two.outputs.values.items():  # type: ignore[union-attr]
        np.testing.assert_array_equal(values, resumed.outputs.values[name])  # type: ignore[union-attr]
    assert not list(tmp_path.glob(".*.part"))


def test_a_training_goes_on_only_with_its_number_of_devices(transformer: Both) -> None:
    with pytest.raises(RecordError, match=r"began on 2 devices .* with 1") as problem:
        train_fold(task_of(transformer.folder, 1, TRANSFORMER), quiet())
    assert "devices = 2" in problem.value.remedy


def test_a_device_without_a_photo_is_refused(tmp_path: Path, processes: DeviceProcesses) -> None:
    with pytest.raises(RecipeError, match="batch of 1 photos leaves some of 2 devices"):
        train_fold(task_of(tmp_path, 2, {"batch_size": 1}), quiet())


def test_the_processes_end_with_the_one_that_started_them() -> None:
    code = (
        "import os; from hoego.train.devices.processes import DeviceProcesses; d = DeviceProcesses(2); d.start(); "
        "print(d.pids[0], flush=True); os.kill(os.getpid(), 9)"
    )
    said = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert said.returncode == -signal.SIGKILL
    while Path(f"/proc/{said.stdout.strip()}").exists():
        state = Path(f"/proc/{said.stdout.strip()}/stat").read_text().rsplit(")", 1)[1].split()[0]
        if state == "Z":
            break
        time.sleep(0.1)


def parts_of(shares: list[np.ndarray], images: np.ndarray) -> list[Any]:
    return [(images[rows], {"age": rows[:, None].astype(np.float32)}) for rows in shares]


def test_rows_are_joined_by_image_id() -> None:
    images = np.array([f"p{i:03d}" for i in range(HELD)])[::-1]
    shares = [own_share(HELD, rank, 3)[::-1] for rank in (2, 0, 1)]
    joined = join_rows(parts_of(shares, images), images)
    np.testing.assert_array_equal(joined["age"][:, 0], np.arange(HELD))


def test_the_stock_sampler_s_rows_are_refused() -> None:
    images = np.array([f"p{i:03d}" for i in range(HELD)])
    shares = [
        np.array(list(DistributedSampler(range(HELD), num_replicas=2, rank=r, shuffle=False)))  # type: ignore[arg-type]
        for r in (0, 1)
    ]
    assert sum(len(s) for s in shares) == 102
    with pytest.raises(
        MismatchError, match=r"102 rows for 101 .* 1 predicted more than once, such as 'p000'"
    ):
        join_rows(parts_of(shares, images), images)
    with pytest.raises(MismatchError, match="1 not predicted, such as 'p100'"):
        join_rows(parts_of([shares[0][:-1], shares[1][:-1]], images), images)
    with pytest.raises(MismatchError, match="1 not held out, such as 'p100'"):
        join_rows(parts_of([np.arange(HELD)], images), images[:-1])


@pytest.mark.parametrize("kind", [None, *KINDS])
def test_shares_of_a_batch_are_its_rows(kind: Any) -> None:
    """Augmented and mixed as a part, a photo is what it is in the whole batch."""
    total, world = 11, 3
    random = np.random.default_rng(0)
    batch = torch.from_numpy(random.integers(0, 255, (total, 16, 16, 3), dtype=np.uint8))
    settings = AugmentSettings(flip=0.5, rotate=20, noise=0.1, blur=0.5, erase=0.5, contrast=0.3)
    augment = Augment(settings, mean=[0.5] * 3, std=[0.2] * 3, seed=3)
    labels = random.integers(0, 3, total)
    plan = plan_batch(kind, MixingSettings(), labels, size=(16, 16), counters=(3, 1, 4))
    whole, _ = mix(augment(batch, epoch=1, first=22), {}, plan)
    seen = []
    for rank in range(world):
        share = BatchShare.of(rank, world, total, plan)
        part = augment(batch[torch.from_numpy(share.positions)], epoch=1, first=22, share=share)
        mixed, _ = mix(part, {}, share.mixing(plan))
        own = share.positions[: share.n_own]
        np.testing.assert_allclose(mixed[: share.n_own].numpy(), whole[own].numpy(), atol=1e-5)
        seen += own.tolist()
    assert sorted(seen) == list(range(total))


def children() -> list[int]:
    found = [p.read_text().split() for p in Path("/proc/self/task").glob("*/children")]
    return [
        int(pid)
        for pids in found
        for pid in pids
        if "devices.rank" in Path(f"/proc/{pid}/cmdline").read_text()
    ]


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="the system lists no children of a process")
def test_a_run_whose_process_is_killed_says_so_and_is_resumed(photos: Path, tmp_path: Path) -> None:  # noqa: F811
    steps, others = iter(range(100)), set(children())

    def kill() -> str:
        if next(steps) == 8:
            (new,) = set(children()) - others
            os.kill(new, signal.SIGKILL)
        return ""

    asked = recipe(photos, devices=2, split={"kind": "folds", "folds": 2}, fold="all")
    with pytest.raises(ProcessDied):
        train(asked, TrainOptions(folder=tmp_path, audit=False), Callbacks(progress=False, should_stop=kill))
    (record,) = RunStore(tmp_path / "runs").list()
    assert record.state == "interrupted"
    assert "device 1 of 2" in record.reason
    with pytest.raises(UsageError, match=r"began on 2 devices .* with 3"):
        require_devices_of(record, 3)
    result = resume(record, Callbacks(progress=False))
    assert result.state == "done"
    made = Predictions.read(record.folder / "predictions.parquet")
    assert len(np.unique(made.images)) == len(made.images) == 120
    assert {fold: len(record.epochs(fold)) for fold in record.folds()} == {0: 2, 1: 2}
    assert set(children()) == others
