"""The settings that a folder states, wherever it states them, with the place of each."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hoego.apps.doctor.project import SourceProject
from hoego.apps.doctor.report import SourceLocation
from hoego.apps.doctor.source import SourceModule
from hoego.apps.doctor.syntax import argument, keyword, last, reference, targets, words

_CONFIG = frozenset(
    {"cfg", "config", "args", "hparams", "params", "opt", "options", "settings", "conf", "hp"}
)
_ELSEWHERE = re.compile(
    r"(^|/)(infer|inference|predict|prediction|submit|submission|test|eval|ensemble)\w*\.\w+$", re.I
)


@dataclass(frozen=True)
class Hyperparameter:
    """One stated setting.

    Attributes:
        name: as the folder spells it, dotted where it is nested.
        value: its plain value.
        place: where it is stated.
        origin: config.json, command, settings file, flag default, configuration class, constant, code.
    """

    name: str
    value: Any
    place: SourceLocation
    origin: str


_RANK = ("config.json", "command", "settings file", "flag default", "configuration class", "constant", "code")


def find_hyperparameters(project: SourceProject) -> list[Hyperparameter]:
    """Return every stated setting of the training side, what ran before what is only a default."""
    found = [
        *_values(project),
        *_commands(project),
        *_flags(project),
        *_classes(project),
        *_constants(project),
    ]
    found += [*_from_code(project), *_module_defaults(project)]
    return sorted(
        found, key=lambda k: (_RANK.index(k.origin), k.place.file.count("/"), k.place.file, k.place.line)
    )


def _place(module: SourceModule, node: ast.AST) -> SourceLocation:
    line, cell = module.place(int(getattr(node, "lineno", 1)))
    return SourceLocation(file=module.file, cell=cell, line=line)


def _values(project: SourceProject) -> Iterator[Hyperparameter]:
    for value in project.folder.values:
        if _ELSEWHERE.search(value.file) or value.value is None or value.key.startswith("defaults"):
            continue
        origin = "config.json" if value.origin == "json" else "settings file"
        name = value.key
        stem = value.file.rpartition("/")[2].rpartition(".")[0]
        group = value.file.split("/")[-2] if "/" in value.file else ""
        if origin == "settings file" and group not in ("", "conf", "configs", "config") and stem != "config":
            name = f"{group}.{name}"
        yield Hyperparameter(
            name, value.value, SourceLocation(file=value.file, cell=None, line=value.line), origin
        )


def _commands(project: SourceProject) -> Iterator[Hyperparameter]:
    for command in project.folder.commands:
        if _ELSEWHERE.search(command.script):
            continue
        for name, text in command.flags.items():
            if text and "$" not in text:
                yield Hyperparameter(
                    name,
                    _plain(text),
                    SourceLocation(file=command.file, cell=None, line=command.line),
                    "command",
                )


def _plain(text: str) -> Any:
    parts = text.split()
    if len(parts) > 1:
        values = [_plain(p) for p in parts]
        return values if all(isinstance(v, int | float) for v in values) else text
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return {"true": True, "false": False}.get(text.lower(), text)


def _flags(project: SourceProject) -> Iterator[Hyperparameter]:
    for flag in project.flags:
        if _ELSEWHERE.search(flag.module.file):
            continue
        value = project.constant(flag.module, flag.default)
        if value is None and isinstance(flag.default, ast.Call):
            value = project.constant(flag.module, argument(flag.default, 1, "default"))
        if value is None and flag.action == "store_true":
            value = False
        if value is not None:
            yield Hyperparameter(flag.dest, value, _place(flag.module, flag.call), "flag default")


def _classes(project: SourceProject) -> Iterator[Hyperparameter]:
    """Yield attributes of a class, or items of a dict, that is named like a configuration."""
    for module, node in project.nodes(ast.ClassDef):
        assert isinstance(node, ast.ClassDef)
        if not _CONFIG & set(words(node.name)) or _ELSEWHERE.search(module.file):
            continue
        for statement in node.body:
            if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None:
                value = project.constant(module, statement.value)
                for target in targets(statement):
                    if value is not None and reference(target):
                        yield Hyperparameter(
                            reference(target), value, _place(module, statement), "configuration class"
                        )
    for module, node in project.nodes(ast.Assign):
        assert isinstance(node, ast.Assign)
        if _ELSEWHERE.search(module.file) or not any(
            _CONFIG & set(words(reference(t))) for t in targets(node)
        ):
            continue
        for name, item in _items(module, node.value):
            value = project.constant(module, item)
            if value is not None:
                yield Hyperparameter(name, value, _place(module, item), "configuration class")


def _items(module: SourceModule, value: ast.expr, prefix: str = "") -> Iterator[tuple[str, ast.expr]]:
    pairs: list[tuple[str, ast.expr]] = []
    if isinstance(value, ast.Dict):
        pairs = [
            (str(k.value), v)
            for k, v in zip(value.keys, value.values, strict=True)
            if isinstance(k, ast.Constant)
        ]
    elif isinstance(value, ast.Call) and last(module.name(value.func)) in (
        "dict",
        "EasyDict",
        "SimpleNamespace",
        "Namespace",
    ):
        pairs = [(k.arg, k.value) for k in value.keywords if k.arg]
        for inner in value.args[:1]:
            yield from _items(module, inner, prefix)
    for name, item in pairs:
        if isinstance(item, ast.Dict | ast.Call):
            yield from _items(module, item, f"{prefix}{name}.")
        yield f"{prefix}{name}", item


def _module_defaults(project: SourceProject) -> Iterator[Hyperparameter]:
    """Find defaults of the arguments of Lightning modules, which are their hyper-parameters."""
    for module, owner in project.nodes(ast.ClassDef):
        assert isinstance(owner, ast.ClassDef)
        if not any(last(reference(b)) in ("LightningModule", "LightningDataModule") for b in owner.bases):
            continue
        for part in owner.body:
            if isinstance(part, ast.FunctionDef) and part.name == "__init__":
                given = part.args.args[len(part.args.args) - len(part.args.defaults) :]
                for name, default in zip(given, part.args.defaults, strict=True):
                    value = project.constant(module, default)
                    if value is not None:
                        yield Hyperparameter(name.arg, value, _place(module, default), "code")


def _constants(project: SourceProject) -> Iterator[Hyperparameter]:
    for module in project.modules:
        if _ELSEWHERE.search(module.file):
            continue
        for statement in module.tree.body:
            if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None:
                value = project.constant(module, statement.value)
                for target in targets(statement):
                    if value is not None and isinstance(target, ast.Name):
                        yield Hyperparameter(target.id, value, _place(module, statement), "constant")


_READ = {
    "create_model": (
        ("model", 0, ("model_name",)),
        ("drop_rate", 99, ("drop_rate",)),
        ("pretrained", 1, ("pretrained",)),
    ),
    "StepLR": (("lr_decay_step", 1, ("step_size",)), ("lr_gamma", 2, ("gamma",))),
    "CrossEntropyLoss": (("label_smoothing", 99, ("label_smoothing",)),),
    "cross_entropy": (("label_smoothing", 99, ("label_smoothing",)),),
    "train_test_split": (("val_ratio", 99, ("test_size",)),),
    "Trainer": (
        ("epochs", 99, ("max_epochs",)),
        ("clip", 99, ("gradient_clip_val",)),
        ("accumulate", 99, ("accumulate_grad_batches",)),
    ),
    "StratifiedKFold": (("n_splits", 0, ("n_splits",)),),
    "StratifiedGroupKFold": (("n_splits", 0, ("n_splits",)),),
    "GroupKFold": (("n_splits", 0, ("n_splits",)),),
    "KFold": (("n_splits", 0, ("n_splits",)),),
}
_OPTIMISERS = ("SGD", "Adam", "AdamW", "RAdam", "NAdam", "RMSprop", "Adagrad", "Lion", "AdamP", "MADGRAD")
_SCHEDULES = ("StepLR", "CosineAnnealingLR", "CosineAnnealingWarmRestarts", "OneCycleLR", "MultiStepLR")


def _from_code(project: SourceProject) -> Iterator[Hyperparameter]:
    for module, call, name in project.calls:
        called = last(name)
        if _ELSEWHERE.search(module.file):
            continue
        place = _place(module, call)
        for knob, position, names in _READ.get(called, ()):
            value = project.constant(module, argument(call, position, *names))
            if value is not None:
                yield Hyperparameter(knob, value, place, "code")
        if called in _OPTIMISERS and "Scheduler" not in name:
            yield Hyperparameter("optimizer", called, place, "code")
            for knob, position in (("lr", 1), ("weight_decay", 99), ("momentum", 99)):
                value = project.constant(module, argument(call, position, knob))
                if value is not None:
                    yield Hyperparameter(knob, value, place, "code")
        elif keyword(call, "lr") is not None and keyword(call, "weight_decay") is not None:
            for knob in ("lr", "weight_decay", "momentum"):
                value = project.constant(module, keyword(call, knob))
                if value is not None:
                    yield Hyperparameter(knob, value, place, "code")
        if called in _SCHEDULES:
            yield Hyperparameter("scheduler", called, place, "code")
        if called == "DataLoader" and any(
            "train" in words(reference(t)) for t in targets(module.statement_of(call))
        ):
            value = project.constant(module, argument(call, 1, "batch_size"))
            if value is not None:
                yield Hyperparameter("batch_size", value, place, "code")
