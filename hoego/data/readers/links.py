"""Symbolic links below the root of a data set: those that lead out of it are refused, or allowed and stated."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from hoego.errors import DataError

Links = Literal["inside", "top", "follow"]


def require_links_inside(root: Path, paths: Sequence[str], allowed: Links) -> tuple[str, ...]:
    """Refuse photos that a link below the root brings from outside it, and return sentences on links that are allowed.

    The root itself may be a link: where it leads is the root. A link that stays below the root is no matter.

    Args:
        root: folder of the photos.
        paths: relative paths [N], posix.
        allowed: `inside` refuses every link that leads out, `top` allows whole folders right in the root, which a
            person put there, `follow` allows all.

    Raises:
        DataError: a link leads out that is not allowed; names it, and where it leads.
    """
    out = _leading_out(root, paths)
    if not out:
        return ()
    refused = {
        link: place
        for link, place in out.items()
        if allowed == "inside" or (allowed == "top" and ("/" in link or not os.path.isdir(root / link)))
    }
    if refused:
        link, place = next(iter(refused.items()))
        more = f" (and {len(refused) - 1:,} more links)" if len(refused) > 1 else ""
        raise DataError(
            f"The link {link!r} leads out of the root, to {place}{more}.",
            file=root / link,
            remedy='Put the photos below dataset.root, or set dataset.links = "follow" if you trust these links.',
        )
    shown = [f"{link!r} leads to {place}" for link, place in list(out.items())[:3]]
    more = f"; and {len(out) - 3:,} more" if len(out) > 3 else ""
    return (f"photos outside the root are read through links: {'; '.join(shown)}{more}",)


def _leading_out(root: Path, paths: Sequence[str]) -> dict[str, str]:
    """Map each link (posix, relative to root) that leads out of the root to where it leads."""
    home = os.path.realpath(root)
    folders: dict[str, set[str]] = {}
    for path in paths:
        folder, _, name = path.rpartition("/")
        folders.setdefault(folder, set()).add(name)
    out: dict[str, str] = {}
    known = {"": home}
    for folder in sorted(folders):
        real = _real(root, folder, home, known, out)
        if real is None:
            continue
        for name in _links_in(real) & folders[folder]:
            place = os.path.realpath(os.path.join(real, name))
            if not _below(place, home):
                out[f"{folder}/{name}" if folder else name] = place
    return dict(sorted(out.items()))


def _real(root: Path, folder: str, home: str, known: dict[str, str], out: dict[str, str]) -> str | None:
    """Give where a folder really lies; None where a link leads out of the root, which is then in `out`."""
    if folder in known:
        return known[folder]
    above, _, name = folder.rpartition("/")
    parent = _real(root, above, home, known, out)
    if parent is None:
        return None
    real = os.path.realpath(os.path.join(parent, name))
    if not _below(real, home):
        out[folder] = real
        return None
    known[folder] = real
    return real


def _links_in(folder: str) -> set[str]:
    # One look at the folder tells its links from its files, without a call for each of its photos.
    try:
        with os.scandir(folder) as entries:
            return {e.name for e in entries if e.is_symlink()}
    except OSError:  # what is wrong with it is said when its photos are read
        return set()


def _below(path: str, home: str) -> bool:
    return path == home or path.startswith(home.rstrip(os.sep) + os.sep)
