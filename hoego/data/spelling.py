"""Names: one spelling however the letters were encoded, and lists of names as bytes."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

import polars as pl

_AS_JSON = b"\0json:"
"""Begins a packed list that holds line breaks. No name holds a NUL character: `hoego.data.load` refuses it."""

_UNSEEN = r"[\s\u180E\u200B-\u200F\u2060\uFEFF]"


def plain_name(values: pl.Series) -> pl.Series:
    """Return names in Unicode's composed form (NFC), without the white space and the zero-width marks at their ends.

    A folder name from macOS (NFD) and the same name in a table (NFC) become equal; case and letters stay.

    Args:
        values: strings; nulls stay null.

    >>> plain_name(pl.Series(["s003 ", "s003"])).to_list()
    ['s003', 's003']
    """
    return values.str.normalize("NFC").str.replace_all(f"^{_UNSEEN}+|{_UNSEEN}+$", "")


def pack_names(names: Sequence[str]) -> bytes:
    """Write a list of names as bytes that no other list gives.

    The names stand one on a line, which fingerprints on disk rest on; a list of which a name holds a line break is
    written as JSON instead, since two names on two lines and one name of two lines would be the same bytes.

    Args:
        names: without NUL characters.

    >>> pack_names(["a", "b"]), unpack_names(pack_names(["a\\nb"]))
    (b'a\\nb', ['a\\nb'])
    """
    if any("\n" in name for name in names):
        return _AS_JSON + json.dumps(list(names)).encode()
    return "\n".join(names).encode()


def unpack_names(data: bytes) -> list[str]:
    """Read the list that `pack_names` wrote."""
    if data.startswith(_AS_JSON):
        return [str(name) for name in json.loads(data[len(_AS_JSON) :])]
    return data.decode().split("\n") if data else []


def written_alike(names: Sequence[str]) -> list[list[str]]:
    """Return groups of names that differ only by case, by blanks or by how a number is written.

    >>> written_alike(["Cat", "cat", "dog", "1", "1.0", "2"])
    [['1', '1.0'], ['Cat', 'cat']]
    """
    groups: dict[str, list[str]] = {}
    for name in sorted(names):
        groups.setdefault(_folded(name), []).append(name)
    return [group for group in groups.values() if len(group) > 1]


def _folded(name: str) -> str:
    text = re.sub(r"[\s_-]+", "", name).casefold()
    return repr(float(text)) if re.fullmatch(r"[+]?\d+(?:\.\d*)?", text) else text
