"""The weights of a run beside the folds that are exported, for another tool to go on from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hoego.errors import RecordError
from hoego.extras import require
from hoego.predictions.honesty import require_unseen
from hoego.runs.predict import fold_checkpoints
from hoego.runs.project import ProjectData
from hoego.runs.records import Record

WEIGHTS = "weights"


def write_weights(record: Record | None, project: ProjectData, folds: Sequence[int], folder: Path) -> None:
    """Write the run's model of each fold as `fold-K/weights`, for `timm.create_model("local-dir:...")`.

    Args:
        record: of a run of one of timm's networks; None writes nothing.
        project: the data set and the split that are exported.
        folds: that are exported.
        folder: in which `fold-K` lie.

    Raises:
        LeakError: the model has seen subjects that the fold holds out; names subjects.
        RecordError: the run has no model of a fold.
        TrainError: timm cannot build the model.
    """
    if record is None:
        return
    require("train", "Exporting weights")
    from hoego.train.export.timm_folder import write_timm
    from hoego.train.predict import load_model

    paths = {int(path.parent.name.removeprefix("fold-")): path for path in fold_checkpoints(record)}
    dataset, split = project.dataset, project.split
    where = np.searchsorted(split.images, dataset.image_ids)
    for k in folds:
        if k not in paths:
            raise RecordError(
                f"The run {record.id} has no model of fold {k}.",
                file=record.folder,
                remedy="Train it with --fold all, or export the fold that it has: --fold K.",
            )
        model = load_model(paths[k], "cpu")
        require_unseen(model.provenance, dataset, split.val_mask(k)[where], naive=split.naive)
        target = folder / f"fold-{k}" / WEIGHTS
        target.mkdir()
        write_timm(model, target)
