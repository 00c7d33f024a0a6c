"""Find the file of a photo by its name in a table, also one that was written on another machine."""

from __future__ import annotations

import os
import posixpath
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from hoego.data.images import is_photo
from hoego.data.readers.photo_files import photos_below

_DRIVE = re.compile(r"^[A-Za-z]:[\\/]")


class PhotoFinder:
    """Finds the photos of a table.

    Tried in turn: below `root` as written; below the table's folder and below `images`; with backslashes as slashes; in
    the other Unicode form (file systems of macOS decompose Korean and accents); without the first folders of the path,
    where it is absolute (of another machine) or begins with the name of `root`; and at last by name among all photos
    below `root`: by the end of the path, by the name without its ending (`10_left` for `images/10_left.jpeg`), and with
    case forgotten. A name that fits several photos finds none.

    Args:
        root: the folder that the photos are in.
        table_folder: the folder of the table.
    """

    def __init__(self, root: Path, table_folder: Path) -> None:
        self.root = root
        beside = os.path.relpath(table_folder, root).replace(os.sep, "/")
        self.prefixes = (
            ["", "images/"] if beside == "." else ["", f"{beside}/", f"{beside}/images/", "images/"]
        )
        self.index: dict[str, list[str]] | None = None

    def find(self, text: str) -> str | None:
        """Return the photo's path (posix, relative to root), or None."""
        away = os.path.isabs(text) or _DRIVE.match(text) is not None
        if os.path.isabs(text):
            clean = posixpath.normpath(os.path.relpath(text, self.root))
            if not clean.startswith("..") and _is_file(self.root / clean):
                return clean
        else:
            for form in self._spellings(text):
                if (found := self._below(form)) is not None:
                    return found
        slashed = posixpath.normpath(text.replace("\\", "/"))
        parts = [p for p in slashed.split("/") if p not in ("", "..")]
        if away or parts[:1] == [self.root.name]:
            for k in range(1, len(parts)):
                if (found := self._below("/".join(parts[k:]))) is not None:
                    return found
        return self._by_name(parts[-1] if away and parts else slashed)

    def _below(self, clean: str) -> str | None:
        for k, prefix in enumerate(self.prefixes):
            path = posixpath.normpath(prefix + clean)
            if not path.startswith("../") and _is_file(self.root / path):
                if k:
                    self.prefixes.insert(0, self.prefixes.pop(k))
                return path
        return None

    @staticmethod
    def _spellings(text: str) -> Iterator[str]:
        clean = posixpath.normpath(text)
        slashed = posixpath.normpath(text.replace("\\", "/"))
        forms = [clean, slashed, *(unicodedata.normalize(form, slashed) for form in ("NFC", "NFD"))]
        yield from dict.fromkeys(forms)

    def _by_name(self, clean: str) -> str | None:
        if self.index is None:
            self.index = defaultdict(list)
            for path in photos_below(self.root):
                name = _plain(path.rsplit("/", 1)[-1])
                for key in {name, name.rsplit(".", 1)[0]}:
                    self.index[key].append(path)
        wanted = _plain(clean)
        paths = self.index.get(wanted.rsplit("/", 1)[-1], [])
        if not paths and "." in wanted and not is_photo(wanted):  # a .dcm that was converted, say
            paths = self.index.get(wanted.rsplit("/", 1)[-1].rsplit(".", 1)[0], [])
            wanted = wanted.rsplit(".", 1)[0]
        ends = [p for p in paths if f"/{_plain(p)}".endswith(f"/{wanted}")]
        ends = ends or [p for p in paths if f"/{_plain(p).rsplit('.', 1)[0]}".endswith(f"/{wanted}")]
        exact = [p for p in ends if p.endswith(clean)]
        ends = exact if len(exact) == 1 else ends
        return ends[0] if len(ends) == 1 else None


def _plain(path: str) -> str:
    return unicodedata.normalize("NFC", path).casefold()


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False
