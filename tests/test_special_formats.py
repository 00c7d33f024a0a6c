"""HEIC, AVIF and DICOM: read where their extras are installed, else named with the remedy."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from hoego.data import images, special_formats
from hoego.data.images import decode, is_photo, read_header
from hoego.errors import DataError

HEIC = base64.b64decode(
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAXxtZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAAAAAAACJpbG9j"
    "AAAAAERAAAEAAQAAAAABoAABAAAAAAAAADgAAAAjaWluZgAAAAAAAQAAABVpbmZlAgAAAAABAABodmMxAAAAAA5waXRtAAAAAAABAAAA/Glw"
    "cnAAAADcaXBjbwAAAHVodmNDAQNwAAAAkAAAAAAAHvAA/P34+AAADwNgAAEAGEABDAH//wNwAAADAJAAAAMAAAMAHroCQGEAAQApQgEBA3AA"
    "AAMAkAAAAwAAAwAeoCCBBZbqrprm4CGgwIAAAAyAAAADAIRiAAEABkQBwXPBiQAAABNjb2xybmNseAABAA0ABoAAAAAUaXNwZQAAAAAAAABA"
    "AAAAQAAAAChjbGFwAAAAEAAAAAEAAAAIAAAAAf///9AAAAAC////yAAAAAIAAAAQcGl4aQAAAAADCAgIAAAAGGlwbWEAAAAAAAAAAQABBYEC"
    "AwWEAAAAQG1kYXQAAAA0KAGvUhdHJOhXgQD6as2nvTvfYqCnkQjMZMLey9igyn2VNLhLE0dpdCFQrYLV2iGp87ii8A=="
)
"""16 x 8 pixels, red on the left and blue on the right."""


@pytest.fixture
def no_extras(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (special_formats, images):
        monkeypatch.setattr(module, "read_by_extras", frozenset)


@pytest.mark.usefixtures("no_extras")
@pytest.mark.parametrize(
    ("name", "data", "remedy"),
    [
        ("a.heic", HEIC, "hoego[heic]"),
        ("a.dcm", bytes(128) + b"DICM" + bytes(40), "hoego[dicom]"),
        ("a.avif", b"\0\0\0\x1cftypavif" + bytes(40), ""),
    ],
)
def test_without_its_extra_a_format_is_named_with_the_remedy(
    tmp_path: Path, name: str, data: bytes, remedy: str
) -> None:
    (tmp_path / name).write_bytes(data)
    for read in (decode, read_header):
        with pytest.raises(DataError) as caught:
            read(tmp_path / name)
        assert remedy in caught.value.remedy
    assert is_photo(name) == (name == "a.avif")


def test_heic_is_read_with_its_extra(tmp_path: Path) -> None:
    pytest.importorskip("pi_heif")
    path = tmp_path / "a.HEIC"
    path.write_bytes(HEIC)
    photo = decode(path)
    assert photo.shape == (8, 16, 3)
    assert photo[4, 2, 0] > 150 > photo[4, 2, 2]
    assert photo[4, 13, 2] > 150 > photo[4, 13, 0]
    found = read_header(path)
    assert (found.height, found.width, found.format) == (8, 16, "HEIF")
    assert is_photo(path)
    path.write_bytes(HEIC[:300])
    with pytest.raises(DataError, match="HEIC"):
        decode(path)


def test_avif_is_read_by_pillow_itself(tmp_path: Path) -> None:
    if not features.check("avif"):
        pytest.skip("this Pillow reads no AVIF")
    Image.new("RGB", (16, 8), (200, 40, 40)).save(tmp_path / "a.avif")
    assert abs(decode(tmp_path / "a.avif")[4, 4].astype(int) - (200, 40, 40)).max() < 12


def dicom(path: Path, pixels: np.ndarray, **facts: object) -> Path:
    """An uncompressed DICOM file of grey 16-bit pixels of which 12 bits are used."""
    pydicom = pytest.importorskip("pydicom")
    meta = pydicom.dataset.FileMetaDataset()
    meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = pydicom.uid.SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = "1.2.3"
    file = pydicom.Dataset()
    file.file_meta = meta
    plain = {
        "Rows": pixels.shape[0], "Columns": pixels.shape[1], "SamplesPerPixel": 1, "BitsAllocated": 16,
        "BitsStored": 12, "HighBit": 11, "PixelRepresentation": 0, "PhotometricInterpretation": "MONOCHROME2",
    }  # fmt: skip
    for key, value in {**plain, **facts}.items():
        setattr(file, key, value)
    file.PixelData = pixels.astype("<u2").tobytes()
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, file, enforce_file_format=True)
    path.write_bytes(buffer.getvalue())
    return path


RAMP = np.arange(0, 4096, 128).reshape(4, 8)


def test_dicom_is_read_over_the_range_of_its_bits(tmp_path: Path) -> None:
    path = dicom(tmp_path / "a.dcm", RAMP)
    photo = decode(path)
    assert photo.shape == (4, 8, 3)
    assert (photo[..., 0] == np.round(RAMP / 4095 * 255)).all()
    assert is_photo(path)
    assert read_header(path).format == "DICOM"
    dark = dicom(tmp_path / "b.dcm", RAMP // 8)
    assert decode(dark).max() < 32, "the range is not stretched by what a photo holds"


def test_dicom_follows_its_window_its_rescaling_and_white_that_is_small(tmp_path: Path) -> None:
    window = {"WindowCenter": 1024, "WindowWidth": 512}
    photo = decode(dicom(tmp_path / "w.dcm", RAMP, **window))[..., 0]
    assert (photo[RAMP < 760] == 0).all()
    assert (photo[RAMP > 1280] == 255).all()
    rescaled = {"RescaleSlope": 1, "RescaleIntercept": -1024, "WindowCenter": 0, "WindowWidth": 512}
    assert (decode(dicom(tmp_path / "r.dcm", RAMP, **rescaled))[..., 0] == photo).all()
    white = decode(dicom(tmp_path / "m.dcm", RAMP, PhotometricInterpretation="MONOCHROME1"))[..., 0]
    assert white[0, 0] == 255
    assert white[-1, -1] < 10


def test_a_damaged_dicom_file_is_named(tmp_path: Path) -> None:
    path = dicom(tmp_path / "a.dcm", RAMP)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DataError, match="DICOM") as caught:
        decode(path)
    assert caught.value.file == path
