"""/mistakes and /slices: wrong photos, and accuracy by group."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from hoego.board.board import Board
from hoego.board.cache import dataset_key
from hoego.board.view import page, query_changer
from hoego.draw import heatmap
from hoego.errors import UsageError, nearest
from hoego.evaluate.diagnose import CrossSlices, cross_slices, crossable
from hoego.evaluate.score.photos import PhotoPrediction, PhotoPredictions, predicted_photos
from hoego.predictions import honesty
from hoego.runs.records import Record

SHOWN = 120
"""Photos of a page."""

ENOUGH = 10
"""Crossings of fewer people are grey, unless the address says otherwise."""


def mistakes_page(request: Request) -> Response:
    """Show the mistakes of a run, or the photos of one cell of the confusion matrix, by person."""
    board: Board = request.app.state.board
    record = _run_of(board, request)
    query = request.query_params
    label = query.get("on", "")
    photos = _photos(board, record, label)
    truth, said = (_class(photos, query.get(side, "")) for side in ("truth", "said"))
    chosen = photos.mistakes(truth, said)
    start = _number(query.get("from", "0"))
    return page(
        request,
        "mistakes.html.j2",
        record=record,
        photos=photos,
        honesty=_honesty(board, record),
        chart=Markup(_confusion(request, photos, (truth, said))),
        truth=None if truth is None else photos.classes[truth],
        said=None if said is None else photos.classes[said],
        total=len(chosen),
        start=start,
        end=min(start + SHOWN, len(chosen)),
        people=by_person(photos.photos(chosen[start : start + SHOWN])),
        step=SHOWN,
        labels=_labels(board, record),
        columns=list(photos.classes),
    )


def slices_page(request: Request) -> Response:
    """Show the accuracy where two columns cross, with intervals over people."""
    board: Board = request.app.state.board
    record = _run_of(board, request)
    query = request.query_params
    dataset = board.data.dataset(record)
    columns = crossable(dataset)
    names = dataset.schema.names
    row = query.get("row") or names[-1]
    column = query.get("column") or (names[0] if len(names) > 1 else columns[-1])
    label = query.get("on", "")

    def make() -> CrossSlices:
        return cross_slices(board.data.predictions(record), dataset, row, column, label)

    key = ("crossed", record.id, row, column, label, dataset_key(record), board.store.version)
    return page(
        request,
        "slices.html.j2",
        record=record,
        honesty=_honesty(board, record),
        found=board.results.get(key, make),
        columns=columns,
        labels=_labels(board, record),
        least=_number(query.get("least", str(ENOUGH))),
    )


def _run_of(board: Board, request: Request) -> Record:
    id_ = request.query_params.get("run", "")
    if not id_:
        raise UsageError("No run is named.", remedy="Open this page from a run.")
    return board.record(id_)


def _photos(board: Board, record: Record, label: str) -> PhotoPredictions:
    key = ("photos", record.id, label, dataset_key(record), board.store.version)
    found: PhotoPredictions = board.results.get(
        key, lambda: predicted_photos(board.data.predictions(record), board.data.dataset(record), label)
    )
    return found


def _honesty(board: Board, record: Record) -> str:
    """Return the honesty of a run's rows against its data set as it is today."""
    key = ("honesty", record.id, dataset_key(record))
    return str(
        board.results.get(
            key, lambda: honesty(board.data.predictions(record), board.data.dataset(record)).label
        )
    )


def _labels(board: Board, record: Record) -> list[str]:
    predictions = board.data.predictions(record)
    schema = predictions.schema
    return [a for a in dict.fromkeys((schema.target, *schema.names)) if predictions.has(a)]


def _class(photos: PhotoPredictions, name: str) -> int | None:
    if not name:
        return None
    if name not in photos.classes:
        raise UsageError(f"There is no class {name!r}.", remedy=nearest(name, photos.classes))
    return photos.classes.index(name)


def _number(text: str) -> int:
    if not text.isdecimal() or len(text) > 9:
        raise UsageError(f"{text!r} is not a number.", remedy="Give a number from 0.")
    return int(text)


def by_person(photos: tuple[PhotoPrediction, ...]) -> list[tuple[str, list[PhotoPrediction]]]:
    """Return the photos of each person together, by the most confident mistake."""
    place: dict[str, int] = {}
    for photo in photos:
        place.setdefault(photo.subject, len(place))
    ordered = sorted(photos, key=lambda p: place[p.subject])
    return [(subject, list(own)) for subject, own in groupby(ordered, key=lambda p: p.subject)]


def _confusion(request: Request, photos: PhotoPredictions, chosen: tuple[int | None, int | None]) -> str:
    """Draw the confusion matrix; each cell leads to its photos."""
    import numpy as np

    c = len(photos.classes)
    counts = np.zeros((c, c), dtype=np.int64)
    np.add.at(counts, (photos.truth, photos.predicted), 1)
    change = query_changer(request)

    def link(i: int, j: int) -> str:
        return change(truth=photos.classes[i], said=photos.classes[j], **{"from": None})

    facts: dict[str, Any] = {"link": link}
    if None not in chosen:
        facts["chosen"] = chosen
    return heatmap(counts.tolist(), photos.classes, photos.classes, **facts)
