"""Made-up photos that travel with a model: on every machine their pixels must come out as where it was exported.

Another libjpeg, or another Pillow, can change pixels without an error. The probes are JPEGs that are decoded at full
size and at a part of it, with and without subsampled colours, turned by EXIF, and files without loss.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from hashlib import blake2b

import numpy as np
from PIL import Image

from hoego.data.images import Photo
from hoego.data.photo_pixels import PhotoError, Preprocessing


def make_probes(size: tuple[int, int]) -> dict[str, bytes]:
    """Draw the photos for a model that takes pixels of `size` (height, width): file name -> bytes."""
    rng = np.random.default_rng(7)
    height, width = size
    coarse = Image.fromarray(rng.integers(0, 256, (9, 7, 3), dtype=np.uint8))
    grain = rng.integers(-20, 21, (height * 3, width * 3, 1))

    def picture(times: float) -> Image.Image:
        shape = (max(8, round(width * times)), max(8, round(height * times)))
        smooth = np.asarray(coarse.resize(shape, Image.Resampling.BICUBIC)).astype(np.int64)
        noise = grain[: smooth.shape[0], : smooth.shape[1]]
        noise = np.pad(
            noise, [(0, s - n) for s, n in zip(smooth.shape[:2], noise.shape[:2], strict=True)] + [(0, 0)]
        )
        return Image.fromarray((smooth + noise).clip(0, 255).astype(np.uint8))

    exif = Image.Exif()
    exif[0x0112] = 6
    return {
        "half.jpg": _saved(picture(2.2), "JPEG", quality=90, subsampling=0),
        "third.jpg": _saved(picture(2.9), "JPEG", quality=85, subsampling=2),
        "progressive.jpg": _saved(picture(1.4), "JPEG", quality=80, subsampling=2, progressive=True),
        "turned.jpg": _saved(picture(1.7), "JPEG", quality=92, exif=exif),
        "grey.jpg": _saved(picture(1.2).convert("L"), "JPEG", quality=90),
        "cmyk.jpg": _saved(picture(1.1).convert("CMYK"), "JPEG", quality=90),
        "exact.png": _saved(picture(1.0), "PNG"),
        "small.png": _saved(picture(0.6), "PNG"),
    }


def _saved(image: Image.Image, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def pixel_hash(pixels: Photo) -> str:
    """Return 16 hex digits over the bytes of pixels."""
    return blake2b(np.ascontiguousarray(pixels).tobytes(), digest_size=8).hexdigest()


def differing(prepare: Preprocessing, probes: Mapping[str, bytes], expected: Mapping[str, str]) -> list[str]:
    """Return the names of the probes whose pixels come out otherwise than expected on this machine."""
    out = []
    for name, want in expected.items():
        try:
            found = pixel_hash(prepare(probes[name]))
        except PhotoError as error:
            found = str(error)
        if found != want:
            out.append(name)
    return out
