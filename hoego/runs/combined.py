"""Ensembles and compositions as records: kept like runs, and able to predict new images."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from hoego import files
from hoego.damage import parsing
from hoego.data.dataset import Dataset
from hoego.errors import RecordError
from hoego.evaluate.ensemble import Combiner, Ensemble, apply_combiners, apply_offsets, with_fitted
from hoego.evaluate.ensemble.compose import Composition, compose
from hoego.evaluate.score import Score, ScoreSummary
from hoego.predictions import Predictions, Provenance
from hoego.results.ensemble import SavedComposition, SavedEnsemble
from hoego.runs.record_predictions import PREDICTIONS
from hoego.runs.recorded_data import keep_first_data
from hoego.runs.records import Record, RunKind, RunStore

COMBINED = "combined.json"
PredictOne = Callable[[Record], Predictions]


def save_ensemble(
    store: RunStore, made: Ensemble, members: Mapping[str, Record], dataset: Dataset, *, why: str = ""
) -> Record:
    """Save a record of an ensemble, with what `hoego predict` needs to repeat it.

    Args:
        store: of the records.
        made: the ensemble.
        members: name of each member's predictions -> its record.
        dataset: holds the labels by which it was fitted and scored.
        why: the hypothesis.
    """
    content = SavedEnsemble(
        members=tuple(members[m.run].id for m in made.members),
        combiners={k: c.plain for k, c in made.combiners.items()},
        offsets=made.decision.offsets if made.decision is not None and made.decision.kept else {},
        fitted=None if made.fitted is None else made.fitted.packed(),
        ensemble=made.summary,
    )
    return _save(store, made.predictions, made.score, content, dataset, why)


def save_composition(
    store: RunStore,
    made: Composition,
    score: Score,
    members: Mapping[str, Record],
    dataset: Dataset,
    *,
    why: str = "",
) -> Record:
    """Save a record of a composition: which attribute comes from which record, and how that was chosen.

    Args:
        store: of the records.
        made: the composition.
        score: of its predictions.
        members: name of each part's predictions -> its record.
        dataset: holds the labels by which its sources were chosen and it was scored.
        why: the hypothesis.
    """
    content = SavedComposition(
        parts={a: members[name].id for a, name in made.parts.items()},
        fitted=None if made.fitted is None else made.fitted.packed(),
        composition=made.summary(score),
    )
    return _save(store, made.predictions, score, content, dataset, why)


def _save(
    store: RunStore,
    predictions: Predictions,
    score: Score,
    content: SavedEnsemble | SavedComposition,
    dataset: Dataset,
    why: str,
) -> Record:
    kind = RunKind(content.kind)
    # An ensemble names a member once; a run may give several attributes of a composition.
    parents = list(dict.fromkeys(content.runs))
    base = store.find(parents[0])
    record = store.create(
        base.recipe,
        name=predictions.name,
        why=why,
        tags=(kind.value,),
        parents=parents,
        fingerprints=base.meta.fingerprints,
        kind=kind,
        fold=base.fold,
        target=score.target.name,
    )
    keep_first_data(record, dataset)
    named = replace(predictions, name=record.id)
    named.write(record.folder / PREDICTIONS)
    files.write_sealed(record.folder / COMBINED, content)
    files.write_sealed(record.folder / "score.json", score.model_dump(mode="json"))
    record.update(score=ScoreSummary.of(score).model_dump(mode="json"))
    record.set_state("done")
    return record


def is_combined(record: Record) -> bool:
    """Return whether a record is an ensemble or a composition."""
    return (record.folder / COMBINED).is_file()


def member_names(record: Record) -> tuple[str, ...]:
    """Return the ids of the records that a combination is made of, in its order."""
    return _combined(record).runs


def _combined(record: Record) -> SavedEnsemble | SavedComposition:
    found = record.combined
    if found is None:
        raise RecordError(
            "the file is missing", file=record.folder / COMBINED, remedy="Restore the record from a copy."
        )
    return found


def predict_combined(record: Record, store: RunStore, predict_one: PredictOne) -> Predictions:
    """Predict new images with an ensemble or a composition: each member predicts, then they are combined as
    before.

    What was fitted on labels (weights, a decision rule, the choice of a source) is applied as it was fitted on all
    rows, and the subjects of those labels are joined into the provenance.

    Args:
        record: of the combination.
        store: where its members lie.
        predict_one: predicts the new images with one member.

    Raises:
        RecordError: a member's record is gone.
    """
    content = _combined(record)
    names = content.runs
    try:
        members = {name: store.find(name) for name in dict.fromkeys(names)}
    except RecordError as e:
        raise RecordError(
            f"{record.id} needs a run that is not here: {e.message}", remedy="Copy it in with `hoego merge`."
        ) from None
    made = {name: predict_one(member) for name, member in members.items()}
    if isinstance(content, SavedEnsemble):
        combiners = {k: Combiner.of(c) for k, c in content.combiners.items()}
        combined = apply_combiners([made[n] for n in names], combiners, record.id)
        combined = apply_offsets(combined, content.offsets) if content.offsets else combined
    else:
        combined = compose({a: made[n] for a, n in content.parts.items()}, name=record.id).predictions
    if content.fitted is None:
        return combined
    with parsing(record.folder / COMBINED):
        return with_fitted(combined, Provenance.unpacked(content.fitted))
