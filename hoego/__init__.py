"""Hoego: experiments on image classification that you can believe."""

from __future__ import annotations


def __getattr__(name: str) -> str:
    if name == "__version__":
        from hoego.version import version

        return version()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
