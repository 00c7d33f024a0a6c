"""Hoego: experiments on image classification that you can believe.

The names of `__all__` are the library; each is imported when it is first used, so that `import hoego` is quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hoego.data.dataset import Dataset
    from hoego.data.load_dataset import load_dataset
    from hoego.errors import HoegoError, LeakError
    from hoego.predictions.predictions import Predictions
    from hoego.recipe.recipe import Recipe
    from hoego.split.make_split import make_split
    from hoego.split.plan import Split
    from hoego.split.sklearn_splitters import SubjectHoldout, SubjectKFold

    __version__: str

_HOME = {
    "Dataset": "hoego.data.dataset",
    "HoegoError": "hoego.errors",
    "LeakError": "hoego.errors",
    "Predictions": "hoego.predictions.predictions",
    "Recipe": "hoego.recipe.recipe",
    "Split": "hoego.split.plan",
    "SubjectHoldout": "hoego.split.sklearn_splitters",
    "SubjectKFold": "hoego.split.sklearn_splitters",
    "load_dataset": "hoego.data.load_dataset",
    "make_split": "hoego.split.make_split",
}
"""Where each public name is defined."""

__all__ = [
    "Dataset",
    "HoegoError",
    "LeakError",
    "Predictions",
    "Recipe",
    "Split",
    "SubjectHoldout",
    "SubjectKFold",
    "__version__",
    "load_dataset",
    "make_split",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for (PEP 562)."""
    if name == "__version__":
        from hoego.version import version

        return version()
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names."""
    return sorted({*globals(), *__all__})
