"""Write an `ExportGraph` as an ONNX file: uint8 photos in, probabilities out, any number of photos at a time."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch

from hoego import files
from hoego.errors import TrainError
from hoego.exported.names import INPUT
from hoego.extras import require
from hoego.train.export.graph import ExportGraph

LARGEST_BYTES = 1_900_000_000
"""Above it a graph does not fit one file of protocol buffers (2 GB)."""


def write_onnx(graph: ExportGraph, size: tuple[int, int], path: Path, about: Mapping[str, str]) -> None:
    """Write a graph for photos of `size` (height, width) as one ONNX file.

    Args:
        graph: in evaluation mode.
        size: of the photos, in pixels.
        path: of the file.
        about: what the file says of itself, text by name.

    Raises:
        TrainError: the exporter cannot trace the network, or it is too large for one file.
        MissingExtra: the extra `export` is not installed.
    """
    require("export", "Exporting")
    weight = sum(p.numel() * p.element_size() for p in graph.parameters())
    if weight > LARGEST_BYTES:
        raise TrainError(
            f"The weights take {weight / 1e9:.1f} GB, and one ONNX file holds 2 GB.",
            remedy="Export one fold (--weights K), or timm's folder (--formats timm).",
        )
    # Two photos: with one, the exporter takes the number of photos for a constant.
    photos = torch.randint(
        0, 256, (2, *size, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )
    with _quiet(), torch.inference_mode():
        try:
            program = torch.onnx.export(
                graph,
                (photos,),
                dynamo=True,
                dynamic_shapes={INPUT: {0: torch.export.Dim("batch")}},
                input_names=[INPUT],
                output_names=list(graph.output_names),
                external_data=False,
                verbose=False,
            )
        except Exception as e:  # the exporter raises many kinds
            raise TrainError(
                f"The network cannot be written as ONNX: {' '.join(str(e).split())[:300]}",
                remedy="Export timm's folder (--formats timm), or train another model.",
            ) from e
    assert program is not None
    for name, text in about.items():
        program.model.metadata_props[name] = text
    with files.writing(path) as temporary:
        program.save(temporary, external_data=False)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's progress and warnings to itself: what can go wrong is measured afterwards."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
