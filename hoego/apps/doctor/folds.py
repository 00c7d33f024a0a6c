"""Check on cross-validation: one model that goes through all folds."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from hoego.apps.doctor.hit import DefectMatch, match_defect
from hoego.apps.doctor.project import SourceProject
from hoego.apps.doctor.source import SourceModule, word_set
from hoego.apps.doctor.syntax import identifiers, last, reference, targets, words

_MAKERS = word_set(
    "Sequential create_model get_model build_model make_model load_model from_pretrained compile clone_model"
)
_MODEL = re.compile(r"^(model|net|network|classifier|clf|learner|learn|backbone|encoder)\d?$")
_ANEW = word_set("load_state_dict reset_parameters apply set_weights restore load_weights reset")


def one_model_for_all_folds(project: SourceProject) -> Iterator[DefectMatch]:
    """Yield a network that is made before a loop over folds, trained within it and never made anew."""
    for module, loop in project.nodes(ast.For):
        assert isinstance(loop, ast.For)
        if not _over_folds(project, module, loop):
            continue
        for name in sorted(_used(loop) - _made_within(loop)):
            maker = _made_before(project, module, loop, name)
            if maker is not None and not _made_anew(loop, name) and _trained(project, module, loop, name):
                line = module.place(loop.lineno)[0]
                detail = f"{name} is made once, before the loop over folds in line {line}: from the second fold on "
                detail += "it has trained on what it is scored on."
                yield match_defect("one-model-for-all-folds", module, maker, detail)


def _over_folds(project: SourceProject, module: SourceModule, loop: ast.For) -> bool:
    """Return whether a loop runs over the folds of a split."""
    for part in ast.walk(loop.iter):
        if isinstance(part, ast.Call) and isinstance(part.func, ast.Attribute) and part.func.attr == "split":
            if part.args and not isinstance(part.args[0], ast.Constant):
                return True
            _, maker = project.resolve(module, part.func.value)
            if isinstance(maker, ast.Call) and re.search("Fold|Shuffle", last(module.name(maker.func))):
                return True
    named = [w for t in targets(loop) for i in identifiers(t) for w in words(i)]
    counted = [w for i in identifiers(loop.iter) for w in words(i)]
    return any(w in ("fold", "folds") for w in named) and any(
        w in ("range", "fold", "folds", "enumerate", "splits", "k") for w in counted
    )


def _made_within(loop: ast.For) -> set[str]:
    """Return names that the loop gives a value."""
    return {
        reference(t)
        for node in ast.walk(loop)
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.NamedExpr | ast.For | ast.With)
        for t in (targets(node) or ([node.target] if isinstance(node, ast.NamedExpr) else []))
    }


def _used(loop: ast.For) -> set[str]:
    """Return plain names that the loop reads, and attributes of self."""
    return {
        reference(n)
        for statement in loop.body
        for n in ast.walk(statement)
        if isinstance(n, ast.Name) or (isinstance(n, ast.Attribute) and reference(n.value) == "self")
    } - {"", "self"}


def _made_before(project: SourceProject, module: SourceModule, loop: ast.For, name: str) -> ast.AST | None:
    """Return the statement that makes a network under this name before the loop, in its scope or in the module."""
    for scope in (module.function_of(loop), module.tree):
        if scope is None:
            continue
        for node in ast.walk(scope):
            if not isinstance(node, ast.Assign) or node.lineno >= loop.lineno:
                continue
            named = any(reference(t) == name for t in targets(node))
            if named and _makes_a_network(project, module, node.value, name):
                return node
    return None


def _makes_a_network(project: SourceProject, module: SourceModule, value: ast.expr, name: str) -> bool:
    while (
        isinstance(value, ast.Call)
        and isinstance(value.func, ast.Attribute)
        and value.func.attr in ("to", "cuda", "float", "half")
    ):
        value = value.func.value  # Net().to(device)
    if not isinstance(value, ast.Call):
        return False
    dotted = module.name(value.func)
    called = last(dotted)
    if called in ("deepcopy", "dict", "list", "load"):
        return False
    own = any(_is_network(project, owner) for _, owner in project.classes.get(called, []))
    library = "models." in dotted or called in _MAKERS or dotted.startswith("timm.")
    return own or library or bool(_MODEL.match(last(name)))


def _is_network(project: SourceProject, owner: ast.ClassDef) -> bool:
    bases = [last(reference(base)) for base in owner.bases]
    return any(b in ("Module", "Model", "LightningModule") for b in bases) or any(
        _is_network(project, other)
        for b in bases
        if b != owner.name
        for _, other in project.classes.get(b, [])
    )


def _made_anew(loop: ast.For, name: str) -> bool:
    """Return whether the loop copies the network, or puts weights back into it."""
    for node in ast.walk(loop):
        if not isinstance(node, ast.Call):
            continue
        called = last(reference(node.func)) or (
            node.func.attr if isinstance(node.func, ast.Attribute) else ""
        )
        about = [reference(n) for n in ast.walk(node)]
        if called in ("deepcopy", "clone", "copy") and name in about:
            return True
        if called in _ANEW and name in about:
            return True
    return False


def _trained(project: SourceProject, module: SourceModule, loop: ast.For, name: str) -> bool:
    """Return whether the loop trains the network: by steps of its own, by a helper that it is given to, or by `fit`."""
    for node in ast.walk(loop):
        if not isinstance(node, ast.Call):
            continue
        called = last(module.name(node.func)) or (
            node.func.attr if isinstance(node.func, ast.Attribute) else ""
        )
        if called == "backward":
            return True
        mine = isinstance(node.func, ast.Attribute) and reference(node.func.value) == name
        if mine and called in ("fit", "partial_fit", "fit_one_cycle", "fine_tune", "fit_generator"):
            return called != "fit" or project.framework in ("keras", "fastai")
        given = [reference(a) for a in (*node.args, *(k.value for k in node.keywords))]
        if name in given:
            if called == "fit" and project.framework in ("lightning", "transformers"):
                return True
            for _, function in project.functions.get(called, []):
                if any(
                    isinstance(c, ast.Call)
                    and isinstance(c.func, ast.Attribute)
                    and c.func.attr == "backward"
                    for c in ast.walk(function)
                ):
                    return True
    return False
