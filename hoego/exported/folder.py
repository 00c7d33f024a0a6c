"""An exported folder: read it, and refuse one whose weights, labels or preprocessing are not those that were scored."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from hoego import files
from hoego.data.photo_pixels import Preprocessing
from hoego.data.schema import LabelSchema
from hoego.errors import HoegoError, ParityError
from hoego.exported.names import MANIFEST, MODEL, PREPROCESSING, REFERENCE, SEEN
from hoego.exported.parity import ModelOutputs
from hoego.exported.probes import differing
from hoego.exported.reference import ReferencePhotos
from hoego.exported.seen import SeenPhotos
from hoego.exported.session import OnnxSession
from hoego.results.export import ModelManifest

DECIDE_PIXELS = ("pillow", "simplejpeg", "numpy")
"""Packages whose versions decide the pixels."""
AGAIN = "Export the run again (hoego export), or restore the folder from a copy."


@dataclass(frozen=True, eq=False)
class ExportedModel:
    """An exported folder whose files are those that were scored.

    Args:
        folder: where it lies.
        manifest: the facts in it.
        schema: of the labels.
        preprocessing: from a photo's bytes to pixels.
    """

    folder: Path
    manifest: ModelManifest
    schema: LabelSchema
    preprocessing: Preprocessing

    @property
    def outputs(self) -> ModelOutputs:
        """How the graph's outputs are read."""
        m = self.manifest
        return ModelOutputs(schema=self.schema, heads=m.heads, outputs=m.outputs, folds=m.folds)

    def session(self, threads: int = 0) -> OnnxSession:
        """Load the graph. Raises ParityError where it is not the one of the manifest."""
        session = OnnxSession(self.folder / MODEL, threads)
        about, m = session.about, self.manifest
        said = {
            "run": m.run,
            "labels": self.schema.fingerprint,
            "preprocessing": m.preprocessing,
            "weights": m.weights,
        }
        wrong = [name for name, want in said.items() if about.get(name) != want]
        if wrong:
            raise ParityError(
                f"The graph's own {', '.join(wrong)} differ from those of {MANIFEST}: it is of another export.",
                file=self.folder / MODEL,
                remedy=AGAIN,
            )
        return session

    def reference(self) -> ReferencePhotos:
        """Read the held-out photos."""
        return ReferencePhotos.read(self.folder / REFERENCE, self.schema)

    def seen(self) -> SeenPhotos:
        """Read who the model has seen."""
        return SeenPhotos.read(self.folder / SEEN)

    def probes(self) -> dict[str, bytes]:
        """Read the made-up photos."""
        from hoego.exported.names import PROBES

        return {name: (self.folder / PROBES / name).read_bytes() for name in self.manifest.probes}

    def require_pixels(self) -> None:
        """Refuse a machine on which the pixels of the made-up photos come out otherwise."""
        expected = {name: probe.pixels for name, probe in self.manifest.probes.items()}
        wrong = differing(self.preprocessing, self.probes(), expected)
        if wrong:
            remedy = f"Install the versions of the export: {self._pins()}."
            raise ParityError(
                f"This machine makes other pixels of {', '.join(wrong)} than the model was scored with "
                f"({'; '.join(self.environment()) or 'the same versions, so another libjpeg'}).",
                file=self.folder,
                remedy=remedy,
            )

    def environment(self) -> tuple[str, ...]:
        """Return the packages whose versions differ from those of the export, each as a phrase."""
        now = software()
        return tuple(
            f"{name} {now.get(name, 'not installed')}, exported with {was}"
            for name, was in self.manifest.software.items()
            if now.get(name) != was
        )

    def _pins(self) -> str:
        return ", ".join(f"{k}=={v}" for k, v in self.manifest.software.items() if k in DECIDE_PIXELS)


def software() -> dict[str, str]:
    """Return the versions of the packages that decide pixels and numbers; those that are not installed are left out."""
    out = {}
    for name in (*DECIDE_PIXELS, "onnxruntime"):
        try:
            out[name] = version(name)
        except PackageNotFoundError:
            continue
    return out


def open_model(folder: Path) -> ExportedModel:
    """Open an exported folder.

    Raises:
        ParityError: it is not an export, or one of its files is not the one that was scored; names the file.
    """
    path = Path(folder) / MANIFEST
    if not path.is_file():
        raise ParityError(
            f"There is no {MANIFEST} in this folder.",
            file=folder,
            remedy="Make one: hoego export RUN --to DIR.",
        )
    try:
        content = files.read_json(path)
        manifest = ModelManifest.model_validate(content)
        schema = LabelSchema.of(manifest.labels)
    except (ValidationError, HoegoError, KeyError, TypeError) as e:
        raise ParityError(
            f"It cannot be read: {' '.join(str(e).split())[:300]}", file=path, remedy=AGAIN
        ) from None
    if manifest.digest != digest_of(content):
        raise ParityError(
            "It was changed after it was written: labels, score and digests are no longer those of the export.",
            file=path,
            remedy=AGAIN,
        )
    for name, expected in manifest.files.items():
        _require_file(Path(folder) / name, expected)
    try:
        preprocessing = Preprocessing.read(Path(folder) / PREPROCESSING)
    except ValueError as e:
        raise ParityError(str(e), remedy=AGAIN) from None
    if preprocessing.fingerprint() != manifest.preprocessing:
        raise ParityError("It is of another export.", file=Path(folder) / PREPROCESSING, remedy=AGAIN)
    return ExportedModel(Path(folder), manifest, schema, preprocessing)


def digest_of(content: Mapping[str, Any]) -> str:
    """Return sha256 over all fields of a manifest's JSON but the digest, as they are in the file.

    Fields that a later version adds are then no change of the files of earlier ones.
    """
    kept = {k: v for k, v in content.items() if k != "digest"}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()


def sha256(path: Path) -> str:
    """Return sha256 of a file."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _require_file(path: Path, expected: str) -> None:
    if not path.is_file():
        raise ParityError("The file is missing.", file=path, remedy=AGAIN)
    if sha256(path) != expected:
        raise ParityError(
            "The file is not the one that was scored: its sha256 differs.", file=path, remedy=AGAIN
        )
