"""Check what a run can export."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hoego.errors import RecordError, UsageError, nearest
from hoego.recipe import Recipe, build
from hoego.runs.combined import is_combined, member_names
from hoego.runs.inputs import REFIT
from hoego.runs.outside.facts import is_outside
from hoego.runs.predict import fold_checkpoints
from hoego.runs.records import Record

FORMATS = ("onnx", "timm")
Int8 = Literal["", "static", "dynamic"]


@dataclass(frozen=True, kw_only=True)
class ExportRequest:
    """Options of `hoego export`.

    Args:
        to: the folder to make; it must not hold anything yet.
        weights: refit, folds (the mean of all folds' models), a fold's number, or "" for what `hoego predict` takes.
        formats: onnx, timm.
        int8: whether the ONNX file is quantised, and how.
        anyway: take an int8 file that is worse.
        name: of the model; the run's where empty.
        license: of the model, as its owner states it, for the card.
    """

    to: Path
    weights: str = ""
    formats: tuple[str, ...] = FORMATS
    int8: Int8 = ""
    anyway: bool = False
    name: str = ""
    license: str = ""

    def __post_init__(self) -> None:
        for name in self.formats:
            if name not in FORMATS:
                raise UsageError(f"There is no format {name!r}.", remedy=nearest(name, FORMATS))
        if not self.formats:
            raise UsageError("No format is named.", remedy="--formats onnx,timm")
        if self.int8 not in ("", "static", "dynamic"):
            raise UsageError(f"int8 is static or dynamic, not {self.int8!r}.")
        if self.int8 and "onnx" not in self.formats:
            raise UsageError("int8 is a kind of ONNX file.", remedy="--formats onnx")


@dataclass(frozen=True)
class ChosenWeights:
    """The checkpoints that are exported.

    Args:
        name: refit, folds, or the number of a fold.
        folds: the fold that each held out; -1 for the refit [M].
        paths: of the checkpoints [M].
    """

    name: str
    folds: tuple[int, ...]
    paths: tuple[Path, ...]


def require_exportable(record: Record) -> Recipe:
    """Return the recipe of a run whose model one file can hold.

    Raises:
        RecordError: it is not done, made of other runs, trained elsewhere, or averages random views.
    """
    if is_combined(record):
        members = ", ".join(dict.fromkeys(member_names(record)))
        raise RecordError(
            f"{record.id} is made of several runs ({members}), and an exported file holds the models of one.",
            remedy="Export one of them; the mean of its folds is an ensemble too (--weights folds).",
        )
    if is_outside(record):
        raise RecordError(
            f"{record.id} was trained elsewhere, so its model is not here.",
            remedy="Export it where it was trained.",
        )
    if record.refresh().state != "done":
        raise RecordError(
            f"The run {record.id} is {record.state}: it has no model to export.",
            remedy=f"Continue it: hoego train --resume {record.id}",
        )
    recipe = build(record.recipe)
    if recipe.views.n:
        raise RecordError(
            f"{record.id} averages {recipe.views.n} random views of each photo, which a graph does not draw.",
            remedy="Train it again with views.n = 0.",
        )
    if recipe.dataset.crop.file is not None:
        raise RecordError(
            f"{record.id} crops each photo by a box of its own ({recipe.dataset.crop.file}), which new photos lack.",
            remedy="Train on a fixed crop (dataset.crop.box), or on photos that are cut already.",
        )
    return recipe


def choose_weights(record: Record, asked: str) -> ChosenWeights:
    """Find the checkpoints that `--weights` names.

    Raises:
        UsageError: not one of refit, folds, or a fold of the run.
        RecordError: the checkpoint is not there.
    """
    refit = record.folder / REFIT / "last.safetensors"
    folds = record.folds()
    name = asked or ("refit" if refit.is_file() else "folds")
    if name == "refit":
        if not refit.is_file():
            raise RecordError(
                f"{record.id} has no model that was trained on all subjects.",
                remedy="Train with refit = true, or export --weights folds.",
            )
        return ChosenWeights(name, (-1,), (refit,))
    paths = dict(zip(folds, fold_checkpoints(record), strict=True))
    if name == "folds":
        # Of one fold, the mean is that fold's model.
        return ChosenWeights(name if len(folds) > 1 else str(folds[0]), tuple(folds), tuple(paths.values()))
    if not name.isdigit() or int(name) not in paths:
        raise UsageError(
            f"{record.id} has no fold {name!r}.",
            remedy=f"--weights refit, folds, or one of: {', '.join(map(str, folds))}.",
        )
    return ChosenWeights(name, (int(name),), (paths[int(name)],))
