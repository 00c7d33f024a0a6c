"""`hoego export`: write a folder, compare it with the run, and give it its name only where both agree."""

from __future__ import annotations

import datetime
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from hoego import files
from hoego.data import photo_pixels
from hoego.data.images import read_bytes, special_opener
from hoego.data.photo_pixels import Preprocessing
from hoego.data.schema import COMPOSITE
from hoego.errors import HoegoError, NotEstimableError, ParityError, UsageError
from hoego.evaluate.diagnose.calibration import useful_temperature
from hoego.evaluate.ensemble.crossfit import parts_of
from hoego.evaluate.score import Score, ScoreOptions, score
from hoego.exported import card, names
from hoego.exported.folder import digest_of, sha256, software
from hoego.exported.parity import ModelOutputs, compare_outputs, equal_pixels, public_names
from hoego.exported.seen import SeenPhotos
from hoego.exported.session import OnnxSession
from hoego.extras import require
from hoego.predictions import Predictions
from hoego.results.export import INT8_TOLERANCE, ExportResult, ModelManifest, ParityReport, QuantizedVerdict
from hoego.runs.candidates import recorded_candidates
from hoego.runs.exporting.int8 import require_no_worse, require_one_model, try_int8
from hoego.runs.exporting.manifest import facts_of, probe_photos, scored_files
from hoego.runs.exporting.members import ExportMembers, load_members
from hoego.runs.exporting.request import ChosenWeights, ExportRequest, choose_weights, require_exportable
from hoego.runs.loading import score_as_recipe
from hoego.runs.record_predictions import predictions_of
from hoego.runs.records import Record
from hoego.version import version


def export(record: Record, request: ExportRequest) -> ExportResult:
    """Write a run's model as a folder for others, and refuse it where it does not answer as the run does.

    Args:
        record: of a run that is done.
        request: see there.

    Raises:
        ParityError: pixels, probabilities, decisions or the score differ; nothing is left behind.
        RecordError: this run's model cannot be exported; says why.
        UsageError: the folder holds something already, or what is asked for is not there.
    """
    require("train", "Exporting")
    require("export", "Exporting")
    require_exportable(record)
    chosen = choose_weights(record, request.weights)
    members = load_members(record, chosen)
    export = RunExport(record, request, chosen, members)
    with whole_folder(request.to) as folder:
        return export.write(folder)


@contextmanager
def whole_folder(to: Path) -> Iterator[Path]:
    """Give the body a temporary folder beside `to`; when the body ends well, it takes the name `to`.

    Raises UsageError where `to` holds something.
    """
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise UsageError(
            "The folder holds something already.", file=to, remedy="Name another one, or empty it."
        )
    to.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=to.parent, prefix=f".{to.name}."))
    try:
        yield temporary
        os.chmod(temporary, 0o755)  # mkdtemp gives 0700, which colleagues on one machine cannot read
        if to.exists():
            to.rmdir()
        os.rename(temporary, to)
    except BaseException:  # also KeyboardInterrupt: nothing that was not compared must stay behind
        shutil.rmtree(temporary, ignore_errors=True)
        raise


@dataclass
class RunExport:
    """One export, from the loaded models to the folder."""

    record: Record
    request: ExportRequest
    chosen: ChosenWeights
    members: ExportMembers

    def __post_init__(self) -> None:
        self.notes: list[str] = []
        first = self.members.models[0]
        self.schema = first.schema
        self.quantized: QuantizedVerdict | None = None
        if self.request.int8:
            require_one_model(self.members)
        self.scored = self._score()
        self.temperatures = self._temperatures()

    def write(self, folder: Path) -> ExportResult:
        """Write and compare everything below `folder`."""
        self._write_preprocessing(folder)
        seen = SeenPhotos.of(self.record.id, self.members.provenance)
        seen.write(folder / names.SEEN)
        formats, timm = [], {}
        if "timm" in self.request.formats:
            timm = self._timm(folder)
            formats += ["timm"] if timm else []
        parity = self._onnx(folder) if "onnx" in self.request.formats else self._pixels_alone(folder)
        formats += ["onnx"] if "onnx" in self.request.formats else []
        if not parity.holds:
            raise ParityError(
                f"The exported file does not answer as {self.record.id} does. {parity.sentence}",
                remedy="Nothing was written. Report the model's name; timm's folder may hold it (--formats timm).",
            )
        if self.request.int8:
            parity = self._int8(folder)
        self.members.reference().write(folder / names.REFERENCE, self.schema)
        manifest = self._manifest(folder, parity, seen)
        files.write_json(folder / names.MANIFEST, manifest.model_dump(mode="json"))
        prepare = self.members.preprocess.steps
        files.write_text(folder / names.CARD, card.markdown(manifest, prepare))
        files.write_text(folder / names.PAGE, card.html(manifest, prepare))
        return ExportResult(
            folder=str(self.request.to),
            formats=tuple(sorted(formats)),
            manifest=manifest,
            timm=timm,
            notes=tuple(self.notes),
        )

    def _score(self) -> Score:
        """Score what is exported: the float32 predictions of held-out photos; of a refit those of the run's folds."""
        recorded = self.members.recorded
        candidates = recorded_candidates(self.record, predictions_of(self.record))
        options = score_as_recipe(ScoreOptions(candidates=candidates), self.record)
        if self.chosen.name == "refit":
            self.notes.append(
                "The exported model was trained on all subjects, so no photo is left to score it on; the score is that "
                "of the run's held-out predictions."
            )
        elif self.members.precision != "float32":
            changed = _changed(self.members.predictions, recorded)
            self.notes.append(
                f"The run predicted in {self.members.precision}, the file computes in float32: {changed:,} of "
                f"{recorded.n_images:,} decisions differ for that alone. The score is that of the file."
            )
        found = score(self.members.predictions, self.members.dataset, options)
        if self.chosen.name != "refit" and self.members.precision == "float32":
            self._require_recorded_score(found, score(recorded, self.members.dataset, options))
        return found

    def _require_recorded_score(self, found: Score, recorded: Score) -> None:
        for metric in ("macro_f1", "accuracy"):
            a, b = found.metrics[metric].value, recorded.metrics[metric].value
            if a != b:
                raise ParityError(
                    f"{metric} is {b} by the predictions of {self.record.id} and {a} by its checkpoints today.",
                    remedy="Another version of torch or of a photo's decoder gives other numbers; train the run again.",
                )

    def _temperatures(self) -> dict[str, float]:
        """Fit a temperature for each attribute, kept where it helps on subjects that it was not fitted on."""
        predictions, dataset = self.members.predictions, self.members.dataset
        rows, out = self.members.rows, {}
        try:
            parts = parts_of(predictions, dataset)
        except NotEstimableError:
            return {}
        for name in (*predictions.attributes, COMPOSITE):
            if not predictions.has(name):
                continue
            truth = dataset.classes_of(name)[rows]
            known = truth >= 0
            p = predictions.probabilities(name)[known]
            out[name] = round(useful_temperature(p, truth[known], parts[known]), 6)
        return out

    def _write_preprocessing(self, folder: Path) -> None:
        steps = self.members.preprocess.steps
        files.write_json(
            folder / names.PREPROCESSING, steps.settings() | {"fingerprint": steps.fingerprint()}
        )
        shutil.copyfile(str(photo_pixels.__file__), folder / names.PREPROCESSING_CODE)
        pins = "".join(f"{k}=={v}\n" for k, v in software().items())
        files.write_text(folder / names.REQUIREMENTS, pins)

    def _equal_pixels(self, folder: Path) -> int:
        """Count the held-out photos that the folder's own preprocessing gives as training read them."""
        prepare = Preprocessing.read(folder / names.PREPROCESSING)
        paths = [self.members.dataset.paths[k] for k in self.members.rows.tolist()]
        pixels = self.members.cache.rows(slice(None))
        return equal_pixels(lambda k: prepare(read_bytes(paths[k]), None, special_opener(paths[k])), pixels)

    def _pixels_alone(self, folder: Path) -> ParityReport:
        n = self.members.recorded.n_images
        return ParityReport(
            n_images=n, pixels=self._equal_pixels(folder), difference=0.0, alone=0.0, decisions=0, changed=0,
            notes=("no ONNX file was asked for",),
        )  # fmt: skip

    def _onnx(self, folder: Path) -> ParityReport:
        from hoego.train.export.graph import ExportGraph
        from hoego.train.export.onnx_file import write_onnx

        graph = ExportGraph(self.members.models, self.temperatures).eval()
        size = self.members.preprocess.size
        write_onnx(graph, size, folder / names.MODEL, {names.METADATA: json.dumps(self._about(graph.public))})
        model = self._outputs(graph.heads, graph.public)
        session = OnnxSession(folder / names.MODEL)
        found = compare_outputs(
            session, model, self.members.cache.rows(slice(None)), self.members.reference()
        )
        return found.with_(pixels=self._equal_pixels(folder))

    def _int8(self, folder: Path) -> ParityReport:
        """Put an int8 file in the place of the float32 one, and score it; ParityError where it is worse."""
        path, small = folder / names.MODEL, folder / "int8.onnx"
        heads = tuple(self.members.models[0].network.outputs)
        outputs = self._outputs(heads, public_names(heads, self.schema))
        verdict, values = try_int8(self.members, outputs, path, small, self.request.int8)
        if not self.request.anyway:
            require_no_worse(verdict)
        os.replace(small, path)
        self.quantized = verdict
        self.members = replace(self.members, values=values)
        options = score_as_recipe(ScoreOptions(), self.record)
        self.scored = score(self.members.predictions, self.members.dataset, options)
        self.notes.append(f"{verdict.kind} int8, {verdict.outcome}: {verdict.sentence}")
        pixels = self.members.cache.rows(slice(None))
        found = compare_outputs(OnnxSession(path), outputs, pixels, self.members.reference())
        note = f"the {verdict.kind} int8 file is compared with what it said when it was made"
        return found.with_(
            pixels=self._equal_pixels(folder), tolerance=INT8_TOLERANCE, notes=(*found.notes, note)
        )

    def _outputs(self, heads: tuple[str, ...], public: tuple[str, ...]) -> ModelOutputs:
        return ModelOutputs(schema=self.schema, heads=heads, outputs=public, folds=self.members.folds)

    def _about(self, public: tuple[str, ...]) -> dict[str, object]:
        e = self.scored.primary
        return {
            "run": self.record.id,
            "weights": self.chosen.name,
            "labels": self.schema.fingerprint,
            "classes": {k: list(self.schema.classes(k)) for k in public},
            "target": self.schema.target,
            "preprocessing": self.members.preprocess.steps.fingerprint(),
            "size": list(self.members.preprocess.size),
            "macro_f1": [e.value, e.low, e.high],
            "honesty": str(self.scored.honesty),
            "dataset": self.members.dataset.fingerprint,
            "checkpoints": [sha256(p) for p in self.chosen.paths],
            "hoego": version(),
        }

    def _timm(self, folder: Path) -> dict[str, float]:
        """Write timm's folders; where timm cannot build the model and ONNX was asked for too, say so and go on."""
        from hoego.train.export.timm_folder import require_timms_own, write_timm

        try:
            require_timms_own(self.members.models[0])
        except HoegoError as e:
            if self.request.formats == ("timm",):
                raise
            self.notes.append(f"timm: {e.message}")
            return {}
        several = len(self.members.models) > 1
        out = {}
        for fold, model in zip(self.members.folds, self.members.models, strict=True):
            name = f"timm/fold-{fold}" if several else "timm"
            out[name] = write_timm(model, folder / name)
        return out

    def _manifest(self, folder: Path, parity: ParityReport, seen: SeenPhotos) -> ModelManifest:
        heads = tuple(self.members.models[0].network.outputs)
        manifest = ModelManifest(
            **facts_of(self.members),
            name=self.request.name or self.record.meta.name or self.record.id,
            run=self.record.id,
            hoego=version(),
            created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            labels=self.schema.described(),
            outputs=public_names(heads, self.schema),
            heads=heads,
            target=self.scored.target.name,
            weights=self.chosen.name,
            temperatures=self.temperatures,
            score=self.scored,
            score_of="recipe" if self.chosen.name == "refit" else "file",
            n_train=len(seen.photos),
            n_train_subjects=seen.n_subjects,
            parity=parity,
            quantized=self.quantized,
            probes=probe_photos(self.members, self.schema, folder),
            files=scored_files(folder),
            software=software(),
            license=self.request.license,
            notes=tuple(self.notes),
        )
        return manifest.with_(digest=digest_of(manifest.model_dump(mode="json")))


def _changed(a: Predictions, b: Predictions) -> int:
    target = a.schema.target if a.has(a.schema.target) else a.attributes[0]
    return int((a.probabilities(target).argmax(axis=1) != b.probabilities(target).argmax(axis=1)).sum())
