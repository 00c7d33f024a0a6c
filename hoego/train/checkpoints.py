"""Weights on disk: safetensors with provenance in the metadata, weights-only .pth, and the state of a training."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from hoego import files
from hoego.damage import parsing
from hoego.errors import RecordError, TrainError
from hoego.predictions import Provenance
from hoego.short_repr import ShortRepr
from hoego.train.foreign_weights import read_pickle, require_no_pointer

METADATA_KEY = "hoego"


@dataclass(frozen=True, eq=False, repr=False)
class CheckpointWeights(ShortRepr):
    """Weights of a file by name, with its metadata.

    Args:
        tensors: name -> tensor, on the CPU.
        metadata: written by Hoego beside them; {} for other files.
        provenance: the subjects that the weights have seen; None where the file holds none.
        notes: what is to be said of the weights that were taken.
    """

    tensors: dict[str, Tensor]
    metadata: dict[str, Any] = field(default_factory=dict)
    provenance: Provenance | None = None
    notes: tuple[str, ...] = ()


def save_weights(
    path: Path, tensors: Mapping[str, Tensor], about: Mapping[str, Any], provenance: Provenance | None
) -> None:
    """Write tensors as safetensors; `about` (JSON types) and the provenance go to the metadata."""
    content = dict(about)
    if provenance is not None:
        content["provenance"] = provenance.content()
    plain = {name: t.detach().to("cpu").contiguous().clone() for name, t in tensors.items()}
    content["digest"] = _digest(plain)
    content = files.plain(content)
    content["seal"] = files.content_digest(content)
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
    require_no_pointer(path)
    if path.suffix == ".safetensors":
        return _load_safetensors(path)
    tensors, notes = read_pickle(path)
    return CheckpointWeights(tensors, notes=notes)


def about_weights(path: Path) -> dict[str, Any]:
    """Return what Hoego wrote beside the tensors of a file, without reading them; {} for files from elsewhere.

    Raises:
        TrainError: no such file, or a damaged one.
    """
    if not path.is_file():
        raise TrainError("There is no checkpoint.", file=path, remedy="Check model.checkpoint.")
    require_no_pointer(path)
    if path.suffix != ".safetensors":
        return {}
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            about = (file.metadata() or {}).get(METADATA_KEY, "{}")
    except (safetensors.SafetensorError, OSError, ValueError) as e:
        raise TrainError(f"Not a readable safetensors file: {_reason(e)}", file=path) from None
    return _unsealed(about, path)


def _unsealed(text: str, path: Path) -> dict[str, Any]:
    """Parse what Hoego wrote beside the tensors. Raises RecordError where it was changed; early files have no seal."""
    about = files.parse_object(text, path)
    written = about.pop("seal", None)
    if written is not None and written != files.content_digest(about):
        raise RecordError(
            "What the file says of its weights was changed after it was written.",
            file=path,
            remedy="Restore the file from a copy, or train the run again.",
        )
    return about


def provenance_of_weights(path: Path) -> Provenance | None:
    """Read which subjects the weights of a file have seen, without reading the tensors; None where it does not say.

    Raises:
        TrainError: no such file, or a damaged one.
    """
    return _provenance(about_weights(path).get("provenance"), path)


def _provenance(known: Any, path: Path) -> Provenance | None:
    with parsing(path):
        return None if known is None else Provenance.read(known)


def _load_safetensors(path: Path) -> CheckpointWeights:
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (safetensors.SafetensorError, OSError, ValueError) as e:
        raise TrainError(f"Not a readable safetensors file: {_reason(e)}", file=path) from None
    about = _unsealed(metadata.get(METADATA_KEY, "{}"), path)
    written = about.pop("digest", None)
    if written is not None and written != _digest(tensors):
        raise TrainError(
            "The weights are not those that were written with this provenance.",
            file=path,
            remedy="Restore the file from a copy, or train the run again.",
        )
    provenance = _provenance(about.pop("provenance", None), path)
    return CheckpointWeights(tensors, about, provenance)


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


def save_state(path: Path, state: Mapping[str, Any]) -> None:
    """Write the state of a training (tensors and plain values) so that a reader sees the old file or the new one."""
    # To a file of Python's: what refuses a write stays known, where torch's own writer hides it.
    with files.writing(path) as temporary, open(temporary, "wb") as stream:
        torch.save(dict(state), stream)


_AFRESH = "Restore the record from a copy, or remove the file: the fold starts again."


def load_state(path: Path) -> dict[str, Any] | None:
    """Load what `save_state` wrote; None where there is no file. Raises TrainError when it is damaged."""
    if not path.is_file():
        return None
    with parsing(path, remedy=_AFRESH, error=TrainError):
        # torch checks no sums on reading: a flipped bit would train on, to other numbers.
        with zipfile.ZipFile(path) as archive:
            if (damaged := archive.testzip()) is not None:
                raise TrainError(f"The training's state is damaged ({damaged}).", file=path, remedy=_AFRESH)
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return content
