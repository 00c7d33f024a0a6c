"""Weights on disk: safetensors with provenance in the metadata, weights-only .pth, and the state of a training."""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from hoego import files
from hoego.errors import RecordError, TrainError
from hoego.predictions import Provenance
from hoego.short_repr import ShortRepr

METADATA_KEY = "hoego"
WRAPPERS = ("state_dict", "model_state_dict", "state_dict_ema", "model_ema", "model", "net")
PREFIXES = ("module.", "network.", "_orig_mod.", "_forward_module.", "model.", "body.", "backbone.")


@dataclass(frozen=True, eq=False, repr=False)
class CheckpointWeights(ShortRepr):
    """Weights of a file by name, with its metadata.

    Args:
        tensors: name -> tensor, on the CPU.
        metadata: written by Hoego beside them; {} for other files.
        provenance: the subjects that the weights have seen; None where the file holds none.
    """

    tensors: dict[str, Tensor]
    metadata: dict[str, Any] = field(default_factory=dict)
    provenance: Provenance | None = None


def save_weights(
    path: Path, tensors: Mapping[str, Tensor], about: Mapping[str, Any], provenance: Provenance | None
) -> None:
    """Write tensors as safetensors; `about` (JSON types) and the provenance go to the metadata."""
    content = dict(about)
    if provenance is not None:
        content["provenance"] = provenance.to_dict()
    plain = {name: t.detach().to("cpu").contiguous().clone() for name, t in tensors.items()}
    content["digest"] = _digest(plain)
    metadata = {METADATA_KEY: json.dumps(content)}
    with files.writing(path) as temporary:
        safetensors.torch.save_file(plain, temporary, metadata=metadata)


def load_weights(path: Path) -> CheckpointWeights:
    """Load weights from a .safetensors file, or from a .pth/.pt/.bin file that holds weights only.

    Raises:
        TrainError: no such file, a damaged one, or a pickle that carries code (it is never run).
    """
    if not path.is_file():
        raise TrainError("There is no checkpoint.", file=path, remedy="Check model.checkpoint.")
    if path.suffix == ".safetensors":
        return _load_safetensors(path)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as e:
        raise TrainError(
            f"The file holds more than weights, and what a pickle carries would be run on loading: {_reason(e)}",
            file=path,
            remedy="Save the state_dict alone (torch.save(model.state_dict(), FILE)), or convert it to safetensors "
            "where you trust its origin.",
        ) from None
    except (RuntimeError, EOFError, OSError, ValueError, KeyError) as e:
        raise TrainError(f"The checkpoint cannot be read: {_reason(e)}", file=path) from None
    return CheckpointWeights(_state_dict(content, path))


def about_weights(path: Path) -> dict[str, Any]:
    """Return what Hoego wrote beside the tensors of a file, without reading them; {} for files from elsewhere.

    Raises:
        TrainError: no such file, or a damaged one.
    """
    if not path.is_file():
        raise TrainError("There is no checkpoint.", file=path, remedy="Check model.checkpoint.")
    if path.suffix != ".safetensors":
        return {}
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            return dict(json.loads((file.metadata() or {}).get(METADATA_KEY, "{}")))
    except (safetensors.SafetensorError, ValueError) as e:
        raise TrainError(f"Not a readable safetensors file: {_reason(e)}", file=path) from None


def provenance_of_weights(path: Path) -> Provenance | None:
    """Read which subjects the weights of a file have seen, without reading the tensors; None where it does not say.

    Raises:
        TrainError: no such file, or a damaged one.
    """
    known = about_weights(path).get("provenance")
    return None if known is None else Provenance.from_dict(known)


def _load_safetensors(path: Path) -> CheckpointWeights:
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        about = json.loads(metadata.get(METADATA_KEY, "{}"))
    except (safetensors.SafetensorError, ValueError) as e:
        raise TrainError(f"Not a readable safetensors file: {_reason(e)}", file=path) from None
    written = about.pop("digest", None)
    if written is not None and written != _digest(tensors):
        raise TrainError(
            "The weights are not those that were written with this provenance.",
            file=path,
            remedy="Restore the file from a copy, or train the run again.",
        )
    provenance = about.pop("provenance", None)
    return CheckpointWeights(tensors, about, None if provenance is None else Provenance.from_dict(provenance))


def require_written_by(provenance: Provenance | None, name: str, path: Path) -> None:
    """Refuse a file that another training wrote: it may have seen what this one holds out.

    Args:
        provenance: that of the file.
        name: of the training, such as "run/fold-0".
        path: the file.

    Raises:
        RecordError: the file is of another run or fold, or does not say.
    """
    names = () if provenance is None else tuple(s.name for s in provenance.sources)
    if names != (name,):
        raise RecordError(
            f"The file is of {', '.join(names) or 'an unknown training'}, not of {name}.",
            file=path,
            remedy="Restore the record from a copy, or train the run again.",
        )


def _digest(tensors: Mapping[str, Tensor]) -> str:
    """Hash names, types, shapes and bytes of tensors, so that a file that was changed later is noticed."""
    h = blake2b(digest_size=16)
    for name in sorted(tensors):
        tensor = tensors[name]
        h.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        h.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return h.hexdigest()


def _reason(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]


def _state_dict(content: Any, path: Path) -> dict[str, Tensor]:
    for _ in range(3):
        if isinstance(content, Mapping):
            tensors = {str(k): v for k, v in content.items() if isinstance(v, Tensor)}
            if tensors:
                return tensors
            inner = next((content[k] for k in WRAPPERS if isinstance(content.get(k), Mapping)), None)
            if inner is not None:
                content = inner
                continue
        break
    raise TrainError("No weights were found in the checkpoint.", file=path, remedy="Save model.state_dict().")


def fit_weights(model: nn.Module, tensors: Mapping[str, Tensor], path: Path) -> list[str]:
    """Copy the tensors into the model where name and shape agree; returns the names of the model left as they were.

    Common prefixes (`module.`, `body.`, ...) are taken off first. Heads of another number of classes are left.

    Raises:
        TrainError: less than half of the model's weights are in the file, so it is of another architecture.
    """
    own = dict(model.state_dict())
    given = {stripped(k): v for k, v in tensors.items()}
    taken = {k: given[stripped(k)] for k, v in own.items() if _fits(v, given.get(stripped(k)))}
    left = [k for k in own if k not in taken]
    n_own = sum(v.numel() for v in own.values())
    n_taken = sum(own[k].numel() for k in taken)
    # New heads and a new classifier are expected; less than half of the weights means another architecture.
    if n_taken < 0.5 * n_own:
        raise TrainError(
            f"The checkpoint fits {n_taken / max(n_own, 1):.0%} of the model's weights; "
            f"it lacks {', '.join(left[:3])}, ...",
            file=path,
            remedy="model.name must be the architecture that the checkpoint was made with.",
        )
    model.load_state_dict(taken, strict=False)
    return left


def stripped(name: str) -> str:
    """Return a weight's name without the prefixes of wrappers."""
    while True:
        for prefix in PREFIXES:
            if name.startswith(prefix):
                name = name[len(prefix) :]
                break
        else:
            return name


def _fits(own: Tensor, given: Tensor | None) -> bool:
    return given is not None and given.shape == own.shape


def save_state(path: Path, state: Mapping[str, Any]) -> None:
    """Write the state of a training (tensors and plain values) so that a reader sees the old file or the new one."""
    # To a file of Python's: what refuses a write stays known, where torch's own writer hides it.
    with files.writing(path) as temporary, open(temporary, "wb") as stream:
        torch.save(dict(state), stream)


def load_state(path: Path) -> dict[str, Any] | None:
    """Load what `save_state` wrote; None where there is no file. Raises TrainError when it is damaged."""
    if not path.is_file():
        return None
    try:
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, KeyError) as e:
        raise TrainError(
            f"The training's state cannot be read: {_reason(e)}",
            file=path,
            remedy="Train again from the start.",
        ) from None
    return content
