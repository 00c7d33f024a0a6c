"""From the settings of a training folder to a Hoego recipe, saying what could not be carried over."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

from hoego import toml_text
from hoego.apps.doctor.augmentations import augmentations
from hoego.apps.doctor.knobs import Hyperparameter, find_hyperparameters
from hoego.apps.doctor.loop import inverted_probability
from hoego.apps.doctor.membership import filter_before_split
from hoego.apps.doctor.names import REASONS, UnconvertibleValue, row_of
from hoego.apps.doctor.project import SourceProject
from hoego.apps.doctor.report import SourceLocation
from hoego.apps.doctor.source import read_folder
from hoego.apps.doctor.syntax import identifiers, words
from hoego.errors import RecipeError
from hoego.results.base import Result


class ConvertedSetting(Result):
    """A setting of the recipe, and the line of the folder that it comes from."""

    key: str
    value: Any
    name: str
    place: SourceLocation
    note: str = ""


class UnconvertedSetting(Result):
    """A setting of the folder that has no place in the recipe, and why."""

    name: str
    value: Any
    place: SourceLocation
    reason: str


class Conversion(Result):
    """A recipe made from a folder.

    Attributes:
        folder: as it was named.
        recipe: nested plain data that `hoego.recipe` accepts.
        taken: where each of its settings comes from.
        left: what could not be carried over.
    """

    folder: str
    recipe: dict[str, Any]
    taken: tuple[ConvertedSetting, ...]
    left: tuple[UnconvertedSetting, ...]

    def to_toml(self) -> str:
        """Return the recipe as a file, each line with the place it comes from."""
        lines = [f"# Made by `hoego doctor` from {self.folder}.", ""]
        section = ""
        for one in sorted(self.taken, key=lambda t: (t.key.count(".") > 0, t.key.rpartition(".")[0], t.key)):
            head, _, name = one.key.rpartition(".")
            if head != section:
                lines += ["", f"[{head}]"]
                section = head
            note = f"; {one.note}" if one.note else ""
            lines.append(toml_text.line(name, one.value, f"{one.name} at {one.place}{note}"))
        lines += ["", "# Not carried over:"] if self.left else []
        lines += [f"#   {one.name} = {one.value!r} at {one.place}: {one.reason}" for one in self.left]
        return "\n".join(lines) + "\n"


def to_recipe(folder: Path | str) -> Conversion:
    """Convert flags, config.json, settings files, shell scripts and constants into a recipe.

    What ran (config.json) goes before a shell command, that before a settings file, that before a default.

    Raises:
        DataError: there is nothing to read.
    """
    project = SourceProject(read_folder(folder))
    return convert(project, str(folder))


def convert(project: SourceProject, shown: str) -> Conversion:
    """Convert a folder that is already read, as `to_recipe`."""
    taken: dict[str, ConvertedSetting] = {}
    left: dict[str, UnconvertedSetting] = {}
    for knob in find_hyperparameters(project):
        row = row_of(knob.name)
        if row is None:
            reason = _reason(knob)
            if reason:
                left.setdefault(
                    knob.name,
                    UnconvertedSetting(name=knob.name, value=knob.value, place=knob.place, reason=reason),
                )
            continue
        key, reader = row
        if key in taken:
            continue
        try:
            value = reader(knob.value, project)
        except UnconvertibleValue as refusal:
            left.setdefault(
                knob.name,
                UnconvertedSetting(name=knob.name, value=knob.value, place=knob.place, reason=str(refusal)),
            )
            continue
        if value is not None:
            taken[key] = ConvertedSetting(key=key, value=value, name=knob.name, place=knob.place)
    for key, value, name, place in augmentations(project):
        taken.setdefault(key, ConvertedSetting(key=key, value=value, name=name, place=place))
    _finish(project, taken, left)
    recipe = _validated(taken, left)
    return Conversion(folder=shown, recipe=recipe, taken=tuple(taken.values()), left=tuple(left.values()))


def _reason(knob: Hyperparameter) -> str:
    """Return why a setting is left out; "" for what is not a setting of a training (constants, code, unknown
    plain values).
    """
    name = knob.name.lower().split(".")[-1]
    for pattern, reason in REASONS:
        if re.fullmatch(pattern, name):
            return reason
    if knob.origin in ("constant", "code"):
        return ""
    return "Hoego has no setting like it" if isinstance(knob.value, int | float | str | bool | list) else ""


def _finish(
    project: SourceProject, taken: dict[str, ConvertedSetting], left: dict[str, UnconvertedSetting]
) -> None:
    """Set what follows from two other settings, or from a defect that changes what a number meant."""
    found = {k.name.lower().split(".")[-1]: k for k in reversed(find_hyperparameters(project))}
    _folds(project, taken)
    epochs = taken["epochs"].value if "epochs" in taken else None
    step = found.get("lr_decay_step") or found.get("step_size")
    if step is not None and isinstance(step.value, int) and epochs and _steps(taken):
        if step.value < epochs:
            taken["optim.schedule"] = ConvertedSetting(
                key="optim.schedule", value="step", name=step.name, place=step.place
            )
            taken["optim.step_every"] = ConvertedSetting(
                key="optim.step_every", value=round(step.value / epochs, 4), name=step.name, place=step.place
            )
            gamma = found.get("lr_gamma")
            if gamma is not None and isinstance(gamma.value, float) and 0 < gamma.value < 1:
                taken["optim.step_factor"] = ConvertedSetting(
                    key="optim.step_factor", value=gamma.value, name="gamma", place=gamma.place
                )
        else:
            note = f"a drop every {step.value} epochs never comes in {epochs}"
            taken["optim.schedule"] = ConvertedSetting(
                key="optim.schedule", value="constant", name=step.name, place=step.place, note=note
            )
    smoothing = taken.get("loss_options.smooth.eps")
    if smoothing is not None:
        if smoothing.value == 0:
            del taken["loss_options.smooth.eps"]
        elif "loss" not in taken or taken["loss"].value == "ce":
            taken["loss"] = ConvertedSetting(
                key="loss", value="smooth", name=smoothing.name, place=smoothing.place
            )
    _mixing(project, taken, left)
    _edges(project, left)
    _filters(project, left)


def _steps(taken: dict[str, ConvertedSetting]) -> bool:
    return "optim.schedule" not in taken or taken["optim.schedule"].value == "step"


def _folds(project: SourceProject, taken: dict[str, ConvertedSetting]) -> None:
    folds = taken.get("split.folds")
    if folds is not None:
        if folds.value < 2:
            del taken["split.folds"]
            return
        taken["split.kind"] = ConvertedSetting(
            key="split.kind", value="folds", name=folds.name, place=folds.place
        )
        taken.pop("split.ratio", None)


def _mixing(
    project: SourceProject, taken: dict[str, ConvertedSetting], left: dict[str, UnconvertedSetting]
) -> None:
    inverted = " ".join(h.evidence + h.detail for h in inverted_probability(project)).lower()
    for kind in ("mixup", "cutmix"):
        share, alpha = taken.get(f"mixing.{kind}.share"), taken.get(f"mixing.{kind}.alpha")
        if share is not None and share.name.split(".")[-1].lower() in inverted:
            note = f"the folder's code mixes with probability 1 - {share.value:g}"
            taken[share.key] = ConvertedSetting(
                key=share.key, value=round(1 - share.value, 6), name=share.name, place=share.place, note=note
            )
        if alpha is not None and alpha.value == 0:
            del taken[alpha.key]
            taken.pop(f"mixing.{kind}.share", None)
        elif alpha is not None and share is None:
            reason = f"say which share of the batches is mixed (mixing.{kind}.share)"
            left[alpha.name] = UnconvertedSetting(
                name=alpha.name, value=alpha.value, place=alpha.place, reason=reason
            )


def _edges(project: SourceProject, left: dict[str, UnconvertedSetting]) -> None:
    """Convert an age cut-off other than 60 in code: it moved validation's labels too."""
    for module, node in project.nodes(ast.Compare):
        assert isinstance(node, ast.Compare)
        numbers = [c.value for c in (node.left, *node.comparators) if isinstance(c, ast.Constant)]
        ages = any({"age", "ages"} & set(words(i)) for i in identifiers(node))
        if not isinstance(module.parents.get(node), ast.If | ast.IfExp | ast.Return):
            continue
        for number in numbers:
            if ages and number in (57, 58, 59) and len(node.ops) == 1:
                line, cell = module.place(node.lineno)
                reason = f"for training labels alone: --set train_edits.age.shift.60={number}"
                left.setdefault(
                    f"age {number}",
                    UnconvertedSetting(
                        name=f"age {number}",
                        value=number,
                        place=SourceLocation(file=module.file, cell=cell, line=line),
                        reason=reason,
                    ),
                )


def _filters(project: SourceProject, left: dict[str, UnconvertedSetting]) -> None:
    """Convert people dropped by age before the split."""
    for found in filter_before_split(project):
        place = SourceLocation(file=found.file, cell=found.cell, line=found.line)
        reason = "on training photos alone, as ranges with both ends: train_edits.age.drop = [[57, 59]]"
        left.setdefault(
            "age filter",
            UnconvertedSetting(name="age filter", value=found.evidence, place=place, reason=reason),
        )


def _validated(taken: dict[str, ConvertedSetting], left: dict[str, UnconvertedSetting]) -> dict[str, Any]:
    """Return nested data that builds a recipe; move a setting that the recipe refuses to `left`."""
    from hoego.recipe.resolve import build

    for key in list(taken):
        one = taken[key]
        try:
            build(_nested({key: one.value}))
        except RecipeError as error:
            left[one.name] = UnconvertedSetting(
                name=one.name, value=one.value, place=one.place, reason=error.message
            )
            del taken[key]
    data = _nested({key: one.value for key, one in taken.items()})
    build(data)
    return data


def _nested(flat: dict[str, Any]) -> dict[str, Any]:
    data: dict[str, Any] = {}
    for key, value in flat.items():
        node = data
        *path, name = key.split(".")
        for part in path:
            node = node.setdefault(part, {})
        node[name] = value
    return data
