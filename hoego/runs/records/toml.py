"""Write plain settings as TOML (https://toml.io/en/v1.0.0); reading is the standard library's tomllib."""

from __future__ import annotations

import datetime
import json
import math
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hoego.errors import RecordError

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def dumps(settings: Mapping[str, Any]) -> str:
    """`settings` as TOML text: `tomllib.loads(dumps(x)) == x` for every mapping of TOML's types.

    Tuples are written as arrays and paths as text; a None has no form in TOML and its key is left out.
    Raises RecordError for any other type, naming its key.
    """
    lines: list[str] = []
    _table(settings, (), lines)
    return "\n".join(lines).lstrip("\n") + "\n" if lines else ""


def loads(text: str, *, file: Path | None = None) -> dict[str, Any]:
    """The mapping in TOML `text`. Raises RecordError naming `file` and what is wrong."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        raise RecordError(f"not valid TOML: {problem}", file=file, remedy="Correct the line.") from None


def _table(table: Mapping[str, Any], path: tuple[str, ...], lines: list[str]) -> None:
    inner: list[tuple[str, Mapping[str, Any]]] = []
    rows: list[str] = []
    for key, value in table.items():
        if value is None:
            continue
        if isinstance(value, Mapping):
            inner.append((str(key), value))
        else:
            rows.append(f"{_key(str(key))} = {_value(value, (*path, str(key)))}")
    if path and (rows or not inner):
        lines.extend(("", f"[{'.'.join(map(_key, path))}]"))
    lines.extend(rows)
    for key, value in inner:
        _table(value, (*path, key), lines)


def _key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else _string(key)


def _string(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007F")


def _value(value: Any, path: tuple[str, ...]) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, (str, Path)):
        return _string(str(value))
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, Mapping):
        pairs = (f"{_key(str(k))} = {_value(v, (*path, str(k)))}" for k, v in value.items() if v is not None)
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray)):
        return "[" + ", ".join(_value(item, path) for item in value) + "]"
    raise RecordError(
        f"{'.'.join(path)} is a {type(value).__name__}, which TOML cannot hold",
        remedy="Give text, numbers, true or false, dates, lists or tables.",
    )


def _float(value: float) -> str:
    if math.isnan(value):
        return "nan"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return repr(float(value))
