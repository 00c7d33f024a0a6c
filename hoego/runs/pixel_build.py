"""`hoego pixels build` and `hoego pack`: decode a project's photos before anything is trained."""

from __future__ import annotations

from pathlib import Path

from hoego.data.load import load
from hoego.data.packing import PackRequest, pack
from hoego.data.pixels import CacheBuildOptions, PixelCache
from hoego.recipe import Recipe
from hoego.results.pixels import PackedPhotos, PixelBuild
from hoego.runs.inputs import preprocess_of


def build_pixels(recipe: Recipe, parts: int = 0, workers: int = 0) -> PixelBuild:
    """Decode the photos of a recipe into the cache that its training reads.

    Args:
        recipe: its data set, size and crops.
        parts: how many parts are claimed one by one by all processes that build this cache; 0 for one process.
        workers: decoding processes of this call; 0 for one per core.

    Raises:
        DataError: photos cannot be used, or the disk is full.
    """
    dataset = load(recipe)
    options = CacheBuildOptions(parts=parts, workers=workers)
    made = PixelCache.of(dataset, preprocess_of(recipe), options=options)
    height, width = made.preprocess.size
    return PixelBuild(
        images=made.n_images,
        distinct=len(made.array),
        decoded=made.decoded,
        height=height,
        width=width,
        n_bytes=made.nbytes,
        seconds=round(made.seconds, 3),
        folder=str(made.folder),
    )


def pack_photos(recipe: Recipe, to: Path, shard_mb: int = 256) -> PackedPhotos:
    """Write the photos of a recipe, at the size of its training, into shards.

    Args:
        recipe: its data set, size and crops.
        to: the folder.
        shard_mb: megabytes of a shard, about.

    Raises:
        DataError: photos cannot be used, the disk is full, or the folder holds other files.
    """
    return pack(load(recipe), preprocess_of(recipe), PackRequest(to=to, shard_bytes=shard_mb << 20))
