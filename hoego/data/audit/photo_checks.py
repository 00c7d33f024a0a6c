"""Checks of the photos: those that cannot be read, odd ones, constant ones, shortcuts, and look-alikes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hoego.data.audit.findings import finding
from hoego.data.audit.measures import Codes, cramers_v, fifths
from hoego.data.audit.probes import probes
from hoego.data.audit.similar import SIDE, Luma, close_pairs, confirmed
from hoego.data.audit.thumbnails import Thumbnails, thumbnails
from hoego.data.dataset import Dataset
from hoego.results.audit import AuditFinding

FEW = 0.02  # a value that fewer of the photos have is odd, and no model can learn it as a shortcut
TINY = 16  # pixels of the shorter side
LARGE, NARROW = 8.0, 2.5  # times the median of the set: other photos of it are normal whatever their size
SHORTCUT = 0.5  # Cramér's V; a large effect by Cohen (1988) where one side has two values
MOST_VALUES = 20  # sizes: with more, nearly every photo has its own, and its area is looked at instead


def photo_findings(
    dataset: Dataset, seen: Thumbnails, near_distance: int, test: Dataset | None = None
) -> Iterator[AuditFinding]:
    """Yield every finding that needs the photos; they are decoded once, to thumbnails that are kept in the cache.

    Args:
        dataset: N photos.
        seen: their thumbnails.
        near_distance: bits by which the hashes of a near-duplicate may differ.
        test: the photos without labels, to be compared with those of the data set.
    """
    table = probes(dataset)
    yield from _odd(dataset, table)
    yield from _shortcuts(dataset, table)
    bad = seen.bad
    if bad:
        shown = [f"{dataset.images['path'][i]}: {text}" for i, text in bad.items()]
        text = f"{len(bad):,} of {dataset.n_images:,} photos cannot be decoded"
        yield finding("unreadable", len(bad), text).with_(examples=tuple(shown))  # every one of them
    flat = seen.rows[seen.flat]
    if len(flat):
        shown = dataset.image_ids[flat[:10]].tolist()
        yield finding("constant-photos", len(flat), f"{len(flat):,} photos are of one colour", shown)
    if dataset.subject_shown:
        yield from _look_alikes(dataset, seen, near_distance)
    if test is not None:
        yield from _in_test(dataset, seen, test, near_distance)


def _odd(dataset: Dataset, table: pl.DataFrame) -> Iterator[AuditFinding]:
    """Yield one finding on tiny, huge, long and turned photos and rare colour modes, with a sentence for each
    oddity.
    """
    sides = table.select(
        low=pl.min_horizontal("height", "width"),
        high=pl.max_horizontal("height", "width"),
        turn="orientation",
        mode="mode",
    )
    low, high = (sides[c].fill_null(0).to_numpy().astype(float) for c in ("low", "high"))
    known = low > 0
    if not known.any():
        return
    usual = float(np.median(low[known]))
    shape = np.divide(high, low, out=np.ones_like(high), where=known)
    odd = {
        f"smaller than {TINY} pixels": known & (low < TINY),
        f"more than {LARGE:g} times smaller or larger than usual ({usual:.0f} pixels)": known
        & ((low > LARGE * usual) | (low < usual / LARGE)),
        "much longer than usual": known & (shape > NARROW * np.median(shape[known])),
        "turned by their EXIF orientation (decoded upright)": (sides["turn"].fill_null(1) != 1).to_numpy(),
    }
    modes = sides["mode"].drop_nulls().value_counts()
    for mode, count in modes.iter_rows():
        if (count <= FEW * len(table) and len(modes) > 1) or mode in ("CMYK", "P", "I;16", "RGBA", "LA"):
            odd[f"of colour mode {mode} (decoded to RGB)"] = (
                (sides["mode"] == mode).fill_null(False).to_numpy()
            )
    said = [f"{mask.sum():,} {what}" for what, mask in odd.items() if mask.any()]
    if said:
        every = np.logical_or.reduce(list(odd.values()))
        shown = [
            f"{image}: {what}"
            for what, mask in odd.items()
            for image in dataset.image_ids[np.flatnonzero(mask)[:2]].tolist()
        ]
        yield finding("odd-photos", int(every.sum()), "; ".join(said), shown)


def _shortcuts(dataset: Dataset, table: pl.DataFrame) -> Iterator[AuditFinding]:
    """Yield file facts that go with the class of an attribute (Cramér's V of 0.5 or more; 2 % of the photos a
    value).
    """
    found = []
    for fact, codes in _facts(table).items():
        shares = np.bincount(codes[codes >= 0]) / max(1, len(codes))
        if (shares >= FEW).sum() < 2 or len(shares) > MOST_VALUES:
            continue
        for name in dict.fromkeys((dataset.schema.target, *dataset.schema.names)):
            v = cramers_v(codes, dataset.classes_of(name))
            if v >= SHORTCUT:
                found.append(f"the {fact} goes with {name} (V = {v:.2f})")
    if found:
        yield finding("shortcut", len(found), "; ".join(found[:4]), found)


def _facts(table: pl.DataFrame) -> dict[str, Codes]:
    """Return codes [N] of what the headers say: format, colour mode, the exact size; fifths of the area and of
    the shape.
    """
    size = (table["height"].cast(pl.String) + " x " + table["width"].cast(pl.String)).alias("size")
    texts = {"file format": table["format"], "colour mode": table["mode"], "size in pixels": size}
    facts = {}
    for fact, column in texts.items():
        _, codes = np.unique(column.fill_null("").to_numpy().astype(np.str_), return_inverse=True)
        facts[fact] = np.where(column.is_null().to_numpy(), -1, codes).astype(np.int32)
    height, width = (table[c].cast(pl.Float64).fill_null(np.nan).to_numpy() for c in ("height", "width"))
    if (facts["size in pixels"].max(initial=0)) < MOST_VALUES:
        return facts  # few sizes: each is a value already
    return {
        **facts,
        "area in pixels": fifths(height * width),
        "proportion of the sides": fifths(width / height),
    }


def _look_alikes(dataset: Dataset, seen: Thumbnails, distance: int) -> Iterator[AuditFinding]:
    rows = seen.detailed
    near = close_pairs(seen.codes, dataset.subject_index[rows], distance)
    pairs = rows[near[confirmed(seen.luma, near)]]
    if not len(pairs):
        return
    owners = np.sort(dataset.subject_index[pairs], axis=1)
    couples, first, times = np.unique(owners, axis=0, return_index=True, return_counts=True)
    shown = []
    for k in np.argsort(-times, kind="stable")[:10].tolist():
        one, other = dataset.subjects[couples[k]].tolist()
        a, b = dataset.image_ids[pairs[first[k]]].tolist()
        shown.append(f"{one} and {other} ({_pairs(int(times[k]))} of photos, such as {a} and {b})")
    text = f"{_pairs(len(pairs))} of photos of different subjects look alike, of {_pairs(len(couples))} of subjects"
    differ = int((dataset.codes[pairs[:, 0]] != dataset.codes[pairs[:, 1]]).any(axis=1).sum())
    if differ:
        text += f"; {differ:,} of them carry different labels"
    yield finding("near-duplicates", len(pairs), text, shown)


def _pairs(n: int) -> str:
    return "1 pair" if n == 1 else f"{n:,} pairs"


def _in_test(dataset: Dataset, seen: Thumbnails, test: Dataset, distance: int) -> Iterator[AuditFinding]:
    """Test photos that equal a training photo in every byte, or nearly so to the eye."""
    same = np.isin(test.contents, dataset.contents)
    small = thumbnails(test)
    n = len(seen.codes)
    codes = np.concatenate([seen.codes, small.codes])
    side = np.r_[np.zeros(n, dtype=np.int32), np.ones(len(small.codes), dtype=np.int32)]
    pairs = close_pairs(codes, side, distance)
    pairs = pairs[confirmed(lambda at: _of_both(seen, small, at), pairs)]
    near = np.zeros(test.n_images, dtype=bool)
    near[small.detailed[pairs[:, 1] - n]] = True
    near &= ~same
    if not (same.any() or near.any()):
        return
    ours, theirs = seen.detailed[pairs[:, 0]].tolist(), small.detailed[pairs[:, 1] - n].tolist()
    partner = dict(zip(theirs, ours, strict=True))
    twins = dict(zip(dataset.contents.tolist(), dataset.image_ids.tolist(), strict=True))
    shown = [
        f"{test.image_ids[i]} = {twins.get(int(test.contents[i]), 'a photo of one colour')}"
        for i in np.flatnonzero(same)[:5].tolist()
    ]
    shown += [
        f"{test.image_ids[i]} is nearly {dataset.image_ids[partner[i]]}"
        for i in np.flatnonzero(near)[:5].tolist()
    ]
    text = (
        f"of {test.n_images:,} test photos {same.sum():,} are training photos too, {near.sum():,} nearly so"
    )
    yield finding("eval-in-train", int(same.sum() + near.sum()), text, shown)


def _of_both(seen: Thumbnails, other: Thumbnails, at: NDArray[np.int64]) -> Luma:
    """Return luma [n, 32, 32] of positions [n] among the detailed thumbnails of one set and then of another."""
    n = len(seen.codes)
    out = np.empty((len(at), SIDE, SIDE), dtype=np.float32)
    out[at < n] = seen.luma(at[at < n])
    out[at >= n] = other.luma(at[at >= n] - n)
    return out
