"""Layout `folders`: the name of a photo's folder is its label."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

import polars as pl

from hoego.data.readers.photo_files import kept, photos_below
from hoego.data.readers.raw_table import RawTable
from hoego.data.readers.table_file import defaults, subjects_by_regex
from hoego.errors import DataError
from hoego.recipe.sections import DatasetSettings, LabelSettings

LABEL = "label"
"""Name of the attribute where no pattern gives one."""


def read(settings: DatasetSettings, labels: LabelSettings) -> RawTable:
    """Read all photos below the root, labelled by their folders.

    `dataset.pattern` spells the folders: `{crop}___{disease}` (two attributes in one name), `{label}/{person}` (class
    folders that hold a folder per person). It is matched against the last folders of a photo's path, as many as it
    has parts; `*` stands for anything. `dataset.label_regex` finds attributes anywhere in the path. A name that is in
    `dataset.subject` is a subject column; the others are attributes, or, where `labels.attributes` lists some, those
    listed.

    Raises:
        DataError: no photos; a folder that does not follow the pattern; a path without a subject.
    """
    root = Path(settings.root)
    paths, counts = kept(photos_below(root), settings.exclude)
    if not paths:
        raise DataError(
            "There is no photo in this folder.",
            file=root,
            remedy="Check dataset.root and dataset.exclude. Without a hoego.toml, begin with `hoego init DIR`.",
        )
    parts = _parts(settings, labels, paths, root)
    listed = labels.attributes or [n for n in parts if n not in settings.subject]
    attributes = {
        name: (labels.attributes[name].column if name in labels.attributes else None) or name
        for name in listed
    }
    columns = {"image": paths, "path": paths, **{_free(n): v for n, v in parts.items()}}
    subjects = settings.subject
    if settings.subject_regex is not None:
        columns["subject"] = subjects_by_regex(paths, settings.subject_regex, root)
        subjects = (*subjects, "subject")
    for name in subjects:
        if name not in columns:
            held = ", ".join(parts)
            raise DataError(
                f"dataset.subject names {name!r}, which is not in dataset.pattern (it holds {held}).",
                remedy="Put it into the pattern, such as '{label}/{person}', or use dataset.subject_regex.",
            )
    rows = pl.DataFrame(columns).with_columns(row=pl.lit(None, dtype=pl.Int64))
    return RawTable(
        root=root,
        rows=rows,
        file=root,
        subject_columns=subjects,
        attribute_columns={name: _free(column) for name, column in attributes.items()},
        labels=labels.model_copy(
            update={"attributes": {n: defaults(n, labels.attributes.get(n)) for n in attributes}}
        ),
        excluded=counts,
    )


def _parts(
    settings: DatasetSettings, labels: LabelSettings, paths: list[str], root: Path
) -> dict[str, list[str]]:
    """Return what `dataset.label_regex` and `dataset.pattern` find in the paths: name -> value [N]."""
    if settings.label_regex is None:
        return spelled(paths, settings.pattern or f"{{{next(iter(labels.attributes), LABEL)}}}", root)
    found = spelled(paths, settings.pattern, root) if settings.pattern is not None else {}
    return found | named_groups(paths, settings.label_regex, root)


def named_groups(paths: list[str], pattern: str, root: Path) -> dict[str, list[str]]:
    """Return the named groups of a regular expression over the paths: name -> value [N].

    Raises:
        DataError: the expression is not valid, has no named group, or does not match a path.
    """
    try:
        regex = re.compile(unicodedata.normalize("NFC", pattern))
        problem = "" if regex.groupindex else "it has no named group"
    except re.error as error:
        problem = str(error)
    if problem:
        raise DataError(
            f"dataset.label_regex {pattern!r} cannot be used ({problem}).",
            remedy="Example: '(?P<label>[a-z]+)\\.\\d+\\.jpg$'; each named group is an attribute.",
        )
    values: dict[str, list[str]] = {name: [] for name in regex.groupindex}
    for path in paths:
        match = regex.search(unicodedata.normalize("NFC", path))
        if match is None:
            raise DataError(
                f"dataset.label_regex {pattern!r} does not match {path!r}.",
                file=root / path,
                remedy="Correct the expression, or leave the photo out (dataset.exclude).",
            )
        for name, value in match.groupdict().items():
            values[name].append(value or "")
    return values


def _free(name: str) -> str:
    return f"folder_{name}" if name in ("image", "path", "row") else name


def compiled(pattern: str) -> re.Pattern[str]:
    """Return the regular expression of a pattern, for a posix folder path.

    >>> compiled("{crop}___{disease}").fullmatch("Tomato___Late_blight").groupdict()
    {'crop': 'Tomato', 'disease': 'Late_blight'}
    """
    pieces = re.split(r"(\{[^{}]*\}|\*)", pattern)
    names = [p[1:-1] for p in pieces if p.startswith("{")]
    bad = [n for n in names if not n.isidentifier()]
    if not names or bad or len(set(names)) != len(names):
        raise DataError(
            f"dataset.pattern {pattern!r} needs distinct names in braces, of letters, digits and _.",
            remedy='Example: "{crop}___{disease}"',
        )
    last = max(i for i, p in enumerate(pieces) if p.startswith("{"))
    text = ""
    for i, piece in enumerate(pieces):
        if piece.startswith("{"):
            ends = i == last or "/" in "".join(pieces[i + 1 : i + 2])
            text += f"(?P<{piece[1:-1]}>[^/]+{'' if ends else '?'})"
        else:
            text += "[^/]*" if piece == "*" else re.escape(piece)
    return re.compile(text)


def spelled(paths: list[str], pattern: str, root: Path) -> dict[str, list[str]]:
    """Return the values in each photo's folder names: name of the pattern -> value [N], in Unicode's composed
    form.
    """
    pieces = re.split(r"(\{[^{}]*\})", pattern)
    regex = compiled("".join(p if p.startswith("{") else unicodedata.normalize("NFC", p) for p in pieces))
    depth = pattern.count("/") + 1
    known: dict[str, dict[str, str]] = {}
    values: dict[str, list[str]] = {name: [] for name in regex.groupindex}
    for path in paths:
        folder = path.rpartition("/")[0]
        if folder not in known:
            last = unicodedata.normalize("NFC", "/".join(folder.split("/")[-depth:]))
            match = regex.fullmatch(last) if folder else None
            if match is None:
                raise DataError(
                    f"The folder {folder or '.'!r} does not follow the pattern {pattern!r} (photo {path!r}).",
                    file=root / path,
                    remedy="Correct dataset.pattern, or leave the photo out (dataset.exclude).",
                )
            known[folder] = match.groupdict()
        for name, value in known[folder].items():
            values[name].append(value)
    return values
