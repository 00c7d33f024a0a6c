"""What the manifest of an export says: facts of its models, made-up photos, and the digests of its files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hoego import files
from hoego.data.schema import LabelSchema
from hoego.evaluate.diagnose.calibration import calibration
from hoego.exported import names
from hoego.exported.folder import sha256
from hoego.exported.probes import make_probes, pixel_hash
from hoego.exported.session import OnnxSession
from hoego.results.export import ProbePhoto
from hoego.runs.exporting.members import ExportMembers
from hoego.runs.exporting.shown_slices import shown_slices

SCORED = (names.MODEL, names.PREPROCESSING, names.PREPROCESSING_CODE, names.REFERENCE, names.SEEN)
"""Files whose content was scored, besides those of timm."""


def facts_of(members: ExportMembers) -> dict[str, Any]:
    """Return the fields of the manifest that the models and the held-out photos determine."""
    return {
        "folds": members.folds,
        "size": members.preprocess.size,
        "preprocessing": members.preprocess.steps.fingerprint(),
        "calibration": calibration(members.predictions, members.dataset) if _can_calibrate(members) else None,
        "precision": members.precision,
        "backbone": members.models[0].recipe.model.name,
        "slices": shown_slices(members.predictions, members.dataset),
        "n_held": members.recorded.n_images,
        "n_held_subjects": len(np.unique(members.dataset.subject_index[members.rows])),
        "external": tuple(dict.fromkeys(e for s in members.provenance.sources for e in s.external)),
    }


def scored_files(folder: Path) -> dict[str, str]:
    """Return sha256 of each file below `folder` whose content was scored, by name."""
    timm = [p.relative_to(folder).as_posix() for p in sorted(folder.glob("timm/**/*")) if p.is_file()]
    return {name: sha256(folder / name) for name in (*SCORED, *timm) if (folder / name).is_file()}


def probe_photos(members: ExportMembers, schema: LabelSchema, folder: Path) -> Mapping[str, ProbePhoto]:
    """Write the made-up photos, and what must come of them."""
    prepare = members.preprocess.steps
    photos = make_probes(members.preprocess.size)
    pixels = {name: prepare(data) for name, data in photos.items()}
    stacked = np.stack(list(pixels.values()))
    for name, data in photos.items():
        files.write_bytes(folder / names.PROBES / name, data)
    answers: dict[str, np.ndarray] = {}
    if (folder / names.MODEL).is_file():
        session = OnnxSession(folder / names.MODEL)
        public = [o for o in session.outputs if "." not in o or o in schema.names]
        answers = dict(session.run(stacked, public))
    return {
        name: ProbePhoto(
            pixels=pixel_hash(pixels[name]),
            probabilities={k: tuple(v[i].tolist()) for k, v in answers.items()},
        )
        for i, name in enumerate(photos)
    }


def _can_calibrate(members: ExportMembers) -> bool:
    predictions, dataset = members.predictions, members.dataset
    rows = members.rows
    known = dataset.target[rows] >= 0
    several = len(np.unique(dataset.subject_index[rows][known])) > 1
    return predictions.has(predictions.schema.target) and several
