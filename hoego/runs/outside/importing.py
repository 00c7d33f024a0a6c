"""`hoego import`: a file of predictions becomes a record of kind `outside`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from hoego import files
from hoego.data.dataset import Dataset
from hoego.draw import ForestRow
from hoego.errors import UsageError
from hoego.evaluate.score import Score, ScoreOptions, ScoreSummary, score
from hoego.predictions import Predictions
from hoego.predictions.evidence import with_evidence
from hoego.predictions.match_images import match_images
from hoego.predictions.outside import HeldOut, held_out_fields
from hoego.predictions.scale import Scale
from hoego.recipe import Recipe
from hoego.results.base import Result
from hoego.results.evidence import read_evidence
from hoego.runs.left_out import with_left_out
from hoego.runs.outside.facts import OUTSIDE, OutsideFacts
from hoego.runs.outside.read_file import digest_of, names_in, read_file
from hoego.runs.outside.sealed import read_sealed
from hoego.runs.project import SPLIT_FILE, ProjectData
from hoego.runs.recorded_data import keep_first_data
from hoego.runs.records import Record, RunKind, RunStore
from hoego.runs.train import fingerprints
from hoego.split import FOLDER, Split, load, load_or_make, path_of, save
from hoego.split.make_split import settings_of
from hoego.split.own import split_of_held_out

PREDICTIONS = "predictions.parquet"
SECTIONS = ("name", "dataset", "labels", "split", "audit", "fold", "score", "submission")
"""The settings that hold for a run that was not trained here; of the training nothing is known."""


@dataclass(frozen=True, kw_only=True)
class ImportRequest:
    """What to import.

    Args:
        file: .csv, .tsv, .parquet or .npz.
        name: of the run, such as fastai-rn18.
        attribute: what is predicted; None for the target.
        fold: the fold that the model held out; None for rows of all folds.
        logits: the values are logits, not probabilities.
        image: the column that names the photo; found by its name where None.
        sealed: the sealed.json of the export whose neutral names the file uses; None where it names photos itself.
        evidence: files of `hoego watch` over the trainings of the models.
        own_split: the tool made its own split: the file's photos were held out, the model was trained on all others.
        why: the hypothesis.
        tags: of the record.
    """

    file: Path
    name: str
    attribute: str | None = None
    fold: int | None = None
    logits: bool = False
    image: str | None = None
    sealed: Path | None = None
    evidence: tuple[Path, ...] = ()
    own_split: bool = False
    why: str = ""
    tags: tuple[str, ...] = ()


class ImportedRun(Result):
    """A record that was made of a file.

    Args:
        run: its id.
        folder: of the record.
        name: that was given to it.
        score: of its held-out predictions.
        outside: where the predictions came from, and what vouches for them.
    """

    TITLE: ClassVar[str] = "Imported run"

    run: str
    folder: Path
    name: str
    score: Score
    outside: OutsideFacts

    def _honesty_text(self) -> str:
        return self.score._honesty_text()

    def _intervals(self) -> list[ForestRow]:
        return self.score._intervals()


def project_with(recipe: Recipe, dataset: Dataset, folder: Path, name: str = "") -> ProjectData:
    """Give the project with the split of a name; with the recipe's own, made where there is none, for "".

    Raises:
        SplitError: there is no split of that name, or it breaks a guarantee.
        MismatchError: it is of another state of the data set.
    """
    if not name:
        return ProjectData(recipe, dataset, load_or_make(dataset, recipe.split, folder / FOLDER))
    split = load(path_of(name, folder / FOLDER), dataset)
    return _with_split(recipe, dataset, split)


def _with_split(recipe: Recipe, dataset: Dataset, split: Split) -> ProjectData:
    settings = settings_of(split, recipe.split.join)
    return ProjectData(recipe.model_copy(update={"split": settings}), dataset, split)


def _with_own_split(project: ProjectData, request: ImportRequest) -> ProjectData:
    """Give the project with the split that holds out the photos of the file."""
    if request.fold is not None or request.sealed is not None or request.evidence:
        raise UsageError(
            "A tool's own split has no folds, no export and no evidence of a watch.",
            remedy="Leave out --own-split where the model was trained on a split of Hoego.",
        )
    held_out = HeldOut(dataset=project.dataset, split=project.split, attribute=request.attribute)
    images = match_images(names_in(request.file, held_out, request.image), project.dataset)
    return _with_split(project.recipe, project.dataset, split_of_held_out(project.dataset, images))


def import_predictions(project: ProjectData, request: ImportRequest, runs: Path) -> ImportedRun:
    """Make a record of predictions that a model trained outside made of held-out photos.

    Everything is checked and scored before the record appears.

    Args:
        project: the data set and the split by which the model was trained.
        request: the file and what it holds.
        runs: the folder of the records.

    Raises:
        LeakError: a photo was on the training side of the model that predicts it, or was opened while it trained.
        DataError: what the file holds does not fit; names file and row.
        MismatchError: held-out photos are missing, or the evidence is of another split.
    """
    if not request.name.strip():
        raise UsageError("The run needs a name.", remedy="--name fastai-rn18")
    if request.own_split:
        project = _with_own_split(project, request)
    held_out = HeldOut(
        dataset=project.dataset, split=project.split, attribute=request.attribute, fold=request.fold
    )
    rows = read_file(request.file, held_out, request.image)
    images, sealed = rows.images, None
    if request.sealed is not None:
        sealed = read_sealed(request.sealed)
        images = sealed.unseal(images, project.dataset, project.split.fingerprint)
    scale: Scale = "logits" if request.logits else "probabilities"
    made = Predictions(**held_out_fields(rows.values, images, held_out, scale))
    evidence = [read_evidence(path) for path in request.evidence]
    made = with_evidence(made, evidence, project.split)
    known = with_left_out(project.dataset, RunStore(runs))
    found = score(made, known, ScoreOptions(resamples=project.recipe.score.resamples))
    facts = OutsideFacts(
        file=request.file.name,
        digest=digest_of(request.file),
        size=request.file.stat().st_size,
        attribute=held_out.column,
        scale=made.scale[held_out.column],
        fold=request.fold,
        honesty=", ".join(dict.fromkeys(s.outside for s in made.sources)),
        split=project.split.name,
        sealed="" if sealed is None else sealed.salt,
        evidence=tuple(evidence),
    )
    record = _record(project, request, made, runs)
    found = found.model_copy(update={"name": record.id})
    files.write_json(record.folder / OUTSIDE, facts.model_dump(mode="json"))
    files.write_sealed(record.folder / "score.json", found.model_dump(mode="json"))
    record.update(score=ScoreSummary.of(found).model_dump(mode="json"))
    record.set_state("done")
    return ImportedRun(run=record.id, folder=record.folder, name=record.meta.name, score=found, outside=facts)


def _record(project: ProjectData, request: ImportRequest, made: Predictions, runs: Path) -> Record:
    fold = "all" if request.fold is None and project.split.n_folds > 1 else request.fold or 0
    recipe = project.recipe.model_copy(update={"fold": fold, "name": request.name})
    record = RunStore(runs).create(
        {k: v for k, v in recipe.to_dict().items() if k in SECTIONS},
        name=request.name,
        why=request.why,
        tags=("outside", *request.tags),
        fingerprints=fingerprints(recipe, project.dataset, project.split),
        kind=RunKind.OUTSIDE,
        fold=fold,
        target=made.schema.target,
    )
    _write_split(project.split, record.folder)
    keep_first_data(record, project.dataset)
    replace(made, name=record.id, lineage=(record.id,)).write(record.folder / PREDICTIONS)
    return record


def _write_split(split: Split, folder: Path) -> None:
    save(split, folder / SPLIT_FILE)
    files.write_sealed(folder / "split.json", split.summary)
