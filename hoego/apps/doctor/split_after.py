"""Whether code divides data into sides after a place in it, or has done so before."""

from __future__ import annotations

import ast
import re

from hoego.apps.doctor.project import SourceProject
from hoego.apps.doctor.source import SourceModule
from hoego.apps.doctor.syntax import (
    identifiers,
    is_train_name,
    is_valid_name,
    last,
    reference,
    words,
)

_SPLITS = ("train_test_split", "random_split", "split", "Subset", "split_dataset", "choices", "shuffle")


def split_after(project: SourceProject, module: SourceModule, node: ast.AST, name: str) -> bool:
    """Return whether a name is split later in the same function."""
    line = getattr(node, "lineno", 0)
    for call in module.calls:
        if call.lineno <= line or module.function_of(call) is not module.function_of(node):
            continue
        called = last(
            module.name(call.func) or "?." + (call.func.attr if isinstance(call.func, ast.Attribute) else "")
        )
        if (
            called not in _SPLITS
            and not called.startswith(("split_", "make_split"))
            and "KFold" not in called
        ):
            continue
        if isinstance(call.func, ast.Attribute) and called == "split":
            _, maker = project.resolve(module, call.func.value)
            if not (
                isinstance(maker, ast.Call) and re.search("Fold|Shuffle|Split", last(module.name(maker.func)))
            ):
                continue
        if any(name in project.trace(module, a, 3) for a in call.args):
            return True
    return False


def side_is_known(module: SourceModule, node: ast.AST) -> bool:
    """Return whether an enclosing condition already restricts the code to the training side."""
    current = module.parents.get(node)
    while current is not None and not isinstance(current, ast.FunctionDef | ast.ClassDef):
        if isinstance(current, ast.If) and any(
            is_train_name(i) or words(i)[:1] in (["phase"], ["mode"]) for i in identifiers(current.test)
        ):
            return True
        if isinstance(current, ast.For) and any(
            is_train_name(i) or is_valid_name(i) for i in identifiers(current.iter)
        ):
            return True
        current = module.parents.get(current)
    return False


def class_splits(project: SourceProject, module: SourceModule, owner: ast.ClassDef) -> bool:
    """Return whether the class, or one it inherits from, divides itself into sides."""
    classes = [owner] + [c for base in owner.bases for _, c in project.classes.get(last(reference(base)), [])]
    for one in classes:
        for node in ast.walk(one):
            if isinstance(node, ast.FunctionDef) and "split" in words(node.name):
                return True
            if isinstance(node, ast.Call) and last(reference(node.func)) in ("random_split", "Subset"):
                return True
    return any(
        owner.name in project.trace(m, c.args[0], 2)
        for m, c, _ in project.called("random_split", "Subset", "train_test_split")
        if c.args
    )
