"""Checks on what is in the table before its sides are drawn: order and filters."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import partial

from hoego.apps.doctor.hit import DefectMatch, loops_around, match_defect
from hoego.apps.doctor.project import SourceProject
from hoego.apps.doctor.source import SourceModule, word_set
from hoego.apps.doctor.split_after import class_splits, side_is_known, split_after
from hoego.apps.doctor.syntax import (
    identifiers,
    is_train_name,
    last,
    reference,
    targets,
    words,
)

_LISTINGS = ("listdir", "glob", "iglob", "rglob", "iterdir", "scandir", "walk")
_NOT_DATA = re.compile(
    r"\.(pth?|ckpt|csv|json|txt|ya?ml|safetensors|npy|npz|pkl|log|onnx|bin|py|parquet|pickle)\b"
)


def listing_order(project: SourceProject) -> Iterator[DefectMatch]:
    """Find unsorted listings whose files are gathered into a list."""
    sorted_calls = _sorted_functions(project)
    for module, call, name in project.calls:
        kind = last(name)
        if kind not in _LISTINGS or (kind == "walk" and not name.startswith("os.")):
            continue
        if kind in ("listdir", "scandir") and not (
            name.startswith(("os.", "?.")) or name in ("listdir", "scandir")
        ):
            continue
        if any(_NOT_DATA.search(i.lower()) for i in identifiers(module.statement_of(call))):
            continue
        if not _reaches_a_split(project, module):
            continue
        function = module.function_of(call)
        if function is not None and function.name in sorted_calls:
            continue
        if _sorted_around(module, call):
            continue
        gathered = _gathered(project, module, call)
        if gathered and not any(_sorted_later(module, call, one) for one in gathered):
            yield match_defect(
                "listing-order",
                module,
                call,
                f"{kind} is not sorted, and {gathered[-1]} is filled in its order.",
            )


_DIVIDES = word_set(
    "random_split train_test_split split shuffle Subset choices choice sample permutation randperm DataLoader "
    "backward fit fit_one_cycle fine_tune Trainer ImageFolder"
)


def _reaches_a_split(project: SourceProject, module: SourceModule) -> bool:
    """Return whether a file divides, loads or trains, holds a data set, or is imported by another file."""
    if any(map(partial(_divides, module), module.calls)):
        return True
    if any(isinstance(n, ast.ClassDef) and project.is_dataset(n.name) for n in module.nodes):
        return True
    return any(module.stem in other.imported for other in project.modules if other is not module)


def _divides(module: SourceModule, call: ast.Call) -> bool:
    """Return whether a call divides, loads or trains; `text.split("_")` does not."""
    called = last(module.name(call.func)) or (call.func.attr if isinstance(call.func, ast.Attribute) else "")
    if called == "split":
        return bool(call.args) and not isinstance(call.args[0], ast.Constant)
    return called in _DIVIDES or "Fold" in called


def _sorted_functions(project: SourceProject) -> set[str]:
    found = set()
    for _, call, _ in project.called("sorted", "natsorted", "set", "len", "Counter"):
        for part in ast.walk(call):
            if isinstance(part, ast.Call) and part is not call:
                found.add(last(reference(part.func)))
    return found


_ORDERING = (
    "sorted",
    "natsorted",
    "set",
    "len",
    "any",
    "max",
    "min",
    "Counter",
    "frozenset",
    "next",
    "sum",
    "all",
)


def _sorted_around(module: SourceModule, node: ast.AST) -> bool:
    current = module.parents.get(node)
    while current is not None and not isinstance(current, ast.stmt):
        if isinstance(current, ast.Call) and last(module.name(current.func)) in _ORDERING:
            return True
        if isinstance(current, ast.Compare | ast.SetComp):
            return True
        current = module.parents.get(current)
    return False


def _gathered(project: SourceProject, module: SourceModule, call: ast.Call) -> list[str]:
    """Return the names filled in the order of a listing: by a loop over it, or by assignment and then use."""
    statement = module.statement_of(call)
    if isinstance(statement, ast.For):
        return _filled(statement)
    if isinstance(statement, ast.Return):
        function = module.function_of(call)
        return [function.name] if function is not None and _speaks_of_data(function.name) else []
    names = [reference(t) for t in targets(statement) if reference(t)]
    if not names:
        return []
    scope: ast.AST = module.function_of(call) or module.tree
    if names[0].startswith("self."):
        scope = module.class_of(call) or scope
    filled = [
        one
        for loop in ast.walk(scope)
        if isinstance(loop, ast.For) and names[0] in [reference(part) for part in ast.walk(loop.iter)]
        for one in _filled(loop)
    ]
    data = names[0].startswith("self.") or any(
        _speaks_of_data(last(n)) and _feeds_data(project, module, scope, n) for n in names
    )
    return names + filled if filled or data else []


def _filled(loop: ast.For) -> list[str]:
    found = []
    for node in ast.walk(loop):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr in ("append", "extend"):
                found.append(reference(node.func.value))
        elif isinstance(node, ast.AugAssign) and isinstance(node.value, ast.List | ast.ListComp):
            found.append(reference(node.target))
        elif isinstance(node, ast.Yield):
            found.append("the sequence")
    return [name for name in found if name]


def _speaks_of_data(identifier: str) -> bool:
    return any(w in _DATA_WORDS for w in words(identifier))


_DATA_WORDS = word_set(
    "path paths image images img imgs file files profile profiles people person persons folder "
    "folders photos dirs samples items ids subjects patients"
)


def _feeds_data(project: SourceProject, module: SourceModule, scope: ast.AST, name: str) -> bool:
    """Return whether a list goes into a data set, a split or a return of the function that made it."""
    for node in ast.walk(scope):
        if isinstance(node, ast.Return) and node.value is not None and reference(node.value) == name:
            return True
        if isinstance(node, ast.Call) and any(reference(a) == name for a in node.args):
            called = last(module.name(node.func)).lower()
            if (
                "dataset" in called
                or "split" in called
                or called in ("shuffle", "choices", "choice", "sample")
            ):
                return True
    return False


def _sorted_later(module: SourceModule, call: ast.Call, name: str) -> bool:
    if name.startswith("self."):
        scope: ast.AST = module.class_of(call) or module.tree
    else:
        scope = module.function_of(call) or module.tree
    for node in ast.walk(scope):
        if isinstance(node, ast.Call):
            if reference(node.func) in (f"{name}.sort", f"{name}.sort_values"):
                return True
            if last(reference(node.func)) in ("sorted", "natsorted", "Counter", "set") and any(
                reference(part) == name for part in ast.walk(node)
            ):
                return True
    return False


_AGE = frozenset(["age", "ages", "years"])


def filter_before_split(project: SourceProject) -> Iterator[DefectMatch]:
    """Yield rows dropped by age, and what is left is split."""
    yield from _split_of_filtered(project)
    yield from _filtered_then_split(project)
    yield from _dropped_in_loop(project)


def _split_of_filtered(project: SourceProject) -> Iterator[DefectMatch]:
    """Yield what a call that splits is given, where its rows were left out by age."""
    for module, call in _split_calls(project):
        for one in call.args[:1]:
            for other, expression, _ in project.behind(module, one):
                if isinstance(expression, ast.expr) and _filters_frame(expression):
                    detail = "Rows are left out by age before the split."
                    yield match_defect("filter-before-split", other, expression, detail)
                for dropping in _dropping_around(other, expression):
                    detail = "Photos are left out by age before the sides are drawn."
                    yield match_defect("filter-before-split", other, dropping, detail)


def _filtered_then_split(project: SourceProject) -> Iterator[DefectMatch]:
    """Yield tables that lose rows by age and are split afterwards, under the same name."""
    for module, node in project.nodes(ast.Assign):
        assert isinstance(node, ast.Assign)
        if _filters_frame(node.value) and not any(
            is_train_name(i) for t in targets(node) for i in identifiers(t)
        ):
            name = reference(targets(node)[0])
            if name and split_after(project, module, node, name):
                yield match_defect(
                    "filter-before-split", module, node, f"{name} loses rows by age and is split afterwards."
                )


def _dropped_in_loop(project: SourceProject) -> Iterator[DefectMatch]:
    """Yield conditions on age that skip photos in a loop whose result is split."""
    for module, node in project.nodes(ast.If):
        assert isinstance(node, ast.If)
        if not _by_age(node.test) or not _drops(node) or _one_sided(node):
            continue
        loops = loops_around(module, node)
        if not loops or side_is_known(module, node):
            continue
        owner = module.class_of(node)
        filled = [name for loop in loops for name in _filled(loop)]
        splits = (owner is not None and class_splits(project, module, owner)) or any(
            split_after(project, module, node, name) for name in filled
        )
        function = module.function_of(node)
        if not splits and function is not None and owner is None:
            splits = any(
                split_after(project, m, c, reference(t))
                for m, c, _ in project.called(function.name)
                for t in targets(m.statement_of(c))
                if reference(t)
            )
        if splits:
            yield match_defect(
                "filter-before-split", module, node, "Photos are left out by age before the sides are drawn."
            )


def _dropping_around(module: SourceModule, node: ast.AST) -> Iterator[ast.If]:
    """Find conditions on age that skip an item, in the loops that gather a value."""
    for loop in loops_around(module, node):
        for part in loop.body:
            if (
                isinstance(part, ast.If)
                and _by_age(part.test)
                and _drops(part)
                and not _one_sided(part)
                and not side_is_known(module, part)
            ):
                yield part


def _one_sided(node: ast.If) -> bool:
    """Return whether a condition asks for the training side as well."""
    return any(
        is_train_name(i) or words(i)[:1] in (["is"], ["phase"], ["mode"]) for i in identifiers(node.test)
    )


def _split_calls(project: SourceProject) -> Iterator[tuple[SourceModule, ast.Call]]:
    """Find calls that draw the sides: train_test_split, random_split, and `.split` of a fold object."""
    for module, call, name in project.called("train_test_split", "random_split", "split"):
        if last(name) == "split":
            if not isinstance(call.func, ast.Attribute):
                continue
            _, maker = project.resolve(module, call.func.value)
            if not (isinstance(maker, ast.Call) and re.search("Fold|Shuffle", last(module.name(maker.func)))):
                continue
        yield module, call


def _by_age(test: ast.AST) -> bool:
    compared = [n for n in ast.walk(test) if isinstance(n, ast.Compare)]
    called = [
        n
        for n in ast.walk(test)
        if isinstance(n, ast.Call)
        and isinstance(n.func, ast.Attribute)
        and n.func.attr in ("between", "isin")
    ]
    return any(w in _AGE for part in (*compared, *called) for i in identifiers(part) for w in words(i))


def _drops(node: ast.If) -> bool:
    """Return the branch leaves a photo out: it only continues, or only appends and has no other branch."""
    if len(node.body) == 1 and isinstance(node.body[0], ast.Continue):
        return True
    stores = [
        c
        for s in node.body
        for c in ast.walk(s)
        if isinstance(c, ast.Call) and last(reference(c.func)) == "append"
    ]
    numbers = [
        n.value for n in ast.walk(node.test) if isinstance(n, ast.Constant) and isinstance(n.value, int)
    ]
    return (
        bool(stores) and not node.orelse and len(numbers) >= 1 and len(node.body) <= 3 and _negated(node.test)
    )


def _negated(test: ast.AST) -> bool:
    return any(
        isinstance(n, ast.Not | ast.NotIn | ast.NotEq)
        or (isinstance(n, ast.BoolOp) and isinstance(n.op, ast.Or))
        for n in ast.walk(test)
    )


def _filters_frame(value: ast.expr) -> bool:
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute):
        if value.func.attr in ("reset_index", "copy", "sort_values"):
            return _filters_frame(value.func.value)
        if value.func.attr == "query" and value.args:
            return any(w in _AGE for i in identifiers(value.args[0]) for w in words(i))
        if value.func.attr == "drop" and value.args:
            return _by_age(value.args[0])
        if value.func.attr == "filter" and value.args:
            return _by_age(value.args[0])
        return False
    return isinstance(value, ast.Subscript) and _by_age(value.slice)
