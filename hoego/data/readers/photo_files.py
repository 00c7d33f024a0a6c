"""Finding photos on disk: sorted whatever the machine, without leftovers, and never outside the root."""

from __future__ import annotations

import os
import posixpath
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from hoego.data.images import is_photo
from hoego.errors import DataError

_SKIPPED = {"__MACOSX", "@eaDir", "$RECYCLE.BIN"}


def photos_below(root: Path, exclude: Sequence[str] = ()) -> list[str]:
    """Return paths (posix, relative to root) of all photos below a folder, sorted; links to folders are
    followed once.

    Left out: hidden files and folders (`._mask1.jpg`, `.ipynb_checkpoints`), what archives leave (`__MACOSX`), and
    what matches a pattern of `exclude` (`test/*`, `*_mask.png`).
    """
    found = [path for path in _walk(str(root), "", set()) if not excluded(path, exclude)]
    return sorted(found)


def excluded(path: str, patterns: Sequence[str]) -> bool:
    """Return whether a posix path matches one of the glob patterns (`*` crosses folders), in any Unicode form
    of either.
    """
    if not patterns:
        return False
    plain = unicodedata.normalize("NFC", path)
    globs = [unicodedata.normalize("NFC", p) for p in patterns]
    return any(fnmatchcase(plain, p) or fnmatchcase(plain, f"{p.rstrip('/')}/*") for p in globs)


def left_out(paths: Sequence[str], patterns: Sequence[str]) -> tuple[list[bool], dict[str, int]]:
    """Say which of N paths match a glob pattern of dataset.exclude, and how many each leaves out that none before did.

    >>> left_out(["a/1.png", "b/1.png"], ["a/*"])
    ([True, False], {"dataset.exclude 'a/*'": 1})
    """
    by_pattern = [next((p for p in patterns if excluded(path, (p,))), None) for path in paths]
    counts = Counter(f"dataset.exclude {p!r}" for p in by_pattern if p is not None)
    return [p is not None for p in by_pattern], dict(counts)


def kept(paths: Sequence[str], patterns: Sequence[str]) -> tuple[list[str], dict[str, int]]:
    """Return the paths that no pattern leaves out, and the counts of `left_out`."""
    gone, counts = left_out(paths, patterns)
    return [path for path, out in zip(paths, gone, strict=True) if not out], counts


def _walk(root: str, below: str, seen: set[str]) -> Iterator[str]:
    folder = os.path.join(root, below) if below else root
    real = os.path.realpath(folder)
    if real in seen:
        return
    seen.add(real)
    try:
        entries = sorted(os.scandir(folder), key=lambda e: e.name)
    except OSError as error:
        raise DataError(
            f"The folder cannot be read ({error.strerror}).",
            file=folder,
            remedy="Check dataset.root and its rights.",
        ) from None
    for entry in entries:
        path = f"{below}/{entry.name}" if below else entry.name
        if is_skipped(entry.name):
            continue
        try:
            if entry.is_dir():
                yield from _walk(root, path, seen)
            elif is_photo(entry.name) and entry.is_file():
                yield path
        except OSError:  # a link that leads to itself
            continue


def is_skipped(name: str) -> bool:
    """Return whether a file or folder is hidden, or was left by an archive or a file server."""
    return name.startswith(".") or name in _SKIPPED


def subfolders(folder: Path) -> list[str]:
    """Return the names of the visible folders in a folder, sorted."""
    return sorted(e.name for e in os.scandir(folder) if os.path.isdir(e.path) and not is_skipped(e.name))


def inside(path: str, root: Path, *, file: Path, row: int | None, column: str) -> str:
    """Return a path of a table as a posix path relative to root.

    Raises:
        DataError: it leaves the root.
    """
    clean = _clean(path, root)
    if clean is None:
        raise DataError(
            f"The path {shown(path)} leaves the root {root}.",
            file=file,
            row=row,
            column=column,
            remedy="Set dataset.root to a folder that holds all photos.",
        )
    return clean


def shown(text: str) -> str:
    """Return a cell's text in quotes, cut where it is long."""
    return repr(text if len(text) <= 200 else text[:200] + "…")


def _clean(path: str, root: Path) -> str | None:
    text = os.path.relpath(path, root) if os.path.isabs(path) else path
    clean = posixpath.normpath(text)
    # A backslash separates folders on Windows, so that `a\\..\\..\\b` leaves the root there.
    there = posixpath.normpath(text.replace("\\", "/"))
    out = any(p in ("..", ".") or p.startswith("../") for p in (clean, there))
    return None if out else clean
