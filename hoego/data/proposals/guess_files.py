"""What file and folder names say: the table of the photos, class folders, subjects, sizes."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from hoego.data.images import probe
from hoego.data.proposals.guess_columns import Certainty
from hoego.data.readers.finder import Finder
from hoego.data.readers.folders import compiled
from hoego.data.readers.table_file import guess_path_column
from hoego.data.readers.tables import SUFFIXES, Table, read_table
from hoego.errors import DataError

PARTS = ("train", "training", "val", "valid", "validation", "dev", "test", "testing", "eval")
LOOKED_AT, MANY_TABLES, LONG_SIDE = 64, 50, 96

Labelled = tuple[Path, Path, str, pl.DataFrame, Certainty]
"""Root, table, its path column, its rows, how sure."""


def find_labelled_table(path: Path) -> Labelled | None:
    """The table that names photos and says something of them: `path` itself, or one in it or just below it."""
    if path.is_file():
        found = [f for root in _roots(path) if (f := _labelled(path, root)) is not None]
        return found[0] if found else None
    tables = [p for p in sorted(path.iterdir()) if _is_table(p)]
    if len(tables) > MANY_TABLES:  # one text per photo, as detectors have it
        tables = [p for p in tables if p.suffix.lower() != ".txt"][:MANY_TABLES]
    tables += [p for d in sorted(path.iterdir()) if d.is_dir() and not d.name.startswith(".")
               for p in sorted(d.iterdir()) if _is_table(p)][:MANY_TABLES]  # fmt: skip
    found = [f for p in tables if (f := _labelled(p, path)) is not None]
    return max(found, key=_claim) if found else None


def _roots(table: Path) -> list[Path]:
    return [table.parent, table.parent.parent]


def _is_table(path: Path) -> bool:
    return path.is_file() and path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


def _claim(found: Labelled) -> tuple[int, int, int]:
    """Of several tables: by name, then by columns, then by rows."""
    _, table, _, frame, _ = found
    stem = table.stem.lower()
    good = any(w in stem for w in ("train", "label", "meta", "annot", "data"))
    bad = any(w in stem for w in ("test", "eval", "submission", "sample", "val", "pred"))
    return int(good) - int(bad), frame.width, frame.height


def _labelled(path: Path, root: Path) -> Labelled | None:
    try:
        table = read_table(path)
    except DataError:
        return None
    if table.frame.width < 2:
        return None
    names = [n for n in (guess_path_column(table.frame.columns),) if n is not None]
    for column in dict.fromkeys([*names, *table.frame.columns]):
        if _names_photos(table, column, root):
            return root, path, column, table.frame, "sure" if column in names else "likely"
    return None


def _names_photos(table: Table, column: str, root: Path) -> bool:
    """Whether nearly all of some cells, spread over a column, are found as photos."""
    values = table.frame[column]
    if values.dtype != pl.String or values.n_unique() < 0.5 * len(values):
        return False
    finder = Finder(root, table.path.parent)
    picked = [
        t for t in values.gather(np.unique(np.linspace(0, len(values) - 1, 30).astype(int))).to_list() if t
    ]
    hits = [finder.find(t) is not None for t in picked]
    return bool(hits) and sum(hits) >= 0.8 * len(hits)


@dataclass(frozen=True)
class FolderShape:
    """How folders spell the labels.

    Args:
        pattern: `dataset.pattern`.
        labels: names in it that are attributes.
        subject: the name in it that is the subject, or None.
        parts: folders such as train and test that lie above the class folders.
        test: the one of them that is the test set, or None.
        paths: photos outside the test part [N].
        values: name -> value of each of them [N].
        certainty, reason: for people.
    """

    pattern: str
    labels: tuple[str, ...]
    subject: str | None
    parts: tuple[str, ...]
    test: str | None
    paths: list[str]
    values: dict[str, list[str]]
    certainty: Certainty
    reason: str


def folder_shape(paths: Sequence[str]) -> FolderShape | None:
    """The shape of a tree of photos (posix paths); None where folders say nothing (all photos in one)."""
    top = sorted({p.split("/")[0] for p in paths if "/" in p})
    parts = tuple(t for t in top if t.lower() in PARTS)
    if parts and len(parts) == len(top):
        test = next((t for t in parts if t.lower() in ("test", "testing", "eval") and len(parts) > 1), None)
        kept = [p for p in paths if p.split("/")[0] != test]
        inner = [p.split("/", 1)[1] for p in kept]
    else:
        parts, test, kept, inner = (), None, list(paths), list(paths)
    while len({p.split("/")[0] for p in inner}) == 1 and all(p.count("/") > 1 for p in inner):
        inner = [p.split("/", 1)[1] for p in inner]  # a lone folder around everything
    depths = Counter(p.count("/") for p in inner)
    if depths[0] or not inner:
        return None
    names = sorted({p.split("/")[0] for p in inner})
    if len(names) < 2 or len(names) > len(inner) / 2:
        return None
    pattern, labels = _class_pattern(names)
    subject = None
    if len(depths) == 1 and max(depths) > 1:
        if max(depths) == 2 and _many_small([p.rsplit("/", 1)[0] for p in inner], len(names)):
            subject, pattern = "subject", pattern + "/{subject}"
        else:
            pattern += "/*" * (max(depths) - 1)
    elif len(depths) > 1:
        return None
    regex, depth = compiled(pattern), pattern.count("/") + 1
    spelled = [regex.fullmatch("/".join(p.split("/")[-depth - 1 : -1])) for p in inner]
    values = {n: [m.group(n) if m else "" for m in spelled] for n in regex.groupindex}
    return FolderShape(
        pattern, labels, subject, parts, test, kept, values,
        "sure" if labels == ("label",) else "likely", f"{len(names)} class folders, such as {names[0]!r}",
    )  # fmt: skip


def _many_small(folders: Sequence[str], n_classes: int) -> bool:
    """Whether class folders hold several folders each: one per subject and not one per kind of photo."""
    distinct = set(folders)
    inner = {f.split("/")[-1] for f in distinct}
    return len(distinct) >= 2 * n_classes and len(inner) > 0.5 * len(distinct)


def _class_pattern(names: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """`{a}___{b}` where the names of all classes are made of parts that recur, else `{label}`."""
    for separator in ("___", "__", " - ", "_", "-"):
        split = [n.split(separator) for n in names]
        if {len(s) for s in split} not in ({2}, {3}) or not all(part for s in split for part in s):
            continue
        values = [set(column) for column in zip(*split, strict=True)]
        product = int(np.prod([len(v) for v in values]))
        strong = separator in ("___", "__", " - ")
        recurs = any(len(v) < len(names) for v in values) and all(len(v) > 1 for v in values)
        if recurs and (strong or len(names) >= 0.6 * product):
            labels = tuple(("first", "second", "third")[: len(values)])
            return separator.join(f"{{{n}}}" for n in labels), labels
    return "{label}", ("label",)


SUBJECT_REGEXES = (
    (r"((?:patient|person|subject|participant|pid|animal|track|group)[-_ ]?[A-Za-z]*\d+)", "sure"),
    (r"([^/]+?)[-_ .](?:img|image|photo|pic|shot|view|frame|f|v|s|n)?[-_ ]?\d+\.[^./]+$", "likely"),
    (r"([^/_]+)_[^/]*$", "unsure"),
)


def subject_in_names(
    paths: Sequence[str], labels: Sequence[Sequence[str]]
) -> tuple[str, Certainty, str] | None:
    """A regular expression that finds the subject in the photos' paths.

    Accepted where it matches every path, makes at least 10 groups (and twice as many as there are classes) of two
    photos and more on average, none of them larger than a fifth of all photos, and the labels hold together
    within the groups more than they do at large.

    Args:
        paths: [N].
        labels: per attribute its values [N].
    """
    n = len(paths)
    for pattern, certainty in SUBJECT_REGEXES:
        regex = re.compile(pattern, re.IGNORECASE)
        found = [regex.search(p) for p in paths]
        if not all(found):
            continue
        groups = [m.group(1) for m in found if m]
        sizes = Counter(groups)
        classes = max((len(set(values)) for values in labels), default=1)
        if len(sizes) < max(10, 2 * classes) or n / len(sizes) < 2 or max(sizes.values()) > n / 5:
            continue
        if not any(_holds_together(groups, values) for values in labels):
            continue
        text = f"(?i){pattern}" if certainty == "sure" else pattern
        mean = n / len(sizes)
        kind: Certainty = "likely" if certainty == "sure" else "unsure"
        return (
            text,
            kind,
            f"file names make {len(sizes):,} groups of {mean:.1f} photos, such as {groups[0]!r}",
        )
    return None


def _holds_together(groups: Sequence[str], values: Sequence[str]) -> bool:
    """Whether photos of one group share their value much more often than any two photos do."""
    n = len(values)
    at_large = sum((c / n) ** 2 for c in Counter(values).values())
    per: dict[str, Counter[str]] = defaultdict(Counter)
    for g, v in zip(groups, values, strict=True):
        per[g][v] += 1
    pairs = same = 0
    for counts in per.values():
        k = sum(counts.values())
        pairs += k * (k - 1)
        same += sum(c * (c - 1) for c in counts.values())
    return bool(pairs) and same / pairs > at_large + 0.3 * (1 - at_large)


def typical_size(paths: Sequence[Path]) -> tuple[tuple[int, int], Certainty, str]:
    """Height and width to bring photos to: their own where small, else their proportions with a long side of 96."""
    chosen = (
        [paths[int(i)] for i in np.unique(np.linspace(0, max(len(paths) - 1, 0), LOOKED_AT).astype(int))]
        if paths
        else []
    )
    sizes = []
    for path in chosen:
        try:
            found = probe(path)
            sizes.append((found.height, found.width))
        except DataError:
            continue
    if not sizes:
        return (224, 224), "unsure", "no photo could be opened"
    height, width = (float(v) for v in np.median(np.array(sizes), axis=0))
    same = len(set(sizes)) == 1
    seen = f"{'all' if same else 'typical'} of {len(sizes)} photos looked at: {height:.0f} high, {width:.0f} wide"
    if same and max(height, width) <= LONG_SIDE:
        return (int(height), int(width)), "sure", seen
    scale = min(1.0, LONG_SIDE / max(height, width))
    rounded = tuple(max(16, round(v * scale / 8) * 8) for v in (height, width))
    more = "; larger is slower and usually better" if scale < 1 else ""
    return (rounded[0], rounded[1]), "likely" if same else "unsure", seen + more
