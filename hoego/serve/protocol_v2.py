"""The Open Inference Protocol, version 2, over HTTP, for clients of KServe, Triton and OpenVINO.

Tensors are JSON lists, or bytes behind the JSON ("binary tensor data extension" of Triton). There are two inputs, of
which a request names one: `photos`, pixels as preprocessing.py gives them, and `files`, whole files as BYTES.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hoego.data.images import Photo
from hoego.exported.names import INPUT
from hoego.serve.batching import Outputs
from hoego.serve.bodies import parsed_json
from hoego.serve.options import RequestProblem

LENGTH = "inference-header-content-length"
FILES = "files"
Json = dict[str, Any]


@dataclass(frozen=True)
class InferRequest:
    """A request for inference.

    Args:
        id: of the request, given back.
        photos: pixels uint8 [n, H, W, 3], or the bytes of n files.
        outputs: name of each wanted output -> whether it is wanted as bytes.
    """

    id: str
    photos: list[Photo] | list[bytes]
    outputs: Mapping[str, bool]


def read_infer(
    body: bytes, length: str | None, size: tuple[int, int], offered: Sequence[str]
) -> InferRequest:
    """Return what a body asks for.

    Args:
        body: JSON, and the bytes of tensors behind it.
        length: of the JSON, where bytes follow it (`LENGTH`).
        size: (height, width) of the pixels.
        offered: names of the outputs.

    Raises:
        RequestProblem: 400, what is wrong in one sentence.
    """
    if length is not None and not (length.isdigit() and int(length) <= len(body)):
        raise RequestProblem(400, "Inference-Header-Content-Length is not the length of the JSON.")
    cut = len(body) if length is None else int(length)
    content = parsed_json(body[:cut])
    inputs = content.get("inputs") if isinstance(content, dict) else None
    if not isinstance(inputs, list) or len(inputs) != 1 or not isinstance(inputs[0], dict):
        raise RequestProblem(400, f'"inputs" must hold one tensor: {INPUT!r} (UINT8) or {FILES!r} (BYTES).')
    tensor, data = inputs[0], body[cut:]
    if tensor.get("name") == INPUT:
        photos: list[Photo] | list[bytes] = list(_pixels(tensor, data, size))
    elif tensor.get("name") == FILES:
        photos = _files(tensor, data)
    else:
        raise RequestProblem(400, f"There is no such input; name {INPUT!r} (UINT8) or {FILES!r} (BYTES).")
    if not photos:
        raise RequestProblem(400, "There is no photo in the request.")
    return InferRequest(str(content.get("id", "")), photos, _wanted(content, offered))


def answer(request: InferRequest, model: str, found: Sequence[Outputs]) -> tuple[bytes, dict[str, str]]:
    """Return the body and the headers of the answer, of the outputs [C] of each photo."""
    described, tail = [], b""
    for name, as_bytes in request.outputs.items():
        array = np.stack([outputs[name] for outputs in found]).astype(np.float32)
        tensor: Json = {"name": name, "datatype": "FP32", "shape": list(array.shape)}
        if as_bytes:
            raw = array.tobytes()
            tensor["parameters"] = {"binary_data_size": len(raw)}
            tail += raw
        else:
            tensor["data"] = array.ravel().tolist()
        described.append(tensor)
    content: Json = {"model_name": model, "model_version": "1", "outputs": described}
    if request.id:
        content["id"] = request.id
    head = json.dumps(content).encode()
    if not tail:
        return head, {"content-type": "application/json"}
    return head + tail, {"content-type": "application/octet-stream", LENGTH: str(len(head))}


def metadata(model: str, size: tuple[int, int], outputs: Mapping[str, int]) -> Json:
    """Return the metadata of the model; `outputs` are names and numbers of classes."""
    return {
        "name": model,
        "versions": ["1"],
        "platform": "onnx_onnxv1",
        "inputs": [{"name": INPUT, "datatype": "UINT8", "shape": [-1, *size, 3]}],
        "outputs": [{"name": n, "datatype": "FP32", "shape": [-1, c]} for n, c in outputs.items()],
    }


def _wanted(content: Json, offered: Sequence[str]) -> dict[str, bool]:
    usual = _flag(content, "binary_data_output")
    asked = content.get("outputs")
    if not asked:
        return dict.fromkeys(offered, usual)
    if not isinstance(asked, list) or not all(isinstance(a, dict) for a in asked):
        raise RequestProblem(400, '"outputs" must be a list of objects with a name.')
    unknown = [str(a.get("name"))[:80] for a in asked if a.get("name") not in offered]
    if unknown:
        raise RequestProblem(400, f"There is no output {unknown[0]!r}; there are {', '.join(offered)}.")
    return {a["name"]: _flag(a, "binary_data", usual) for a in asked}


def _flag(holder: Json, name: str, usual: bool = False) -> bool:
    parameters = holder.get("parameters")
    return bool(parameters.get(name, usual)) if isinstance(parameters, dict) else usual


def _pixels(tensor: Json, data: bytes, size: tuple[int, int]) -> Photo:
    shape: Any = tensor.get("shape")
    want = [*size, 3]
    named = tensor.get("datatype") == "UINT8" and isinstance(shape, list)
    if not named or shape[1:] != want or type(shape[0]) is not int or shape[0] < 0:
        raise RequestProblem(400, f"{INPUT!r} must be UINT8 of the shape [n, {want[0]}, {want[1]}, 3].")
    count = int(np.prod(shape))
    binary = _binary(tensor, data)
    if binary is not None:
        if len(binary) != count:
            raise RequestProblem(400, f"The shape needs {count:,} bytes, and there are {len(binary):,}.")
        return np.frombuffer(binary, np.uint8).reshape(shape)
    try:
        values = np.asarray(tensor.get("data"))
    except (ValueError, OverflowError, RecursionError):
        values = np.empty(0)
    if values.size != count or (
        count and (values.dtype.kind not in "iu" or values.min() < 0 or values.max() > 255)
    ):
        raise RequestProblem(400, f'"data" must hold {count:,} whole numbers from 0 to 255.')
    return values.astype(np.uint8).reshape(shape)


def _files(tensor: Json, data: bytes) -> list[bytes]:
    if tensor.get("datatype") != "BYTES":
        raise RequestProblem(400, f"{FILES!r} must be BYTES.")
    binary = _binary(tensor, data)
    if binary is None:
        raise RequestProblem(400, f"{FILES!r} must come as bytes behind the JSON (binary_data_size).")
    out, at = [], 0
    while at < len(binary):
        size = int.from_bytes(binary[at : at + 4], "little")
        if at + 4 + size > len(binary):
            raise RequestProblem(400, "A file ends beyond the tensor's bytes.")
        out.append(binary[at + 4 : at + 4 + size])
        at += 4 + size
    return out


def _binary(tensor: Json, data: bytes) -> bytes | None:
    """Return the bytes of a tensor; None if it is in the JSON."""
    parameters = tensor.get("parameters")
    size = parameters.get("binary_data_size") if isinstance(parameters, dict) else None
    if size is None:
        return None
    if type(size) is not int or size != len(data):
        raise RequestProblem(400, "binary_data_size is not the number of bytes behind the JSON.")
    return data
