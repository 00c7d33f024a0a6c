"""Who an exported model has seen: hashes of photos' bytes and of subjects' names, no names.

The hashes of names are keyed by the run's id, so that lists of two models cannot be compared with each other by a
look. Somebody who guesses a name can still test the guess; keep the folder as you keep the list of people.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hoego import files
from hoego.errors import ParityError
from hoego.predictions import Provenance
from hoego.short_repr import ShortRepr

Hashes = NDArray[np.uint64]


@dataclass(frozen=True, eq=False, repr=False)
class SeenPhotos(ShortRepr):
    """The photos and subjects that the models of an export were trained on, or whose labels they were fitted to.

    Args:
        key: of the hashes of names.
        photos: sorted content hashes [n].
        people: sorted hashes of every name of every subject [m].
        n_subjects: how many subjects they are.
    """

    key: str
    photos: Hashes
    people: Hashes
    n_subjects: int

    @classmethod
    def of(cls, key: str, known: Provenance) -> SeenPhotos:
        """Collect what the models have seen."""
        universe, sources = known.universe, known.sources
        seen = np.logical_or.reduce([universe.no_subjects(), *(s.seen | s.seen_through for s in sources)])
        photos = [
            universe.images_of(s.seen | s.seen_through) if s.seen_images is None else s.seen_images
            for s in sources
        ]
        names = universe.names[seen].tolist()
        also = universe.aliases
        own = set(names)
        further = [
            k.partition("=")[2]
            for k, s in zip(also.keys.tolist(), also.subjects.tolist(), strict=True)
            if s in own
        ]
        return cls(
            key,
            np.unique(np.concatenate([np.empty(0, np.uint64), *photos])),
            np.unique(np.asarray([hash_of(key, n) for n in {*names, *further}], dtype=np.uint64)),
            int(seen.sum()),
        )

    def photo(self, content: int) -> bool:
        """Return whether a photo of this content hash was in training."""
        at = int(np.searchsorted(self.photos, np.uint64(content)))
        return at < len(self.photos) and int(self.photos[at]) == content

    def subjects(self, names: Iterable[str]) -> NDArray[np.bool_]:
        """Return which of n names are those of subjects in training [n]."""
        hashes = np.asarray([hash_of(self.key, n) for n in names], dtype=np.uint64)
        return np.isin(hashes, self.people)

    def write(self, path: Path) -> None:
        """Write the hashes as one .npz file."""
        with files.writing(path) as temporary, open(temporary, "wb") as stream:
            np.savez(
                stream,
                key=np.frombuffer(self.key.encode(), dtype=np.uint8),
                photos=self.photos,
                people=self.people,
                n_subjects=np.asarray(self.n_subjects),
            )

    @classmethod
    def read(cls, path: Path) -> SeenPhotos:
        """Read what `write` wrote. Raises ParityError where the file is damaged."""
        try:
            with np.load(path, allow_pickle=False) as data:
                key = data["key"].tobytes().decode()
                return cls(key, data["photos"], data["people"], int(data["n_subjects"]))
        except (OSError, ValueError, KeyError) as e:
            raise ParityError(f"The list of seen photos cannot be read: {e}", file=path) from None


def hash_of(key: str, name: str) -> int:
    """Return the keyed hash of a subject's name."""
    return int.from_bytes(blake2b(name.encode(), digest_size=8, key=key.encode()[:64]).digest(), "little")
