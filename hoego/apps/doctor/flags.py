"""Checks on command-line flags."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from hoego.apps.doctor.hit import DefectMatch, match_defect
from hoego.apps.doctor.project import CommandFlag, SourceProject
from hoego.apps.doctor.source import SourceModule, word_set
from hoego.apps.doctor.syntax import last, reference, targets

_HARMLESS = word_set(
    "print vars json.dump dump dumps pprint info debug str repr log update init isinstance "
    "save_hyperparameters log_params log_param log_hyperparams warning format write deepcopy hasattr "
    "getattr setattr dir"
)


def unused_flag(project: SourceProject) -> Iterator[DefectMatch]:
    """Yield a flag whose destination no code reads."""
    for module in {flag.module.file: flag.module for flag in project.flags}.values():
        flags = [f for f in project.flags if f.module is module]
        holders = _holders(project, module)
        reach = _reach(project, module)
        if not holders or _escapes(project, reach, holders):
            continue
        used = _read_names(reach, flags)
        for flag in flags:
            if flag.dest not in used and flag.action not in ("version", "help"):
                yield match_defect(
                    "unused-flag", module, flag.call, f"--{flag.dest} is declared, and nothing reads it."
                )


def _holders(project: SourceProject, module: SourceModule) -> set[str]:
    """Return names that hold the parsed flags: what they are assigned to, or the parameter they are passed as."""
    found = set()
    for call in module.calls:
        if last(reference(call.func)) in ("parse_args", "parse_known_args"):
            statement = module.statement_of(call)
            names = [reference(t) for t in targets(statement)]
            outer = module.parents.get(call)
            if not names and isinstance(outer, ast.Call) and call in outer.args:
                for _, function in project.functions.get(last(module.name(outer.func)), []):
                    names += [a.arg for a in function.args.args[outer.args.index(call) :][:1]]
            found.update(names or ["args"])
    return {name for name in found if name and name != "_"}


def _reach(project: SourceProject, module: SourceModule) -> list[SourceModule]:
    """Return the module, what it imports, who imports it, and what those import."""
    by_stem: dict[str, list[SourceModule]] = {}
    for one in project.modules:
        by_stem.setdefault(one.stem, []).append(one)

    def below(start: SourceModule) -> list[SourceModule]:
        found, queue = [start], [start]
        while queue:
            for stem in queue.pop().imported:
                for other in by_stem.get(stem, []):
                    if other not in found:
                        found.append(other)
                        queue.append(other)
        return found

    reach = below(module)
    for other in project.modules:
        if module.stem in other.imported and other not in reach:
            reach += [m for m in below(other) if m not in reach]
    return reach


def _escapes(project: SourceProject, reach: list[SourceModule], holders: set[str]) -> bool:
    """Return whether the flags are handed whole to code that reading cannot follow."""
    plain = {last(h) for h in holders}
    for module in reach:
        for call in module.calls:
            name = module.name(call.func) or (call.func.attr if isinstance(call.func, ast.Attribute) else "")
            for given in (*call.args, *(k.value for k in call.keywords)):
                packed = isinstance(given, ast.Call) and last(reference(given.func)) == "vars"
                whole = given.args[0] if packed and isinstance(given, ast.Call) and given.args else given
                whole = whole.value if isinstance(whole, ast.Starred) else whole
                unpacked = any(k.arg is None and k.value is given for k in call.keywords)
                if isinstance(whole, ast.Attribute) and whole.attr == "__dict__":
                    whole = whole.value
                if last(reference(whole)) not in plain:
                    continue
                if unpacked and last(name) in ("update", "init", "dict", "log"):
                    continue
                if unpacked:
                    return True
                own = last(name) in project.functions or last(name) in project.classes
                if not own and last(name) not in _HARMLESS and name not in _HARMLESS:
                    return True
    return False


def _read_names(reach: list[SourceModule], flags: list[CommandFlag]) -> set[str]:
    own = {id(part) for f in flags for part in ast.walk(f.call)}
    found: set[str] = set()
    for module in reach:
        for node in module.nodes:
            if id(node) in own:
                continue
            if isinstance(node, ast.Attribute) and reference(node.value) not in ("self", "cls"):
                if isinstance(node.ctx, ast.Load):
                    found.add(node.attr)
            elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
                found.add(str(node.slice.value))
            elif (
                isinstance(node, ast.Call)
                and last(reference(node.func)) in ("getattr", "get", "pop")
                and node.args
            ):
                found.update(str(a.value) for a in node.args[:2] if isinstance(a, ast.Constant))
    return found


def flag_type(project: SourceProject) -> Iterator[DefectMatch]:
    """Find type=list, type=tuple, type=dict, type=bool in argparse."""
    for flag in project.flags:
        if flag.type in ("list", "tuple", "dict", "set"):
            yield match_defect(
                "flag-type",
                flag.module,
                flag.call,
                f"type={flag.type} takes the text of --{flag.dest} apart letter by letter.",
            )
        elif flag.type == "bool" and last(flag.module.name(flag.call.func)) != "option":
            yield match_defect("flag-type", flag.module, flag.call, f"`--{flag.dest} False` gives True.")
