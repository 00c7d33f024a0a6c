"""Photos that Pillow does not read by itself: HEIC and DICOM, by the extras `heic` and `dicom`.

DICOM pixels become 8 bits by what the file says of them: the rescaling, then its first window, else the whole range of
the stored bits. The range is never stretched by what a photo holds.
"""

from __future__ import annotations

import functools
import io
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hoego.errors import DataError

HEIC, DICOM = (".heic", ".heif"), (".dcm", ".dicom")
_BRANDS = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")
_AVIF = (b"avif", b"avis")
CONVERT = "Convert it to an 8-bit JPEG or PNG, or leave it out (dataset.exclude)"


@functools.cache
def read_by_extras() -> frozenset[str]:
    """Return the file name endings that the installed extras add."""
    heic = HEIC if find_spec("pi_heif") is not None else ()
    return frozenset((*heic, *(DICOM if find_spec("pydicom") is not None else ())))


def open_special(data: bytes, name: Path | str) -> Image.Image:
    """Return a HEIC or DICOM photo as Pillow's image, upright where the file says how it lies.

    Raises:
        DataError: the file is of no known format, or of one whose extra is not installed, or damaged.
    """
    brand = data[8:12] if data[4:8] == b"ftyp" else b""
    if brand in _AVIF:
        raise _unread(name, "an AVIF photo", "update Pillow to 11.3 or later")
    if brand in _BRANDS:
        if ".heic" not in read_by_extras():
            raise _unread(name, "a HEIC photo", "install what reads it: pip install 'hoego[heic]'")
        return _heic(data, name)
    if data[128:132] == b"DICM":
        if ".dcm" not in read_by_extras():
            raise _unread(name, "a DICOM file", "install what reads it: pip install 'hoego[dicom]'")
        return _dicom(data, name)
    raise DataError("The file is not a photo of a known format.", file=name, remedy=f"{CONVERT}.")


def _unread(name: Path | str, what: str, how: str) -> DataError:
    return DataError(
        f"The file is {what}, which is not read here.", file=name, remedy=f"{CONVERT}; or {how}."
    )


def _heic(data: bytes, name: Path | str) -> Image.Image:
    import pi_heif

    try:
        image: Image.Image = pi_heif.open_heif(io.BytesIO(data), convert_hdr_to_8bit=True).to_pillow()
    except Exception as error:  # libheif raises many kinds
        raise DataError(
            f"The HEIC photo cannot be decoded ({error}).", file=name, remedy=f"{CONVERT}."
        ) from None
    image.format = "HEIF"
    return image


def _dicom(data: bytes, name: Path | str) -> Image.Image:
    import pydicom

    try:
        file = pydicom.dcmread(io.BytesIO(data))
        pixels = np.asarray(file.pixel_array)
        if int(file.get("NumberOfFrames", 1) or 1) > 1:
            problem = f"holds {file.NumberOfFrames} frames"
        else:
            image = Image.fromarray(_eight_bits(file, pixels))
            image.format = "DICOM"
            return image
    except Exception as error:  # pydicom and its decoders raise many kinds
        problem = f"cannot be decoded ({' '.join(str(error).split())[:200]})"
    raise DataError(f"The DICOM file {problem}.", file=name, remedy=f"{CONVERT}.")


def _eight_bits(file: Any, pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """Return grey [H, W] or colour [H, W, 3], uint8."""
    if int(file.get("SamplesPerPixel", 1)) == 3:
        if pixels.dtype != np.uint8:
            raise ValueError(f"colours of {pixels.dtype}")
        if str(file.PhotometricInterpretation).startswith("YBR_FULL"):
            from pydicom.pixels.processing import convert_color_space

            pixels = convert_color_space(pixels, str(file.PhotometricInterpretation), "RGB")
        return np.ascontiguousarray(pixels)
    from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut

    signed = int(file.get("PixelRepresentation", 0)) == 1
    bits = int(file.BitsStored)
    low, high = (-(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1) if signed else (0.0, 2.0**bits - 1)
    slope, intercept = float(file.get("RescaleSlope", 1) or 1), float(file.get("RescaleIntercept", 0) or 0)
    values = np.asarray(apply_modality_lut(pixels, file), dtype=np.float64)
    low, high = sorted((low * slope + intercept, high * slope + intercept))
    if "WindowCenter" in file and "WindowWidth" in file:
        values = np.asarray(apply_voi_lut(values, file, index=0), dtype=np.float64)
    scaled = np.clip((values - low) / max(high - low, 1e-12), 0.0, 1.0) * 255.0
    if str(file.PhotometricInterpretation) == "MONOCHROME1":  # white is the smallest number
        scaled = 255.0 - scaled
    return np.round(scaled).astype(np.uint8)
