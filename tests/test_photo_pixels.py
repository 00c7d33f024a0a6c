"""The preprocessing that travels with an exported model: alone it gives the pixels of training, byte for byte."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hoego.data import photo_pixels
from hoego.data.photo_pixels import Preprocessing
from hoego.data.preprocess import Preprocess

ALONE = """
import json, sys
if sys.argv[3] == "without simplejpeg":
    sys.modules["simplejpeg"] = None
from hashlib import blake2b
from pathlib import Path
from preprocessing import PhotoError, Preprocessing
prepare = Preprocessing.read(sys.argv[1])
out = {}
for path in sorted(Path(sys.argv[2]).iterdir()):
    try:
        out[path.name] = blake2b(prepare(path.read_bytes()).tobytes()).hexdigest()
    except PhotoError as error:
        out[path.name] = error.remedy
assert not any(name.startswith("hoego") for name in sys.modules)
print(json.dumps(out))
"""
SETTINGS = (
    Preprocess(size=(96, 64)),
    Preprocess(size=(33, 40), fit="crop", interpolation="bicubic", box=(0.1, 0.05, 0.9, 0.8)),
    Preprocess(size=(48, 48), fit="pad", interpolation="lanczos"),
    Preprocess(size=(32, 32), fit="squash", interpolation="box", draft=False),
)


def photos() -> Iterator[tuple[str, bytes]]:
    """Files of many kinds and sizes, by name."""
    rng = np.random.default_rng(0)
    small = Image.fromarray(rng.integers(0, 255, (30, 21, 3), dtype=np.uint8))
    for w, h in ((613, 947), (384, 512), (260, 180), (90, 64), (41, 30)):
        picture = small.resize((w, h), Image.Resampling.BICUBIC)
        for quality, subsampling, progressive in ((95, 0, False), (75, 2, False), (85, 1, True)):
            stream = io.BytesIO()
            picture.save(stream, "JPEG", quality=quality, subsampling=subsampling, progressive=progressive)
            yield f"{w}x{h}-{quality}.jpg", stream.getvalue()
        for name, mode in (
            ("grey.jpg", "L"),
            ("cmyk.jpg", "CMYK"),
            ("palette.png", "P"),
            ("clear.png", "RGBA"),
        ):
            stream = io.BytesIO()
            picture.convert(mode).save(stream, "JPEG" if name.endswith("jpg") else "PNG")
            yield f"{w}x{h}-{name}", stream.getvalue()
    exif = Image.Exif()
    for turn in range(2, 9):
        exif[0x0112] = turn
        stream = io.BytesIO()
        small.resize((300, 420)).save(stream, "JPEG", exif=exif)
        yield f"turned-{turn}.jpg", stream.getvalue()


@pytest.mark.parametrize("decoder", ["with simplejpeg", "without simplejpeg"])
@pytest.mark.parametrize("how", SETTINGS, ids=lambda p: p.fit + p.interpolation)
def test_the_copy_gives_the_pixels_of_training_in_a_process_without_hoego(
    tmp_path: Path, how: Preprocess, decoder: str
) -> None:
    shutil.copy(str(photo_pixels.__file__), tmp_path / "preprocessing.py")
    settings = how.steps.settings() | {"fingerprint": how.fingerprint}
    (tmp_path / "preprocessing.json").write_text(json.dumps(settings))
    (tmp_path / "photos").mkdir()
    for name, data in photos():
        (tmp_path / "photos" / name).write_bytes(data)
    command = [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n{ALONE}"]
    given = [str(tmp_path / "preprocessing.json"), str(tmp_path / "photos"), decoder]
    out = subprocess.run([*command, *given], capture_output=True, text=True, check=True)
    told = json.loads(out.stdout)
    want = {name: blake2b(how.load_bytes(data, name).tobytes()).hexdigest() for name, data in photos()}
    refused = [name for name, found in told.items() if found == "pip install simplejpeg"]
    assert {k: v for k, v in told.items() if k not in refused} == {
        k: v for k, v in want.items() if k not in refused
    }
    assert len(told) == len(want)
    assert len(refused) <= (0 if decoder == "with simplejpeg" else len(want) // 4)


def test_a_shift_by_one_pixel_is_another_result() -> None:
    data = dict(photos())["384x512-95.jpg"]
    how = Preprocess(size=(96, 64))

    class Shifted(Preprocessing):
        def region(self, height: int, width: int, box: object) -> tuple[float, ...]:
            x0, y0, x1, y1 = super().region(height, width, None)
            return x0 + 1, y0, x1, y1

    assert not np.array_equal(Shifted(size=how.size)(data), how.load_bytes(data, "a.jpg"))


def test_settings_that_were_changed_are_refused(tmp_path: Path) -> None:
    how = Preprocess(size=(96, 64))
    path = tmp_path / "preprocessing.json"
    path.write_text(json.dumps(how.steps.settings() | {"fingerprint": how.fingerprint}))
    assert Preprocessing.read(path) == how.steps
    path.write_text(json.dumps(how.steps.settings() | {"fit": "crop", "fingerprint": how.fingerprint}))
    with pytest.raises(ValueError, match="changed after it was written"):
        Preprocessing.read(path)


def test_the_copy_needs_numpy_and_pillow_alone_and_can_be_read_at_a_sitting() -> None:
    text = Path(str(photo_pixels.__file__)).read_text(encoding="utf-8")
    assert "hoego." not in text.split('"""', 2)[2]
    assert text.count("\n") < 300
