"""Weights in files that other programs wrote: found inside, named where they cannot be taken, and fitted to a model."""

from __future__ import annotations

import argparse
import pickle
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PosixPath
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from hoego.errors import TrainError

WRAPPERS = (
    "state_dict", "model_state_dict", "model_state", "model", "net", "network", "weights", "params",
    "teacher", "student", "ema", "encoder", "backbone",
    "state_dict_ema", "ema_state_dict", "model_ema",
)  # fmt: skip
"""Keys under which weights lie, the first that is there; of a model and its average the model is taken, and of a
teacher and its student the teacher, as their authors evaluate it (DINO, Caron et al. 2021, https://arxiv.org/abs/2104.14294)."""
PREFIXES = ("module.", "network.", "_orig_mod.", "_forward_module.", "model.", "body.", "backbone.")
_PICKLES = (b"PK", b"\x80")
"""How a file of torch.save begins: an archive, or in old versions a pickle."""
_LFS = b"version https://git-lfs"
# Types that hold values alone, which other trainers save beside the weights (timm's train.py: its arguments). The two
# functions rebuild a scalar and an array of NumPy, whose module is another one in NumPy 1.
_SCALAR: Any = np.float64(0).__reduce__()[0]
_ARRAY: Any = np.zeros(0).__reduce__()[0]
_VALUES: list[Any] = [
    argparse.Namespace, PosixPath, np.dtype, np.ndarray, _SCALAR, _ARRAY,
    *(type(np.dtype(kind)) for kind in ("f8", "f4", "i8", "i4", "b1")),
    *(
        (function, f"numpy.{core}.multiarray.{function.__name__}")
        for function in (_SCALAR, _ARRAY)
        for core in ("core", "_core")
    ),
]  # fmt: skip


@dataclass(frozen=True)
class FittedWeights:
    """What came of fitting weights to a model: the names that were left as they were, and notes for the log."""

    left: tuple[str, ...]
    notes: tuple[str, ...]


def require_no_pointer(path: Path) -> None:
    """Raise TrainError where a file is the pointer that Git LFS puts in the place of a large file."""
    with open(path, "rb") as stream:
        start = stream.read(200)
    if start.startswith(_LFS):
        found = re.search(rb"size (\d+)", start)
        size = f" of {int(found[1]):,} bytes" if found else ""
        raise TrainError(
            f"This is a Git LFS pointer to a file{size}, not the weights.",
            file=path,
            remedy="Fetch it in its repository: git lfs pull",
        )


def read_pickle(path: Path) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Read the tensors of a .pth, .pt, .bin or .tar file; nothing that a pickle carries is run.

    Returns the tensors and what is to be said of their choice. Raises TrainError.
    """
    return _state_dict(read_content(path), path)


def read_content(path: Path) -> Any:
    """Read all that a file of torch.save holds, tensors and values alone. Raises TrainError where it holds more."""
    try:
        with torch.serialization.safe_globals(_VALUES):
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as problem:
        raise _refused(problem, path) from None
    except Exception as problem:
        raise TrainError(
            f"The checkpoint cannot be read: {' '.join(str(problem).split())[:200]}", file=path
        ) from None


def _refused(problem: pickle.UnpicklingError, path: Path) -> TrainError:
    found = re.search(r"(?:GLOBAL|class|global)[: ]+([\w.]+\.\w+)", str(problem))
    with open(path, "rb") as stream:
        start = stream.read(16)
    if found is None and not start.startswith(_PICKLES):
        return TrainError(
            f"This is not a checkpoint of PyTorch: the file begins with {start!r}.",
            file=path,
            remedy="Give a file that torch.save or safetensors wrote.",
        )
    return TrainError(
        f"The file holds more than weights: it carries {found[1] if found else 'objects'}, "
        "whose code would be run on loading.",
        file=path,
        remedy="Save the state_dict alone (torch.save(model.state_dict(), FILE)), or convert it to safetensors "
        "where you trust its origin.",
    )


def _state_dict(content: Any, path: Path) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    notes: list[str] = []
    keys: list[str] = []
    for _ in range(3):
        if not isinstance(content, Mapping):
            break
        tensors = {str(k): v for k, v in content.items() if isinstance(v, Tensor)}
        if len(tensors) > 1 or (tensors and len(tensors) == len(content)):
            return tensors, tuple(notes)
        inner = {str(k): v for k, v in content.items() if isinstance(v, Mapping) and _holds_tensors(v)}
        keys = keys or [str(k) for k in content]
        if not inner:
            break
        taken = next((k for k in WRAPPERS if k in inner), next(iter(inner)))
        others = [k for k in inner if k != taken]
        if others:
            notes.append(f"Of the weights in {path.name}, {taken!r} is taken, and not {_listed(others)}.")
        content = inner[taken]
    held = f" It holds {_listed(keys)}." if keys else ""
    raise TrainError(
        f"No weights were found in the checkpoint.{held}", file=path, remedy="Save model.state_dict()."
    )


def _holds_tensors(content: Mapping[Any, Any]) -> bool:
    """Return whether it holds named tensors, here or one level deeper; an optimiser's state is numbered, not
    named.
    """
    return any(
        isinstance(v, Tensor) or (isinstance(v, Mapping) and any(isinstance(t, Tensor) for t in v.values()))
        for k, v in content.items()
        if isinstance(k, str) and k not in ("state", "param_groups")
    )


def fit_weights(model: nn.Module, tensors: Mapping[str, Tensor], path: Path) -> FittedWeights:
    """Copy the tensors into the model where name and shape agree.

    Common prefixes (`module.`, `body.`, ...) are taken off first, then any other that all its weights share. Heads of
    another number of classes are left.

    Raises:
        TrainError: less than half of the model's weights are in the file, so it is of another architecture.
    """
    own = dict(model.state_dict())
    n_own = sum(v.numel() for v in own.values())
    given = {stripped(k): v for k, v in tensors.items()}
    notes: tuple[str, ...] = ()
    taken = _taken(own, given)
    if _size(taken) < 0.5 * n_own:
        for prefix in _prefixes(given):
            inner = {stripped(k[len(prefix) :]): v for k, v in given.items() if k.startswith(prefix)}
            if _size(found := _taken(own, inner)) > _size(taken):
                taken = found
                notes = (f"The prefix {prefix!r} was taken off the names of the weights in {path.name}.",)
    # New heads and a new classifier are expected; less than half of the weights means another architecture.
    if _size(taken) < 0.5 * n_own:
        raise _another(own, taken, tensors, path)
    model.load_state_dict(taken, strict=False)
    return FittedWeights(tuple(k for k in own if k not in taken), notes)


def _another(
    own: Mapping[str, Tensor], taken: Mapping[str, Tensor], tensors: Mapping[str, Tensor], path: Path
) -> TrainError:
    left = [k for k in own if k not in taken]
    share = _size(taken) / max(sum(v.numel() for v in own.values()), 1)
    return TrainError(
        f"The checkpoint fits {share:.0%} of the model's weights; it lacks {', '.join(left[:3])}, ..., "
        f"and holds {_listed(list(tensors))}.",
        file=path,
        remedy="model.name must be the architecture that the checkpoint was made with.",
    )


def _taken(own: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {k: v for k, o in own.items() if (v := given.get(stripped(k))) is not None and v.shape == o.shape}


def _size(tensors: Mapping[str, Tensor]) -> int:
    return sum(v.numel() for v in tensors.values())


def _prefixes(names: Mapping[str, Tensor]) -> list[str]:
    """Return beginnings of up to three parts that at least a quarter of the names share, the shortest first."""
    counts: dict[str, int] = {}
    for name in names:
        parts = name.split(".")
        for n in range(1, min(4, len(parts))):
            start = ".".join(parts[:n]) + "."
            counts[start] = counts.get(start, 0) + 1
    return sorted((p for p, n in counts.items() if 4 * n >= len(names)), key=lambda p: p.count("."))


def stripped(name: str) -> str:
    """Return a weight's name without the prefixes of wrappers."""
    while True:
        for prefix in PREFIXES:
            if name.startswith(prefix):
                name = name[len(prefix) :]
                break
        else:
            return name


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names[:4])) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
