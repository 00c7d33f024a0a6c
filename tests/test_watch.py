"""The watch over a training: what it sees of any process and any library, and what it says it cannot see."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

import hoego
from hoego.data.contents import cache_folder
from hoego.data.dataset import Dataset
from hoego.errors import DataError, LeakError, MismatchError, UsageError
from hoego.predictions import Predictions, honesty
from hoego.recipe import resolve
from hoego.results.evidence import Evidence, read_evidence
from hoego.runs.outside.export import ExportRequest, export_folds
from hoego.runs.outside.watching import conclude, inotify, processes, watch
from hoego.runs.outside.watching.inotify import FileEvent
from hoego.runs.project import ProjectData, open_project
from hoego.split import Split

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="inotify is Linux's")
FOLD = 1


class Photos:
    """A project of 24 people with two photos each in folders, and its split into 3 folds."""

    def __init__(self, root: Path) -> None:
        self.root = root
        rows = []
        for i in range(48):
            name = f"{'ab'[i % 2]}/{i:03d}.png"
            (root / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (6, 6), (i, 255 - i, 3 * i % 251)).save(root / "photos" / name)
            rows.append((name, f"p{i // 2:02d}", ("disc", "ring")[(i // 2 + i) % 2]))
        pl.DataFrame(rows, schema=["path", "who", "shape"], orient="row").write_csv(
            root / "photos" / "table.csv"
        )
        (root / "hoego.toml").write_text(
            '[dataset]\nroot = "photos"\nlayout = "table"\ntable = "table.csv"\nsubject = ["who"]\n'
            '[labels]\ntarget = "shape"\n[split]\nkind = "folds"\nfolds = 3\n[score]\nresamples = 100\n'
        )
        self.project: ProjectData = open_project(resolve({}, project=root / "hoego.toml"), root)
        self.dataset: Dataset = self.project.dataset
        self.split: Split = self.project.split
        paths = np.array([str(p) for p in self.dataset.paths])
        self.train = paths[self.split.train_mask(FOLD)].tolist()
        self.held = paths[self.split.val_mask(FOLD)].tolist()

    def watch(self, **keywords: object) -> watch.Watch:
        return hoego.watch(self.dataset, self.split, FOLD, **keywords)  # type: ignore[arg-type]

    def during(self, act: Callable[[], object], **keywords: object) -> Evidence:
        """What is seen of an act that reads all training photos too."""
        seen = self.watch(**keywords)
        seen.start()
        read(*self.train)
        act()
        return seen.stop()

    def predictions(self, fold: int | None = FOLD) -> Predictions:
        held = np.ones(48, dtype=bool) if fold is None else self.split.val_mask(fold)
        p = np.full((int(held.sum()), 2), 0.5)
        return Predictions.from_probabilities(
            p, self.dataset.image_ids[held], self.dataset, self.split, None, fold
        )


def read(*paths: str | Path) -> None:
    for path in paths:
        Path(path).read_bytes()


def kinds(evidence: Evidence) -> set[str]:
    return {g.kind for g in evidence.gaps}


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Photos:
    monkeypatch.setenv("HOEGO_CACHE", str(tmp_path / "cache"))
    return Photos(tmp_path)


def test_a_training_that_opens_its_own_side_alone_is_witnessed(photos: Photos) -> None:
    with photos.watch() as seen:
        read(*photos.train)
        list(photos.root.rglob("*"))
        for path in photos.held:
            os.stat(path)
    found = seen.evidence
    assert (found.honesty, found.gaps) == ("witnessed", ())
    assert (found.training_opened, found.held_out_opened) == (len(photos.train), ())
    made = seen.witness(photos.predictions())
    assert honesty(made, photos.dataset).label == "witnessed"
    assert "as Hoego watched" in made.sources[0].path[0]


def test_one_held_out_photo_is_a_leak_that_names_it(photos: Photos) -> None:
    seen = photos.watch()
    with pytest.raises(LeakError, match=r"1 of \d+ photos that fold 1 .*'[ab]/0\d\d.png'"), seen:
        read(*photos.train, photos.held[3])
    assert [str(photos.dataset.root / i) for i in seen.evidence.held_out_opened] == [photos.held[3]]
    assert seen.evidence.honesty == "in-sample"
    with pytest.raises(LeakError, match="were opened during the training"):
        seen.witness(photos.predictions())


READERS = {
    "os.open": "import os; os.close(os.open(path, os.O_RDONLY))",
    "pillow": "from PIL import Image; Image.open(path).load()",
    "fopen of C": "import ctypes; libc = ctypes.CDLL(None); libc.fopen.restype = ctypes.c_void_p;"
    "assert libc.fopen(path.encode(), b'rb')",
    "mmap": "import mmap, os; mmap.mmap(os.open(path, os.O_RDONLY), 0, prot=mmap.PROT_READ)[:10]",
    "symbolic link": "import os, tempfile; d = tempfile.mkdtemp(); os.symlink(path, d + '/x'); open(d + '/x', 'rb')",
    "shell": "import subprocess; subprocess.run(['cat', path], stdout=subprocess.DEVNULL, check=True)",
    "copy": "import shutil, tempfile; shutil.copy(path, tempfile.mkdtemp())",
    "fork": "import os\nif not os.fork():\n    open(path, 'rb').read()\n    os._exit(0)\nos.wait()",
}


@pytest.mark.parametrize("code", READERS.values(), ids=list(READERS))
def test_any_process_and_any_reader_counts(photos: Photos, code: str) -> None:
    script = f"import sys\npath = sys.argv[1]\n{code}"
    found = photos.during(lambda: subprocess.run([sys.executable, "-c", script, photos.held[0]], check=True))
    assert len(found.held_out_opened) == 1


@pytest.mark.torch
def test_workers_of_a_data_loader_and_the_reader_of_torchvision_count(photos: Photos) -> None:
    script = """
import sys
import torch
from torchvision.io import read_file, read_image

class Photos(torch.utils.data.Dataset):
    def __len__(self):
        return len(sys.argv) - 1
    def __getitem__(self, i):
        return read_image(sys.argv[1 + i]) if i % 2 else read_file(sys.argv[1 + i])[:10].repeat(2)

if __name__ == "__main__":
    for _ in torch.utils.data.DataLoader(Photos(), batch_size=None, num_workers=2):
        pass
"""
    held = photos.held[:4]
    found = photos.during(lambda: subprocess.run([sys.executable, "-c", script, *held], check=True))
    assert [str(photos.dataset.root / i) for i in found.held_out_opened] == sorted(held)


# Other names of a photo


def test_a_hard_link_from_outside_is_watched_by_its_inode(photos: Photos, tmp_path: Path) -> None:
    os.link(photos.held[0], tmp_path / "elsewhere")
    found = photos.during(lambda: read(tmp_path / "elsewhere"))
    assert len(found.held_out_opened) == 1
    assert found.notes == ("1 photos have further hard links and were watched by their inodes",)
    assert photos.during(lambda: None).honesty == "witnessed"


def test_a_link_that_is_made_meanwhile_is_stated(photos: Photos, tmp_path: Path) -> None:
    def act() -> None:
        os.link(photos.held[0], tmp_path / "elsewhere")
        read(tmp_path / "elsewhere")
        (tmp_path / "elsewhere").unlink()

    found = photos.during(act)
    assert found.held_out_opened == ()
    assert (kinds(found), found.gaps[0].examples) == ({"changed"}, (photos.held[0],))


@pytest.mark.parametrize("link", [False, True])
@pytest.mark.parametrize("layout", ["imagefolder", "csv"])
def test_copies_of_an_export_are_known_by_their_neutral_names(
    photos: Photos, link: bool, layout: str
) -> None:
    made = photos.root / "out"
    export_folds(photos.project, ExportRequest(to=made, link=link, layout=layout))  # type: ignore[arg-type]
    own = list((made / f"fold-{FOLD}" / "train").rglob("*.png"))

    seen = photos.watch(sealed=made)
    with seen:
        read(*own, *made.glob("*/*.csv"))
    assert (seen.evidence.honesty, seen.evidence.training_opened) == ("witnessed", len(photos.train))

    other = next((made / "fold-0" / "predict").glob("*.png"))
    with photos.watch(sealed=made):
        read(*own, other)
    with (
        pytest.raises(LeakError, match=r"\(as .*fold-1/predict/photo-" if not link else "fold 1"),
        photos.watch(sealed=made),
    ):
        read(*own, next((made / "fold-1" / "predict").glob("*.png")))


def test_an_export_of_another_split_is_no_guide(photos: Photos) -> None:
    export_folds(photos.project, ExportRequest(to=photos.root / "out"))
    other = hoego.make_split(photos.dataset, folds=3, seed=9)
    with pytest.raises(MismatchError, match="export is of another split"):
        hoego.watch(photos.dataset, other, sealed=photos.root / "out")


def test_a_copy_beside_the_photos_is_known_by_its_bytes(photos: Photos) -> None:
    backup = photos.dataset.root / "backup" / "old"
    backup.mkdir(parents=True)
    shutil.copy(photos.held[0], backup / "x.png")
    shutil.copy(photos.train[0], backup / "y.png")
    found = photos.during(lambda: read(backup / "x.png", backup / "y.png"))
    assert list(found.copies.values()) == [str(backup / "x.png")]
    assert (len(found.held_out_opened), kinds(found)) == (1, set())


# What is stated and never passed over


def test_a_photo_that_nobody_knows_is_stated(photos: Photos) -> None:
    Image.new("RGB", (4, 4)).save(photos.dataset.root / "a" / "strange.png")
    assert kinds(photos.during(lambda: read(photos.dataset.root / "a" / "strange.png"))) == {"unknown photo"}


def test_a_file_beside_the_photos_that_can_hold_pixels_is_stated(photos: Photos) -> None:
    root = photos.dataset.root
    np.save(root / "photos.npy", np.zeros(20_000, dtype=np.uint8))
    (root / "small.bin").write_bytes(bytes(200))

    def act() -> None:
        read(root / "photos.npy", root / "small.bin", root / "table.csv")
        # Weights that are written and read again hold only what was opened under the watch.
        (root / "model.pth").write_bytes(bytes(50_000))
        read(root / "model.pth")

    found = photos.during(act)
    assert [(g.kind, g.examples) for g in found.gaps] == [("cache", (str(root / "photos.npy"),))]


def test_pixels_that_hoego_decoded_before_are_stated(photos: Photos) -> None:
    pixels = cache_folder() / "pixels" / "kind" / "name"
    pixels.mkdir(parents=True)
    (pixels / "pixels.npy").write_bytes(bytes(100))
    assert kinds(photos.during(lambda: read(pixels / "pixels.npy"))) == {"cache"}


def test_a_packed_file_elsewhere_is_found_while_it_is_open(photos: Photos, tmp_path: Path) -> None:
    packed = tmp_path / "packed.arrow"
    packed.write_bytes(bytes(20_000))
    opened = []
    found = photos.during(lambda: opened.append(np.memmap(packed, mode="r")))
    assert [(g.kind, g.examples) for g in found.gaps] == [("cache", (str(packed),))]


def test_a_training_that_opens_no_photo_proves_nothing(photos: Photos) -> None:
    with photos.watch() as seen:
        pass
    assert (seen.evidence.honesty, kinds(seen.evidence)) == ("declared", {"nothing read"})
    assert honesty(seen.witness(photos.predictions()), photos.dataset).label == "declared"


def test_photos_that_were_open_before_are_stated(photos: Photos) -> None:
    with open(photos.held[0], "rb"):
        assert kinds(photos.during(lambda: None)) == {"open before"}


def test_a_lost_event_is_stated(photos: Photos, monkeypatch: pytest.MonkeyPatch) -> None:
    real = inotify.Inotify.read

    def full(self: inotify.Inotify) -> object:
        yield from real(self)
        yield FileEvent(-1, inotify.IN_Q_OVERFLOW, "")

    monkeypatch.setattr(inotify.Inotify, "read", full)
    assert kinds(photos.during(lambda: None)) == {"overflow"}


def refuse(*_: object) -> int:
    raise OSError(28, "No space left on device")


def test_a_folder_that_cannot_be_watched_is_watched_photo_by_photo_or_stated(
    photos: Photos, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inotify.Inotify, "watch_folder", refuse)
    assert photos.during(lambda: None).honesty == "witnessed"
    assert len(photos.during(lambda: read(photos.held[0])).held_out_opened) == 1
    monkeypatch.setattr(inotify.Inotify, "watch_file", refuse)
    found = photos.during(lambda: None)
    assert kinds(found) == {"folder", "nothing read"}
    assert "max_user_watches" in found.gaps[0].message


def test_a_linked_photo_that_cannot_be_watched_is_stated(
    photos: Photos, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.link(photos.held[0], tmp_path / "elsewhere")
    monkeypatch.setattr(inotify.Inotify, "watch_file", refuse)
    assert kinds(photos.during(lambda: None)) == {"link"}


def test_a_folder_that_is_moved_and_a_photo_that_is_replaced_are_stated(photos: Photos) -> None:
    def act() -> None:
        (photos.dataset.root / "a").rename(photos.dataset.root / "c")

    assert kinds(photos.during(act)) == {"folder", "changed"}


def test_photos_that_other_machines_can_open_are_stated(
    photos: Photos, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conclude, "remote_system", lambda folder: "nfs4")
    assert kinds(photos.during(lambda: None)) == {"remote"}
    assert processes.remote_system("/proc") == ""


def test_where_there_is_no_inotify_the_honesty_stays_declared_and_says_so(
    photos: Photos, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "available", lambda: False)
    with photos.watch() as seen:
        read(*photos.train, *photos.held)
    assert (seen.evidence.honesty, kinds(seen.evidence)) == ("declared", {"system"})
    assert honesty(seen.witness(photos.predictions()), photos.dataset).label == "declared"


def test_a_queue_of_many_opens_is_read_in_time(photos: Photos) -> None:
    """Two processes that open photos as fast as they can are followed."""
    script = (
        "import os, sys\nfor _ in range(400):\n  for p in sys.argv[1:]: os.close(os.open(p, os.O_RDONLY))"
    )
    command = [sys.executable, "-c", script, *photos.train]

    def act() -> None:
        for child in [subprocess.Popen(command) for _ in range(2)]:
            assert child.wait() == 0

    assert photos.during(act).honesty == "witnessed"


# Evidence and what it contradicts


def test_a_training_that_failed_is_no_evidence(photos: Photos) -> None:
    seen = photos.watch()
    with pytest.raises(FileNotFoundError), seen:
        read(*photos.train, "nothing")
    assert seen.evidence.honesty == "declared"
    with pytest.raises(UsageError, match="did not end well"):
        seen.witness(photos.predictions())
    with pytest.raises(UsageError, match="has not ended"):
        _ = photos.watch().evidence


def test_evidence_of_another_fold_contradicts_the_declaration(photos: Photos) -> None:
    with photos.watch() as seen:
        read(*photos.train)
    with pytest.raises(LeakError, match=r"photos that fold 0 .* were opened during the training: '[ab]/"):
        seen.witness(photos.predictions(0))


def test_only_the_folds_that_were_watched_are_witnessed(photos: Photos) -> None:
    with photos.watch() as seen:
        read(*photos.train)
    made = seen.witness(photos.predictions(None))
    assert [s.outside for s in made.sources] == ["declared", "witnessed", "declared"]
    assert honesty(made, photos.dataset).label == "witnessed, declared"


def test_evidence_is_of_one_data_set_and_one_split(photos: Photos) -> None:
    with photos.watch() as seen:
        read(*photos.train)
    other = hoego.make_split(photos.dataset, folds=3, seed=9)
    held = other.val_mask(FOLD)
    p = np.full((int(held.sum()), 2), 0.5)
    made = Predictions.from_probabilities(
        p, photos.dataset.image_ids[held], photos.dataset, other, None, FOLD
    )
    with pytest.raises(MismatchError, match="evidence is of another split"):
        seen.witness(made)
    ours = tuple(replace(s, outside="") for s in photos.predictions().sources)
    with pytest.raises(MismatchError, match="not of a model that was trained outside"):
        seen.witness(replace(photos.predictions(), sources=ours))


def test_evidence_outlives_a_file_and_an_edit_is_refused(photos: Photos, tmp_path: Path) -> None:
    file = tmp_path / "evidence.json"
    with photos.watch(to=file) as seen:
        read(*photos.train)
    assert read_evidence(file) == seen.evidence
    file.write_text(file.read_text().replace('"training_opened": ', '"training_opened": 1'))
    with pytest.raises(DataError, match="changed after it was written"):
        read_evidence(file)
    file.write_text('{"format": 9}')
    with pytest.raises(DataError, match="reads up to 1"):
        read_evidence(file)
    with pytest.raises(DataError, match="is not evidence"):
        read_evidence(write(tmp_path / "x.json", "{}"))
    with pytest.raises(UsageError, match="no such evidence"):
        read_evidence(tmp_path / "none.json")


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path
