"""Photos of every sort become upright 8-bit RGB, or an error names them."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hoego.data import photo_pixels
from hoego.data.images import bad_photos, content_of, decode, is_photo, read_header
from hoego.data.preprocess import Preprocess, read_boxes
from hoego.errors import DataError, RecipeError


def picture(height: int = 48, width: int = 32) -> np.ndarray:
    """Smooth colours with a bright corner at the top left, so that a turn shows."""
    y, x = np.mgrid[0:height, 0:width]
    out = np.stack([x * 5, y * 4, (x + y) * 2], axis=2).clip(0, 255).astype(np.uint8)
    out[: height // 4, : width // 4] = (250, 40, 30)
    return out


def close(a: np.ndarray, b: np.ndarray, tolerance: float = 4.0) -> bool:
    return a.shape == b.shape and np.abs(a.astype(float) - b.astype(float)).mean() < tolerance


def png16(values: np.ndarray) -> bytes:
    """A 16-bit grey PNG by hand, [H, W]."""
    height, width = values.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, 16, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def test_png_is_exact_and_jpeg_agrees_with_pillow(tmp_path: Path) -> None:
    want = picture()
    Image.fromarray(want).save(tmp_path / "a.png")
    Image.fromarray(want).save(tmp_path / "a.jpg", quality=95)
    Image.fromarray(want).convert("L").save(tmp_path / "grey.jpg", quality=95)
    assert np.array_equal(decode(tmp_path / "a.png"), want)
    assert close(decode(tmp_path / "a.jpg"), np.asarray(Image.open(tmp_path / "a.jpg").convert("RGB")), 1.0)
    grey = decode(tmp_path / "grey.jpg")
    assert grey.shape == (48, 32, 3)
    assert np.array_equal(grey[..., 0], grey[..., 2])


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(tmp_path: Path, suffix: str, orientation: int) -> None:
    upright = picture()
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: np.rot90(upright, 2).transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"turned{suffix}"
    Image.fromarray(np.ascontiguousarray(stored)).save(
        path, exif=exif, **({"quality": 95} if "p" in suffix else {})
    )
    assert close(decode(path), upright)
    found = read_header(path)
    assert (found.height, found.width, found.orientation) == (48, 32, orientation)


def test_unusual_modes_become_what_a_person_sees(tmp_path: Path) -> None:
    want = picture()
    photo = Image.fromarray(want)
    cmyk = tmp_path / "cmyk.jpg"
    photo.convert("CMYK").save(cmyk, quality=95)
    assert read_header(cmyk).mode == "CMYK"
    assert close(decode(cmyk), want)
    photo.quantize(64).save(tmp_path / "palette.png")
    assert np.array_equal(decode(tmp_path / "palette.png"), np.asarray(photo.quantize(64).convert("RGB")))
    photo.convert("1").save(tmp_path / "bilevel.png")
    assert set(np.unique(decode(tmp_path / "bilevel.png"))) == {0, 255}
    clear = np.dstack([want, np.full(want.shape[:2], 255, np.uint8)])
    clear[:, :16, 3] = 0
    clear[:, 16:20, 3] = 128
    Image.fromarray(clear).save(tmp_path / "alpha.png")
    out = decode(tmp_path / "alpha.png")
    assert (out[:, :16] == 255).all()
    half = np.rint(want[:, 16:20] * (128 / 255) + 255 * (127 / 255))
    assert np.abs(out[:, 16:20] - half).max() <= 1
    assert np.array_equal(out[:, 20:], want[:, 20:])
    indexed = photo.quantize(8)
    indexed.info["transparency"] = indexed.getpixel((0, 0))
    indexed.save(tmp_path / "palette-alpha.png", transparency=indexed.getpixel((0, 0)))
    assert tuple(decode(tmp_path / "palette-alpha.png")[0, 0]) == (255, 255, 255)


def test_sixteen_bits_keep_their_high_byte(tmp_path: Path) -> None:
    values = np.array([[0, 255, 256, 4095], [32768, 65280, 65534, 65535]], dtype=np.uint16)
    (tmp_path / "deep.png").write_bytes(png16(values))
    out = decode(tmp_path / "deep.png")
    assert np.array_equal(out[..., 1], [[0, 0, 1, 15], [128, 255, 255, 255]])
    Image.fromarray(values.astype("<u2")).save(tmp_path / "deep.tif")
    assert np.array_equal(decode(tmp_path / "deep.tif"), out)
    Image.fromarray(values.astype(np.float32)).save(tmp_path / "float.tif")
    with pytest.raises(DataError, match=r"float\.tif.*32-bit"):
        decode(tmp_path / "float.tif")


@pytest.mark.parametrize("suffix", [".gif", ".png", ".webp"])
def test_animations_are_refused_by_name(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"moving{suffix}"
    frames = [Image.fromarray(picture()), Image.fromarray(255 - picture())]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=50)
    assert read_header(path).frames == 2
    with pytest.raises(DataError, match=rf"moving\{suffix}.*animated"):
        decode(path)
    frames[0].save(tmp_path / "still.gif")
    assert decode(tmp_path / "still.gif").shape == (48, 32, 3)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".bmp"])
def test_a_file_that_ends_early_is_refused(tmp_path: Path, suffix: str) -> None:
    rng = np.random.default_rng(0)
    whole = tmp_path / f"whole{suffix}"
    Image.fromarray(rng.integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(whole)
    data = whole.read_bytes()
    for share in (0.05, 0.5, 0.95):
        cut = tmp_path / f"cut{suffix}"
        cut.write_bytes(data[: int(len(data) * share)])
        with pytest.raises(DataError, match=rf"cut\{suffix}"):
            decode(cut)


def test_what_is_no_photo_says_why(tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "words.jpg").write_text("not a photo")
    (tmp_path / "phone.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(40))
    for name, reason in (("empty.jpg", "0 bytes"), ("words.jpg", "not a photo"), ("phone.heic", "HEIC")):
        for read in (decode, read_header):
            with pytest.raises(DataError, match=reason) as caught:
                read(tmp_path / name)
            assert caught.value.file == tmp_path / name
            assert caught.value.remedy
    for path, reason in ((tmp_path / "none.jpg", "no such file"), (tmp_path, "cannot be read")):
        with pytest.raises(DataError, match=reason):
            decode(path)


def test_a_harmless_oddity_is_read_and_a_bomb_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = io.BytesIO()
    Image.fromarray(picture()).save(whole, "JPEG", quality=95)
    data = whole.getvalue()
    at = data.index(b"\xff\xdb")
    (tmp_path / "odd.jpg").write_bytes(data[:at] + b"\0\0\0" + data[at:])
    (tmp_path / "tail.jpg").write_bytes(data + b"appended by a phone")
    assert close(decode(tmp_path / "odd.jpg"), picture())
    assert close(decode(tmp_path / "tail.jpg"), picture())
    monkeypatch.setattr(photo_pixels, "MAX_PIXELS", 100)
    Image.fromarray(picture()).save(tmp_path / "a.png")
    for name in ("tail.jpg", "a.png"):
        with pytest.raises(DataError, match=r"48 x 32 pixels"):
            decode(tmp_path / name)


def test_names_of_photos() -> None:
    assert all(map(is_photo, ("a.jpg", "a.JPEG", "x/y.Png", "사진.webp")))
    assert not any(map(is_photo, ("._mask1.jpg", ".hidden.png", "train.csv", "jpg", "x/.ipynb_checkpoints")))


def test_all_bad_files_are_named_in_one_error() -> None:
    assert content_of(b"1") == content_of(b"1") != content_of(b"2")
    message = str(bad_photos([DataError("gone", file=f"x{k:02}") for k in range(25)], 26))
    assert "25 of 26" in message
    assert "x19: gone" in message
    assert "x20" not in message
    assert "5 more" in message
    assert bad_photos([DataError("x", file="f")], 9).message == "x"


# --- preprocessing ---


def test_fits_show_what_they_say() -> None:
    photo = np.zeros((100, 200, 3), np.uint8)
    photo[:, 50:150] = 255
    squash = Preprocess(size=(50, 50), fit="squash").apply(photo)
    assert 0.45 < (squash > 127).mean() < 0.55
    assert (Preprocess(size=(50, 50), fit="crop").apply(photo)[:, 1:-1] == 255).all()
    pad = Preprocess(size=(50, 50), fit="pad").apply(photo)
    assert (pad[:12] == 0).all()
    assert (pad[-12:] == 0).all()
    assert (pad[25, 14:36] == 255).all()
    assert np.array_equal(Preprocess(size=(100, 200)).apply(photo), photo)


def test_resizing_is_pillows() -> None:
    photo = np.random.default_rng(0).integers(0, 255, (90, 61, 3), dtype=np.uint8)
    want = np.asarray(Image.fromarray(photo).resize((33, 40), Image.Resampling.BICUBIC))
    assert np.array_equal(Preprocess(size=(40, 33), interpolation="bicubic").apply(photo), want)


def test_crops_in_shares_and_by_image(tmp_path: Path) -> None:
    photo = np.random.default_rng(1).integers(0, 255, (80, 40, 3), dtype=np.uint8)
    fixed = Preprocess(size=(40, 20), box=(0.25, 0.25, 0.75, 0.75))
    assert np.array_equal(fixed.apply(photo), photo[20:60, 10:30])
    (tmp_path / "boxes.csv").write_text("image,x0,y0,x1,y1\na.png,5,8,25,48\nb.png,,,,\n")
    boxes = read_boxes(tmp_path / "boxes.csv")
    own = Preprocess(size=(40, 20), box=(0.25, 0.25, 0.75, 0.75), boxes=boxes)
    Image.fromarray(photo).save(tmp_path / "a.png")
    Image.fromarray(photo).save(tmp_path / "b.png")
    assert np.array_equal(own.load(tmp_path / "a.png", "a.png"), photo[8:48, 5:25])
    assert np.array_equal(own.load(tmp_path / "b.png", "b.png"), photo[20:60, 10:30])
    with pytest.raises(DataError, match=r"no box for image 'c\.png'"):
        own.box_of("c.png")
    with pytest.raises(DataError, match="shows nothing"):
        own.apply(photo, (100.0, 0.0, 200.0, 50.0))
    for text, reason in (
        ("a,1,2,x,4", "four numbers"),
        ("a,5,2,1,4", "empty"),
        ("a,1,1,2,2\na,1,1,2,2", "two boxes"),
    ):
        (tmp_path / "bad.csv").write_text(f"image,x0,y0,x1,y1\n{text}\n")
        with pytest.raises(DataError, match=reason) as caught:
            read_boxes(tmp_path / "bad.csv")
        assert caught.value.row == 2 + text.count("\n")


@pytest.mark.parametrize("orientation", [1, 6])
def test_scaled_jpeg_decoding_is_near_the_full_one_and_repeatable(tmp_path: Path, orientation: int) -> None:
    big = np.asarray(Image.fromarray(picture(60, 40)).resize((640, 960), Image.Resampling.BICUBIC))
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(big).save(tmp_path / "big.jpg", quality=95, exif=exif)
    for fit in ("squash", "crop", "pad"):
        fast = Preprocess(size=(96, 64), fit=fit, box=(0.1, 0.05, 0.9, 0.8))
        full = Preprocess(size=(96, 64), fit=fit, box=(0.1, 0.05, 0.9, 0.8), draft=False)
        got = fast.load(tmp_path / "big.jpg")
        assert close(got, full.load(tmp_path / "big.jpg"), 2.0)
        assert np.array_equal(got, fast.load(tmp_path / "big.jpg"))


def test_preprocess_survives_saving_and_its_fingerprint_follows_every_setting() -> None:
    base = Preprocess(
        size=(32, 48),
        fit="pad",
        interpolation="box",
        box=(0, 0, 0.5, 1),
        boxes={"a": (1.0, 2.0, 3.0, 4.0), "b": None},
        draft=False,
    )
    assert Preprocess.from_dict(base.to_dict()) == base
    others = [
        Preprocess(size=(48, 32)),
        Preprocess(size=(32, 48)),
        Preprocess(size=(32, 48), fit="crop"),
        Preprocess(size=(32, 48), draft=False),
        Preprocess(size=(32, 48), interpolation="lanczos"),
        Preprocess(size=(32, 48), box=(0, 0, 1, 0.5)),
        Preprocess(size=(32, 48), boxes={}),
    ]
    assert len({p.fingerprint for p in [base, *others]}) == 8
    for wrong in (
        {"fit": "stretch"},
        {"size": (0, 3)},
        {"box": (0.5, 0, 0.4, 1)},
        {"interpolation": "cubic"},
    ):
        with pytest.raises(RecipeError):
            Preprocess(**wrong)
