"""What is trained without a recipe: where weights are found, a fine-tuning that fits the minutes, with its reasons."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hoego.data.dataset import Dataset
from hoego.data.proposals.photo_size import typical_size
from hoego.extras import EXTRAS
from hoego.recipe import Fold, Recipe, resolve
from hoego.recipe.profiles import FINE_TUNE, FIRST_LOOK
from hoego.runs.project import ProjectData, folds_of, open_project
from hoego.weights import Found, Wanted, find

CANDIDATES = (
    "tf_efficientnet_lite0.in1k",
    "resnet18.a1_in1k",
    "mobilenetv3_large_100.ra_in1k",
    "resnet34.a1_in1k",
)
"""Small models, first choice first; the first whose weights are on this machine is taken."""

SIZES = (224, 208, 192, 176, 160, 144, 128, 112, 96)
"""Sides that are tried, in pixels, the largest first. The steps are small, since an epoch is a third of the time."""

WISHED, MOST = 2, 10
"""Epochs: a size is taken if it leaves WISHED; more than MOST gain little in a fine-tuning."""

ENOUGH = 150
"""Steps of a training below which its rate is lowered in proportion: five steps at the full rate took heads of a probe
from a macro F1 of 0.7 to that of one class (194 photos)."""

MINUTES = 20.0
"""Minutes that are taken where none are given."""

TINY = 64
"""Side in pixels up to which a network for small photos is trained from scratch: on 32 px the last map of the usual
networks is one place."""

UNEVEN = 1.5
"""Largest class over smallest from which classes are balanced."""

SIDES = ("left", "right")


@dataclass(frozen=True)
class FirstLook:
    """A recipe that nobody wrote, and why it is as it is.

    Args:
        recipe: resolved; hoego.toml and the overrides stand over every choice.
        reasons: a line for each choice.
        seconds: that the training may take, after decoding; None where it is not limited.
    """

    recipe: Recipe
    reasons: tuple[str, ...] = ()
    seconds: float | None = None

    @property
    def training(self) -> dict[str, Any]:
        """What the record keeps of it as facts of the training: the reasons and the time."""
        facts: dict[str, Any] = {"chosen": self.reasons} if self.reasons else {}
        return facts if self.seconds is None else {**facts, "seconds": round(self.seconds, 1)}


@dataclass(frozen=True)
class Work:
    """What a run computes in an epoch.

    Args:
        trained: photos that the optimiser sees, over all folds and the refit.
        scored: photos that are predicted: at the end of the last epoch, and again for the record.
        trainings: folds and refit.
        features: photos whose frozen features the heads start from.
    """

    trained: int
    scored: int
    trainings: int = 1
    features: int = 0


def first_look(
    minutes: float | None, overrides: Sequence[str], project: Path | None, folder: Path, fold: Fold | None
) -> FirstLook:
    """Choose what is trained where there is no recipe.

    Published weights are fine-tuned where they are here and the photos are large enough for them. Whoever names a
    model in hoego.toml or in an override gets that one, trained as given.

    Args:
        minutes: for all folds and the last model together, after decoding; None takes MINUTES.
        overrides: `a.b=c` each.
        project: hoego.toml.
        folder: where splits/ lies.
        fold: of the command line; None for the recipe's.
    """
    begun, given = time.perf_counter(), MINUTES if minutes is None else minutes

    def resolved(first: Mapping[str, Any]) -> Recipe:
        return resolve(None, overrides=overrides, project=project, first=first)

    found = weights_here(resolved({}))
    first = _with(FINE_TUNE, model={"name": found.name if found is not None else CANDIDATES[0]})
    # The mean of the folds' models predicts better than one that is trained on all photos in the time of one fold.
    first = _with(first, refit=(resolved(first).fold if fold is None else fold) != "all")
    asked = resolved(first)
    opened = open_project(asked, folder)
    if reason := _from_scratch(asked, found, opened):
        return FirstLook(resolved(_sized(FIRST_LOOK, asked, opened)), (reason,))
    assert found is not None
    given_size = asked.dataset.size
    sizes = SIZES if given_size is None else (round((given_size[0] * given_size[1]) ** 0.5),)
    work = work_of(opened, fold)
    first, reasons_of_data = _suited(first, opened)
    from hoego.train.budget import speeds_of

    speeds = speeds_of(resolved(first), sizes)
    chosen = fit(speeds, work, 60 * given)
    steps = chosen.epochs * work.trained / work.trainings / asked.batch_size
    first = _with(
        first,
        optim={"lr": float(f"{FINE_TUNE['optim']['lr'] * min(1.0, steps / ENOUGH):.2g}")},
        dataset={"size": [chosen.size, chosen.size]},
        epochs=chosen.epochs,
        select={"every": chosen.epochs},
    )
    recipe = resolved(first)
    reasons = _reasons(found, chosen, speeds[chosen.size], work, given, recipe.optim.freeze_layers)
    changed = () if recipe.epochs == chosen.epochs else ("epochs as given",)
    return FirstLook(
        recipe, (*reasons, *reasons_of_data, *changed), max(0.0, 60 * given - (time.perf_counter() - begun))
    )


def _from_scratch(asked: Recipe, found: Found | None, opened: ProjectData) -> str:
    """Return why a network is trained from scratch or as given; "" where weights are fine-tuned."""
    model = asked.model
    if model.checkpoint is not None or not model.pretrained or (found and model.name != found.name):
        return f"model: {model.name}, as given"
    if found is None:
        return "no published weights are here (hoego weights list): a small network from scratch"
    size = asked.dataset.size or typical_size(opened.dataset.paths)[0]
    if max(size) <= TINY:
        return f"photos of {size[0]} x {size[1]} px are too small for published weights: a small network from scratch"
    return ""


def _sized(first: Mapping[str, Any], asked: Recipe, opened: ProjectData) -> Mapping[str, Any]:
    """Return the settings with a size of the photos' own proportions, if none is given."""
    if asked.dataset.size is not None:
        return first
    return _with(first, dataset={"size": list(typical_size(opened.dataset.paths)[0])})


def _reasons(
    found: Found, chosen: Fit, speed: Any, work: Work, minutes: float, frozen: int
) -> tuple[str, ...]:
    still = f"the lowest {frozen} layers keep their weights; " if frozen else ""
    return (
        f"model: {found.text}, the first of the small ones whose weights are here ({found.place})",
        f"size: {chosen.size} px, by what this machine does in the time ({speed.train:.0f} images/s in training, "
        f"{speed.predict:.0f} in prediction, with {speed.threads} threads)",
        f"epochs: {chosen.epochs}, from {minutes:g} minutes for {work.trained:,} photos an epoch over all trainings; "
        f"the heads start from a linear probe; {still}the last epoch counts, not the best",
    )


def weights_here(recipe: Recipe) -> Found | None:
    """Return the first of the small models whose weights are on this machine; None without torch or without weights."""
    from importlib.util import find_spec

    if any(find_spec(module) is None for module in EXTRAS["train"]):
        return None
    folder = None if recipe.weights.folder is None else Path(recipe.weights.folder)
    for name in CANDIDATES:
        found = find(Wanted.named(name), folder)
        if isinstance(found, Found):
            return found
    return None


def work_of(project: ProjectData, fold: Fold | None) -> Work:
    """Return what an epoch and a scoring of a run cost, in photos."""
    chosen = project.recipe.fold if fold is None else fold
    folds = folds_of(project.split, chosen)
    n = project.dataset.n_images
    held = sum(int(project.split.val_mask(k).sum()) for k in folds)
    refit = n if project.recipe.refit else 0
    return Work(len(folds) * n - held + refit, 2 * held, len(folds) + bool(refit), n)


@dataclass(frozen=True)
class Fit:
    """What fits the time: the side in pixels, and the epochs."""

    size: int
    epochs: int


def fit(speeds: Mapping[int, Any], work: Work, seconds: float) -> Fit:
    """Choose size and epochs: the largest size that leaves WISHED epochs, else the smallest one with what it leaves.

    Args:
        speeds: images per second by side (`hoego.train.budget.Speed`).
        work: photos of an epoch, of the scoring and of the features.
        seconds: for all of it; an eighth is left for what is not counted.
    """
    room = {n: seconds * 7 / 8 - (work.scored + work.features) / s.predict for n, s in speeds.items()}
    epochs = {n: int(room[n] * s.train / work.trained) for n, s in speeds.items()}
    for size in sorted(speeds, reverse=True):
        if epochs[size] >= WISHED:
            return Fit(size, min(MOST, epochs[size]))
    small = min(speeds)
    return Fit(small, max(1, epochs[small]))


def _suited(first: Mapping[str, Any], project: ProjectData) -> tuple[dict[str, Any], tuple[str, str]]:
    """Return the settings that follow from the data, and a line on flips and one on classes."""
    dataset = project.dataset
    turned = says_sides(dataset) and not project.recipe.augment.mirror
    out = _with(first, augment={"flip": 0.0}) if turned else dict(first)
    flips = (
        "no flips, since a class name says left or right" if turned else "flips: no class name says a side"
    )
    counts = np.bincount(dataset.target[dataset.target >= 0])
    counts = counts[counts > 0]
    ratio = float(counts.max() / counts.min()) if len(counts) else 1.0
    if ratio > UNEVEN:
        out = _with(out, sampling={"strength": 0.5})
    balance = "classes drawn half way to equal" if ratio > UNEVEN else "each photo once an epoch"
    return out, (
        f"augmentation: light ({flips}), label smoothing 0.1",
        f"classes: {balance}, since the largest class has {ratio:.1f} times the photos of the smallest",
    )


def says_sides(dataset: Dataset) -> bool:
    """Return whether the name of a class says left or right, so that a flipped photo would be of another class."""
    words = {
        word
        for attribute in dataset.schema.attributes
        for name in attribute.classes
        for word in str(name).lower().replace("-", " ").replace("_", " ").split()
    }
    return any(side in words for side in SIDES)


def _with(settings: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    out = dict(settings)
    for key, value in changes.items():
        out[key] = {**out.get(key, {}), **value} if isinstance(value, Mapping) else value
    return out
