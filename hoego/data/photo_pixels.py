"""From a photo's bytes to the uint8 pixels [H, W, 3] that a model is fed: the same in training, test and service.

This file stands alone: numpy and Pillow are all it needs. `hoego export` writes a copy into the exported folder, so
that the model can be served without Hoego:

    from preprocessing import Preprocessing

    prepare = Preprocessing.read("preprocessing.json")
    pixels = prepare(open("photo.jpg", "rb").read())

simplejpeg, where it is installed, decodes JPEGs faster and notices more damage. The pixels of a sound file are the same
with and without it; a file for which Pillow alone cannot give them is refused.

What is done to unusual photos:

- EXIF orientation is applied (EXIF 2.3, tag 0x0112): "height" and "width" are those a person sees.
- Grey, bilevel, palette and CMYK photos become RGB; colour profiles are not applied. Transparency is laid over white.
- 16-bit photos keep their high byte. The range is never stretched by what a photo holds, for then its brightness
  would depend on its brightest pixel.
- Animations, multi-page files, 32-bit photos and files that end early are refused.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from hashlib import blake2b
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

try:
    import simplejpeg
except ImportError:
    simplejpeg = None

MAX_PIXELS = 178_956_970  # the size at which Pillow refuses too, twice its warning limit
FILTERS = {method.name.lower(): method for method in Image.Resampling}
_HARMLESS = ("extraneous bytes before marker", "Unknown Adobe color", "Inconsistent progression sequence")
_MULTIPLE, _DEEP = {"JPEG", "MPO"}, {"I;16", "I;16L", "I;16B", "I;16N"}
_EARLY = ("truncated", "premature end", "unexpected end", "broken png")
_T = Image.Transpose
_TURNS = {2: _T(0), 3: _T(3), 4: _T(1), 5: _T(5), 6: _T(4), 7: _T(6), 8: _T(2)}  # EXIF's numbers to Pillow's
AGAIN, CONVERT, SMALLER = "Copy it again.", "Convert it to an 8-bit JPEG or PNG.", "Make it smaller first."
Pixels = NDArray[np.uint8]
Box = tuple[float, ...]
Open = Callable[[bytes], Image.Image]


class PhotoError(ValueError):
    """A photo cannot be used; `remedy` says what to do."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.remedy = remedy


@dataclass(frozen=True, kw_only=True)
class Preprocessing:
    """Crop, then bring to one size. Pillow's resampling is integer arithmetic: equal on every machine.

    Args:
        size: (height, width) of the result, in pixels.
        fit: "squash" (the proportions give way), "crop" (the centre of the right ones) or "pad" (black bars around).
        interpolation: a key of FILTERS, with antialiasing when shrinking.
        box: fixed crop (left, top, right, bottom) as shares of the photo's width and height; None: all of it.
        draft: JPEGs may be decoded at 1/2, 3/8, 1/4 or 1/8, never below the resolution that the result needs.
    """

    size: tuple[int, int]
    fit: str = "squash"
    interpolation: str = "bilinear"
    box: Box | None = None
    draft: bool = True

    def __call__(self, data: bytes, box: Box | None = None, other: Open | None = None) -> Pixels:
        """Return pixels uint8 [H, W, 3] from a file's bytes, or raise PhotoError.

        `box` is a crop of this photo alone, (x0, y0, x1, y1) in pixels of the upright photo. `other` opens what Pillow
        does not know; None refuses it.
        """
        if not (self.draft and data[:3] == b"\xff\xd8\xff"):
            return self.apply(decode(data, other=other), box)
        height, width = upright_size(data)
        left, top, right, bottom = self.region(height, width, box)
        need_y, need_x = self.size[0] / (bottom - top), self.size[1] / (right - left)
        if self.fit == "pad":
            need_y = need_x = min(need_y, need_x)
        at_least = (min(height, math.ceil(height * need_y)), min(width, math.ceil(width * need_x)))
        photo = decode(data, at_least, other)
        y, x = photo.shape[0] / height, photo.shape[1] / width
        return self.resize(photo, (left * x, top * y, right * x, bottom * y))

    def apply(self, photo: Pixels, box: Box | None = None) -> Pixels:
        """Return pixels uint8 [H, W, 3] of an upright photo uint8 [h, w, 3] decoded at full size."""
        return self.resize(photo, self.region(photo.shape[0], photo.shape[1], box))

    def region(self, height: int, width: int, box: Box | None) -> Box:
        """Return the part of a photo that the result shows: (x0, y0, x1, y1) in its pixels."""
        if box is not None:
            x0, y0 = max(0.0, box[0]), max(0.0, box[1])
            x1, y1 = min(float(width), box[2]), min(float(height), box[3])
            if x1 - x0 < 1 or y1 - y0 < 1:
                raise PhotoError(
                    f"The crop box {[round(v, 1) for v in box]} shows nothing of the {width} x {height} photo.",
                    "Boxes are x0, y0, x1, y1 in pixels of the upright photo.",
                )
        elif self.box is not None:
            x0, y0, x1, y1 = (s * n for s, n in zip(self.box, (width, height) * 2, strict=True))
        else:
            x0, y0, x1, y1 = 0.0, 0.0, float(width), float(height)
        if self.fit == "crop":
            scale = min((y1 - y0) / self.size[0], (x1 - x0) / self.size[1])
            gap_y, gap_x = (y1 - y0) - scale * self.size[0], (x1 - x0) - scale * self.size[1]
            x0, y0, x1, y1 = x0 + gap_x / 2, y0 + gap_y / 2, x1 - gap_x / 2, y1 - gap_y / 2
        return x0, y0, x1, y1

    def resize(self, photo: Pixels, region: Box) -> Pixels:
        """Return the region of a photo at the size of the result."""
        height, width = self.size
        if self.fit == "pad":
            scale = min(height / (region[3] - region[1]), width / (region[2] - region[0]))
            height = min(height, max(1, round((region[3] - region[1]) * scale)))
            width = min(width, max(1, round((region[2] - region[0]) * scale)))
        edges = tuple(round(v) for v in region)
        whole = all(abs(v - e) < 1e-9 for v, e in zip(region, edges, strict=True))
        if whole and (edges[3] - edges[1], edges[2] - edges[0]) == (height, width):
            shrunk = photo[edges[1] : edges[3], edges[0] : edges[2]]
        else:
            sides = zip(region, photo.shape[1::-1] * 2, strict=True)
            x0, y0, x1, y1 = (min(max(v, 0.0), n) for v, n in sides)
            kind = FILTERS[self.interpolation]
            shrunk = np.asarray(Image.fromarray(photo).resize((width, height), kind, (x0, y0, x1, y1)))
        if (height, width) == tuple(self.size):
            return np.ascontiguousarray(shrunk)
        out = np.zeros((*self.size, 3), dtype=np.uint8)
        top, left = (self.size[0] - height) // 2, (self.size[1] - width) // 2
        out[top : top + height, left : left + width] = shrunk
        return out

    def settings(self) -> dict[str, Any]:
        """Return every setting as a JSON type."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    def fingerprint(self, boxes: bool = False) -> str:
        """Return 16 hex digits over every setting, and over whether photos have boxes of their own."""
        text = json.dumps(self.settings() | {"boxes": boxes}, sort_keys=True)
        return blake2b(text.encode(), digest_size=8).hexdigest()

    @classmethod
    def read(cls, path: str | Path) -> Preprocessing:
        """Read preprocessing.json. Raises ValueError where it was changed after it was written."""
        data = json.loads(Path(path).read_text(encoding="utf-8"))
        given: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in data.items()}
        said = given.pop("fingerprint")
        out = cls(**given)
        if out.fingerprint() != said:
            raise ValueError(f"{path} was changed after it was written.")
        return out


def decode(data: bytes, at_least: tuple[int, int] | None = None, other: Open | None = None) -> Pixels:
    """Return a photo's pixels, upright, uint8 [h, w, 3] in RGB.

    Given `at_least`, a (height, width), a JPEG may be decoded at 1/2, 3/8, 1/4 or 1/8 of its size as long as it stays
    that large (scaled inverse DCT of libjpeg: faster, and equal on every machine under one libjpeg-turbo).
    """
    if data[:3] == b"\xff\xd8\xff":
        photo = _decode_jpeg(data, at_least) if simplejpeg else _decode_by_pillow(data, at_least)
        if photo is not None:
            return photo
    with open_photo(io.BytesIO(data), other) as image:
        try:
            frames = 1 if image.format in _MULTIPLE else int(getattr(image, "n_frames", 1))
            if frames == 1:
                return _to_rgb(ImageOps.exif_transpose(image))
        except PhotoError:
            raise
        except Exception as error:  # Pillow's decoders raise nearly anything on a damaged file
            raise unreadable(error) from error
        what = "pages" if image.format == "TIFF" else "frames (it is animated)"
        raise PhotoError(f"The {image.format} file has {frames} {what}.", "Save one of them as a photo.")


def open_photo(file: IO[bytes], other: Open | None = None) -> Image.Image:
    """Return a photo as Pillow opens it, its size checked and its pixels not read. Raises PhotoError."""
    image: Image.Image
    try:
        image = Image.open(file)
    except UnidentifiedImageError:
        if other is None:
            raise PhotoError("The file is not a photo of a known format.", CONVERT) from None
        file.seek(0)
        image = other(file.read())
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise PhotoError(f"The photo has more than {MAX_PIXELS:,} pixels.", SMALLER) from None
    except Exception as error:
        raise unreadable(error) from error
    _require_size(image.height, image.width)
    return image


def upright_size(data: bytes) -> tuple[int, int]:
    """Return (height, width) of a JPEG after EXIF rotation, from its header."""
    try:
        height, width = simplejpeg.decode_jpeg_header(data, strict=False)[:2]
    except Exception:  # there is no simplejpeg, or the header is odd: KeyError and others
        with open_photo(io.BytesIO(data)) as image:
            height, width = image.height, image.width
    return (width, height) if _orientation(data) >= 5 else (height, width)


def _orientation(data: bytes) -> int:
    """Return the EXIF orientation of a JPEG; 1 if it has none. Only files with EXIF or XMP are parsed."""
    head = data[:262_144]
    if b"Exif\x00\x00" not in head and b"tiff:Orientation" not in head:
        return 1
    try:
        with Image.open(io.BytesIO(data)) as image:
            return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:
        return 1


def _decode_jpeg(data: bytes, at_least: tuple[int, int] | None) -> Pixels | None:
    """Return the fast way; None where Pillow has to judge (CMYK, harmless oddities)."""
    try:
        height, width, space, _ = simplejpeg.decode_jpeg_header(data)
        _require_size(height, width)
        if space not in ("RGB", "YCbCr", "Gray"):
            return None
        turn = _orientation(data)
        low, wide = (0, 0) if at_least is None else at_least if turn < 5 else at_least[::-1]
        floor = {"min_height": low, "min_width": wide, "min_factor": 1.0 if at_least is None else 2.0}
        photo = simplejpeg.decode_jpeg(data, "RGB", **floor)
    except PhotoError:
        raise
    except Exception as error:  # simplejpeg raises KeyError too on a damaged header
        if any(text in str(error) for text in _HARMLESS):
            return None
        raise unreadable(error) from None
    return _turned(photo, turn)


def _decode_by_pillow(data: bytes, at_least: tuple[int, int] | None) -> Pixels | None:
    """Return what `_decode_jpeg` does, without simplejpeg. Damage in the middle of a file is not noticed."""
    with open_photo(io.BytesIO(data)) as image:
        if at_least is None or image.mode not in ("RGB", "L"):
            return None
        turn, (w, h) = _orientation(data), image.size
        low, wide = at_least if turn < 5 else at_least[::-1]
        eighths = next(n for n in (1, 2, 3, 4, 8) if -(-h * n // 8) >= low and -(-w * n // 8) >= wide)
        image.draft("RGB", (max(1, w * eighths // 8), max(1, h * eighths // 8)))
        if image.size != (-(-w * eighths // 8), -(-h * eighths // 8)):
            raise PhotoError(f"Pillow cannot decode a JPEG at {eighths}/8.", "pip install simplejpeg")
        try:
            photo = np.asarray(image.convert("RGB"))
        except Exception as error:
            raise unreadable(error) from error
    return _turned(photo, turn)


def _turned(photo: Pixels, turn: int) -> Pixels:
    return np.asarray(Image.fromarray(photo).transpose(_TURNS[turn])) if turn in _TURNS else photo


def _to_rgb(image: Image.Image) -> Pixels:
    if image.mode in _DEEP:
        deep = np.asarray(image).astype(np.uint16, copy=False)
        return np.repeat((deep >> 8).astype(np.uint8)[:, :, None], 3, axis=2)
    if image.mode in ("I", "F", "LAB", "HSV"):
        depth = {"I": "32-bit integers", "F": "32-bit floating-point numbers"}.get(image.mode, image.mode)
        raise PhotoError(f"The photo holds {depth}, whose range is not known.", CONVERT)
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        clear = image.convert("RGBA")
        white = Image.new("RGBA", clear.size, (255, 255, 255, 255))
        image = Image.alpha_composite(white, clear)
    return np.array(image.convert("RGB"))


def _require_size(height: int, width: int) -> None:
    if height * width > MAX_PIXELS:
        raise PhotoError(
            f"The photo has {height:,} x {width:,} pixels, more than {MAX_PIXELS:,} in all.", SMALLER
        )


def unreadable(error: Exception) -> PhotoError:
    """Return the error for a file that a decoder gave up on."""
    text = "damaged header" if isinstance(error, KeyError) else str(error).strip() or type(error).__name__
    early = any(word in text.lower() for word in _EARLY)
    what = "The photo ends early or is damaged" if early else "The photo cannot be decoded"
    return PhotoError(f"{what} ({text.rstrip('.')}).", AGAIN)
