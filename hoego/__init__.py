"""Hoego: experiments on image classification that you can believe.

The names of `__all__` are the library. Each is imported when it is first used, so that `import hoego` is quick and
works without PyTorch.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hoego.api.evaluating import audit, compare, diagnose, ensemble, predict, report, score
    from hoego.api.records import Runs, runs
    from hoego.api.run import Run
    from hoego.api.torch_data import torch_dataset
    from hoego.api.training import load_recipe, train
    from hoego.api.watching import watch
    from hoego.data.dataset import Dataset
    from hoego.data.load_dataset import load_dataset
    from hoego.errors import HoegoError, LeakError
    from hoego.evaluate.compare import Comparison
    from hoego.evaluate.ensemble import Ensemble
    from hoego.predictions import Predictions
    from hoego.recipe import Recipe
    from hoego.results.audit import AuditReport
    from hoego.results.diagnosis import Diagnosis
    from hoego.results.score import Score
    from hoego.split import Split
    from hoego.split.make_split import make_split
    from hoego.split.sklearn_splitters import SubjectHoldout, SubjectKFold

    __version__: str

_HOME = {
    "AuditReport": "hoego.results.audit",
    "Comparison": "hoego.evaluate.compare",
    "Dataset": "hoego.data.dataset",
    "Diagnosis": "hoego.results.diagnosis",
    "Ensemble": "hoego.evaluate.ensemble",
    "HoegoError": "hoego.errors",
    "LeakError": "hoego.errors",
    "Predictions": "hoego.predictions",
    "Recipe": "hoego.recipe",
    "Run": "hoego.api.run",
    "Runs": "hoego.api.records",
    "Score": "hoego.results.score",
    "Split": "hoego.split",
    "SubjectHoldout": "hoego.split.sklearn_splitters",
    "SubjectKFold": "hoego.split.sklearn_splitters",
    "audit": "hoego.api.evaluating",
    "compare": "hoego.api.evaluating",
    "diagnose": "hoego.api.evaluating",
    "ensemble": "hoego.api.evaluating",
    "load_dataset": "hoego.data.load_dataset",
    "load_recipe": "hoego.api.training",
    "make_split": "hoego.split.make_split",
    "predict": "hoego.api.evaluating",
    "report": "hoego.api.evaluating",
    "runs": "hoego.api.records",
    "score": "hoego.api.evaluating",
    "torch_dataset": "hoego.api.torch_data",
    "train": "hoego.api.training",
    "watch": "hoego.api.watching",
}
"""Where each public name is defined."""

__all__ = [
    "AuditReport",
    "Comparison",
    "Dataset",
    "Diagnosis",
    "Ensemble",
    "HoegoError",
    "LeakError",
    "Predictions",
    "Recipe",
    "Run",
    "Runs",
    "Score",
    "Split",
    "SubjectHoldout",
    "SubjectKFold",
    "__version__",
    "audit",
    "compare",
    "diagnose",
    "ensemble",
    "load_dataset",
    "load_recipe",
    "make_split",
    "predict",
    "report",
    "runs",
    "score",
    "torch_dataset",
    "train",
    "watch",
]


class _FrontDoor(ModuleType):
    """The package's module, in which a public function keeps its name beside the room of that name.

    Python binds a subpackage to its parent when it is first imported, so that `hoego.train(...)` would call the room
    `hoego/train/` from the second time on. `train`, `report` and `runs` are both; `from hoego.train import ...`
    reaches the room.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute, but leave a public name alone when its room is bound."""
        if not (name in _HOME and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _FrontDoor


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
