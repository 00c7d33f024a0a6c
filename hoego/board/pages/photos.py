"""/photo: pictures by the hash of their bytes. No path comes from a browser or goes to one."""

from __future__ import annotations

import io
from functools import partial

import numpy as np
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from hoego.board.board import Board
from hoego.data.dataset import Dataset
from hoego.data.images import Photo, content_of, named_errors, read_bytes, special_opener
from hoego.data.photo_pixels import decode
from hoego.data.pixels import PixelCache
from hoego.data.preprocess import Preprocess
from hoego.errors import DataError, HoegoError
from hoego.recipe import build, is_filled
from hoego.report.pictures import shrunk
from hoego.runs.records import Record

SIDES = (160, 320, 1024)
"""Longer side of a picture in pixels: in a table of photos, in a strip, alone on the screen."""

FOR_EVER = {"cache-control": "private, max-age=31536000, immutable"}
"""What an address with a content hash shows never changes."""


def photo(request: Request) -> Response:
    """Give a photo of a run's data set as JPEG."""
    board: Board = request.app.state.board
    record = board.record(request.path_params["id"])
    dataset = board.data.dataset(record)
    row = row_of(board, dataset, request.path_params["content"])
    side = request.query_params.get("side", "160")
    if side not in map(str, SIDES):
        raise HTTPException(404)
    key = ("photo", dataset.fingerprint, row, side)
    make = partial(_jpeg, board, record, dataset, (row, int(side)))
    return Response(board.pictures.get(key, make), media_type="image/jpeg", headers=FOR_EVER)


def heat(request: Request) -> Response:
    """Give the heat map of a photo: the one in the record, else one that is made now."""
    board: Board = request.app.state.board
    record = board.record(request.path_params["id"])
    dataset = board.data.dataset(record)
    content = request.path_params["content"]
    row = row_of(board, dataset, content)
    kept = record.folder / "heat" / f"{content}.png"
    if kept.is_file():
        return Response(kept.read_bytes(), media_type="image/png", headers=FOR_EVER)
    key = ("heat", record.id, row)
    made = board.pictures.get(key, partial(_heat, board, record, dataset, row))
    return Response(made, media_type="image/png", headers=FOR_EVER)


def row_of(board: Board, dataset: Dataset, content: str) -> int:
    """Return the place of a photo in its data set, by 16 hex digits; no such page where it is not in it."""
    rows = board.results.get(
        ("contents", dataset.fingerprint),
        lambda: {f"{int(c):016x}": k for k, c in reversed([*enumerate(dataset.contents.tolist())])},
    )
    if content not in rows:
        raise HTTPException(404)
    return int(rows[content])


def _jpeg(board: Board, record: Record, dataset: Dataset, what: tuple[int, int]) -> bytes:
    row, side = what
    pixels = _decoded(board, record, dataset)
    if pixels is not None and min(pixels.shape[1:3]) >= side * 0.75:
        return shrunk(pixels.rows(np.array([row]))[0], side)
    return shrunk(_from_file(dataset, row, side), side)


def _decoded(board: Board, record: Record, dataset: Dataset) -> PixelCache | None:
    """Return the pixels that the run was trained on, where they are decoded already."""
    recipe = build(record.recipe)
    if not is_filled(recipe):
        return None
    preprocess = Preprocess.from_settings(recipe.dataset, dataset.root)
    key = ("pixels", dataset.fingerprint, preprocess.fingerprint)
    found: PixelCache | None = board.results.get(key, lambda: PixelCache.existing(dataset, preprocess))
    return found


def _from_file(dataset: Dataset, row: int, side: int) -> Photo:
    """Read the file, which must still hold the bytes that the data set knows."""
    path = dataset.paths[row]
    data = read_bytes(path)
    if content_of(data) != int(dataset.contents[row]):
        raise DataError("The photo has changed since the data set was read.", file=path)
    with named_errors(path):
        found: Photo = decode(data, at_least=(side, side), other=special_opener(path))
    return found


def _heat(board: Board, record: Record, dataset: Dataset, row: int) -> bytes:
    from hoego.extras import require

    require("train", "A heat map that is not in the record")
    from hoego.runs.heat_maps import cam_of_photo

    try:
        with board.heavy:
            picture = cam_of_photo(record, board.data.predictions(record), dataset, row)
    except HoegoError as problem:
        raise DataError(f"There is no heat map: {problem.message}", remedy=problem.remedy) from problem
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()
