"""Checks on loss functions."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from hoego.apps.doctor.hit import DefectMatch, match_defect
from hoego.apps.doctor.project import SourceProject
from hoego.apps.doctor.source import SourceModule
from hoego.apps.doctor.syntax import argument, keyword, last, reference, targets, words

_SMOOTH = re.compile(r"label_?smooth|smooth(ing)?_?(ce|cross|loss|label)", re.I)


def smoothing_zero(project: SourceProject) -> Iterator[DefectMatch]:
    """Yield a label-smoothing loss whose smoothing defaults to 0 and is never given."""
    for module, owner, function in _loss_makers(project):
        if not _SMOOTH.search(owner) and not _SMOOTH.search("_".join(words(owner))):
            continue
        for name, default in _defaults(function):
            if (
                name in ("smoothing", "label_smoothing", "epsilon", "eps", "alpha", "smooth")
                and project.constant(module, default) == 0
            ):
                position = _position(function, name)
                if not _given_somewhere(project, module, owner, name, position):
                    yield match_defect(
                        "smoothing-zero", module, default, f"{owner}({name}=0.0) is plain cross-entropy."
                    )


def _loss_makers(project: SourceProject) -> Iterator[tuple[SourceModule, str, ast.FunctionDef]]:
    for module, node in project.nodes(ast.ClassDef, ast.FunctionDef):
        if isinstance(node, ast.FunctionDef) and module.class_of(node) is None:
            yield module, node.name, node
        elif isinstance(node, ast.ClassDef):
            for part in node.body:
                if isinstance(part, ast.FunctionDef) and part.name == "__init__":
                    yield module, node.name, part


def _defaults(function: ast.FunctionDef) -> list[tuple[str, ast.expr]]:
    a = function.args
    positional = [*a.posonlyargs, *a.args]
    pairs = [(arg.arg, d) for arg, d in zip(positional[::-1], a.defaults[::-1], strict=False)]
    return pairs + [(arg.arg, d) for arg, d in zip(a.kwonlyargs, a.kw_defaults, strict=True) if d is not None]


def _position(function: ast.FunctionDef, name: str) -> int:
    names = [a.arg for a in (*function.args.posonlyargs, *function.args.args)]
    if name not in names:
        return 99
    return names.index(name) - (1 if names[0] in ("self", "cls") else 0)


def _given_somewhere(
    project: SourceProject, module: SourceModule, owner: str, name: str, position: int
) -> bool:
    """Return whether every use of a loss gives the argument: directly, or to the factory that makes losses by name."""
    registered = _registered(project, owner)
    direct = [(m, c) for m, c, n in project.calls if last(n) == owner]
    direct += _registry_calls(project, owner)
    factories = [
        (m, c)
        for m, c, n in project.calls
        if registered
        and re.search(
            r"(create|make|get|build|init)_?(criterion|loss)|criterion_entrypoint|loss_factory", last(n)
        )
    ]
    partial = [
        (m, c) for m, c, n in project.called("partial") if c.args and last(reference(c.args[0])) == owner
    ]
    sites = direct + factories
    given = [argument(c, position, name) is not None for _, c in direct]
    given += [
        keyword(c, name) is not None
        or any(k.arg is None and not isinstance(k.value, ast.Name) for k in c.keywords)
        for _, c in factories
    ]
    given += [keyword(c, name) is not None for _, c in partial]
    if any(keyword(c, name) is not None for _, c in partial):
        return True
    return bool(sites) and all(given) if sites else not registered


def _registries(project: SourceProject, owner: str) -> set[str]:
    """Return names of the dicts that hold a class."""
    found: set[str] = set()
    for module, node in project.nodes(ast.Assign, ast.AnnAssign):
        assert isinstance(node, ast.Assign | ast.AnnAssign)
        values: list[ast.expr] = []
        if isinstance(node.value, ast.Dict):
            values = node.value.values
        elif isinstance(node.value, ast.Call) and module.name(node.value.func) == "dict":
            values = [k.value for k in node.value.keywords]
        if any(last(reference(v)) == owner for v in values):
            found.update(reference(t) for t in targets(node))
    return found


def _registry_calls(project: SourceProject, owner: str) -> list[tuple[SourceModule, ast.Call]]:
    """Find `LOSSES[name](...)` where LOSSES holds the class, arguments not passed through."""
    names = _registries(project, owner)
    return [
        (m, c)
        for m, c, _ in project.calls
        if isinstance(c.func, ast.Subscript)
        and reference(c.func.value) in names
        and not any(k.arg is None for k in c.keywords)
    ]


def _registered(project: SourceProject, owner: str) -> bool:
    """Return whether a class stands as a value in a dict of losses, or is looked up by name."""
    if _registries(project, owner):
        return True
    for _, node in project.nodes(ast.Dict):
        assert isinstance(node, ast.Dict)
        if any(last(reference(v)) == owner for v in node.values if v is not None):
            return True
    for _, node in project.nodes(ast.ClassDef):
        if isinstance(node, ast.ClassDef) and node.name == owner and node.decorator_list:
            return True
    return False


_CLASSES = (
    "classes",
    "num_classes",
    "n_classes",
    "class_num",
    "num_class",
    "nclasses",
    "n_class",
    "class_count",
    "num_labels",
)


def loss_classes(project: SourceProject) -> Iterator[DefectMatch]:
    """Yield a loss whose number of classes defaults to another number than the folder's."""
    known = _class_counts(project)
    for module, owner, function in _loss_makers(project):
        if not re.search(r"loss|smooth|focal|f1|criterion|entropy", owner, re.I):
            continue
        for name, default in _defaults(function):
            count = project.constant(module, default)
            if name not in _CLASSES or not isinstance(count, int) or isinstance(count, bool) or count < 1:
                continue
            if count in known or (not known and count != 3):
                continue
            if _given_somewhere(project, module, owner, name, _position(function, name)):
                continue
            others = (
                f"; elsewhere the folder has {', '.join(map(str, sorted(known)))} classes" if known else ""
            )
            yield match_defect(
                "loss-classes",
                module,
                default,
                f"{owner}({name}={count}) is not always given the number{others}.",
                question=not known,
            )


def _class_counts(project: SourceProject) -> set[int]:
    """Return numbers of classes that the folder states outside its losses."""
    found: set[int] = set()

    def add(value: object) -> None:
        if isinstance(value, int) and not isinstance(value, bool) and value > 1:
            found.add(value)

    for module, node in project.nodes(ast.Assign, ast.AnnAssign):
        assert isinstance(node, ast.Assign | ast.AnnAssign)
        owner = module.class_of(node)
        if (
            node.value is not None
            and not (owner and re.search("loss|smooth", owner.name, re.I))
            and any(last(reference(t)).lower() in _CLASSES for t in targets(node))
        ):
            add(project.constant(module, node.value))
    for module, call, name in project.calls:
        if not re.search("loss|criterion|smooth", last(name), re.I):
            for key in _CLASSES:
                add(project.constant(module, keyword(call, key)))
    for value in project.folder.values:
        if last(value.key).lower() in _CLASSES:
            add(value.value)
    for flag in project.flags:
        if flag.dest in _CLASSES:
            add(project.constant(flag.module, flag.default))
    return found


def softmax_before_cross_entropy(project: SourceProject) -> Iterator[DefectMatch]:
    """Find CrossEntropyLoss after a softmax, in the loop or at the end of the model."""
    uses = any(last(n) in ("CrossEntropyLoss", "cross_entropy") for _, _, n in project.calls)
    if not uses or any(
        last(n) in ("NLLLoss", "nll_loss", "KLDivLoss", "BCELoss") for _, _, n in project.calls
    ):
        return
    for module, call, name in project.calls:
        if not _is_cross_entropy(project, module, call, name) or not call.args:
            continue
        _, value = project.resolve(module, call.args[0])
        if isinstance(value, ast.Call) and _is_softmax(module, value):
            yield match_defect(
                "softmax-before-cross-entropy", module, call, "The loss takes logits and is given a softmax."
            )
    trained = [(m, c) for m, c, n in project.calls if _is_cross_entropy(project, m, c, n)]
    for module, owner in project.nodes(ast.ClassDef):
        assert isinstance(owner, ast.ClassDef)
        for part in owner.body:
            if (
                trained
                and isinstance(part, ast.FunctionDef)
                and part.name == "forward"
                and not re.search("loss|attention|attn", owner.name, re.I)
            ):
                for node in ast.walk(part):
                    if isinstance(node, ast.Return) and node.value is not None:
                        _, value = project.resolve(module, node.value)
                        if (
                            isinstance(value, ast.Call)
                            and _softmax_like(project, module, owner, value)
                            and "forward" not in _inner_users(project, owner)
                        ):
                            yield match_defect(
                                "softmax-before-cross-entropy",
                                module,
                                node,
                                f"{owner.name} ends in a softmax and is trained with cross-entropy.",
                            )


def _inner_users(project: SourceProject, owner: ast.ClassDef) -> set[str]:
    """Return method names of other classes that build this module as a part: its output is then not the
    model's.
    """
    found = set()
    for module, call, name in project.calls:
        if (
            last(name) == owner.name
            and module.class_of(call) is not None
            and "Module" in " ".join(reference(b) for b in (module.class_of(call) or owner).bases)
        ):
            found.add("forward")
    return found


def _is_softmax(module: SourceModule, call: ast.Call) -> bool:
    name = module.name(call.func) or (call.func.attr if isinstance(call.func, ast.Attribute) else "")
    if last(name) in ("softmax", "Softmax"):
        return True
    return isinstance(call.func, ast.Call) and last(module.name(call.func.func)) == "Softmax"


def _softmax_like(project: SourceProject, module: SourceModule, owner: ast.ClassDef, call: ast.Call) -> bool:
    if _is_softmax(module, call):
        return True
    if isinstance(call.func, ast.Attribute) and reference(call.func.value) == "self":
        for made in project.attribute_definitions(owner, call.func.attr):
            if isinstance(made, ast.Call) and last(module.name(made.func)) == "Softmax":
                return True
            if isinstance(made, ast.Call) and last(module.name(made.func)) == "Sequential" and made.args:
                end = made.args[-1]
                return isinstance(end, ast.Call) and last(module.name(end.func)) == "Softmax"
    return False


def _is_cross_entropy(project: SourceProject, module: SourceModule, call: ast.Call, name: str) -> bool:
    if last(name) == "cross_entropy":
        return True
    if not isinstance(call.func, ast.Name | ast.Attribute):
        return False
    _, maker = project.resolve(module, call.func)
    while (
        isinstance(maker, ast.Call)
        and isinstance(maker.func, ast.Attribute)
        and maker.func.attr in ("to", "cuda")
    ):
        maker = maker.func.value
    return isinstance(maker, ast.Call) and last(module.name(maker.func)) == "CrossEntropyLoss"
