"""What `hoego pixels build` and `hoego pack` made."""

from __future__ import annotations

from hoego.results.base import Result


class PixelBuild(Result):
    """A cache of decoded photos.

    Args:
        images: photos N of the data set.
        distinct: rows R of the cache; copies of one photo share a row.
        decoded: photos that this process decoded; the others were there, or others decoded them.
        height, width: in pixels.
        n_bytes: of the file.
        seconds: that this process took.
        folder: where the cache lies.
    """

    images: int
    distinct: int
    decoded: int
    height: int
    width: int
    n_bytes: int
    seconds: float
    folder: str


class PackedPhotos(Result):
    """A pack of photos in shards.

    Args:
        images, subjects: in it.
        shards: files; a subject is in one of them.
        written: shards that this call wrote; the others were there.
        height, width: in pixels.
        n_bytes: of all shards.
        seconds: that this call took.
        folder: where the pack lies.
    """

    images: int
    subjects: int
    shards: int
    written: int
    height: int
    width: int
    n_bytes: int
    seconds: float
    folder: str
