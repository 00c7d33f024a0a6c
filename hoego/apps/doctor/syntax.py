"""Small questions to a syntax tree: words of a name, arguments of a call, what a scope assigns."""

from __future__ import annotations

import ast
import re
from typing import Any

_SIDE = r"(set|sets|loader|loaders|dataset|ds|dl|data|iter|idx|df|fold|samples|indices|subset|split|step)?$"
_VALID = re.compile(r"^(val|valid|validation|dev|eval|evaluation|test|holdout)" + _SIDE)
_TRAIN = re.compile(r"^(train|trn|training|tr)" + _SIDE)
_STORES = ("append", "extend", "add", "insert")


def words(identifier: str) -> list[str]:
    """Return the words of an identifier, lower case: best_valAcc -> best, val, acc."""
    spaced = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", identifier))
    return [word for word in re.split(r"[^a-z0-9]+", spaced.lower()) if word]


def is_valid_name(identifier: str) -> bool:
    """Return whether a name is of the validation or test side, and not of both sides."""
    parts = words(identifier)
    return any(_VALID.match(w) for w in parts) and not any(_TRAIN.match(w) for w in parts)


def is_train_name(identifier: str) -> bool:
    """Return whether an identifier names training data and no validation data."""
    parts = words(identifier)
    return any(_TRAIN.match(w) for w in parts) and not any(_VALID.match(w) for w in parts)


def identifiers(node: ast.AST) -> list[str]:
    """Return names, attributes and short strings within an expression."""
    found = []
    for part in ast.walk(node):
        if isinstance(part, ast.Name):
            found.append(part.id)
        elif isinstance(part, ast.Attribute):
            found.append(part.attr)
        elif isinstance(part, ast.Constant) and isinstance(part.value, str) and len(part.value) < 60:
            found.append(part.value)
    return found


def keyword(call: ast.Call, name: str) -> ast.expr | None:
    """Return a call's keyword argument; None where it is not given."""
    return next((k.value for k in call.keywords if k.arg == name), None)


def argument(call: ast.Call, position: int, *names: str) -> ast.expr | None:
    """Return an argument by position or by any of its names."""
    for name in names:
        found = keyword(call, name)
        if found is not None:
            return found
    if 0 <= position < len(call.args) and not any(
        isinstance(a, ast.Starred) for a in call.args[: position + 1]
    ):
        return call.args[position]
    return None


def targets(statement: ast.AST) -> list[ast.expr]:
    """Return the expressions that a statement assigns to, tuples opened."""
    if isinstance(statement, ast.Assign):
        found = list(statement.targets)
    elif isinstance(statement, ast.AnnAssign | ast.AugAssign | ast.For | ast.AsyncFor | ast.comprehension):
        found = [statement.target]
    else:
        return []
    opened: list[ast.expr] = []
    while found:
        one = found.pop(0)
        if isinstance(one, ast.Tuple | ast.List):
            found = list(one.elts) + found
        else:
            opened.append(one.value if isinstance(one, ast.Starred) else one)
    return opened


def reference(node: ast.AST) -> str:
    """Return a spelled name such as `loader` or `self.loader`, else an empty string."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        base = reference(node.value)
        return f"{base}.{node.attr}" if base else ""
    return ""


def last(name: str) -> str:
    """Return the last part of a dotted name."""
    return name.rsplit(".", 1)[-1]


def attributes(owner: ast.ClassDef) -> dict[str, list[ast.expr]]:
    """Return attribute -> the expressions it is given in methods (through self or cls) and in the class body."""
    found: dict[str, list[ast.expr]] = {}
    for node in ast.walk(owner):
        given: list[tuple[ast.AST, ast.expr]] = []
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign) and node.value is not None:
            given = [(t, node.value) for t in targets(node)]
        elif (
            isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _STORES
        ):
            given = [(node.func.value, value) for value in node.args[-1:]]
        for target, value in given:
            base, _, name = reference(target).rpartition(".")
            if base in ("self", "cls", owner.name):
                found.setdefault(name, []).append(value)
    for statement in owner.body:
        if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None:
            for target in targets(statement):
                found.setdefault(reference(target), []).append(statement.value)
    return found


def assignments(scope: ast.AST) -> dict[str, list[ast.expr]]:
    """Name -> the expressions it is given directly within a scope, in the order of the text."""
    found: dict[str, list[ast.expr]] = {}

    def give(target: ast.AST, value: ast.expr) -> None:
        if reference(target):
            found.setdefault(reference(target), []).append(value)

    stack = list(ast.iter_child_nodes(scope))
    while stack:
        node = stack.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            continue
        stack.extend(ast.iter_child_nodes(node))
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign) and node.value is not None:
            for target in targets(node):
                give(target, _matching(node, reference(target)))
        elif isinstance(node, ast.For | ast.AsyncFor | ast.comprehension):
            for target in targets(node):
                give(target, node.iter)
        elif isinstance(node, ast.withitem) and node.optional_vars is not None:
            give(node.optional_vars, node.context_expr)
        elif (
            isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _STORES
        ):
            for value in node.args[-1:]:
                give(node.func.value, value)
    for values in found.values():
        values.sort(key=lambda e: (e.lineno, e.col_offset))
    return found


def _matching(node: ast.Assign | ast.AnnAssign | ast.AugAssign, name: str) -> ast.expr:
    """Return, for `a, b = x, y`, the part that belongs to the name."""
    assert node.value is not None
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.Tuple):
        left = node.targets[0]
        if isinstance(left, ast.Tuple) and len(left.elts) == len(node.value.elts):
            for target, value in zip(left.elts, node.value.elts, strict=True):
                if reference(target) == name:
                    return value
    return node.value


def arithmetic(op: ast.operator, left: Any, right: Any) -> Any:
    """Return the result of an operation on constants; None where it is not known."""
    if isinstance(op, ast.Mult) and isinstance(left, list) and isinstance(right, int):
        return left * right if len(left) * right <= 64 else None
    if not (isinstance(left, int | float) and isinstance(right, int | float)):
        return None
    if isinstance(op, ast.Mult):
        return left * right
    if isinstance(op, ast.Add):
        return left + right
    if isinstance(op, ast.Sub):
        return left - right
    if isinstance(op, ast.Div | ast.FloorDiv) and right:
        return left / right if isinstance(op, ast.Div) else left // right
    if isinstance(op, ast.Pow) and abs(right) <= 12 and abs(left) <= 1000:
        return left**right if left or right >= 0 else None
    return None
