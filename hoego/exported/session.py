"""Run an exported ONNX file: uint8 pixels in, probabilities out."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hoego.data.images import Photo, cpu_count
from hoego.errors import ParityError
from hoego.exported.names import INPUT, METADATA

Probabilities = Mapping[str, NDArray[np.float32]]


class OnnxSession:
    """A session of ONNX Runtime on the CPU, with one thread for each core that this process may use.

    Args:
        path: of the ONNX file.
        threads: of a run; 0 for as many as the process's affinity mask allows.

    Raises:
        ParityError: the file cannot be loaded.
    """

    def __init__(self, path: Path, threads: int = 0) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or cpu_count()
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # Idle threads that spin would take the cores from those that decode photos and answer requests.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self.runtime = onnxruntime.InferenceSession(
                os.fspath(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as e:  # ONNX Runtime raises classes of its own
            raise ParityError(
                f"ONNX Runtime cannot load the model: {' '.join(str(e).split())[:300]}",
                file=path,
                remedy="Export the run again.",
            ) from None
        self.outputs = tuple(o.name for o in self.runtime.get_outputs())
        self.size: tuple[int, int] = tuple(self.runtime.get_inputs()[0].shape[1:3])

    @property
    def about(self) -> dict[str, Any]:
        """The file's own metadata; {} for a file that Hoego did not write."""
        text = self.runtime.get_modelmeta().custom_metadata_map.get(METADATA, "{}")
        return dict(json.loads(text))

    def run(self, pixels: Photo, outputs: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        """Compute outputs [n, ...] by name of photos uint8 [n, H, W, 3], all at once."""
        return dict(zip(outputs, self.runtime.run(list(outputs), {INPUT: pixels}), strict=True))

    def run_all(self, batches: Iterable[Photo], outputs: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        """Compute outputs [N, ...] of photos that come in batches."""
        parts = [self.run(pixels, outputs) for pixels in batches]
        return {name: np.concatenate([p[name] for p in parts]) for name in outputs}


def batched(pixels: Photo, rows: NDArray[np.intp], size: int) -> Iterable[Photo]:
    """Yield the rows of pixels uint8 [N, H, W, 3] in batches."""
    for start in range(0, len(rows), size):
        yield np.ascontiguousarray(pixels[rows[start : start + size]])
