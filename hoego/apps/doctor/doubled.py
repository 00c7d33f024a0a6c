"""Checks on photos that are augmented, mixed or oversampled before the sides are drawn."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from hoego.apps.doctor.hit import DefectMatch, augmenting_calls, loops_around, match_defect
from hoego.apps.doctor.project import SourceProject
from hoego.apps.doctor.source import SourceModule, word_set
from hoego.apps.doctor.split_after import split_after
from hoego.apps.doctor.syntax import (
    argument,
    identifiers,
    is_train_name,
    is_valid_name,
    last,
    reference,
    targets,
    words,
)

_WRITES = ("imwrite", "imsave", "save_image", "save")
_VIEWS = word_set(
    "vis visual plot result results sample samples grid debug cam gradcam figure fig log logs check preview"
)
_MIXED = word_set(
    "mixup cutmix mixed mix lam blend weighted aug augment augmented augmentation flip flipped fliplr rotate"
)
_DOUBLING = ("fit_resample", "fit_sample")


def augmented_before_split(project: SourceProject) -> Iterator[DefectMatch]:
    """Find augmented photos written among the originals, or rows doubled, before the sides are drawn."""
    for module, call, name in project.calls:
        if last(name) in _DOUBLING:
            if any(is_train_name(i) for a in call.args for i in identifiers(a)):
                continue
            names = [reference(t) for t in targets(module.statement_of(call)) if reference(t)]
            if any(split_after(project, module, call, n) for n in names):
                yield match_defect(
                    "augmented-before-split", module, call, "Rows are oversampled and split afterwards."
                )
        elif last(name) == "concat" and call.args:
            if re.search("aug|mixup|cutmix|oversampl|flipp", " ".join(identifiers(call.args[0])).lower()):
                names = [reference(t) for t in targets(module.statement_of(call)) if reference(t)]
                if any(not is_train_name(n) and split_after(project, module, call, n) for n in names):
                    yield match_defect(
                        "augmented-before-split",
                        module,
                        call,
                        "Augmented rows are added and split afterwards.",
                    )
        elif last(name) in _WRITES and loops_around(module, call):
            yield from _offline(project, module, call)


def _knows_sides(scope: ast.AST) -> bool:
    names = [n.id for n in ast.walk(scope) if isinstance(n, ast.Name)]
    names += [n.arg for n in ast.walk(scope) if isinstance(n, ast.arg)]
    return any(is_valid_name(n) or {"fold", "split"} & set(words(n)) for n in names)


def _offline(project: SourceProject, module: SourceModule, call: ast.Call) -> Iterator[DefectMatch]:
    name = last(module.name(call.func) or (call.func.attr if isinstance(call.func, ast.Attribute) else ""))
    if (
        module.name(call.func).startswith(("torch.", "numpy.", "np.", "plt", "matplotlib"))
        and name != "save_image"
    ) and not module.name(call.func).startswith("torchvision"):
        return
    scope: ast.AST = module.function_of(call) or module.tree
    around = identifiers(call) + ([scope.name] if isinstance(scope, ast.FunctionDef) else []) + [module.stem]
    around_words = {w for i in around for w in words(i)}
    if around_words & _VIEWS or _knows_sides(scope):
        return
    written = call.func.value if name == "save" and isinstance(call.func, ast.Attribute) else None
    written = written or (argument(call, 1, "img") if name == "imwrite" else argument(call, 0, "tensor"))
    if written is None:
        return
    behind = {w for i in project.trace(module, written, 3) for w in words(i)}
    if behind & _MIXED or augmenting_calls(module, written):
        yield match_defect(
            "augmented-before-split",
            module,
            call,
            "Augmented photos are written to disk, and nothing here knows the sides yet.",
        )
