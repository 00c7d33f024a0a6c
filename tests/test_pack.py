"""A pack: the pixels of the cache in tar shards, a subject in one shard, no label inside, and damage is named."""

from __future__ import annotations

import io
import pickle
import tarfile
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from hoego.data.dataset import Dataset
from hoego.data.load_dataset import load_dataset
from hoego.data.packing import PackRequest, open_packed, pack, plan_shards
from hoego.data.pixels import PixelCache
from hoego.data.preprocess import Preprocess
from hoego.errors import DataError, MismatchError
from hoego.results.pixels import PackedPhotos

SMALL = Preprocess(size=(12, 10))
SHARD_BYTES = 1024 + 10 * 1024
"""Ten photos: each takes a header of 512 bytes and 488 of content, filled to 512."""


@pytest.fixture
def dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    """60 photos of 20 people; photo 7 is photo 3 once more, so that two people are one."""
    monkeypatch.setenv("HOEGO_CACHE", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    (tmp_path / "photos").mkdir()
    names = [f"smiling-{k:02d}.png" for k in range(60)]
    for name in names:
        Image.fromarray(rng.integers(0, 255, (20, 16, 3), dtype=np.uint8)).save(tmp_path / "photos" / name)
    (tmp_path / "photos" / names[7]).write_bytes((tmp_path / "photos" / names[3]).read_bytes())
    people = [f"person {k % 20:02d}" for k in range(60)]
    frame = pl.DataFrame({"path": names, "who": people, "mood": ["smiling", "serious"] * 30})
    return load_dataset(frame, root=tmp_path / "photos", subject="who", target="mood")


def packed(dataset: Dataset, folder: Path) -> PackedPhotos:
    return pack(dataset, SMALL, PackRequest(to=folder, shard_bytes=SHARD_BYTES))


def test_a_pack_gives_the_pixels_of_the_cache(dataset: Dataset, tmp_path: Path) -> None:
    made = packed(dataset, tmp_path / "pack")
    assert (made.images, made.subjects, made.written) == (60, 19, made.shards)
    cache, found = PixelCache.of(dataset, SMALL), open_packed(tmp_path / "pack", dataset, SMALL)
    assert found.shape == (60, 12, 10, 3)
    every = cache.rows(slice(None))
    assert np.array_equal(found.rows(slice(None)), every)
    some = np.random.default_rng(1).permutation(60)[:17]
    assert np.array_equal(found.rows(some), every[some])
    assert np.array_equal(found.array[found.row[5]], every[5])
    sent = pickle.dumps(found.array)
    assert len(sent) < 5_000, "a process that is sent a pack maps its shards anew"
    assert np.array_equal(pickle.loads(sent)[some], found.array[some])
    part = dataset.take(some)
    assert np.array_equal(open_packed(tmp_path / "pack", part, SMALL).rows(slice(None)), every[some])


def test_shards_are_archives_of_numbered_arrays_without_a_name_or_a_label(
    dataset: Dataset, tmp_path: Path
) -> None:
    packed(dataset, tmp_path / "pack")
    index = pl.read_parquet(tmp_path / "pack" / "index.parquet")
    cache, place = PixelCache.of(dataset, SMALL), dataset.positions(index["id"].to_list())
    at = 0
    for number, path in enumerate(sorted((tmp_path / "pack").glob("*.tar"))):
        content = path.read_bytes()
        assert not any(word in content for word in (b"smiling", b"serious", b"person"))
        with tarfile.open(path, "r:") as archive:
            for member in archive:
                row = index.row(at, named=True)
                assert (member.name, row["shard"]) == (f"{at:09d}.npy", number)
                assert (member.offset_data, member.size) == (row["offset"], row["length"])
                data = content[row["offset"] : row["offset"] + row["length"]]
                assert np.array_equal(np.load(io.BytesIO(data)), cache.rows([place[at]])[0])
                at += 1
    assert at == 60
    assert "person" not in " ".join(index["subject"].to_list())


def test_a_subject_is_in_one_shard(dataset: Dataset, tmp_path: Path) -> None:
    packed(dataset, tmp_path / "pack")
    index = pl.read_parquet(tmp_path / "pack" / "index.parquet")
    assert index["shard"].n_unique() > 3
    owners = dataset.subject_index[dataset.positions(index["id"].to_list())]
    table = pl.DataFrame({"hashed": index["subject"], "owner": owners, "shard": index["shard"]})
    for one, other in (("owner", "shard"), ("owner", "hashed"), ("hashed", "owner")):
        assert table.group_by(one).agg(pl.col(other).n_unique())[other].max() == 1


@pytest.mark.parametrize("per_shard", [1, 7, 40, 10_000])
def test_a_plan_is_a_permutation_and_splits_no_subject(per_shard: int) -> None:
    subject = np.random.default_rng(2).zipf(1.6, 3000) % 400
    _, subject = np.unique(subject, return_inverse=True)
    shards = plan_shards(subject, per_shard)
    assert np.array_equal(np.sort(np.concatenate(shards)), np.arange(3000))
    held = [set(subject[rows].tolist()) for rows in shards]
    assert sum(map(len, held)) == len(set(subject.tolist()))
    assert all(len(rows) <= per_shard or len(who) == 1 for rows, who in zip(shards, held, strict=True))


def test_a_pack_that_was_interrupted_goes_on(dataset: Dataset, tmp_path: Path) -> None:
    first = packed(dataset, tmp_path / "pack")
    shards = sorted((tmp_path / "pack").glob("*.tar"))
    want = {p.name: p.read_bytes() for p in (tmp_path / "pack").iterdir()}
    shards[1].unlink()
    harmed = bytearray(shards[2].read_bytes())
    harmed[700] ^= 1
    shards[2].write_bytes(harmed)
    (tmp_path / "pack" / "index.parquet").unlink()
    (tmp_path / "pack" / "shard-00099.tar").write_bytes(b"of an older pack")
    (tmp_path / "pack" / ".shard-00003.tar.x.part").write_bytes(b"of a killed one")
    again = packed(dataset, tmp_path / "pack")
    assert (first.written, again.written) == (len(shards), 2)
    found = {p.name: p.read_bytes() for p in (tmp_path / "pack").iterdir()}
    assert found.keys() == want.keys()
    assert [n for n in want if n.endswith(".tar") and want[n] != found[n]] == []


def test_a_folder_of_other_files_is_refused_and_left_alone(dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"other files, such as 'smiling-00\.png'"):
        packed(dataset, tmp_path / "photos")
    assert len(list((tmp_path / "photos").iterdir())) == 60


def harm(kind: str, folder: Path) -> str:
    shard = folder / "shard-00001.tar"
    if kind == "flipped":
        content = bytearray(shard.read_bytes())
        content[900] ^= 1
        shard.write_bytes(content)
        return "shard-00001.tar.*not the one that was packed"
    if kind == "short":
        shard.write_bytes(shard.read_bytes()[:-100])
        return "shard-00001.tar.*bytes, not"
    if kind == "gone":
        shard.unlink()
        return "shard-00001.tar.*is missing"
    index = folder / "index.parquet"
    if kind == "index":
        index.write_bytes(index.read_bytes()[:200])
        return "index.parquet.*damaged"
    if kind == "format":
        pl.read_parquet(index).write_parquet(index, metadata={"hoego": '{"format": 2}'})
        return "index.parquet.*has the format 2, not 1"
    if kind == "places":
        about = pl.read_parquet_metadata(index)["hoego"]
        moved = pl.read_parquet(index).with_columns(offset=pl.col("offset") + 1)
        moved.write_parquet(index, metadata={"hoego": about})
        return "index.parquet.*places"
    index.unlink()
    return "index.parquet.*no pack"


@pytest.mark.parametrize("kind", ["flipped", "short", "gone", "index", "format", "places", "none"])
def test_damage_is_named(dataset: Dataset, tmp_path: Path, kind: str) -> None:
    packed(dataset, tmp_path / "pack")
    said = harm(kind, tmp_path / "pack")
    with pytest.raises(DataError, match=f"(?s){said}"):
        open_packed(tmp_path / "pack", dataset, SMALL)


def test_a_pack_of_other_pixels_or_other_photos_is_refused(dataset: Dataset, tmp_path: Path) -> None:
    packed(dataset.take(np.arange(50)), tmp_path / "pack")
    with pytest.raises(MismatchError, match=r"lacks 10 of 60 photos.*smiling-50"):
        open_packed(tmp_path / "pack", dataset, SMALL)
    with pytest.raises(MismatchError, match="12 x 10 pixels, not 10 x 12"):
        open_packed(tmp_path / "pack", dataset, Preprocess(size=(10, 12)))
    with pytest.raises(MismatchError, match="another preprocessing"):
        open_packed(tmp_path / "pack", dataset, Preprocess(size=(12, 10), fit="pad"))
