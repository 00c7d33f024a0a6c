"""Checks on how the held-out side is drawn."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from hoego.apps.doctor.hit import DefectMatch, kind_of, match_defect, nearest_kind
from hoego.apps.doctor.project import SourceProject
from hoego.apps.doctor.source import SourceModule, word_set
from hoego.apps.doctor.syntax import (
    argument,
    identifiers,
    is_train_name,
    is_valid_name,
    keyword,
    last,
    reference,
    targets,
    words,
)

_FOLDS = (
    "KFold",
    "StratifiedKFold",
    "RepeatedStratifiedKFold",
    "RepeatedKFold",
    "ShuffleSplit",
    "StratifiedShuffleSplit",
)
_LOOK = (
    "Reading alone cannot tell whether a row is a photo or a person; "
    "a split by person needs one row each, or groups."
)


def photo_split(project: SourceProject) -> Iterator[DefectMatch]:
    """Find random_split, train_test_split, KFold and cut lists whose items are photos."""
    yield from _random_splits(project)
    for module, call, name in project.called("train_test_split"):
        if keyword(call, "groups") is not None:
            continue
        if isinstance(call.func, ast.Attribute) and "model_selection" not in name:
            yield from _judge(project, module, call, [call.func.value], "train_test_split")
            continue
        if not call.args:
            continue
        yield from _judge(project, module, call, list(call.args), "train_test_split")
    for module, call, _ in project.called("split"):
        fold = _fold_class(project, module, call)
        if not fold or not call.args:
            continue
        given = keyword(call, "groups") or (call.args[2] if len(call.args) > 2 else None)
        if given is not None:
            yield match_defect("photo-split", module, call, f"{fold} takes `groups` and pays no heed to it.")
            continue
        yield from _judge(project, module, call, list(call.args), fold)
    yield from _cut_lists(project)


def _random_splits(project: SourceProject) -> Iterator[DefectMatch]:
    for module, call, name in project.called("random_split"):
        data = argument(call, 0, "dataset")
        if data is None or name.startswith("?.") or name.split(".")[0] in ("self", "cls"):
            continue
        if _overridden(project, module, call):
            continue
        trace = project.trace(module, data)
        if nearest_kind(trace) == "people":
            if trace and min((s for i, s in trace.items() if kind_of(i) == "people"), default=9) == 0:
                continue
            yield match_defect("photo-split", module, call, _LOOK, question=True)
        else:
            yield match_defect(
                "photo-split", module, call, "random_split draws single items of the data set."
            )


def _overridden(project: SourceProject, module: SourceModule, call: ast.Call) -> bool:
    """Return whether the method that splits is overridden by the class that the folder uses by default."""
    function, owner = module.function_of(call), module.class_of(call)
    if function is None or owner is None:
        return False
    heirs = [
        heir
        for entries in project.classes.values()
        for _, heir in entries
        if any(last(reference(base)) == owner.name for base in heir.bases)
        and any(isinstance(part, ast.FunctionDef) and part.name == function.name for part in heir.body)
    ]
    if not heirs:
        return False
    used = {last(name) for _, _, name in project.calls}
    used |= {str(f.default.value) for f in project.flags if isinstance(f.default, ast.Constant)}
    used |= {str(v.value) for v in project.folder.values}
    return owner.name not in used and any(heir.name in used for heir in heirs)


def _judge(
    project: SourceProject, module: SourceModule, call: ast.Call, given: list[ast.expr], shown: str
) -> Iterator[DefectMatch]:
    trace: dict[str, int] = {}
    for one in given[:2]:
        for identifier, step in project.trace(module, one).items():
            trace[identifier] = min(step, trace.get(identifier, step))
    kind = nearest_kind(trace)
    if kind == "photos":
        yield match_defect("photo-split", module, call, f"{shown} draws rows that are photos.")
    elif kind in ("both", "") and not _by_people(module, call):
        yield match_defect("photo-split", module, call, _LOOK, question=True)


def _by_people(module: SourceModule, call: ast.Call) -> bool:
    """Return whether the function that draws the sides is named after people: `split_profile`."""
    function = module.function_of(call)
    return function is not None and kind_of(function.name) == "people"


def _fold_class(project: SourceProject, module: SourceModule, call: ast.Call) -> str:
    """Return the name of a fold class without groups on whose object `.split` is called, else empty."""
    if not isinstance(call.func, ast.Attribute):
        return ""
    _, maker = project.resolve(module, call.func.value)
    if isinstance(maker, ast.Call):
        name = last(module.name(maker.func))
        return name if name in _FOLDS else ""
    return ""


def _cut_lists(project: SourceProject) -> Iterator[DefectMatch]:
    """Find `paths[:n]` for training and `paths[n:]` for validation, after a shuffle."""
    for module in project.modules:
        cuts: dict[tuple[int, str], list[ast.Subscript]] = {}
        for node in module.nodes:
            if (
                isinstance(node, ast.Subscript)
                and isinstance(node.slice, ast.Slice)
                and node.slice.step is None
            ) and (node.slice.lower is None) != (node.slice.upper is None):
                key = (id(module.function_of(node)), ast.dump(node.value))
                cuts.setdefault(key, []).append(node)
        for parts in cuts.values():
            lower = [p for p in parts if isinstance(p.slice, ast.Slice) and p.slice.upper is not None]
            upper = [p for p in parts if isinstance(p.slice, ast.Slice) and p.slice.lower is not None]
            if not (lower and upper) or not _names_sides(module, lower[0], upper[0]):
                continue
            base = lower[0].value
            if not _shuffled(project, module, base):
                continue
            kind = nearest_kind(project.trace(module, base))
            if kind == "photos":
                yield match_defect(
                    "photo-split", module, lower[0], "A shuffled list of photos is cut in two."
                )
            elif kind in ("both", ""):
                yield match_defect("photo-split", module, lower[0], _LOOK, question=True)


def _names_sides(module: SourceModule, one: ast.AST, other: ast.AST) -> bool:
    text = [i for part in (one, other) for t in targets(module.statement_of(part)) for i in identifiers(t)]
    text += [i for part in (one, other) for i in identifiers(module.statement_of(part)) if len(i) < 40]
    return any(is_valid_name(i) for i in text) and any(is_train_name(i) for i in text)


def _shuffled(project: SourceProject, module: SourceModule, base: ast.expr) -> bool:
    name = reference(base)
    if any(
        w in ("perm", "permutation", "randperm") for i in project.trace(module, base, 2) for w in words(i)
    ):
        return True
    _, maker = project.resolve(module, base)
    if isinstance(maker, ast.Call) and last(module.name(maker.func)) in (
        "permutation",
        "randperm",
        "sample",
        "shuffle",
    ):
        return True
    return bool(name) and any(
        m is module and c.args and reference(c.args[0]) == name for m, c, _ in project.called("shuffle")
    )


_DRAWS = re.compile(r"(^|_)(split|splits|val|valid|validation|train|test|fold|folds|holdout|hold|heldout)")
_MEANT = word_set("oversample oversampling bootstrap resample balance balanced sampler weights augment")


def people_with_replacement(project: SourceProject) -> Iterator[DefectMatch]:
    """Find random.choices and numpy's choice (replace defaults to True) where the sides are drawn."""
    for module, call, name in project.calls:
        draw = last(name)
        if draw == "choices" and (
            name in ("random.choices", "choices") or name.startswith("?.") or "rng" in name
        ):
            drawn, size = argument(call, 0, "population"), argument(call, 2, "k")
        elif draw == "choice" and ("random" in name or "rng" in name.lower() or "rs" in name):
            replace = argument(call, 2, "replace")
            if isinstance(replace, ast.Constant) and replace.value is False:
                continue
            drawn, size = argument(call, 0, "a"), argument(call, 1, "size")
        elif draw == "randint" and ("random" in name or name.startswith("torch")):
            drawn = None
            size = argument(call, 2, "size") if not name.startswith("random.") else None
        else:
            continue
        if size is None:
            continue
        if keyword(call, "weights") is not None or keyword(call, "p") is not None:
            continue
        function = module.function_of(call)
        around = [i for t in targets(module.statement_of(call)) for i in identifiers(t)]
        around += [function.name] if function is not None else []
        around_words = [w for identifier in around for w in words(identifier)]
        if any(w in _MEANT for w in around_words) or not any(_DRAWS.match(w) for w in around_words):
            continue
        if drawn is None and not any(is_valid_name(i) for i in around):
            continue
        yield match_defect(
            "people-with-replacement",
            module,
            call,
            f"{draw} may draw the same one several times for a side of the split.",
        )
