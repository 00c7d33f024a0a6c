"""Files among the photos that are not read: their kind, number and place, and the remedy."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hoego.data.images import is_photo
from hoego.data.readers.photo_files import is_skipped

_PHOTO = "Convert them to JPEG or PNG"
_ARRAY = "Save each array as a PNG"
_TABLE = "Save it as CSV UTF-8"
_ARCHIVE = "Unpack it"
_KINDS = {
    ".heic .heif": (f"{_PHOTO}, or install the extra that reads them: hoego[heic]", True),
    ".avif": (f"{_PHOTO}, or install Pillow 11.3 or later", True),
    ".dcm .dicom": (f"{_PHOTO}, or install the extra that reads them: hoego[dicom]", True),
    ".nii .nii.gz .mha .mhd .nrrd": ("Save the slices as PNG", True),
    ".cr2 .cr3 .nef .arw .dng .raf .orf .rw2 .raw": ("Develop them to JPEG or PNG", True),
    ".svg .psd .exr .hdr .jxl .eps .pdf .tga .ico .svs .ndpi": (_PHOTO, True),
    ".npy .npz .mat .h5 .hdf5 .pkl .pickle .pt": (_ARRAY, True),
    ".tfrecord .tfrecords .lmdb .mdb .rec .arrow": ("Write the photos out as files", True),
    ".mp4 .mov .avi .mkv .webm": ("Save frames as JPEG or PNG, in a folder per clip (the subject)", True),
    ".xlsx .xls .ods .numbers": (_TABLE, False),
    ".json .xml .sqlite .db": (
        "Write what it says of the photos into a CSV of path, subject and label",
        False,
    ),
    ".zip .tar .gz .tgz .7z .rar .bz2": (_ARCHIVE, False),
}
KINDS = {ending: how for endings, how in _KINDS.items() for ending in endings.split()}


@dataclass(frozen=True, kw_only=True)
class Unread:
    """Files of one kind that are not read.

    Args:
        ending: of their names; `link` for links that lead nowhere.
        count: how many.
        folders: the folder directly around them -> how many.
        remedy: what to do.
        pictures: whether such files hold photos.
    """

    ending: str
    count: int
    folders: dict[str, int]
    remedy: str
    pictures: bool

    @property
    def said(self) -> str:
        """In one phrase, with the folder where all lie in one."""
        files = "1 file" if self.count == 1 else f"{self.count:,} files"
        lone = next(iter(self.folders)) if len(self.folders) == 1 else ""
        where = f", all of them in {lone}" if lone not in ("", ".") and self.count > 1 else ""
        what = (
            "that cannot be opened"
            if self.ending == "link"
            else f"of a kind that is not read ({self.ending})"
        )
        return f"{files} {what}{where}"


def passed_over(root: Path) -> list[Unread]:
    """Count the files below a folder that hold pictures, tables or archives and are not read, the most frequent
    first.
    """
    found: dict[str, Counter[str]] = {}
    for ending, folder in _files(str(root)):
        found.setdefault(ending, Counter())[folder] += 1
    out = []
    for ending, folders in found.items():
        remedy, pictures = KINDS.get(ending, ("Restore it or take it away", True))
        out.append(
            Unread(
                ending=ending, count=folders.total(), folders=dict(folders), remedy=remedy, pictures=pictures
            )
        )
    return sorted(out, key=lambda u: (-u.count, u.ending))


def _files(root: str) -> Iterator[tuple[str, str]]:
    """Yield the ending and the folder (relative to root) of every such file."""
    seen: set[str] = set()
    for folder, below, names in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        below[:] = [] if real in seen else sorted(d for d in below if not is_skipped(d))
        if real in seen:
            continue
        seen.add(real)
        where = os.path.relpath(folder, root).replace(os.sep, "/")
        for name in names:
            lower = name.lower()
            ending = ".nii.gz" if lower.endswith(".nii.gz") else os.path.splitext(lower)[1]
            path = os.path.join(folder, name)
            if is_skipped(name):
                continue
            if os.path.islink(path) and not os.path.exists(path):
                yield "link", where
            elif ending in KINDS and not is_photo(name):
                yield ending, where
