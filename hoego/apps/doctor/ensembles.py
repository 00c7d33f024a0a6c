"""Checks on what is fitted or picked after training."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from hoego.apps.doctor.hit import DefectMatch, loops_around, match_defect
from hoego.apps.doctor.project import SourceProject
from hoego.apps.doctor.source import SourceModule
from hoego.apps.doctor.syntax import identifiers, is_valid_name, last, reference, targets, words

_FITS = ("minimize", "differential_evolution", "basinhopping", "dual_annealing", "minimize_scalar")


def fitted_on_validation(project: SourceProject) -> Iterator[DefectMatch]:
    """Yield weights or a stacked model fitted on validation predictions and scored on the same ones."""
    for module, call, name in project.calls:
        if last(name) in _FITS and ("scipy" in name or "optimize" in name) and call.args:
            given = [
                i
                for a in (*call.args, *(k.value for k in call.keywords))
                for i in project.trace(module, a, 1)
            ]
            given += [
                i for _, f in project.functions.get(reference(call.args[0]), []) for i in identifiers(f)
            ]
            if any(_held(i) for i in given) and not _folded(module, call):
                yield match_defect(
                    "fitted-on-validation",
                    module,
                    call,
                    "Weights are fitted on the held-out predictions that score them.",
                )
        elif last(name) == "fit" and isinstance(call.func, ast.Attribute) and len(call.args) >= 2:
            rows = reference(call.args[0])
            model = reference(call.func.value)
            if not rows or not model or not _held(rows) or _folded(module, call):
                continue
            for other, again, called in project.calls:
                if (
                    other is module
                    and last(called) in ("score", "predict", "predict_proba")
                    and again.args
                    and isinstance(again.func, ast.Attribute)
                    and reference(again.func.value) == model
                    and reference(again.args[0]) == rows
                ):
                    yield match_defect(
                        "fitted-on-validation",
                        module,
                        call,
                        f"{model} is fitted on {rows} and scored on {rows}.",
                    )
                    break


def _held(identifier: str) -> bool:
    return is_valid_name(identifier) or "oof" in words(identifier)


def _folded(module: SourceModule, node: ast.AST) -> bool:
    """Return whether a loop over folds surrounds the code, or it is called by cross_val_*."""
    return any(
        "split" in i or "fold" in i.lower()
        for loop in loops_around(module, node)
        for i in identifiers(loop.iter)
    )


_SCORED_NAME = re.compile(
    r"(?<![\d.])0?[._]?(0\.[5-9]\d{1,5}|lb[_\-]?0?[._]?\d{2,5}|public[_\-]?0?[._]?\d{2,5})", re.I
)
_TABLE = re.compile(r"\.(csv|npy|npz|pkl|pt|pth|parquet)$", re.I)


def picked_by_leaderboard(project: SourceProject) -> Iterator[DefectMatch]:
    """Yield two or more submission files that carry a public score, combined in code."""
    yield from _combined_lists(project)
    yield from _combined_reads(project)
    yield from _weighted_by_score(project)


def _combined_lists(project: SourceProject) -> Iterator[DefectMatch]:
    """Yield lists of files that are named by their score."""
    for module, node in project.nodes(ast.List, ast.Tuple, ast.Dict):
        items = (
            node.elts
            if isinstance(node, ast.List | ast.Tuple)
            else node.keys
            if isinstance(node, ast.Dict)
            else []
        )
        shown = [i.value for i in items if isinstance(i, ast.Constant) and isinstance(i.value, str)]
        if sum(map(_carries_score, shown)) >= 2:
            yield match_defect(
                "picked-by-leaderboard",
                module,
                node,
                f"The files combined are named by their score: {shown[0]}.",
            )


def _combined_reads(project: SourceProject) -> Iterator[DefectMatch]:
    """Yield the first of two or more reads of files that are named by their score."""
    reads = [
        (module, call, str(a.value))
        for module, call, name in project.calls
        if last(name) in ("read_csv", "load")
        for a in call.args[:1]
        if isinstance(a, ast.Constant) and _carries_score(str(a.value))
    ]
    if len(reads) >= 2:
        yield match_defect(
            "picked-by-leaderboard",
            reads[0][0],
            reads[0][1],
            f"{len(reads)} files named by their score are combined.",
        )


def _weighted_by_score(project: SourceProject) -> Iterator[DefectMatch]:
    """Yield tables of public scores: two or more numbers between 0 and 1 under a name of the leaderboard."""
    table = re.compile(r"lb|leaderboard|public", re.I)
    for module, node in project.nodes(ast.Assign):
        assert isinstance(node, ast.Assign)
        if isinstance(node.value, ast.Dict | ast.List | ast.Tuple) and any(
            table.search(last(reference(t))) for t in targets(node)
        ):
            numbers = [
                c.value
                for c in ast.walk(node.value)
                if isinstance(c, ast.Constant) and isinstance(c.value, float)
            ]
            if len(numbers) >= 2 and all(0 < n < 1 for n in numbers):
                yield match_defect(
                    "picked-by-leaderboard", module, node, "Public scores weight or pick the members."
                )


def _carries_score(name: str) -> bool:
    if not _TABLE.search(name) or re.search(r"val|cv|oof|fold|epoch", name, re.I):
        return False
    if not name.lower().endswith(".csv") and not re.search("lb|public|sub", name, re.I):
        return False
    return bool(_SCORED_NAME.search(name))
