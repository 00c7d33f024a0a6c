"""Photos decoded once: a memory-mapped file of uint8 pixels, shared by all runs on the same photos.

A cache is a folder below the user's cache folder, named by the preprocessing and by the photos' contents:

    <cache>/pixels/<preprocessing and decoder versions>/<contents>/
        pixels.u8     [R, H, W, 3], one row per distinct photo
        chunks.u64    per chunk of rows: 0, or 2^32 + the CRC-32 of its pixels, written after them
        keys.u64      [R], what each row shows
        cache.json    exists only when every chunk is there; written last, by rename

Killing a build at any moment loses at most the chunks in work; the next build goes on from the others. A chunk
whose checksum is wrong is decoded again. One process builds, the others wait for its lock, which dies with it; or many
build at once, in parts that are claimed one by one (`parts`). The pixels are the same either way.
"""

from __future__ import annotations

from hoego.data.pixels.build import CacheBuildOptions
from hoego.data.pixels.cache import PixelCache, photo_keys
from hoego.data.progress_bar import ProgressBar

__all__ = ["CacheBuildOptions", "PixelCache", "ProgressBar", "photo_keys"]
