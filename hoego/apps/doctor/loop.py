"""Checks on the training loop, on what it loads and on mixing."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from hoego.apps.doctor.hit import DefectMatch, loops_around, match_defect, over_loader
from hoego.apps.doctor.project import SourceProject
from hoego.apps.doctor.source import SourceModule
from hoego.apps.doctor.syntax import identifiers, is_train_name, is_valid_name, keyword, last, reference

_FRAMEWORKS = ("lightning", "transformers", "fastai", "keras")


def no_eval_mode(project: SourceProject) -> Iterator[DefectMatch]:
    """Yield a loop over the validation side in a module where nothing calls .eval()."""
    if project.framework in _FRAMEWORKS:
        return
    for module in project.modules:
        if any(_mode(call) == "eval" for call in module.calls):
            continue
        for loop in module.nodes:
            if not isinstance(loop, ast.For) or not over_loader(loop):
                continue
            if not any(is_valid_name(i) for i in identifiers(loop.iter)) or not _forward(loop):
                continue
            function = module.function_of(loop)
            callers = [] if function is None else [m for m, _, _ in project.called(function.name)]
            if any(_mode(call) == "eval" for m in callers for call in m.calls):
                continue
            yield match_defect(
                "no-eval-mode",
                module,
                loop,
                "The model is asked here, and nothing in this file calls .eval().",
            )
            break


def _mode(call: ast.Call) -> str:
    if isinstance(call.func, ast.Attribute) and call.func.attr in ("eval", "train"):
        off = bool(call.args) and isinstance(call.args[0], ast.Constant) and call.args[0].value is False
        base = reference(call.func.value)
        if call.func.attr == "eval" and not call.args and base not in ("pd", "df"):
            return "eval"
        return "eval" if off else "train"
    return ""


def _forward(loop: ast.For) -> bool:
    return any(
        isinstance(c, ast.Call)
        and re.search(r"(^|[._])(model|net|network|classifier|ema)\w*$", reference(c.func).lower())
        for c in ast.walk(loop)
    )


def train_mode_lost(project: SourceProject) -> Iterator[DefectMatch]:
    """Find .eval() within the loop over epochs and .train() only before it."""
    if project.framework in _FRAMEWORKS:
        return
    for module in project.modules:
        for loop in module.nodes:
            if not isinstance(loop, ast.For) or not any(
                "epoch" in i.lower() for i in identifiers(loop.iter) + identifiers(loop.target)
            ):
                continue
            inside = [c for c in ast.walk(loop) if isinstance(c, ast.Call)]
            helpers = [
                (m, c)
                for call in inside
                for m, f in project.functions.get(last(module.name(call.func)), [])
                for c in ast.walk(f)
                if isinstance(c, ast.Call)
            ]
            reached = [(module, c) for c in inside] + helpers
            if not any(isinstance(c.func, ast.Attribute) and c.func.attr == "backward" for _, c in reached):
                continue
            first = next(((m, c) for m, c in reached if _mode(c) == "eval"), None)
            if first is not None and not any(_mode(c) == "train" for _, c in reached):
                yield match_defect(
                    "train-mode-lost", *first, "Within the epochs nothing calls .train() again."
                )


def no_seed(project: SourceProject) -> Iterator[DefectMatch]:
    """Yield a folder that trains and calls nothing named seed."""
    if not project.trains:
        return
    for _module, call, name in project.calls:
        if (
            "seed" in last(name).lower()
            or any(k.arg and re.search("seed|random_state|generator", k.arg) for k in call.keywords)
        ) and last(name) not in ("add_argument", "option"):
            return
    if any("seed" in last(v.key).lower() for v in project.folder.values) and project.framework:
        return
    start = next(((m, c) for m, c, n in project.calls if last(n) in ("backward", "fit")), None)
    if start is not None:
        yield match_defect("no-seed", start[0], start[1], "Training starts here, and no file sets a seed.")


def trains_on_validation(project: SourceProject) -> Iterator[DefectMatch]:
    """Find optimizer.step() in a loop over the validation loader."""
    for module, call, name in project.calls:
        if last(name) != "backward":
            continue
        loops = [loop for loop in loops_around(module, call) if over_loader(loop)]
        if (
            loops
            and any(is_valid_name(i) for i in identifiers(loops[0].iter))
            and not any(is_train_name(i) for i in identifiers(loops[0].iter))
        ):
            yield match_defect(
                "trains-on-validation", module, call, "Gradients are taken of the validation photos."
            )


def unsafe_load(project: SourceProject) -> Iterator[DefectMatch]:
    """Find weights_only=False, whole models pickled, pickle.load of a model."""
    whole = any(
        last(n) == "save"
        and n.startswith("torch")
        and c.args
        and isinstance(c.args[0], ast.Name)
        and re.fullmatch(r"(best_)?(model|net|network)\w{0,2}", c.args[0].id)
        for _, c, n in project.calls
    )
    for module, call, name in project.calls:
        if name == "torch.load":
            only = keyword(call, "weights_only")
            if isinstance(only, ast.Constant) and only.value is False:
                yield match_defect(
                    "unsafe-load", module, call, "weights_only=False runs what the file holds."
                )
            elif only is None and whole:
                yield match_defect(
                    "unsafe-load", module, call, "Whole models are saved, so loading must unpickle code."
                )
        elif name in ("pickle.load", "joblib.load", "dill.load", "cloudpickle.load") and any(
            re.search("model|ckpt|checkpoint|weight|net", i.lower())
            for i in identifiers(module.statement_of(call))
        ):
            yield match_defect("unsafe-load", module, call, "A pickled model runs what the file holds.")


_MIX = re.compile(
    r"cut_?mix|mix_?up|rand_bbox|fmix|snapmix|cut_?out|mosaic|(^|_)lam($|_)|mix_?(data|criterion|batch|images)",
    re.I,
)
_PROB = re.compile(r"prob|(^|_)p($|_)|ratio|rate|share|chance", re.I)


def inverted_probability(project: SourceProject) -> Iterator[DefectMatch]:
    """Find `if random() > cutmix_prob:` before mixing."""
    for module, node in project.nodes(ast.If):
        assert isinstance(node, ast.If)
        test = _exceeds(project, module, node.test)
        if test is None or not (_PROB.search(test) or _MIX.search(test)):
            continue
        body = [i for s in node.body for i in identifiers(s)]
        mixing = [c for s in node.body for c in ast.walk(s) if isinstance(c, ast.Call)]
        leaves = isinstance(node.body[-1], ast.Return | ast.Continue) and not any(
            _MIX.search(last(reference(c.func))) for c in mixing
        )
        other = [i for s in node.orelse for i in identifiers(s)]
        if (
            any(map(_MIX.search, body))
            and not leaves
            and not (any(map(_MIX.search, other)) and len(other) > len(body))
        ):
            yield match_defect(
                "inverted-probability",
                module,
                node,
                f"Mixing happens when the draw exceeds {test}: with probability 1 - {test}.",
            )


def _exceeds(project: SourceProject, module: SourceModule, test: ast.expr) -> str | None:
    """Return the name of the probability that a uniform draw must exceed for the branch to be taken."""
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.Or):
        return None
    for part in ast.walk(test):
        if not isinstance(part, ast.Compare) or len(part.ops) != 1:
            continue
        left, op, right = part.left, part.ops[0], part.comparators[0]
        if isinstance(op, ast.Lt | ast.LtE):
            left, right = right, left
        elif not isinstance(op, ast.Gt | ast.GtE):
            continue
        if _uniform(project, module, left) and not _uniform(project, module, right):
            if isinstance(right, ast.BinOp) and isinstance(right.op, ast.Sub):
                return None
            return last(reference(right)) or ast.unparse(right)
    return None


def _uniform(project: SourceProject, module: SourceModule, node: ast.expr) -> bool:
    other, value = project.resolve(module, node)
    while (
        isinstance(value, ast.Call)
        and isinstance(value.func, ast.Attribute)
        and value.func.attr in ("item", "cpu")
    ):
        value = value.func.value
    if isinstance(value, ast.Subscript):
        value = value.value
    if not isinstance(value, ast.Call):
        return False
    name = other.name(value.func)
    if last(name) == "uniform":
        return not value.args or [project.constant(other, a) for a in value.args[:2]] == [0, 1]
    return last(name) in ("random", "rand", "random_sample") and (
        "random" in name or "torch" in name or "rng" in name
    )
