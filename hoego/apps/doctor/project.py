"""What the code of a folder refers to: names, definitions, flags, and where a value comes from."""

from __future__ import annotations

import ast
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from hoego.apps.doctor.source import SourceFolder, SourceModule
from hoego.apps.doctor.syntax import (
    argument,
    arithmetic,
    assignments,
    attributes,
    keyword,
    last,
    reference,
    targets,
)

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, kw_only=True)
class CommandFlag:
    """A command-line flag: its destination, default, type and the call that declares it."""

    dest: str
    default: ast.expr | None
    type: str
    call: ast.Call
    module: SourceModule
    action: str


class SourceProject:
    """The index over a folder's modules that the checks ask."""

    def __init__(self, folder: SourceFolder) -> None:
        self.folder = folder
        self.modules = folder.modules
        self._attributes: dict[ast.ClassDef, dict[str, list[ast.expr]]] = {}
        self._scopes: dict[ast.AST, dict[str, list[ast.expr]]] = {}

    def _given(self, scope: ast.AST, name: str) -> list[ast.expr]:
        if scope not in self._scopes:
            self._scopes[scope] = assignments(scope)
        return self._scopes[scope].get(name, [])

    @cached_property
    def functions(self) -> dict[str, list[tuple[SourceModule, Function]]]:
        """The functions of all modules, by name."""
        found: dict[str, list[tuple[SourceModule, Function]]] = {}
        for module, node in self.nodes(ast.FunctionDef, ast.AsyncFunctionDef):
            assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            found.setdefault(node.name, []).append((module, node))
        return found

    @cached_property
    def classes(self) -> dict[str, list[tuple[SourceModule, ast.ClassDef]]]:
        """The classes of all modules, by name."""
        found: dict[str, list[tuple[SourceModule, ast.ClassDef]]] = {}
        for module, node in self.nodes(ast.ClassDef):
            assert isinstance(node, ast.ClassDef)
            found.setdefault(node.name, []).append((module, node))
        return found

    @cached_property
    def calls(self) -> list[tuple[SourceModule, ast.Call, str]]:
        """Every call with its dotted name."""
        return [(m, c, m.name(c.func) or "?." + _method(c)) for m in self.modules for c in m.calls]

    def called(self, *names: str) -> Iterator[tuple[SourceModule, ast.Call, str]]:
        """Find calls whose last name is one of these."""
        return (one for name in names for one in self._named_calls.get(name, []))

    @cached_property
    def _named_calls(self) -> dict[str, list[tuple[SourceModule, ast.Call, str]]]:
        found: dict[str, list[tuple[SourceModule, ast.Call, str]]] = {}
        for one in self.calls:
            found.setdefault(last(one[2]), []).append(one)
        return found

    def nodes(self, *kinds: type[ast.AST]) -> Iterator[tuple[SourceModule, ast.AST]]:
        """Return the nodes of these kinds, with their modules."""
        return ((m, node) for m in self.modules for node in m.nodes if isinstance(node, kinds))

    def is_dataset(self, name: str) -> bool:
        """Return whether a class of the folder is a torch data set, itself or by what it inherits from."""
        for _, owner in self.classes.get(name, []):
            for base in map(last, map(reference, owner.bases)):
                if base in ("Dataset", "VisionDataset", "ImageFolder", "DatasetFolder"):
                    return True
                if base != name and self.is_dataset(base):
                    return True
        return False

    @cached_property
    def flags(self) -> list[CommandFlag]:
        """The command-line flags that the project declares."""
        found = []
        for module, call, name in self.calls:
            if last(name) not in ("add_argument", "option") or not call.args:
                continue
            spelled = [a.value for a in call.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
            if last(name) == "option" and not name.startswith("click"):
                continue
            long = [s for s in spelled if s.startswith("--")] or [s for s in spelled if not s.startswith("-")]
            dest = keyword(call, "dest")
            if not (long or isinstance(dest, ast.Constant)):
                continue
            shown = str(dest.value) if isinstance(dest, ast.Constant) else long[0].lstrip("-")
            kind = keyword(call, "type")
            action = keyword(call, "action")
            found.append(
                CommandFlag(
                    dest=shown.split("/")[0].replace("-", "_"),
                    default=keyword(call, "default"),
                    type=reference(kind) if kind is not None else "",
                    call=call,
                    module=module,
                    action=str(action.value) if isinstance(action, ast.Constant) else "",
                )
            )
        return found

    @cached_property
    def trains(self) -> bool:
        """Whether this folder trains a network at all."""
        names = ("backward", "fit", "fit_one_cycle", "fine_tune", "Trainer")
        return any(last(n) in names for _, _, n in self.calls)

    @cached_property
    def framework(self) -> str:
        """lightning, transformers, fastai, keras or an empty string for a loop of one's own."""
        own = {name for m in self.modules for name in m.aliases.values()}
        for root, shown in (
            ("pytorch_lightning", "lightning"),
            ("lightning", "lightning"),
            ("transformers", "transformers"),
            ("fastai", "fastai"),
            ("tensorflow", "keras"),
            ("keras", "keras"),
        ):
            if any(name == root or name.startswith(root + ".") for name in own):
                return shown
        return ""

    def definitions(self, module: SourceModule, node: ast.AST, name: str) -> list[ast.expr]:
        """Return expressions that a name is given, in its function or else in the module, before `node` first."""
        scope: ast.AST | None = module.function_of(node)
        while True:
            found = self._given(scope if scope is not None else module.tree, name)
            if found or scope is None:
                line = getattr(node, "lineno", 0)
                before = [e for e in found if e.lineno <= line and e is not node]
                return before or [e for e in found if e is not node]
            scope = module.function_of(scope)

    def attribute_definitions(self, owner: ast.ClassDef, name: str) -> list[ast.expr]:
        """Return expressions given to self.<name> in a class or to the class attribute."""
        if owner not in self._attributes:
            self._attributes[owner] = attributes(owner)
        return self._attributes[owner].get(name, [])

    def resolve(self, module: SourceModule, node: ast.expr) -> tuple[SourceModule, ast.expr]:
        """Follow a name to the one expression that defines it, across modules where it is imported."""
        for _ in range(6):
            if isinstance(node, ast.Name):
                found = self.definitions(module, node, node.id)
                if not found and node.id in module.aliases:
                    wanted = last(module.aliases[node.id])
                    for other in self.modules:
                        found = self._given(other.tree, wanted) if other is not module else []
                        if found:
                            module = other
                            break
                if not found:
                    function = module.function_of(node)
                    sites = list(self._at_call_sites(function, node.id)) if function is not None else []
                    if len(sites) == 1 and isinstance(sites[0][1], ast.expr):
                        module, node = sites[0][0], sites[0][1]
                        continue
                if len(found) != 1:
                    return module, node
                node = found[0]
            elif isinstance(node, ast.Attribute) and reference(node.value) == "self":
                owner = module.class_of(node)
                found = self.attribute_definitions(owner, node.attr) if owner else []
                if len(found) != 1:
                    return module, node
                node = found[0]
            else:
                return module, node
        return module, node

    def constant(self, module: SourceModule, node: ast.expr | None, depth: int = 12) -> Any:
        """Return the plain value of an expression where reading alone gives it, else None.

        Numbers, strings, lists, arithmetic of them, names given once, and flags with a default.
        """
        if node is None or depth == 0:
            return None
        module, node = self.resolve(module, node)
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.Tuple | ast.List):
            items = [self.constant(module, item, depth - 1) for item in node.elts]
            return None if any(item is None for item in items) else items
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            value = self.constant(module, node.operand, depth - 1)
            return -value if isinstance(value, int | float) else None
        if isinstance(node, ast.BinOp):
            return arithmetic(
                node.op,
                self.constant(module, node.left, depth - 1),
                self.constant(module, node.right, depth - 1),
            )
        if isinstance(node, ast.Attribute):
            flags = [f for f in self.flags if f.dest == node.attr and f.default is not None]
            values = {repr(v): v for v in (self.constant(f.module, f.default, depth - 1) for f in flags)}
            if len(values) == 1 and reference(node.value) not in ("self", "cls"):
                return next(iter(values.values()))
            return self._class_constant(node, depth - 1)
        return None

    def _class_constant(self, node: ast.Attribute, depth: int) -> Any:
        base = last(reference(node.value))
        for module, owner in self.classes.get(base, []):
            for statement in owner.body:
                if isinstance(statement, ast.Assign | ast.AnnAssign) and any(
                    reference(t) == node.attr for t in targets(statement)
                ):
                    return self.constant(module, statement.value, depth)
        return None

    def behind(
        self, module: SourceModule, node: ast.AST, depth: int = 6
    ) -> Iterator[tuple[SourceModule, ast.AST, int]]:
        """Yield the expressions that a value is made from, nearest first, each with its number of steps."""
        seen: set[int] = set()
        queue: deque[tuple[SourceModule, ast.AST, int]] = deque([(module, node, 0)])
        while queue:
            module, node, step = queue.popleft()
            if id(node) in seen or step > depth:
                continue
            seen.add(id(node))
            yield module, node, step
            for part in ast.walk(node):
                queue.extend((m, n, step + 1) for m, n in self._behind(module, part))

    def trace(self, module: SourceModule, node: ast.AST, depth: int = 5) -> dict[str, int]:
        """Return identifiers behind a value -> the fewest steps to reach them.

        Follows assignments, loop variables, what is appended, attributes of self, returns of the folder's own
        functions, and arguments at their call sites.
        """
        found: dict[str, int] = {}
        for other, expression, step in self.behind(module, node, depth):
            for part in ast.walk(expression):
                spelled = _spelled(other, part)
                if spelled:
                    found.setdefault(spelled, step)
                if isinstance(part, ast.Call) and self.is_dataset(last(other.name(part.func))):
                    found.setdefault("dataset", step)
                if isinstance(part, ast.Name) and part.id == "self" and not _names_a_table(other, part):
                    owner = other.class_of(part)
                    if owner is not None and self.is_dataset(owner.name):
                        found.setdefault("dataset", step + 1)
        return found

    def _behind(self, module: SourceModule, part: ast.AST) -> Iterator[tuple[SourceModule, ast.AST]]:
        if isinstance(part, ast.Name):
            given = self.definitions(module, part, part.id)
            yield from ((module, e) for e in given)
            function = module.function_of(part)
            if function is not None and not given:
                yield from self._at_call_sites(function, part.id)
        elif isinstance(part, ast.Attribute) and reference(part.value) == "self":
            owner = module.class_of(part)
            if owner is not None:
                yield from ((module, e) for e in self.attribute_definitions(owner, part.attr))
        elif isinstance(part, ast.Call):
            for other, function in self.functions.get(last(module.name(part.func)), [])[:3]:
                for inner in ast.walk(function):
                    if isinstance(inner, ast.Return) and inner.value is not None:
                        yield other, inner.value

    def _at_call_sites(self, function: Function, parameter: str) -> Iterator[tuple[SourceModule, ast.AST]]:
        names = [a.arg for a in (*function.args.posonlyargs, *function.args.args)]
        if parameter not in names:
            return
        offset = 1 if names[0] in ("self", "cls") else 0
        sites = self._named_calls.get(function.name, [])
        if function.name == "__init__":
            makers = [n for n, entries in self.classes.items() for _, o in entries if function in o.body]
            sites = [one for name in makers for one in self._named_calls.get(name, [])]
        for module, call, _ in sites[:6]:
            given = argument(call, names.index(parameter) - offset, parameter)
            if given is not None:
                yield module, given


def _names_a_table(module: SourceModule, node: ast.AST) -> bool:
    """Return whether `self` only holds the path of a table that is read here: `pd.read_csv(self.path)`."""
    current = module.parents.get(node)
    while isinstance(current, ast.Attribute | ast.Call):
        if isinstance(current, ast.Call):
            return last(module.name(current.func)).startswith("read_")
        current = module.parents.get(current)
    return False


def _spelled(module: SourceModule, part: ast.AST) -> str:
    if isinstance(part, ast.Name):
        return "" if module.aliases.get(part.id, "").split(".")[0] in _LIBRARIES else part.id
    if isinstance(part, ast.Attribute):
        base = module.name(part).split(".")[0]
        return "" if base in _LIBRARIES else part.attr
    if isinstance(part, ast.Constant) and isinstance(part.value, str) and len(part.value) < 80:
        return part.value
    return ""


_LIBRARIES = frozenset(
    ["os", "pathlib", "glob", "torch", "numpy", "pandas", "sklearn", "random", "math", "tqdm", "typing"]
)


def _method(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else ""
