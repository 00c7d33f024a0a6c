"""Checks on the data set object."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from hoego.apps.doctor.hit import DefectMatch, augmenting_calls, is_augmenting, match_defect
from hoego.apps.doctor.project import SourceProject
from hoego.apps.doctor.source import SourceModule
from hoego.apps.doctor.syntax import (
    identifiers,
    is_train_name,
    is_valid_name,
    keyword,
    last,
    reference,
    targets,
)


def shared_augmentation(project: SourceProject) -> Iterator[DefectMatch]:
    """Yield two subsets of one object whose transform draws at random, and the double set_transform."""
    if not any(is_augmenting(last(name)) for _, _, name in project.calls):
        return
    if any(last(name) == "deepcopy" and "copy" in name and _copies_data(c) for _, c, name in project.calls):
        return
    splitters = _splitting_methods(project)
    for module in project.modules:
        pairs: dict[tuple[int, str], list[tuple[ast.Call, list[str]]]] = {}
        for call in module.calls:
            name = last(
                module.name(call.func)
                or "?." + (call.func.attr if isinstance(call.func, ast.Attribute) else "")
            )
            names = [reference(t) for t in targets(module.statement_of(call)) if reference(t)]
            sampler = keyword(call, "sampler")
            if name == "DataLoader" and sampler is not None and call.args:
                data = call.args[0]
                names += identifiers(sampler)
            elif name in ("Subset", "random_split") and call.args:
                data = call.args[0]
            elif name in splitters and isinstance(call.func, ast.Attribute):
                data = call.func.value
            else:
                continue
            key = (id(module.function_of(call)), reference(data))
            if reference(data) and reference(data) != "self":
                pairs.setdefault(key, []).append((call, names))
        for (_, data_name), uses in pairs.items():
            sides = [n for _, names in uses for n in names]
            if not any(is_valid_name(s) for s in sides) or not any(is_train_name(s) for s in sides):
                continue
            shared = _shared_transform(project, module, data_name, uses[0][0], sides)
            if shared is not None:
                yield match_defect("shared-augmentation", module, *shared)


def _copies_data(call: ast.Call) -> bool:
    return any(
        re.search("dataset|data|_set|subset", i.lower())
        for i in identifiers(call)
        if i not in ("deepcopy", "copy")
    )


def _splitting_methods(project: SourceProject) -> set[str]:
    """Find methods of the folder that return subsets of their own object."""
    found = set()
    for module, call, _name in project.called("random_split", "Subset"):
        if call.args and reference(call.args[0]) == "self":
            function = module.function_of(call)
            if function is not None:
                found.add(function.name)
    return found


def _shared_transform(
    project: SourceProject, module: SourceModule, data_name: str, call: ast.Call, sides: list[str]
) -> tuple[ast.AST, str] | None:
    """Return where two subsets of one object get the same random transform, and how."""
    scope: ast.AST = module.function_of(call) or module.tree
    setters = [
        c
        for c in ast.walk(scope)
        if isinstance(c, ast.Call)
        and last(reference(c.func)) in ("set_transform", "set_transforms")
        and c.args
    ]
    setters = [c for c in setters if reference(c.func).split(".")[0] in (*sides, data_name.split(".")[0])]
    if len({ast.dump(c.args[0]) for c in setters}) >= 2:
        return setters[-1], "The second set_transform replaces the first: both subsets hold the same object."
    twice = _given_twice(scope, sides)
    if twice is not None:
        return twice, "The second assignment replaces the first: both subsets hold the same object."
    for setter in setters:
        if _augments(project, module, setter.args[0]):
            return setter, f"Both subsets of {data_name} see this transform."
    for node in ast.walk(scope):
        for target in targets(node) if isinstance(node, ast.Assign) else []:
            owner, _, attribute = reference(target).rpartition(".")
            mine = owner == data_name or owner.split(".")[0] in sides
            if (
                attribute in ("transform", "transforms")
                and mine
                and isinstance(node, ast.Assign)
                and _augments(project, module, node.value)
            ):
                return node, f"Both subsets of {data_name} share this transform."
    return _made_with(project, module, data_name, call)


def _made_with(
    project: SourceProject, module: SourceModule, data_name: str, call: ast.Call
) -> tuple[ast.AST, str] | None:
    """Return a data set that is made with a random transform, or that always augments."""
    _, maker = project.resolve(module, _name(module, call, data_name))
    if not isinstance(maker, ast.Call):
        return None
    if _always_augments(project, last(module.name(maker.func))):
        return call, f"Both sides read {data_name}, which always augments."
    for given in (*maker.args, *(k.value for k in maker.keywords)):
        if _augments(project, module, given, named=True):
            return call, f"Both subsets of {data_name} share its random transform."
    return None


def _given_twice(scope: ast.AST, sides: list[str]) -> ast.Assign | None:
    """Find `train_set.dataset.tf = a` and `val_set.dataset.tf = b`: the later of the two."""
    found: dict[str, dict[str, ast.Assign]] = {}
    for node in ast.walk(scope):
        for target in targets(node) if isinstance(node, ast.Assign) else []:
            side, _, attribute = reference(target).partition(".dataset.")
            if side in sides and attribute and isinstance(node, ast.Assign):
                found.setdefault(attribute, {})[ast.dump(node.value)] = node
    return next((list(v.values())[-1] for v in found.values() if len(v) >= 2), None)


def _always_augments(project: SourceProject, name: str) -> bool:
    """Return whether a data set of the folder builds a random transform under no condition."""
    for module, owner in project.classes.get(name, []):
        for call in augmenting_calls(module, owner) if project.is_dataset(name) else []:
            if module.enclosing(call, (ast.If, ast.IfExp)) is None:
                return True
    return False


def _name(module: SourceModule, call: ast.Call, data_name: str) -> ast.expr:
    for part in ast.walk(call):
        if isinstance(part, ast.Name | ast.Attribute) and reference(part) == data_name:
            return part
    return call


def _augments(project: SourceProject, module: SourceModule, node: ast.expr, named: bool = False) -> bool:
    """Return whether an expression leads to a transform that draws at random.

    A transform that a flag names is taken for one: any of the folder's augmentations may be chosen.
    """
    if named and not any(re.search("transform|aug|tfm", i.lower()) for i in identifiers(node)):
        module, node = project.resolve(module, node)
        return isinstance(node, ast.Call) and bool(augmenting_calls(module, node))
    other, value = project.resolve(module, node)
    if augmenting_calls(other, value):
        return True
    if isinstance(value, ast.Call):
        name = last(other.name(value.func))
        inner = [*project.classes.get(name, []), *project.functions.get(name, [])]
        if inner:
            shown = [project.constant(other, a) for a in (*value.args, *(k.value for k in value.keywords))]
            if any(s in (False, "val", "valid", "test", "eval") for s in shown if isinstance(s, str | bool)):
                return False
            return any(augmenting_calls(m, n) for m, n in inner)
        chosen = isinstance(value.func, ast.Name) and value.func.id not in other.aliases
        _, maker = project.resolve(other, value.func) if chosen else (other, value.func)
        return (
            isinstance(maker, ast.Call | ast.Subscript)
            and re.search("aug|transform", " ".join(identifiers(maker)).lower()) is not None
        )
    return False


def shared_class_lists(project: SourceProject) -> Iterator[DefectMatch]:
    """Find `image_paths = []` in a class body, and `self.image_paths.append` in a method."""
    for module, owner in project.nodes(ast.ClassDef):
        assert isinstance(owner, ast.ClassDef)
        for statement in owner.body:
            if not isinstance(statement, ast.Assign | ast.AnnAssign) or not _empty_list(
                module, statement.value
            ):
                continue
            for target in targets(statement):
                name = reference(target)
                if name and _grown(owner, name) and not _renewed(owner, name):
                    yield match_defect(
                        "shared-class-lists",
                        module,
                        statement,
                        f"{owner.name}.{name} is one list for all objects of the class.",
                    )
    for module, function in project.nodes(ast.FunctionDef):
        assert isinstance(function, ast.FunctionDef)
        defaults = dict(
            zip([a.arg for a in function.args.args][::-1], function.args.defaults[::-1], strict=False)
        )
        for name, default in defaults.items():
            if isinstance(default, ast.List) and not default.elts and _grows(function, name):
                yield match_defect(
                    "shared-class-lists",
                    module,
                    default,
                    f"The default of {name} is one list for all calls, and it is appended to.",
                )


def _empty_list(module: SourceModule, value: ast.expr | None) -> bool:
    if isinstance(value, ast.List) and not value.elts:
        return True
    return (
        isinstance(value, ast.Call)
        and last(module.name(value.func)) in ("list", "defaultdict")
        and (not value.args or reference(value.args[0]) == "list")
    )


def _grows(scope: ast.AST, name: str) -> bool:
    for node in ast.walk(scope):
        if isinstance(node, ast.Call) and reference(node.func) in (
            f"{name}.append",
            f"{name}.extend",
            f"{name}.insert",
        ):
            return True
        if isinstance(node, ast.AugAssign) and reference(node.target) == name:
            return True
        if (
            (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in ("append", "extend")
            )
            and isinstance(node.func.value, ast.Subscript)
            and reference(node.func.value.value) == name
        ):
            return True
    return False


def _grown(owner: ast.ClassDef, name: str) -> bool:
    return any(_grows(owner, f"{base}.{name}") for base in ("self", "cls", owner.name))


def _renewed(owner: ast.ClassDef, name: str) -> bool:
    for node in ast.walk(owner):
        if isinstance(node, ast.Assign | ast.AnnAssign) and any(
            reference(t) == f"self.{name}" for t in targets(node)
        ):
            return True
        if isinstance(node, ast.Call) and reference(node.func) == f"self.{name}.clear":
            return True
    return False
