"""One spelling of a name, however its letters were encoded."""

from __future__ import annotations

import polars as pl

_UNSEEN = r"[\s\u180E\u200B-\u200F\u2060\uFEFF]"


def plain_name(values: pl.Series) -> pl.Series:
    """Names in Unicode's composed form (NFC), without the white space and the zero-width marks at their ends.

    A folder name from macOS (NFD) and the same name in a table (NFC) become equal; case and letters stay.

    Args:
        values: strings; nulls stay null.

    >>> plain_name(pl.Series(["s003 ", "s003"])).to_list()
    ['s003', 's003']
    """
    return values.str.normalize("NFC").str.replace_all(f"^{_UNSEEN}+|{_UNSEEN}+$", "")
