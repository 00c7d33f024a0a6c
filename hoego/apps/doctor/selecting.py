"""Checks on what the best checkpoint is chosen by, and whether F1 is seen at all."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import islice

from hoego.apps.doctor.hit import DefectMatch, loops_around, match_defect
from hoego.apps.doctor.project import SourceProject
from hoego.apps.doctor.source import SourceModule
from hoego.apps.doctor.syntax import identifiers, is_valid_name, keyword, last, reference, targets, words

_ACCURACY = frozenset(["acc", "acc1", "accuracy", "accs", "top1"])
_OTHER = frozenset(["f1", "fscore", "macro", "recall", "kappa", "auc", "auroc", "loss", "losses"])
_SAVES = re.compile(r"save|checkpoint|copy|state_dict|dump")


def _accurate(identifier: str) -> bool:
    parts = set(words(identifier))
    return bool(parts & _ACCURACY) and not parts & {"balanced", "f1", "loss"}


def best_by_accuracy(project: SourceProject) -> Iterator[DefectMatch]:
    """Yield a comparison of accuracies that saves, or a callback that monitors accuracy."""
    hits = [*_compared(project), *_monitored(project)]
    if hits and not _saves_by_f1(project):
        yield from hits


def _compared(project: SourceProject) -> Iterator[DefectMatch]:
    for module, node in project.nodes(ast.Compare):
        assert isinstance(node, ast.Compare)
        if len(node.ops) != 1 or not isinstance(node.ops[0], ast.Gt | ast.GtE | ast.Lt | ast.LtE):
            continue
        left, right = identifiers(node.left), identifiers(node.comparators[0])
        if not (_by_name(left, right) or _by_record(project, module, node)):
            continue
        if _leads_to_saving(module, node):
            yield match_defect(
                "best-by-accuracy", module, node, "A higher accuracy decides which weights are kept."
            )


def _by_name(left: list[str], right: list[str]) -> bool:
    """Return whether a comparison is like `val_acc > best_acc`, whatever happens in the branch."""
    if not ((any(map(_accurate, left)) and any(map(_accurate, right))) or _mixed_pair(left, right)):
        return False
    return any({"best", "max", "top", "highest"} & set(words(i)) for i in left + right)


def _by_record(project: SourceProject, module: SourceModule, node: ast.Compare) -> bool:
    """Return whether it is `if score > top: top = score`, and the score is named an accuracy or made from one."""
    statement = module.statement_of(node)
    pair = {reference(node.left), reference(node.comparators[0])}
    if not isinstance(statement, ast.If) or "" in pair or len(pair) != 2:
        return False
    for inner in statement.body:
        if (
            isinstance(inner, ast.Assign)
            and {reference(inner.value), *map(reference, targets(inner))} == pair
        ):
            if _accurate(last(reference(inner.value))):
                return True
            behind = {i for i, step in project.trace(module, inner.value, 3).items() if step > 0}
            measured = {w for i in behind for w in words(i)}
            return any(map(_accurate, behind)) and not measured & _OTHER
    return False


def _mixed_pair(left: list[str], right: list[str]) -> bool:
    """Return whether a comparison is like `acc > best` or `val_accuracy > self.best_score`."""
    return any(map(_accurate, left)) != any(map(_accurate, right)) and any(
        i in ("best", "best_score", "best_metric", "best_val", "best_value", "max_score")
        for i in left + right
    )


def _leads_to_saving(module: SourceModule, node: ast.Compare) -> bool:
    statement = module.statement_of(node)
    if isinstance(statement, ast.If | ast.While):
        return any(_is_save(module, c) for s in statement.body for c in ast.walk(s))
    names = [reference(t) for t in targets(statement)]
    scope: ast.AST = module.function_of(node) or module.tree
    for other in ast.walk(scope):
        if (
            isinstance(other, ast.If)
            and any(reference(p) in names for p in ast.walk(other.test))
            and any(_is_save(module, c) for s in other.body for c in ast.walk(s))
        ):
            return True
        if (
            isinstance(other, ast.Call)
            and _is_save(module, other)
            and any(reference(a) in names for a in (*other.args, *(k.value for k in other.keywords)))
        ):
            return True
    return False


def _is_save(module: SourceModule, node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    name = module.name(node.func) or (node.func.attr if isinstance(node.func, ast.Attribute) else "")
    return bool(_SAVES.search(last(name).lower())) and "config" not in name.lower() and "savefig" not in name


def _saves_by_f1(project: SourceProject) -> bool:
    """Return whether some checkpoint is kept by F1 as well: then accuracy's is one of several."""
    for module, node in project.nodes(ast.Compare):
        assert isinstance(node, ast.Compare)
        named = [i for part in (node.left, *node.comparators) for i in identifiers(part)]
        if any("f1" in words(i) for i in named) and _leads_to_saving(module, node):
            return True
    return any("f1" in str(v).lower() for _, _, v in _monitors(project))


def _monitors(project: SourceProject) -> Iterator[tuple[SourceModule, ast.AST, str]]:
    for module, call, name in project.calls:
        if last(name) in ("EarlyStopping", "ReduceLROnPlateau") or "Scheduler" in name:
            continue
        for key in ("monitor", "metric_for_best_model", "checkpoint_metric", "monitor_metric", "best_metric"):
            value = keyword(call, key)
            given = project.constant(module, value)
            if isinstance(given, str) and value is not None:
                yield module, value, given


def _monitored(project: SourceProject) -> Iterator[DefectMatch]:
    for module, call, given in _monitors(project):
        if _accurate(given):
            yield match_defect("best-by-accuracy", module, call, f"Checkpoints are kept by {given!r}.")
    for value in project.folder.values:
        key = last(value.key)
        if (
            key in ("monitor", "metric_for_best_model", "monitor_metric")
            and isinstance(value.value, str)
            and _accurate(value.value)
            and "early" not in value.key.lower()
        ):
            shown = f"{value.key} = {value.value}"
            yield DefectMatch(
                defect="best-by-accuracy",
                file=value.file,
                line=value.line,
                cell=None,
                evidence=shown,
                detail=f"Checkpoints are kept by {value.value!r}.",
            )


_F1 = re.compile(
    r"(^|[^a-z0-9])f1|f1(_?score)?|f_?beta|fscore|classification_report|jaccard|kappa|auroc|roc_auc|balanced_acc",
    re.I,
)
_LOSS = re.compile(r"loss|criterion", re.I)


def no_f1(project: SourceProject) -> Iterator[DefectMatch]:
    """Yield where accuracy is computed on a validation side and F1 (or another measure of rare classes) nowhere."""
    if project.trains and not _measures_f1(project):
        yield from islice(_accuracies(project), 1)  # one place is enough: the defect is of the project


def _measures_f1(project: SourceProject) -> bool:
    """Return whether code or settings name a measure that heeds rare classes, outside of losses."""
    for module in project.modules:
        if _LOSS.search(module.stem):
            continue
        for node in module.nodes:
            named = _said(node)
            if (
                bool(_F1.search(named) and not _LOSS.search(named))
                and not _in_loss(module, node)
                and not (isinstance(node, ast.Constant) and _is_choice(module, node))
            ):
                return True
    return any(_F1.search(f"{v.key} {v.value}") and not _LOSS.search(v.key) for v in project.folder.values)


def _accuracies(project: SourceProject) -> Iterator[DefectMatch]:
    """Yield where accuracy is assigned, computed or logged, the surest places first."""
    computed = "Accuracy is computed here, and F1 in no file."
    for module, node in project.nodes(ast.Assign, ast.AugAssign):
        if isinstance(getattr(node, "value", None), ast.Constant | ast.List | ast.Tuple):
            continue
        for target in targets(node):
            named = reference(target)
            if _accurate(last(named)) and (is_valid_name(named) or _in_validation(module, node)):
                yield match_defect("no-f1", module, node, computed)
    for module, call, name in project.called("accuracy_score", "multiclass_accuracy", "accuracy"):
        if name != "?.accuracy":
            yield match_defect("no-f1", module, call, computed)
    for module, call, _ in project.called("load", "load_metric"):
        if call.args and isinstance(call.args[0], ast.Constant) and call.args[0].value == "accuracy":
            yield match_defect(
                "no-f1", module, call, "Accuracy is computed by this metric, and F1 in no file."
            )
    for module, call, name in project.calls:
        given = [*call.args[:1], *(k.value for k in call.keywords)]
        shown = [
            c.value
            for a in given
            for c in ast.walk(a)
            if isinstance(c, ast.Constant) and isinstance(c.value, str)
        ]
        if last(name) in ("log", "log_dict", "compile", "add_scalar") and any(
            _accurate(s) and (is_valid_name(s) or last(name) == "compile") for s in shown
        ):
            yield match_defect("no-f1", module, call, "Accuracy is logged here, and F1 in no file.")


def _said(node: ast.AST) -> str:
    """Return the identifier or short string that one node spells."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.FunctionDef | ast.alias):
        return node.name
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) < 40:
        return node.value
    return ""


def _in_loss(module: SourceModule, node: ast.AST) -> bool:
    owner = node if isinstance(node, ast.ClassDef) else module.class_of(node)
    return owner is not None and bool(_LOSS.search(owner.name))


def _is_choice(module: SourceModule, node: ast.Constant) -> bool:
    """Return a string that names a loss: within a dict of losses, add_argument, or a comparison."""
    statement = module.statement_of(node)
    text = " ".join(identifiers(statement)).lower()
    return bool(_LOSS.search(text)) or "add_argument" in text


def _in_validation(module: SourceModule, node: ast.AST) -> bool:
    """Return whether code runs on the validation side: by its loop, its function or a no_grad around it."""
    for loop in loops_around(module, node):
        if any(is_valid_name(i) for i in identifiers(loop.iter)):
            return True
    function = module.function_of(node)
    if function is not None and (is_valid_name(function.name) or "evaluate" in words(function.name)):
        return True
    current = module.parents.get(node)
    while current is not None and not isinstance(current, ast.FunctionDef | ast.ClassDef):
        if isinstance(current, ast.With) and any(
            "no_grad" in i or "inference_mode" in i
            for w in current.items
            for i in identifiers(w.context_expr)
        ):
            return True
        current = module.parents.get(current)
    return False
