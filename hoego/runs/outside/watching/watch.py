"""`hoego.watch`: note which photos a training opens, and mark predictions of its model as witnessed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from hoego.data.dataset import Dataset
from hoego.data.spelling import pack_names
from hoego.errors import MismatchError, UsageError
from hoego.packed import pack_mask
from hoego.predictions import Predictions
from hoego.predictions.evidence import require_unopened, with_evidence
from hoego.results.evidence import Evidence, Gap
from hoego.runs.outside.sealed import SealedFolds, read_sealed
from hoego.runs.outside.watching.conclude import OpenedPhotos, changed_photos, gaps_before, opened_photos
from hoego.runs.outside.watching.inotify import available
from hoego.runs.outside.watching.listener import Listener, gap
from hoego.runs.outside.watching.places import Places, find_places
from hoego.split import Split

SMALLEST_PHOTO, SMALLEST_FILE = 64, 10_000
"""Bytes of the smallest photo that a container may hold (8 x 8, grey), and of the smallest container."""


class Watch:
    """Notes which photos of a data set any process of this machine opens while its `with` block runs.

    The block ends with a LeakError where a photo of the fold that is held out was opened. Evaluate and predict after
    the block. What the evidence proves and what not: docs/explanation/leaks.md.

    Args:
        dataset: of the photos.
        split: by which the model is trained.
        fold: that is held out.
        sealed: folder of the export (`hoego folds export`) that the training reads; its copies are watched too.
        to: where the evidence is written, for `hoego import --evidence`; None keeps it in memory.
    """

    def __init__(
        self,
        dataset: Dataset,
        split: Split,
        fold: int = 0,
        *,
        sealed: Path | str | None = None,
        to: Path | str | None = None,
    ) -> None:
        if split.dataset_fingerprint != dataset.fingerprint:
            raise MismatchError(
                f"The split {split.name!r} is of another data set ({split.dataset_fingerprint}, here "
                f"{dataset.fingerprint}).",
                remedy="Give the data set that the split was made for.",
            )
        self.dataset, self.split, self.fold = dataset, split, fold
        self.command: Sequence[str] = ()
        self.to = None if to is None else Path(to)
        self._held: NDArray[np.bool_] = split.val_mask(fold)[np.searchsorted(split.images, dataset.image_ids)]
        self._export = None if sealed is None else _folder_of(Path(sealed))
        self._sealed: SealedFolds | None = None
        if self._export is not None:
            self._sealed = read_sealed(self._export)
            self._sealed.require_of(dataset, split.fingerprint)
        self._evidence: Evidence | None = None

    @property
    def evidence(self) -> Evidence:
        """What was seen. Raises UsageError before the end of the watch."""
        if self._evidence is None:
            raise UsageError("The watch has not ended.", remedy="Ask for the evidence after the with block.")
        return self._evidence

    def witness(self, predictions: Predictions) -> Predictions:
        """Return predictions of the watched model, marked as witnessed where the evidence allows it.

        Raises:
            LeakError: a photo that they predict was opened during the training.
            UsageError: the training failed.
        """
        return with_evidence(predictions, [self.evidence], self.split)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        evidence = self.stop(finished=kind is None)
        if kind is None:
            require_unopened(evidence, self.fold, self.split)

    def start(self) -> None:
        """Begin to watch."""
        self._began, self._clock = datetime.now(UTC), time.monotonic()
        self._places, self._listener, self._early = Places([], {}), None, list[Gap]()
        if not available():
            message = "this system has no inotify, which notes the opening of files (Linux has it)"
            self._early = [gap("system", message, [], 1)]
            return
        self._places = find_places(self.dataset, self._export, self._sealed)
        held = {k for k, photo in enumerate(self._places.photos) if self._held[photo.row]}
        smallest = max(SMALLEST_FILE, SMALLEST_PHOTO * int(self._held.sum()))
        self._listener = Listener(self._places, held, smallest)
        self._listener.start()
        # After the watches are set: what is opened in between is seen by both or by one.
        self._early = list(gaps_before(self._places, held))

    def stop(self, *, finished: bool = True, gaps: Sequence[Gap] = ()) -> Evidence:
        """End the watch and return the evidence, which is written to `to`.

        Args:
            finished: whether the training ended without an error.
            gaps: what else was not watchable.
        """
        opened, found = OpenedPhotos(), [*self._early, *gaps]
        if self._listener is not None:
            self._listener.stop()
            opened = opened_photos(self._listener, self.dataset)
            found += [*self._listener.gaps, *opened.gaps]
            found += changed_photos(self._places, self._listener.held)
        self._evidence = self._conclude(opened, found, finished).sealed_up()
        if self.to is not None:
            self._evidence.write(self.to)
        return self._evidence

    def _conclude(self, opened: OpenedPhotos, gaps: list[Gap], finished: bool) -> Evidence:
        rows = np.array(sorted(opened.rows), dtype=np.int64)
        ids = self.dataset.image_ids
        mask = np.zeros(len(self.split.images), dtype=bool)
        mask[np.searchsorted(self.split.images, ids[rows])] = True
        leaked = rows[self._held[rows]]
        listener = self._listener
        if listener is not None and len(leaked) == len(rows):
            message = "no training photo was opened: the training read its pixels from elsewhere"
            gaps = [*gaps, gap("nothing read", message, [], 1)]
        return Evidence(
            dataset=self.dataset.fingerprint,
            split=self.split.fingerprint,
            split_name=self.split.name,
            fold=self.fold,
            command=tuple(self.command),
            started=self._began.isoformat(timespec="seconds"),
            seconds=round(time.monotonic() - self._clock, 3),
            finished=finished,
            folders=0 if listener is None else listener.folders,
            links=0 if listener is None else listener.links,
            sealed="" if self._sealed is None else self._sealed.salt,
            training=int((~self._held).sum()),
            held_out=int(self._held.sum()),
            training_opened=len(rows) - len(leaked),
            held_out_opened=tuple(ids[leaked].tolist()),
            copies={str(ids[r]): opened.names[r] for r in leaked.tolist() if r in opened.names},
            opened=pack_mask(mask),
            opened_digest=blake2b(pack_names(np.sort(ids[rows]).tolist()), digest_size=16).hexdigest(),
            other_files=0 if listener is None else len(listener.others),
            gaps=tuple(gaps),
            notes=self._notes(),
        )

    def _notes(self) -> tuple[str, ...]:
        if self._listener is None or not self._listener.links:
            return ()
        return (f"{self._listener.links:,} photos have further hard links and were watched by their inodes",)


def _folder_of(sealed: Path) -> Path:
    return sealed if sealed.is_dir() else sealed.parent
