"""sealed.json: what was exported for another trainer, and how its neutral names lead back to photos.

The names come from a salt and the photos' ids and contents, so that the file holds no way from a name to a label;
only with the data set at hand can they be turned back.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from hoego import files
from hoego.data.dataset import Dataset
from hoego.errors import DataError, MismatchError, UsageError
from hoego.results.base import Result

SEALED = "sealed.json"


class SealedSide(Result):
    """One side of a fold.

    Args:
        images, subjects: how many.
        digest: over the ids and the contents of its photos.
        names: of the subjects of a training or inner side; () for the side to predict.
    """

    images: int
    subjects: int
    digest: str
    names: tuple[str, ...] = ()

    @classmethod
    def of(cls, dataset: Dataset, rows: NDArray[np.int64], *, named: bool) -> SealedSide:
        """Describe the photos at `rows` of a data set."""
        subjects = dataset.subjects[np.unique(dataset.subject_index[rows])].tolist()
        h = blake2b(digest_size=16)
        for i in rows.tolist():
            h.update(f"{dataset.image_ids[i]}\0{dataset.contents[i]}\n".encode())
        return cls(
            images=len(rows),
            subjects=len(subjects),
            digest=h.hexdigest(),
            names=tuple(subjects) if named else (),
        )


class SealedFolds(Result):
    """What an export holds.

    Args:
        format: of this file.
        dataset, split: fingerprints.
        split_name: of the split.
        layout: imagefolder, csv or frame.
        attribute: whose classes the folders are, or which the table calls target.
        salt: from which the neutral names are made.
        folds: fold -> side (train, inner, predict) -> what is on it.
    """

    format: int = 1
    dataset: str
    split: str
    split_name: str
    layout: str
    attribute: str
    salt: str
    folds: Mapping[str, Mapping[str, SealedSide]]

    def write(self, folder: Path) -> None:
        """Write sealed.json into a folder."""
        files.write_json(folder / SEALED, self.model_dump(mode="json"))

    def images_by_name(self, dataset: Dataset) -> dict[str, str]:
        """Map the neutral name of every photo of the data set, without its suffix, to its id."""
        names = neutral_names(dataset, self.salt)
        return dict(zip(names, dataset.image_ids.tolist(), strict=True))

    def require_of(self, dataset: Dataset, split: str) -> None:
        """Raise MismatchError where the export is of another data set or split, given by its fingerprint."""
        for what, mine, theirs in (
            ("data set", dataset.fingerprint, self.dataset),
            ("split", split, self.split),
        ):
            if mine != theirs:
                raise MismatchError(
                    f"The export is of another {what} ({theirs}, here {mine}).",
                    remedy="Give the sealed.json of the export that the model was trained on, or export again.",
                )

    def unseal(self, names: Sequence[Any], dataset: Dataset, split: str) -> list[str]:
        """Give the ids of photos [N] that are called by their neutral names or by files of these names.

        Raises:
            MismatchError: the export is of another data set or split.
            DataError: a name is none of the export's; names it and its row.
        """
        self.require_of(dataset, split)
        known = self.images_by_name(dataset)
        out = []
        for row, name in enumerate(names):
            image = known.get(Path(str(name).replace("\\", "/")).name.split(".")[0])
            if image is None:
                raise DataError(
                    f"{str(name)!r} (row {row}, from 0) is not a photo of the export.",
                    remedy="Name photos as the exported files are called (photo-...).",
                )
            out.append(image)
        return out


def new_salt() -> str:
    """Draw a salt of 32 hex digits."""
    return secrets.token_hex(16)


def neutral_names(dataset: Dataset, salt: str) -> list[str]:
    """Name N photos so that neither the name nor its place in the order says anything of the photo."""
    key = bytes.fromhex(salt)
    pairs = zip(dataset.image_ids.tolist(), dataset.contents.tolist(), strict=True)
    return [f"photo-{blake2b(f'{i}/{c}'.encode(), key=key, digest_size=10).hexdigest()}" for i, c in pairs]


def read_sealed(path: Path) -> SealedFolds:
    """Read sealed.json, given by its path or its folder. Raises UsageError where there is none, DataError if broken."""
    file = path / SEALED if path.is_dir() else path
    if not file.is_file():
        raise UsageError("There is no sealed.json.", file=file, remedy="hoego folds export writes one.")
    try:
        return SealedFolds.model_validate(files.read_json(file))
    except ValidationError as problem:
        first = problem.errors()[0]
        column = ".".join(map(str, first["loc"]))
        raise DataError(
            str(first["msg"]), file=file, column=column, remedy="Export the folds again."
        ) from None
