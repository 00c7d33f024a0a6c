"""The photos of a data set: their names, bytes and headers; upright 8-bit RGB, or an error that names the file.

`hoego.data.photo_pixels` says what becomes of unusual photos. HEIC and DICOM are read where their extras are installed
(see `special_formats`).
"""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

from hoego.data import photo_pixels
from hoego.data.photo_pixels import PhotoError
from hoego.data.special_formats import open_special, read_by_extras
from hoego.errors import DataError

_ENDINGS = ".jpg .jpeg .jpe .jfif .png .bmp .dib .webp .tif .tiff .gif .ppm .pgm .pbm .pnm .jp2 .avif"
SUFFIXES = frozenset(_ENDINGS.split())
"""File name endings (lower case) that are taken for photos."""

_MULTIPLE = {"JPEG", "MPO"}
_COPY_AGAIN = "Copy or download it again, or leave it out (dataset.exclude)."
_REMEDIES = {
    photo_pixels.AGAIN: _COPY_AGAIN,
    photo_pixels.CONVERT: "Convert it to an 8-bit JPEG or PNG, or leave it out (dataset.exclude).",
}

Photo = NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class ImageHeader:
    """What a photo's header says; its pixels have not been read.

    Args:
        height, width: in pixels, after EXIF rotation.
        mode: Pillow's name of the pixel format ("RGB", "L", "CMYK", "I;16", "P", ...).
        format: "JPEG", "PNG", ...
        frames: 1, or the number of frames or pages.
        orientation: EXIF orientation, 1 to 8 (1 = upright).
        n_bytes: size of the file in bytes.
    """

    height: int
    width: int
    mode: str
    format: str
    frames: int
    orientation: int
    n_bytes: int


def is_photo(path: Path | str) -> bool:
    """Return whether a file name is that of a photo: a known ending, and not a hidden or `._` leftover."""
    name = os.path.basename(path)
    ending = os.path.splitext(name)[1].lower()
    return not name.startswith(".") and (ending in SUFFIXES or ending in read_by_extras())


def read_bytes(path: Path | str) -> bytes:
    """Return the bytes of a photo's file.

    Raises:
        DataError: it is missing, a folder, empty, or may not be read.
    """
    try:
        with open(path, "rb") as file:
            data = file.read()
    except FileNotFoundError:
        raise DataError(
            "There is no such file.", file=path, remedy="Correct the path or restore the file."
        ) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise DataError(
            f"The file cannot be read: {reason}.", file=path, remedy="Check its name and rights."
        ) from None
    if not data:
        raise DataError("The file is empty (0 bytes).", file=path, remedy=_COPY_AGAIN)
    return data


def content_of(data: bytes) -> int:
    """Return the identity of a photo: 64 bits of BLAKE2b over its file's bytes."""
    return int.from_bytes(blake2b(data, digest_size=8).digest(), "little")


def cpu_count() -> int:
    """Return the number of cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


def bad_photos(errors: Sequence[DataError], n_tried: int) -> DataError:
    """Return one error for all files at fault, the first 20 by name."""
    if len(errors) == 1:
        return errors[0]
    listed = [f"    {e.file}: {e.message}" for e in errors[:20]]
    if len(errors) > 20:
        listed.append(f"    ... and {len(errors) - 20} more")
    remedy = "Copy or convert these photos again, or leave them out (dataset.exclude)."
    return DataError(
        "\n".join([f"{len(errors)} of {n_tried} photos cannot be used:", *listed]), remedy=remedy
    )


def decode(path: Path | str) -> Photo:
    """Return a photo's pixels, upright, uint8 [H, W, 3] in RGB.

    Raises:
        DataError: it cannot be read, ends early, is animated, has 32 bits a channel, or is too large.
    """
    return decode_bytes(read_bytes(path), path)


def decode_bytes(data: bytes, name: Path | str) -> Photo:
    """Decode a photo from the bytes of its file; otherwise as `decode`. `name` is for messages."""
    if not data:
        raise DataError("The file is empty (0 bytes).", file=name, remedy=_COPY_AGAIN)
    with named_errors(name):
        photo: Photo = photo_pixels.decode(data, other=special_opener(name))
    return photo


def special_opener(name: Path | str) -> Callable[[bytes], Image.Image]:
    """Return what opens a photo that Pillow does not know; `name` is for messages."""
    return lambda data: open_special(data, name)


@contextlib.contextmanager
def named_errors(name: Path | str) -> Iterator[None]:
    """Turn a PhotoError of the body into a DataError that names the file, with its remedy."""
    try:
        yield
    except PhotoError as error:
        remedy = _REMEDIES.get(error.remedy, error.remedy)
        raise DataError(str(error), file=name, remedy=remedy) from error.__cause__


def read_header(path: Path | str) -> ImageHeader:
    """Return what the header of a photo says. Cheap: a file that ends early is not noticed here, only by `decode`.

    Raises:
        DataError: the file cannot be read or is not a photo.
    """
    try:
        n_bytes = os.stat(path).st_size
        with open(path, "rb") as file:
            if n_bytes and os.path.isfile(path):
                return _probe(file, n_bytes, path)
    except OSError:
        pass
    return _probe(io.BytesIO(read_bytes(path)), 0, path)


def _probe(file: IO[bytes], n_bytes: int, name: Path | str) -> ImageHeader:
    with named_errors(name), photo_pixels.open_photo(file, special_opener(name)) as image:
        try:
            orientation = int(image.getexif().get(ExifTags.Base.Orientation, 1))
            frames = 1 if image.format in _MULTIPLE else int(getattr(image, "n_frames", 1))
        except Exception as error:
            raise photo_pixels.unreadable(error) from error
        height, width = image.height, image.width
        if 5 <= orientation <= 8 and image.format != "TIFF":  # Pillow turns a TIFF's size by itself
            height, width = width, height
        return ImageHeader(
            height=height,
            width=width,
            mode=image.mode,
            format=image.format or "",
            frames=frames,
            orientation=orientation,
            n_bytes=n_bytes,
        )
