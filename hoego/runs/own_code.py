"""Code that a record names, such as a custom metric, runs only if this project names it too.

A record may come from anybody. What may run is named by hoego.toml beside the records, or was named by a recipe or a
command line here: those names are kept beside the records, in a file that `hoego merge` does not take over.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hoego import files
from hoego.errors import RecordError
from hoego.recipe import Recipe, build, find_project, read_toml
from hoego.runs.records import Record, RunStore
from hoego.storage import storing

KEPT = ".own-code.json"


def named_code(recipe: Recipe) -> tuple[str, ...]:
    """Give the names in a recipe that load code: "module:function" or "file.py:function"."""
    return tuple(name for name in recipe.score.metrics if ":" in name)


def keep_names(store: RunStore, recipe: Recipe) -> None:
    """Keep the code that a recipe names as named here. Call it only with a recipe that a person gave here."""
    new = [name for name in named_code(recipe) if name not in _kept(store)]
    if not new:
        return
    with storing(store.root / KEPT):
        store.root.mkdir(parents=True, exist_ok=True)
    with files.locked(store.root / f"{KEPT}.lock"):
        files.write_json(store.root / KEPT, {"names": sorted({*_kept(store), *new})})


def require_named_here(record: Record, names: Sequence[str] | None = None) -> None:
    """Refuse a record that names code which nobody here has named, or that lies among the records.

    Args:
        record: whose code is about to run.
        names: the code; by default all that its recipe names.

    Raises:
        RecordError: names the code and the recipe; nothing of it has run.
    """
    wanted = named_code(build(record.recipe)) if names is None else names
    if not wanted:
        return
    store = RunStore(record.folder.parent)
    known = {*_kept(store), *_of_project(store.root)}
    for name in wanted:
        inside = _lies_among(store.root, name)
        if name in known and not inside:
            continue
        why = "that lies among the records" if inside else "that nothing in this project names"
        raise RecordError(
            f"score.metrics names code {why}: {name!r}. It was not run.",
            file=record.folder / "recipe.toml",
            remedy="Read that code first. To let it run, keep it outside runs/ and name it in hoego.toml: "
            f'[score] metrics = ["{name}"].',
        )


def _kept(store: RunStore) -> list[str]:
    path = store.root / KEPT
    if not path.is_file():
        return []
    names = files.read_json(path).get("names")
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []


def _of_project(runs: Path) -> tuple[str, ...]:
    file = find_project(runs)
    if file is None:
        return ()
    return named_code(build({"score": read_toml(file).get("score", {})}, file=file))


def _lies_among(runs: Path, name: str) -> bool:
    place = name.rpartition(":")[0]
    return place.endswith(".py") and Path(place).resolve().is_relative_to(runs.resolve())
