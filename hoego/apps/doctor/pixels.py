"""Checks on pixel statistics, sizes and preprocessing."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any

from hoego.apps.doctor.hit import DefectMatch, match_defect
from hoego.apps.doctor.project import SourceProject
from hoego.apps.doctor.source import SourceModule
from hoego.apps.doctor.syntax import argument, identifiers, last, reference, targets, words


def std_formula(project: SourceProject) -> Iterator[DefectMatch]:
    """Yield the root of E[x^2] - mean^2 with one of the two already divided by 255, or 8-bit squares, or no square."""
    for module in project.modules:
        for node in module.nodes:
            inner = _under_root(module, node)
            if inner is None or not isinstance(inner, ast.BinOp) or not isinstance(inner.op, ast.Sub):
                continue
            text = " ".join(identifiers(inner)).lower()
            if not re.search(r"mean|mu|sum|sq|avg", text):
                continue
            second, first = _unsquared(inner.right), _unsquared(inner.left)
            if second is None:
                if (
                    reference(inner.right)
                    and re.search("mean|mu", reference(inner.right))
                    and re.search("sq|square|2", ast.unparse(inner.left))
                ):
                    yield match_defect(
                        "std-formula", module, node, "The mean is not squared: the root of E[x²] - mean²."
                    )
                continue
            if _divided(project, module, second) != _divided(project, module, first or inner.left):
                yield match_defect(
                    "std-formula",
                    module,
                    node,
                    "The mean was divided by 255 and the mean of the squares was not.",
                )
            elif _bytes_squared(project, module, inner.left):
                yield match_defect(
                    "std-formula",
                    module,
                    node,
                    "8-bit pixels are squared before they are converted: the squares wrap at 256.",
                )


def _under_root(module: SourceModule, node: ast.AST) -> ast.expr | None:
    if isinstance(node, ast.Call) and last(module.name(node.func)) == "sqrt" and len(node.args) == 1:
        return node.args[0]
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "sqrt"
        and not node.args
    ):
        return node.func.value
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
        power = node.right
        if isinstance(power, ast.Constant) and power.value == 0.5:
            return node.left
        if isinstance(power, ast.BinOp) and ast.unparse(power) in ("1 / 2", "1.0 / 2"):
            return node.left
    return None


def _unsquared(node: ast.expr) -> ast.expr | None:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
        return node.left
    if (
        isinstance(node, ast.BinOp)
        and isinstance(node.op, ast.Mult)
        and ast.dump(node.left) == ast.dump(node.right)
    ):
        return node.left
    if isinstance(node, ast.Call) and last(reference(node.func)) in ("square", "pow") and node.args:
        return node.args[0]
    return None


def _divided(project: SourceProject, module: SourceModule, node: ast.expr) -> bool:
    """Return whether a value was divided by 255 (or made by ToTensor) on its way here."""
    expressions = [node]
    seen: set[int] = set()
    for _ in range(4):
        found: list[ast.expr] = []
        for one in expressions:
            if id(one) in seen:
                continue
            seen.add(id(one))
            for part in ast.walk(one):
                if (
                    isinstance(part, ast.Constant)
                    and part.value in (255, 255.0)
                    and not isinstance(part.value, bool)
                ):
                    return True
                if isinstance(part, ast.Call) and last(module.name(part.func)) in ("ToTensor", "to_tensor"):
                    return True
                if isinstance(part, ast.Name):
                    found += project.definitions(module, part, part.id)
                elif isinstance(part, ast.Attribute) and reference(part.value) == "self":
                    owner = module.class_of(part)
                    found += project.attribute_definitions(owner, part.attr) if owner else []
        expressions = found
    return False


def _bytes_squared(project: SourceProject, module: SourceModule, node: ast.expr) -> bool:
    sources = [node]
    for part in ast.walk(node):
        if isinstance(part, ast.Name):
            sources += project.definitions(module, part, part.id)
    for source in sources:
        for part in ast.walk(source):
            squared = _unsquared(part) if isinstance(part, ast.expr) else None
            if isinstance(squared, ast.Name):
                made = project.definitions(module, squared, squared.id)
                text = " ".join(ast.unparse(m) for m in made)
                if re.search(r"imread|Image\.open", text) and not re.search(
                    "float|255|astype|ToTensor", text
                ):
                    return True
    return False


_SIZE_KEYS = re.compile(
    r"^(re_?size|img_?size|image_?size|input_?size|im_?size|size|resize_to|target_?size|shape|resolution)$",
    re.I,
)


def size_order(project: SourceProject) -> Iterator[DefectMatch]:
    """Yield one pair of numbers in two orders."""
    seen: dict[tuple[str, tuple[int, int]], tuple[str, int, int | None, str]] = {}
    for key, pair, file, line, cell, evidence in sorted(
        _sizes(project), key=lambda s: bool(_INFERENCE.match(s[2].rpartition("/")[2]))
    ):
        if pair[0] == pair[1]:
            continue
        other = seen.get((key, (pair[1], pair[0])))
        if other is not None and (other[0], other[1]) != (file, line):
            detail = f"({pair[0]}, {pair[1]}) here, ({pair[1]}, {pair[0]}) at {other[0]}:{other[1]}."
            yield DefectMatch(
                defect="size-order", file=file, line=line, cell=cell, evidence=evidence, detail=detail
            )
        seen.setdefault((key, pair), (file, line, cell, evidence))
    for module, call, name in project.called("Resize", "resize"):
        if _named_the_wrong_way(call, name) and not _passed_on(module, call):
            yield match_defect(
                "size-order",
                module,
                call,
                "Height and width are named in the other order than this takes them.",
            )


def _passed_on(module: SourceModule, call: ast.Call) -> bool:
    """Return whether two names are taken from a pair and given on in its order: then only the names may be swapped.

    A photo's own size or shape has an order that is known, so its parts are called what they are.
    """
    given = [reference(a) for a in call.args[:2]]
    scope = module.function_of(call) or module.tree
    for node in ast.walk(scope):
        if isinstance(node, ast.Assign) and [reference(t) for t in targets(node)][:2] == given and all(given):
            parts = {n.attr for n in ast.walk(node.value) if isinstance(n, ast.Attribute)}
            return not parts & {"size", "shape"}
    return False


def _sizes(project: SourceProject) -> Iterator[tuple[str, tuple[int, int], str, int, int | None, str]]:
    for flag in project.flags:
        pair = _pair(project.constant(flag.module, flag.default))
        if pair and _SIZE_KEYS.match(flag.dest):
            line, cell = flag.module.place(flag.call.lineno)
            yield flag.dest, pair, flag.module.file, line, cell, flag.module.text(flag.call.lineno)
    for value in project.folder.values:
        pair = _pair(value.value)
        if pair and _SIZE_KEYS.match(last(value.key)):
            yield last(value.key), pair, value.file, value.line, None, f"{value.key} = {value.value}"
    for module, node in project.nodes(ast.Assign, ast.AnnAssign):
        assert isinstance(node, ast.Assign | ast.AnnAssign)
        for target in targets(node):
            pair = _pair(project.constant(module, node.value)) if node.value is not None else None
            if pair and _SIZE_KEYS.match(last(reference(target))):
                line, cell = module.place(node.lineno)
                yield last(reference(target)).lower(), pair, module.file, line, cell, module.text(node.lineno)
    for module, call, name in project.calls:
        pair = _resize_call(project, module, call, name)
        if pair:
            line, cell = module.place(call.lineno)
            yield "height x width", pair, module.file, line, cell, module.text(call.lineno)


def _pair(value: Any) -> tuple[int, int] | None:
    if isinstance(value, list) and len(value) == 2 and all(isinstance(v, int) and v > 8 for v in value):
        return value[0], value[1]
    return None


def _resize_call(
    project: SourceProject, module: SourceModule, call: ast.Call, name: str
) -> tuple[int, int] | None:
    """Return (height, width) of a resize with numbers; PIL and OpenCV take width first."""
    if last(name) == "Resize":
        first = project.constant(module, argument(call, 0, "size", "height"))
        second = project.constant(module, argument(call, 1, "width")) if "transforms" not in name else None
        return _pair(first) or (_pair([first, second]) if isinstance(second, int) else None)
    if last(name) == "resize" and call.args:
        opencv = name.startswith("cv2.")
        given = call.args[1] if opencv and len(call.args) > 1 else call.args[0]
        pair = _pair(project.constant(module, given))
        tensors = (
            "functional" in name or "transforms" in name or name.startswith(("numpy", "torch", "skimage"))
        )
        return (pair[1], pair[0]) if pair and not tensors else None
    return None


def _named_the_wrong_way(call: ast.Call, name: str) -> bool:
    """Return whether a call is `Resize(width, height)`, or OpenCV's or PIL's resize with (height, width)."""
    given: list[ast.expr] = list(call.args)
    if name.startswith("cv2."):
        given = given[1:]
    if given and isinstance(given[0], ast.Tuple | ast.List):
        given = given[0].elts
    sides = ["".join(sorted({_side_of(i) for i in identifiers(g)} - {""})) for g in given[:2]]
    if len(sides) != 2 or set(sides) != {"h", "w"}:
        return False
    height_first = last(name) == "Resize" or any(p in name for p in ("functional", "transforms", "skimage"))
    return (sides == ["w", "h"]) if height_first else (name.startswith("cv2.") and sides == ["h", "w"])


def _side_of(identifier: str) -> str:
    parts = set(words(identifier))
    if parts & {"height", "h", "img_h"}:
        return "h"
    return "w" if parts & {"width", "w"} else ""


_BUILDERS = ("Compose", "Sequential")
_SHAPING = ("Resize", "Normalize", "CenterCrop", "resize", "normalize")
_INFERENCE = re.compile(
    r"^(infer|inference|predict|prediction|submit|submission|test|evaluate|eval|serve|demo)", re.I
)


def own_preprocessing(project: SourceProject) -> Iterator[DefectMatch]:
    """Find resizing or normalising that is built again for the test."""
    train: list[tuple[SourceModule, ast.Call]] = []
    own: list[tuple[SourceModule, ast.Call]] = []
    for module, call, name in project.calls:
        if last(name) not in _BUILDERS or not any(
            isinstance(c, ast.Call) and last(module.name(c.func)) in _SHAPING for c in ast.walk(call)
        ):
            continue
        (own if _inference_scope(module, call) else train).append((module, call))
    if not train:
        return
    for module, call in own:
        if any(ast.dump(call) == ast.dump(other) for _, other in train):
            detail = "A copy of the training's preprocessing, kept in a second place."
        else:
            detail = (
                f"Training builds another at {train[0][0].file}:{train[0][0].place(train[0][1].lineno)[0]}."
            )
        yield match_defect("own-preprocessing", module, call, detail)


def _inference_scope(module: SourceModule, node: ast.AST) -> bool:
    owner = module.class_of(node)
    if owner is not None and _INFERENCE.match("_".join(words(owner.name))) and "Dataset" in owner.name:
        return True
    if module.cells:
        return False
    function = module.function_of(node)
    if function is not None and re.match(r"^(infer|inference|predict|submit|make_submission)", function.name):
        return True
    return (
        bool(_INFERENCE.match(module.stem))
        and not module.file.startswith(("tests/", "test/"))
        and "backward"
        not in {
            last(module.name(c.func) or (c.func.attr if isinstance(c.func, ast.Attribute) else ""))
            for c in module.calls
        }
    )
