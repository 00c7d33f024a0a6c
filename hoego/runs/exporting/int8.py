"""int8 as an experiment: the same held-out photos by both files, compared over subjects, with a verdict."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from hoego.data.images import Photo
from hoego.errors import NotEstimableError, ParityError, UsageError
from hoego.evaluate.compare import CompareOptions, compare
from hoego.exported.parity import ModelOutputs, Values, alone_difference
from hoego.exported.quantize import write_int8
from hoego.exported.session import OnnxSession, batched
from hoego.predictions import Predictions
from hoego.results.export import BATCH, TOLERANCE, QuantizedVerdict
from hoego.runs.exporting.members import ExportMembers
from hoego.runs.exporting.shown_slices import shown_slices

GOOD = ("better", "not distinguishable")
CALIBRATED_ON = 256
"""Photos of the training side that set the ranges, of as many subjects as there are."""


def require_one_model(members: ExportMembers) -> None:
    """Raise UsageError where no held-out photo could judge the int8 file, or some set its ranges."""
    if members.folds == (-1,):
        raise UsageError(
            "What int8 costs a model that was trained on all subjects cannot be measured: no photo is held out.",
            remedy="Export a fold: --weights 0 --int8 static.",
        )
    if len(members.folds) > 1:
        raise UsageError(
            "The photos that set the ranges of one fold are held out by another.",
            remedy="Export one fold: --weights 0 --int8 static.",
        )


def try_int8(
    members: ExportMembers, model: ModelOutputs, source: Path, target: Path, kind: str
) -> tuple[QuantizedVerdict, Values]:
    """Write an int8 file and compare it with the float32 one on the held-out photos.

    Args:
        members: one model, and its held-out photos.
        model: how the outputs are read.
        source: the float32 file, which answers as the run does.
        target: to write.
        kind: static or dynamic.

    Returns:
        the verdict, and the probabilities [N, C] by head of the held-out photos by the int8 file.
    """
    photos, n_subjects = training_photos(members) if kind == "static" else (None, 0)
    write_int8(source, target, photos)
    pixels = members.cache.rows(slice(None))
    files = {"int8": OnnxSession(target), "float32": OnnxSession(source)}
    found = files["int8"].run_all(batched(pixels, np.arange(len(pixels)), BATCH), model.wanted)
    values = model.held_out(found, members.recorded.fold)
    plain = members.predictions
    small = plain.with_values(values, "probabilities")
    outcome, sentence = _verdict(small, plain, members)
    seconds = {name: _seconds(session, model, pixels) for name, session in files.items()}
    score = {name: _macro_f1(p, members) for name, p in (("int8", small), ("float32", plain))}
    verdict = QuantizedVerdict(
        kind=kind,
        outcome=outcome,
        sentence=sentence,
        float_score=score["float32"],
        int8_score=score["int8"],
        float_bytes=source.stat().st_size,
        int8_bytes=target.stat().st_size,
        float_seconds=seconds["float32"],
        int8_seconds=seconds["int8"],
        slices=_slices(small, plain, members),
        alone=alone_difference(files["int8"], model.wanted, pixels),
        calibrated_on=n_subjects,
    )
    return verdict, values


def require_no_worse(verdict: QuantizedVerdict) -> None:
    """Raise ParityError unless the int8 file is no worse than the float32 one, and says the same in every batch."""
    problems = [] if verdict.outcome in GOOD else [verdict.sentence]
    if verdict.alone > TOLERANCE:
        problems.append(f"A photo alone and in a batch of {BATCH} differ by {verdict.alone:.2g}.")
    if problems:
        raise ParityError(
            f"{verdict.kind} int8 is refused ({verdict.outcome}): {' '.join(problems)} Macro F1 is "
            f"{verdict.float_score:.4f} in float32 and {verdict.int8_score:.4f} in int8.",
            remedy="Try the other kind of int8, or take this one with --anyway: the card then says what it costs.",
        )


def training_photos(members: ExportMembers) -> tuple[Photo, int]:
    """Return photos of the training side uint8 [n, H, W, 3], a subject's first ones last, and how many subjects."""
    dataset, known = members.dataset, members.provenance
    seen = np.logical_or.reduce([s.seen for s in known.sources])
    mine = np.isin(dataset.subjects[dataset.subject_index], known.universe.names[seen])
    mine[members.rows] = False
    rows = np.random.default_rng(0).permutation(np.flatnonzero(mine))
    # One photo of each subject, then a second of each, so that the ranges come from as many as there are.
    order = np.argsort(_repeats(dataset.subject_index[rows]), kind="stable")
    chosen = rows[order][:CALIBRATED_ON]
    whole = replace(members.cache, row=members.all_rows[chosen])
    return whole.rows(slice(None)), len(np.unique(dataset.subject_index[chosen]))


def _repeats(subject: np.ndarray) -> np.ndarray:
    """Return how many photos of the same subject stand before each [n]."""
    out, count = np.zeros(len(subject), np.int64), dict[int, int]()
    for k, s in enumerate(subject.tolist()):
        out[k] = count[s] = count.get(s, -1) + 1
    return out


def _verdict(small: Predictions, plain: Predictions, members: ExportMembers) -> tuple[str, str]:
    try:
        found = compare([small, plain], members.dataset, CompareOptions(names=("int8", "float32")))
    except NotEstimableError as e:
        return "cannot say", e.message
    return found.verdict, found.sentence


def _macro_f1(predictions: Predictions, members: ExportMembers) -> float:
    from hoego.evaluate.score import ScoreOptions, score

    options = ScoreOptions(resamples=100)
    return float(score(predictions, members.dataset, options).primary.value or 0.0)


def _slices(small: Predictions, plain: Predictions, members: ExportMembers) -> dict[str, tuple[float, float]]:
    after = {(s.column, s.value): s.accuracy for s in shown_slices(small, members.dataset)}
    pairs = ((s, after.get((s.column, s.value))) for s in shown_slices(plain, members.dataset))
    return {
        f"{s.column} = {s.value}": (s.accuracy, other)
        for s, other in pairs
        if s.accuracy is not None and other is not None
    }


def _seconds(session: OnnxSession, model: ModelOutputs, pixels: Photo) -> float:
    """Return the median time of a batch of 32 photos."""
    batch = np.ascontiguousarray(pixels[np.resize(np.arange(len(pixels)), BATCH)])
    taken = []
    for _ in range(12):
        begun = time.perf_counter()
        session.run(batch, model.wanted)
        taken.append(time.perf_counter() - begun)
    return float(np.median(taken[2:]))
