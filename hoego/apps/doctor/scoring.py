"""Checks on the rows that are scored and on how F1 is averaged."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from hoego.apps.doctor.hit import DefectMatch, loops_around, match_defect, over_loader
from hoego.apps.doctor.project import SourceProject
from hoego.apps.doctor.source import SourceModule
from hoego.apps.doctor.syntax import (
    argument,
    identifiers,
    is_train_name,
    is_valid_name,
    keyword,
    last,
    reference,
    targets,
    words,
)


def validation_drop_last(project: SourceProject) -> Iterator[DefectMatch]:
    """Yield a loader of the validation side with drop_last=True."""
    for module, call, name in project.calls:
        if last(name) != "DataLoader":
            continue
        value, place = _drop_last(project, module, call)
        if value is None or project.constant(module, argument(call, 1, "batch_size")) == 1:
            continue  # of batches of one, no last one is short
        data = argument(call, 0, "dataset")
        named = [reference(t) for t in targets(module.statement_of(call))] + (
            [reference(data)] if data is not None else []
        )
        function = module.function_of(call)
        if function is not None:
            named.append(function.name)
        if value is True and any(is_valid_name(n) for n in named if n) and not _submission(named):
            yield match_defect("validation-drop-last", module, place, _full_length(project, module))
        elif function is not None and data is not None:
            yield from _through_helper(project, function, call, value, module)


def _submission(names: list[str]) -> bool:
    return any("train" in words(n) for n in names) and not any(is_valid_name(n) for n in names)


def _drop_last(project: SourceProject, module: SourceModule, call: ast.Call) -> tuple[object, ast.AST]:
    given = keyword(call, "drop_last")
    if given is not None:
        value = project.constant(module, given)
        return (value if value is not None else given), call
    for one in call.keywords:
        if one.arg is None:
            wanted = ".".join([*reference(one.value).split(".")[-2:], "drop_last"])
            for value in project.folder.values:
                if reference(one.value).count(".") and value.key.endswith(wanted):
                    return value.value, call
            _, packed = project.resolve(module, one.value)
            if isinstance(packed, ast.Dict):
                for key, item in zip(packed.keys, packed.values, strict=True):
                    if isinstance(key, ast.Constant) and key.value == "drop_last":
                        return project.constant(module, item), item
            if isinstance(packed, ast.Call) and keyword(packed, "drop_last") is not None:
                return project.constant(module, keyword(packed, "drop_last")), packed
    return None, call


def _through_helper(
    project: SourceProject,
    function: ast.FunctionDef | ast.AsyncFunctionDef,
    call: ast.Call,
    value: object,
    module: SourceModule,
) -> Iterator[DefectMatch]:
    """Yield a helper that makes both loaders, called with the validation side."""
    parameters = [a.arg for a in function.args.args]
    default: object = value
    if isinstance(value, ast.Name) and value.id in parameters:
        position = parameters.index(value.id) - len(parameters) + len(function.args.defaults)
        default = None if position < 0 else project.constant(module, function.args.defaults[position])
    elif value is not True:
        return
    for site, made, _ in project.called(function.name):
        given = [reference(a) for a in made.args] + [reference(t) for t in targets(site.statement_of(made))]
        if not any(is_valid_name(n) for n in given if n):
            continue
        own = default
        if isinstance(value, ast.Name):
            own = project.constant(site, argument(made, parameters.index(value.id), value.id))
            own = default if argument(made, parameters.index(value.id), value.id) is None else own
        if own is True:
            yield match_defect(
                "validation-drop-last", site, made, f"{function.name} makes a loader with drop_last=True."
            )
    data = argument(call, 0, "dataset")
    _, packed = project.resolve(module, data) if data is not None else (module, None)
    two = {reference(t) for t in targets(module.statement_of(call))}
    if packed is not None and default is True and "valid" in " ".join(two):
        yield match_defect(
            "validation-drop-last", module, call, "The validation loader drops its last batch."
        )


def _full_length(project: SourceProject, module: SourceModule) -> str:
    for node in module.nodes:
        if (
            isinstance(node, ast.BinOp)
            and isinstance(node.op, ast.Div)
            and (
                isinstance(node.right, ast.Call)
                and last(module.name(node.right.func)) == "len"
                and node.right.args
            )
        ):
            named = reference(node.right.args[0])
            if is_valid_name(named) and "loader" not in named:
                return (
                    f"And line {node.lineno} divides by the full length, so the score has a ceiling below 1."
                )
    return "The last, smaller batch is never scored."


_F1_CALLS = ("f1_score", "multiclass_f1_score", "MulticlassF1Score", "F1Score", "fbeta_score", "F1")


def batch_f1(project: SourceProject) -> Iterator[DefectMatch]:
    """Yield F1 of one batch, gathered over the loop of a loader or logged by a validation step."""
    wrappers = {
        m_function.name
        for m, m_call, name in project.calls
        if last(name) in ("f1_score", "multiclass_f1_score")
        for m_function in [m.function_of(m_call)]
        if m_function is not None
        and (
            "f1" in m_function.name.lower()
            or "metric" in m_function.name.lower()
            or "score" in m_function.name.lower()
        )
        and not loops_around(m, m_call)
    }
    for module, call, name in project.calls:
        if last(name) not in {"f1_score", "multiclass_f1_score", *wrappers}:
            continue
        function = module.function_of(call)
        if function is not None and function.name in (
            "validation_step",
            "test_step",
            "shared_step",
            "_shared_step",
            "_step",
        ):
            if _logged(module, function, call):
                yield match_defect(
                    "batch-f1",
                    module,
                    call,
                    f"{function.name} logs the F1 of one batch, and batches are averaged.",
                )
            continue
        loops = [loop for loop in loops_around(module, call) if over_loader(loop)]
        if not loops or any(is_train_name(i) for i in identifiers(loops[0].iter)):
            continue
        if not _of_the_batch(module, call, loops[0]) or not _accumulated(module, call, loops[0]):
            continue
        yield match_defect("batch-f1", module, call, "The F1 of each batch is gathered and averaged.")
    yield from _metric_object(project)


def _of_the_batch(module: SourceModule, call: ast.Call, loop: ast.For) -> bool:
    """Return whether the arguments are made within the loop, and are not lists that grow."""
    grown = {
        reference(c.func).rsplit(".", 1)[0]
        for c in ast.walk(loop)
        if isinstance(c, ast.Call) and last(reference(c.func)) in ("append", "extend")
    }
    grown |= {reference(n.target) for n in ast.walk(loop) if isinstance(n, ast.AugAssign)}
    made = {reference(t) for s in ast.walk(loop) for t in targets(s)}
    named = {reference(p) for a in call.args[:2] for p in ast.walk(a)} | {
        reference(p) for k in call.keywords for p in ast.walk(k.value)
    }
    return bool(named & made) and not named & (grown - {""})


def _accumulated(module: SourceModule, call: ast.Call, loop: ast.For) -> bool:
    statement = module.statement_of(call)
    names = {reference(t) for t in targets(statement)} - {""}
    if isinstance(statement, ast.AugAssign):
        return True
    for node in ast.walk(loop):
        if isinstance(node, ast.AugAssign) and any(reference(p) in names for p in ast.walk(node.value)):
            return True
        if (
            isinstance(node, ast.Call)
            and last(reference(node.func)) in ("append", "update", "add")
            and any(p is call or reference(p) in names for a in node.args for p in ast.walk(a))
        ):
            return True
    return False


def _logged(module: SourceModule, function: ast.AST, call: ast.Call) -> bool:
    names = {reference(t) for t in targets(module.statement_of(call))} - {""}
    for node in ast.walk(function):
        if (
            isinstance(node, ast.Call)
            and last(reference(node.func)) in ("log", "log_dict")
            and any(
                p is call or reference(p) in names
                for a in (*node.args, *(k.value for k in node.keywords))
                for p in ast.walk(a)
            )
        ):
            return True
        if (
            isinstance(node, ast.Return)
            and node.value is not None
            and any(reference(p) in names for p in ast.walk(node.value))
        ):
            return True
    return False


def _metric_object(project: SourceProject) -> Iterator[DefectMatch]:
    """Find `self.log("val_f1", self.f1(preds, y))`: the value of one batch, not the metric object."""
    for module, call, name in project.calls:
        if not (name.startswith("self.") and isinstance(call.func, ast.Attribute) and call.args):
            continue
        function, owner = module.function_of(call), module.class_of(call)
        if (
            function is None
            or owner is None
            or "step" not in words(function.name)
            or "train" in words(function.name)
        ):
            continue
        made = project.attribute_definitions(owner, call.func.attr)
        if any(isinstance(m, ast.Call) and last(module.name(m.func)) in _F1_CALLS for m in made) and _logged(
            module, function, call
        ):
            yield match_defect(
                "batch-f1", module, call, "The value of one batch is logged instead of the metric object."
            )


def micro_f1(project: SourceProject) -> Iterator[DefectMatch]:
    """Find average="micro", or torchmetrics' F1Score whose default is micro; no macro in the same file."""
    found: list[DefectMatch] = []
    macro: set[str] = set()
    for module, call, name in project.calls:
        if last(name) not in ("f1_score", "F1Score", "F1", "fbeta_score", "FBetaScore", "MulticlassF1Score"):
            continue
        average = project.constant(module, keyword(call, "average"))
        if isinstance(average, str):
            if average == "macro":
                macro.add(module.file)
            if average == "micro":
                found.append(match_defect("micro-f1", module, call, 'average="micro".'))
        elif (
            keyword(call, "average") is None
            and "torchmetrics" in name
            and last(name) in ("F1Score", "F1", "FBetaScore", "f1_score")
        ) and not any(part in name for part in ("multiclass_", "Multiclass")):
            found.append(
                match_defect("micro-f1", module, call, 'torchmetrics averages "micro" where nothing is said.')
            )
    yield from (one for one in found if one.file not in macro)
