"""Reading a training folder without running it: Python and notebooks as syntax trees, settings as values.

Nothing here imports, evaluates or unpickles what it reads.
"""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
import tomllib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from hoego.apps.doctor.yaml_lines import read_yaml
from hoego.errors import DataError


def word_set(text: str) -> frozenset[str]:
    """Return the set of the words of a text."""
    return frozenset(text.split())


_SKIPPED = word_set(
    ".git .hg .venv venv env __pycache__ .ipynb_checkpoints node_modules site-packages wandb mlruns "
    ".mypy_cache .pytest_cache .ruff_cache .tox build dist"
)
_MOST_BYTES = 4_000_000
_MOST_FILES = 4000
_SHOWN = 160


@dataclass(frozen=True, kw_only=True)
class ConfigValue:
    """One setting found outside the code: its dotted key, its plain value and its place."""

    key: str
    value: Any
    file: str
    line: int
    origin: str


@dataclass(frozen=True)
class ShellCommand:
    """One `python train.py --flag value` of a shell script."""

    script: str
    flags: dict[str, str]
    file: str
    line: int


@dataclass(eq=False)
class SourceModule:
    """A Python file, or the code cells of a notebook joined in order."""

    file: str
    tree: ast.Module
    lines: list[str]
    cells: list[tuple[int, int]] = field(default_factory=list)

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """Every node, in the order of the text."""
        return list(_ordered(self.tree))

    @cached_property
    def parents(self) -> dict[ast.AST, ast.AST]:
        """The parent of each node."""
        return {child: node for node in self.nodes for child in ast.iter_child_nodes(node)}

    @cached_property
    def calls(self) -> list[ast.Call]:
        """The calls in the module."""
        return [node for node in self.nodes if isinstance(node, ast.Call)]

    @cached_property
    def aliases(self) -> dict[str, str]:
        """Local name -> the dotted name it was imported as."""
        found: dict[str, str] = {}
        for node in self.nodes:
            if isinstance(node, ast.Import):
                for name in node.names:
                    if name.asname:
                        found[name.asname] = name.name
                    else:
                        found[name.name.split(".")[0]] = name.name.split(".")[0]
            elif isinstance(node, ast.ImportFrom):
                for name in node.names:
                    found[name.asname or name.name] = f"{node.module or ''}.{name.name}".strip(".")
        return found

    @cached_property
    def imported(self) -> set[str]:
        """Last parts of the modules that this one imports, for matching against files of the folder."""
        found: set[str] = set()
        for node in self.nodes:
            if isinstance(node, ast.Import):
                found.update(name.name.split(".")[-1] for name in node.names)
            elif isinstance(node, ast.ImportFrom):
                found.add((node.module or "").split(".")[-1])
                found.update(name.name for name in node.names)
        return found

    @property
    def stem(self) -> str:
        """The file's name without its suffix."""
        return Path(self.file).stem

    def place(self, line: int) -> tuple[int, int | None]:
        """Return the line to show for a line of the joined text, and the notebook cell where there is one."""
        for start, cell in reversed(self.cells):
            if line >= start:
                return line - start + 1, cell
        return line, None

    def text(self, line: int) -> str:
        """Return a line without its indentation, shortened to be shown."""
        shown = self.lines[line - 1].strip() if 0 < line <= len(self.lines) else ""
        return shown if len(shown) <= _SHOWN else shown[: _SHOWN - 1] + "…"

    def enclosing(self, node: ast.AST, kinds: tuple[type[ast.AST], ...]) -> ast.AST | None:
        """Return the innermost node of these kinds around a node; None where there is none."""
        current = self.parents.get(node)
        while current is not None and not isinstance(current, kinds):
            current = self.parents.get(current)
        return current

    def function_of(self, node: ast.AST) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
        """Return the function around a node; None at module level."""
        found = self.enclosing(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        return found if isinstance(found, ast.FunctionDef | ast.AsyncFunctionDef) else None

    def class_of(self, node: ast.AST) -> ast.ClassDef | None:
        """Return the class around a node; None outside classes."""
        found = self.enclosing(node, (ast.ClassDef,))
        return found if isinstance(found, ast.ClassDef) else None

    def statement_of(self, node: ast.AST) -> ast.stmt:
        """Return the statement that holds a node."""
        current: ast.AST = node
        while not isinstance(current, ast.stmt):
            current = self.parents[current]
        return current

    def name(self, node: ast.AST) -> str:
        """Return the dotted name of an expression, imports resolved: `np.random.choice` -> numpy.random.choice."""
        if isinstance(node, ast.Name):
            return self.aliases.get(node.id, node.id)
        if isinstance(node, ast.Attribute):
            base = self.name(node.value)
            return f"{base or '?'}.{node.attr}"
        return ""


def _ordered(node: ast.AST) -> Iterator[ast.AST]:
    yield node
    for child in ast.iter_child_nodes(node):
        yield from _ordered(child)


@dataclass(kw_only=True)
class SourceFolder:
    """Everything read from a folder, and what could not be read."""

    root: Path
    modules: list[SourceModule]
    values: list[ConfigValue]
    commands: list[ShellCommand]
    files: list[str]
    unread: list[tuple[str, str]]


def read_folder(path: Path | str) -> SourceFolder:
    """Read a training folder, or one file of it.

    Raises:
        DataError: the path does not exist or holds nothing that can be read.
    """
    root = Path(path)
    if not root.exists():
        raise DataError("there is no such folder.", remedy="Name the folder that holds train.py.", file=root)
    folder = SourceFolder(
        root=root if root.is_dir() else root.parent, modules=[], values=[], commands=[], files=[], unread=[]
    )
    files = _walk(root) if root.is_dir() else [root]
    for file in files:
        name = file.relative_to(folder.root).as_posix()
        folder.files.append(name)
        reader = _READERS.get(file.suffix.lower())
        if reader is None:
            continue
        try:
            if file.stat().st_size > _MOST_BYTES:
                folder.unread.append((name, f"larger than {_MOST_BYTES // 1_000_000} MB"))
                continue
            text = file.read_text(encoding="utf-8-sig", errors="replace")
            reader(folder, name, text)
        except (
            SyntaxError,
            ValueError,
            OSError,
            RecursionError,
            KeyError,
            TypeError,
            AttributeError,
            yaml.YAMLError,
        ) as error:
            folder.unread.append((name, f"{type(error).__name__}: {' '.join(str(error).split())}"))
    if not (folder.modules or folder.values or folder.commands):
        why = f" ({'; '.join(f'{n}: {w}' for n, w in folder.unread[:3])})" if folder.unread else ""
        raise DataError(
            f"no Python file, notebook, shell script or settings file could be read here{why}.",
            remedy="Name the folder that holds train.py.",
            file=root,
        )
    return folder


def _walk(root: Path) -> list[Path]:
    found: list[Path] = []
    for base, folders, names in os.walk(root):
        folders[:] = sorted(f for f in folders if f not in _SKIPPED and not f.endswith(".egg-info"))
        for name in sorted(names):
            if not name.startswith("._"):
                found.append(Path(base) / name)
        if len(found) > _MOST_FILES:
            code = [f for f in found if f.suffix.lower() in _READERS]
            found = code + [f for f in found if f.suffix.lower() not in _READERS][:_MOST_FILES]
    return found


def _parse(text: str) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(text)


def _python(folder: SourceFolder, name: str, text: str) -> None:
    folder.modules.append(SourceModule(name, _parse(text), text.splitlines()))


_MAGIC = re.compile(r"^\s*(%|!|\?)|\?\s*$")


def _notebook(folder: SourceFolder, name: str, text: str) -> None:
    lines: list[str] = []
    cells: list[tuple[int, int]] = []
    for number, cell in enumerate(json.loads(text).get("cells", []), start=1):
        if cell.get("cell_type") != "code":
            continue
        source = cell.get("source", [])
        code = source if isinstance(source, str) else "".join(source)
        if code.lstrip().startswith("%%") and not code.lstrip().startswith(("%%time", "%%capture")):
            continue
        cell_lines = [_without_magic(line) for line in code.splitlines()]
        try:
            _parse("\n".join(cell_lines))
        except SyntaxError as error:
            folder.unread.append((f"{name} cell {number}", f"SyntaxError: {error.msg}"))
            continue
        cells.append((len(lines) + 1, number))
        lines.extend(cell_lines)
    folder.modules.append(SourceModule(name, _parse("\n".join(lines)), lines, cells))


def _without_magic(line: str) -> str:
    if not _MAGIC.search(line):
        return line
    return line[: len(line) - len(line.lstrip())] + "pass"


def _shell(folder: SourceFolder, name: str, text: str) -> None:
    joined, start = "", 1
    for number, line in enumerate(text.splitlines(), start=1):
        start = number if not joined else start
        joined += line.rstrip()
        if joined.endswith("\\"):
            joined = joined[:-1] + " "
            continue
        command = _command(joined, name, start)
        if command is not None:
            folder.commands.append(command)
        joined = ""


def _command(line: str, file: str, number: int) -> ShellCommand | None:
    try:
        words = shlex.split(line, comments=True)
    except ValueError:
        return None
    scripts = [i for i, word in enumerate(words) if word.endswith(".py")]
    if not scripts:
        return None
    flags: dict[str, str] = {}
    rest = words[scripts[0] + 1 :]
    key = ""
    for word in rest:
        if word.startswith("--"):
            key, _, value = word[2:].partition("=")
            key = key.replace("-", "_")
            flags[key] = value
        elif "=" in word and not key:
            name, _, value = word.partition("=")
            flags[name] = value
        elif key:
            flags[key] = f"{flags[key]} {word}".strip()
    return ShellCommand(words[scripts[0]], flags, file, number)


def _json(folder: SourceFolder, name: str, text: str) -> None:
    data = json.loads(text)
    lines = text.splitlines()
    if isinstance(data, dict):
        for key, value in _flat(data):
            needle = f'"{key.split(".")[-1]}"'
            line = next((n for n, shown in enumerate(lines, start=1) if needle in shown), 1)
            folder.values.append(ConfigValue(key=key, value=value, file=name, line=line, origin="json"))


def _flat(data: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in data.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _toml(folder: SourceFolder, name: str, text: str) -> None:
    lines = text.splitlines()
    for key, value in _flat(tomllib.loads(text)):
        last = key.split(".")[-1]
        line = next((n for n, shown in enumerate(lines, start=1) if shown.strip().startswith(last)), 1)
        folder.values.append(ConfigValue(key=key, value=value, file=name, line=line, origin="toml"))


def _yaml(folder: SourceFolder, name: str, text: str) -> None:
    for key, value, line in read_yaml(text):
        inner = _flat(value, f"{key}.") if isinstance(value, dict) else [(key, value)]
        folder.values.extend(
            ConfigValue(key=inner_key, value=inner_value, file=name, line=line, origin="yaml")
            for inner_key, inner_value in inner
        )


_READERS = {
    ".py": _python,
    ".ipynb": _notebook,
    ".sh": _shell,
    ".bash": _shell,
    ".json": _json,
    ".toml": _toml,
    ".yaml": _yaml,
    ".yml": _yaml,
}
