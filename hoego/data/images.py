"""Photos from bytes to upright 8-bit RGB, or an error that names the file.

What is done to the unusual ones, always the same way:

- EXIF orientation is applied (EXIF 2.3, tag 0x0112), so "height" and "width" are those a person sees.
- Grey, bilevel and palette photos become RGB. Transparency is laid over white.
- 16-bit photos keep their high byte (65535 becomes 255). The range is never stretched by what a photo holds,
  for then its brightness would depend on its brightest pixel.
- HEIC and DICOM are read where their extras are installed (see `special_formats`).
- CMYK becomes RGB by Pillow's conversion; colour profiles are not applied.
- Animations, multi-page files and 32-bit photos are refused by name.
- A file that ends early is refused: half a photo is not a photo.
"""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import IO

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from hoego.data.special_formats import open_special, read_by_extras
from hoego.errors import DataError

MAX_PIXELS = 178_956_970
"""Largest photo that is opened: twice Pillow's own warning limit, the size at which Pillow refuses too."""

_ENDINGS = ".jpg .jpeg .jpe .jfif .png .bmp .dib .webp .tif .tiff .gif .ppm .pgm .pbm .pnm .jp2 .avif"
SUFFIXES = frozenset(_ENDINGS.split())
"""File name endings (lower case) that are taken for photos."""

_HARMLESS = (
    "extraneous bytes before marker",
    "Unknown Adobe color transform",
    "Inconsistent progression sequence",
)
_MULTIPLE = {"JPEG", "MPO"}
_DEEP = {"I;16", "I;16L", "I;16B", "I;16N"}
_COPY_AGAIN = "Copy or download it again, or leave it out (dataset.exclude)."
_CONVERT = "Convert it to an 8-bit JPEG or PNG, or leave it out (dataset.exclude)."

Photo = NDArray[np.uint8]


@dataclass(frozen=True)
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
    """Cores that this process may use."""
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
        DataError: it cannot be read, ends early, is animated, has 32 bits a channel, or is larger than MAX_PIXELS.
    """
    return decode_bytes(read_bytes(path), path)


def decode_bytes(data: bytes, name: Path | str, at_least: tuple[int, int] | None = None) -> Photo:
    """As `decode`, from the file's bytes; `name` is for messages.

    Args:
        at_least: (height, width) of the upright photo below which it must not fall. Where given, a JPEG may be
            decoded at 1/2, 1/4 or 1/8 of its size as long as it stays that large (scaled inverse DCT of libjpeg:
            faster, and equal on every machine under one libjpeg-turbo). None decodes at full size.
    """
    if not data:
        raise DataError("The file is empty (0 bytes).", file=name, remedy=_COPY_AGAIN)
    if data[:3] == b"\xff\xd8\xff":
        photo = _decode_jpeg(data, name, at_least)
        if photo is not None:
            return photo
    return _decode_any(data, name)


def upright_size(data: bytes, name: Path | str) -> tuple[int, int]:
    """(height, width) of the photo after EXIF rotation, from its header."""
    if data[:3] == b"\xff\xd8\xff":
        try:
            height, width, _, _ = simplejpeg.decode_jpeg_header(data, strict=False)
        except Exception:  # simplejpeg raises KeyError too on a damaged header
            pass
        else:
            return (width, height) if _orientation(data) >= 5 else (height, width)
    found = _probe(io.BytesIO(data), len(data), name)
    return found.height, found.width


def read_header(path: Path | str) -> ImageHeader:
    """Return what the header of a photo says. Cheap: a file that ends early is not noticed here, only by `decode`.

    Raises:
        DataError: the file cannot be read or is no photo.
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
    with _open(file, name) as image:
        try:
            orientation = int(image.getexif().get(ExifTags.Base.Orientation, 1))
            frames = 1 if image.format in _MULTIPLE else int(getattr(image, "n_frames", 1))
        except Exception as error:
            raise _unreadable(error, name) from error
        height, width = image.height, image.width
        if 5 <= orientation <= 8 and image.format != "TIFF":  # Pillow turns a TIFF's size by itself
            height, width = width, height
        return ImageHeader(height, width, image.mode, image.format or "", frames, orientation, n_bytes)


def _orientation(data: bytes) -> int:
    """EXIF orientation of a JPEG; 1 where it says none. Only files that hold EXIF or XMP pay for a parser."""
    head = data[:262_144]
    if b"Exif\x00\x00" not in head and b"tiff:Orientation" not in head:
        return 1
    try:
        with Image.open(io.BytesIO(data)) as image:
            return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:
        return 1


_TURN: dict[int, Image.Transpose] = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def _decode_jpeg(data: bytes, name: Path | str, at_least: tuple[int, int] | None) -> Photo | None:
    """Return the fast way; None where Pillow has to judge (CMYK, harmless oddities)."""
    try:
        height, width, space, _ = simplejpeg.decode_jpeg_header(data)
        if height * width > MAX_PIXELS:
            raise _too_large(height, width, name)
        if space not in ("RGB", "YCbCr", "Gray"):
            return None
        turn = _orientation(data)
        low, wide = (0, 0) if at_least is None else at_least if turn < 5 else at_least[::-1]
        factor = 1.0 if at_least is None else 2.0
        photo: Photo = simplejpeg.decode_jpeg(data, "RGB", min_height=low, min_width=wide, min_factor=factor)
    except DataError:
        raise
    except Exception as error:  # simplejpeg raises KeyError too on a damaged header
        if any(text in str(error) for text in _HARMLESS):
            return None
        raise _unreadable(error, name) from None
    if turn in _TURN:
        photo = np.asarray(Image.fromarray(photo).transpose(_TURN[turn]))
    return photo


def _open(file: IO[bytes], name: Path | str) -> Image.Image:
    image: Image.Image
    try:
        image = Image.open(file)
    except UnidentifiedImageError:
        file.seek(0)
        image = open_special(file.read(), name)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise DataError(
            f"The photo has more than {MAX_PIXELS:,} pixels.", file=name, remedy="Make it smaller first."
        ) from None
    except Exception as error:
        raise _unreadable(error, name) from error
    if image.width * image.height > MAX_PIXELS:
        raise _too_large(image.height, image.width, name)
    return image


def _decode_any(data: bytes, name: Path | str) -> Photo:
    with _open(io.BytesIO(data), name) as image:
        try:
            frames = 1 if image.format in _MULTIPLE else int(getattr(image, "n_frames", 1))
            if frames > 1:
                what = "pages" if image.format == "TIFF" else "frames (it is animated)"
                raise DataError(
                    f"The {image.format} file has {frames} {what}.",
                    file=name,
                    remedy="Save one of them as a photo.",
                )
            turned = ImageOps.exif_transpose(image)
            return _to_rgb(turned, name)
        except DataError:
            raise
        except Exception as error:  # Pillow's decoders raise nearly anything on a damaged file
            raise _unreadable(error, name) from error


def _to_rgb(image: Image.Image, name: Path | str) -> Photo:
    if image.mode in _DEEP:
        deep = np.asarray(image).astype(np.uint16, copy=False)
        return np.repeat((deep >> 8).astype(np.uint8)[:, :, None], 3, axis=2)
    if image.mode in ("I", "F", "LAB", "HSV"):
        depth = {"I": "32-bit integers", "F": "32-bit floating-point numbers"}.get(
            image.mode, f"{image.mode} colours"
        )
        raise DataError(f"The photo holds {depth}, whose range is not known.", file=name, remedy=_CONVERT)
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        clear = image.convert("RGBA")
        white = Image.new("RGBA", clear.size, (255, 255, 255, 255))
        image = Image.alpha_composite(white, clear)
    return np.array(image.convert("RGB"))


def _too_large(height: int, width: int, name: Path | str) -> DataError:
    return DataError(
        f"The photo has {height:,} x {width:,} pixels, more than {MAX_PIXELS:,} in all.",
        file=name,
        remedy="Make it smaller first.",
    )


def _unreadable(error: Exception, name: Path | str) -> DataError:
    text = "damaged header" if isinstance(error, KeyError) else str(error).strip() or type(error).__name__
    early = any(
        word in text.lower() for word in ("truncated", "premature end", "unexpected end", "broken png")
    )
    what = "The photo ends early or is damaged" if early else "The photo cannot be decoded"
    return DataError(f"{what} ({text.rstrip('.')}).", file=name, remedy=_COPY_AGAIN)
