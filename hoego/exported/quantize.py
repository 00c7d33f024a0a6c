"""int8 files: weights, and where photos set the ranges also activations, as 8-bit integers."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from hoego.data.images import Photo
from hoego.errors import ParityError
from hoego.exported.names import INPUT

OPERATORS = ["Conv", "Gemm", "MatMul"]
CALIBRATION_BATCH = 16


def write_int8(source: Path, target: Path, photos: Photo | None) -> None:
    """Write an int8 version of a float32 ONNX file.

    Args:
        source: the float32 file.
        target: to write.
        photos: uint8 [n, H, W, 3] that set the ranges of activations (static, weights per channel); None measures the
            ranges anew for every batch (dynamic).

    Raises:
        ParityError: ONNX Runtime cannot quantise the graph.
    """
    from onnxruntime import quantization
    from onnxruntime.quantization.shape_inference import quant_pre_process

    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with tempfile.TemporaryDirectory() as folder:
            ready = Path(folder) / "ready.onnx"
            quant_pre_process(source, ready, skip_symbolic_shape=True)
            if photos is None:
                quantization.quantize_dynamic(ready, target, op_types_to_quantize=OPERATORS)
            else:
                quantization.quantize_static(
                    ready,
                    target,
                    _reader(photos),
                    quant_format=quantization.QuantFormat.QDQ,
                    op_types_to_quantize=OPERATORS,
                    per_channel=True,
                )
    except Exception as e:  # it raises many kinds
        raise ParityError(
            f"ONNX Runtime cannot make an int8 file of this network: {' '.join(str(e).split())[:300]}",
            remedy="Export it without --int8.",
        ) from e
    finally:
        logging.disable(level)


def _reader(photos: Photo) -> object:
    """Return photos in batches, as ONNX Runtime's calibration reads them."""
    from onnxruntime.quantization import CalibrationDataReader

    class Photos(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.batches: Iterator[Photo] = (
                np.ascontiguousarray(photos[k : k + CALIBRATION_BATCH])
                for k in range(0, len(photos), CALIBRATION_BATCH)
            )

        def get_next(self) -> dict[str, Photo] | None:
            found = next(self.batches, None)
            return None if found is None else {INPUT: found}

    return Photos()
