"""Settings as TOML text (https://toml.io/en/v1.0.0): written by tomlkit, read by the standard library's tomllib."""

from __future__ import annotations

import datetime
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hoego.errors import RecordError

if TYPE_CHECKING:
    from tomlkit.items import InlineTable, Item, Table
    from tomlkit.toml_document import TOMLDocument


def dumps(settings: Mapping[str, Any]) -> str:
    """Write settings as TOML text: `tomllib.loads(dumps(x)) == x` for every mapping of TOML's types.

    Tuples are written as arrays and paths as text; a None has no form in TOML and its key is left out.
    Raises RecordError for any other type, naming its key.

    >>> print(dumps({"split": {"kind": "folds"}, "epochs": 3, "why": None}))
    epochs = 3
    <BLANKLINE>
    [split]
    kind = "folds"
    <BLANKLINE>
    """
    from tomlkit import document

    made = document()
    _fill(made, settings, ())
    text = made.as_string().strip("\n")
    return f"{text}\n" if text else ""


def loads(text: str, *, file: Path | None = None) -> dict[str, Any]:
    """Read the mapping in TOML `text`. Raises RecordError naming `file` and what is wrong."""
    try:
        return tomllib.loads(text)
    except ValueError as problem:  # also a number of more digits than Python reads
        raise RecordError(f"not valid TOML: {problem}", file=file, remedy="Correct the line.") from None
    except RecursionError:
        raise RecordError(
            "not valid TOML: nested too deeply", file=file, remedy="Restore the file."
        ) from None


def item(value: Any, path: tuple[str, ...] = ()) -> Item:
    """Turn one value into what tomlkit writes; a table becomes an inline one. `path` is its key, for the error."""
    import tomlkit

    if isinstance(value, (bool, int, float, str, datetime.datetime, datetime.date, datetime.time)):
        return tomlkit.item(value)
    if isinstance(value, Path):
        return tomlkit.item(str(value))
    if isinstance(value, Mapping):
        inline: InlineTable = tomlkit.inline_table()
        for key, inner in value.items():
            if inner is not None:
                inline.append(str(key), item(inner, (*path, str(key))))
        return inline
    if isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray)):
        array = tomlkit.array()
        for inner in value:
            array.append(item(inner, path))
        return array
    raise RecordError(
        f"{'.'.join(path)} is a {type(value).__name__}, which TOML cannot hold",
        remedy="Give text, numbers, true or false, dates, lists or tables.",
    )


def line(key: str, value: Any, comment: str = "") -> str:
    """Write one setting as a line, with a comment behind it.

    >>> line("folds", 5, "likely: few photos")
    'folds = 5  # likely: few photos'
    """
    text = f"{key_text(key)} = {item(value, (key,)).as_string()}"
    return f"{text}  # {comment}" if comment else text


def key_text(key: str) -> str:
    """Write a key, quoted where it needs to be."""
    import tomlkit

    return tomlkit.key(key).as_string()


def _fill(table: TOMLDocument | Table, settings: Mapping[str, Any], path: tuple[str, ...]) -> None:
    import tomlkit

    given = [(str(key), value) for key, value in settings.items() if value is not None]
    # A key that follows a table would belong to it: the plain values come first.
    for key, value in given:
        if not isinstance(value, Mapping):
            table.append(key, item(value, (*path, key)))
    for key, value in given:
        if isinstance(value, Mapping):
            inner = tomlkit.table()
            _fill(inner, value, (*path, key))
            table.append(key, inner)
