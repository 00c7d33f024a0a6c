"""The version of the package: its one home is pyproject.toml, read from what was installed."""

from __future__ import annotations

from functools import cache


@cache
def version() -> str:
    """Return the version that is installed; "" in a checkout that was never installed.

    >>> version().count(".") in (0, 2)
    True
    """
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    try:
        return installed("hoego")
    except PackageNotFoundError:
        return ""
