"""A short repr for objects that hold arrays: the shape and type of each array in the place of its numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

LONGEST = 60
"""Characters of a field; longer texts, tuples and mappings show their length, so that a repr fits into a log line."""


class ShortRepr:
    """Base of dataclasses that hold arrays, tensors or tables; the dataclass needs `repr=False`.

    >>> from dataclasses import dataclass
    >>> import numpy as np
    >>> @dataclass(frozen=True, eq=False, repr=False)
    ... class Rows(ShortRepr):
    ...     name: str
    ...     values: np.ndarray
    >>> Rows("test", np.zeros((3, 2), dtype=np.float32))
    Rows(name='test', values=float32[3, 2])
    """

    def __repr__(self) -> str:
        """Show each field in at most `LONGEST` characters."""
        shown = (f"{f.name}={_short(getattr(self, f.name))}" for f in fields(self) if f.repr)  # type: ignore[arg-type]
        return f"{type(self).__name__}({', '.join(shown)})"


def _short(value: Any) -> str:
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple):
        kind = getattr(value, "dtype", type(value).__name__)
        return f"{str(kind).removeprefix('torch.')}{list(shape)}"
    if isinstance(value, Mapping):
        whole = f"{{{', '.join(f'{k!r}: {_short(v)}' for k, v in value.items())}}}"
    elif type(value) in (list, tuple):
        whole = f"[{', '.join(map(_short, value))}]" if len(value) <= LONGEST else ""
    else:
        whole = repr(value)
    if whole and len(whole) <= LONGEST:
        return whole
    size = f" of {len(value):,}" if hasattr(value, "__len__") else ""
    return f"<{type(value).__name__}{size}>"
