"""`hoego check`: repeat the comparison of an export on another machine, without torch."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hoego.data.images import Photo, read_bytes, special_opener
from hoego.data.load import load_unlabelled
from hoego.errors import ParityError
from hoego.exported.folder import ExportedModel, open_model
from hoego.exported.names import MODEL
from hoego.exported.parity import alone_difference, compare_outputs
from hoego.exported.probes import pixel_hash
from hoego.extras import require
from hoego.results.export import CheckResult


def check(folder: Path, on: Path, root: Path | None = None) -> CheckResult:
    """Compare an exported model with the run that it was made of, on the held-out photos that are here.

    Photos are found by the bytes of their files, whatever they are called. Held-out photos give everything: pixels,
    probabilities, decisions, the score. Others give the difference between alone and in a batch.

    Args:
        folder: that `hoego export` wrote.
        on: a table with a path column, or a folder of photos.
        root: what the table's paths are relative to.

    Raises:
        ParityError: the folder's files are not those that were scored, or there is no ONNX file.
        DataError: a photo cannot be read.
    """
    require("serve", "Checking", ["onnxruntime"])
    model = open_model(folder)
    if not (folder / MODEL).is_file():
        raise ParityError(
            "The folder holds no ONNX file, so nothing can be checked without torch.",
            file=folder,
            remedy="Export with --formats onnx.",
        )
    session, reference = model.session(), model.reference()
    photos = load_unlabelled(on, model.schema, root=root)
    where = {int(c): k for k, c in enumerate(reference.content)}
    places = [where.get(int(c), -1) for c in photos.contents]
    known = {place: k for k, place in enumerate(places) if place >= 0}
    new = [k for k, place in enumerate(places) if place < 0]
    rows = np.asarray(sorted(known), dtype=np.intp)
    held = reference.take(rows)
    pixels = _pixels(model, [photos.paths[known[r]] for r in rows.tolist()])
    others = _pixels(model, [photos.paths[k] for k in new])
    report = compare_outputs(session, model.outputs, pixels, held)
    equal = sum(pixel_hash(p) == want for p, want in zip(pixels, held.pixels.tolist(), strict=True))
    alone = report.alone
    if len(others):
        alone = max(alone, alone_difference(session, model.outputs.wanted, others))
    return CheckResult(
        folder=str(folder),
        parity=report.with_(pixels=equal, alone=alone, tolerance=model.manifest.parity.tolerance),
        n_known=len(rows),
        n_missing=reference.n_images - len(rows),
        n_new=len(new),
        environment=model.environment(),
    )


def _pixels(model: ExportedModel, paths: list[Path]) -> Photo:
    made = [model.preprocessing(read_bytes(p), None, special_opener(p)) for p in paths]
    return np.stack(made) if made else np.zeros((0, *model.manifest.size, 3), np.uint8)
