"""Finding photos on disk: sorted whatever the machine, without leftovers, and never outside the root."""

from __future__ import annotations

import os
import posixpath
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from hoego.data.images import is_photo
from hoego.errors import DataError

_SKIPPED = {"__MACOSX", "@eaDir", "$RECYCLE.BIN"}


def photos_below(root: Path, exclude: Sequence[str] = ()) -> list[str]:
    """Paths (posix, relative to root) of all photos below a folder, sorted; links to folders are followed once.

    Left out: hidden files and folders (`._mask1.jpg`, `.ipynb_checkpoints`), what archives leave (`__MACOSX`), and
    what matches a pattern of `exclude` (`test/*`, `*_mask.png`).
    """
    found = [path for path in _walk(str(root), "", set()) if not excluded(path, exclude)]
    return sorted(found)


def excluded(path: str, patterns: Sequence[str]) -> bool:
    """Whether a posix path matches one of the glob patterns (`*` crosses folders), in any Unicode form of either."""
    if not patterns:
        return False
    plain = unicodedata.normalize("NFC", path)
    globs = [unicodedata.normalize("NFC", p) for p in patterns]
    return any(fnmatchcase(plain, p) or fnmatchcase(plain, f"{p.rstrip('/')}/*") for p in globs)


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
        if entry.name.startswith(".") or entry.name in _SKIPPED:
            continue
        if entry.is_dir():
            yield from _walk(root, path, seen)
        elif is_photo(entry.name) and entry.is_file():
            yield path


def subfolders(folder: Path) -> list[str]:
    """Names of the visible folders in a folder, sorted."""
    return sorted(
        e.name
        for e in os.scandir(folder)
        if e.is_dir() and not e.name.startswith(".") and e.name not in _SKIPPED
    )


def inside(path: str, root: Path, *, file: Path, row: int | None, column: str) -> str:
    """A path of a table as a posix path relative to root.

    Raises:
        DataError: it leaves the root.
    """
    text = path
    if os.path.isabs(text):
        text = os.path.relpath(text, root)
    clean = posixpath.normpath(text)
    if clean == ".." or clean.startswith("../") or clean == ".":
        raise DataError(
            f"The path {path!r} leaves the root {root}.",
            file=file,
            row=row,
            column=column,
            remedy="Set dataset.root to a folder that holds all photos.",
        )
    return clean


class Finder:
    """From what a table calls a photo to its file.

    Tried in turn: below `root` as written; below the table's folder; with backslashes as slashes; in the other
    Unicode form (file systems of macOS decompose Korean and accents); and at last by name among all photos below
    `root`: by the end of the path, then by the name without its ending (`10_left` for `images/10_left.jpeg`).
    """

    def __init__(self, root: Path, table_folder: Path) -> None:
        self.root = root
        beside = os.path.relpath(table_folder, root).replace(os.sep, "/")
        self.prefixes = (
            ["", "images/"] if beside == "." else ["", f"{beside}/", f"{beside}/images/", "images/"]
        )
        self.index: dict[str, list[str]] | None = None

    def find(self, clean: str) -> str | None:
        """The photo's path relative to root, or None; `clean` is relative to root already (see `inside`)."""
        for k, prefix in enumerate(self.prefixes):
            path = posixpath.normpath(prefix + clean)
            if not path.startswith("../") and _is_file(self.root / path):
                if k:
                    self.prefixes.insert(0, self.prefixes.pop(k))
                return path
        for other in self._spellings(clean):
            for prefix in self.prefixes:
                if _is_file(self.root / (prefix + other)):
                    return posixpath.normpath(prefix + other)
        return self._by_name(clean)

    @staticmethod
    def _spellings(clean: str) -> Iterator[str]:
        slashed = clean.replace("\\", "/")
        forms = [slashed, *(unicodedata.normalize(form, slashed) for form in ("NFC", "NFD"))]
        yield from (form for form in dict.fromkeys(forms) if form != clean)

    def _by_name(self, clean: str) -> str | None:
        if self.index is None:
            self.index = defaultdict(list)
            for path in photos_below(self.root):
                name = path.rsplit("/", 1)[-1]
                for key in {name, name.rsplit(".", 1)[0]}:
                    self.index[key].append(path)
        paths = self.index.get(clean.rsplit("/", 1)[-1], [])
        ends = [
            p
            for p in paths
            if p.endswith("/" + clean) or p.rsplit(".", 1)[0].endswith("/" + clean) or p == clean
        ]
        ends = ends or [p for p in paths if p.rsplit(".", 1)[0] == clean]
        return ends[0] if len(ends) == 1 else None


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False
