"""The order of an epoch: which photos, how often, in what sequence. A pure function of (seed, epoch)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hoego.errors import TrainError
from hoego.recipe.techniques import SamplingSettings
from hoego.train.counter import generator


def epoch_order(
    classes: NDArray[np.integer],
    settings: SamplingSettings,
    *,
    seed: int,
    epoch: int,
    epochs: int,
    subjects: NDArray[np.integer] | None = None,
) -> NDArray[np.int64]:
    """Draw the positions [N] of one epoch's photos, shuffled: as many as there are training photos.

    The expected number of draws of each photo is N times its weight (`weights`). Draws are systematic (Madow 1949)
    over photos in random order within subject within class: each photo is drawn the floor or the ceiling of its
    expectation, each class within one of its own. With equal weights every photo is drawn exactly once.

    Args:
        classes: int[N], the classes of `settings.by`; the photos at -1 (missing) keep their natural share.
        settings: the section `sampling`.
        seed: seed of the run.
        epoch: from 0.
        epochs: number of epochs (`progressive`).
        subjects: int[N]; needed with `per_subject`.

    Raises:
        TrainError: `per_subject` without subjects, or no photo at all.
    """
    n = len(classes)
    if n == 0:
        raise TrainError(
            "The training side has no photo.", remedy="Look at the split and at train_edits.drop."
        )
    random = generator("order", seed, epoch)
    if not _weighted(settings):
        return random.permutation(n)
    share = weights(classes, settings, epoch=epoch, epochs=epochs, subjects=subjects)
    shuffled = random.permutation(n)
    keys = [shuffled] if subjects is None else [shuffled, _shuffled_labels(subjects, random)]
    line = np.lexsort((*keys, classes))
    bounds = np.floor(np.cumsum(share[line]) * n + random.random() + 1e-9)
    draws = np.diff(bounds, prepend=0.0).astype(np.int64)
    drawn = np.repeat(line, draws)[:n]
    return random.permutation(np.concatenate([drawn, line[: n - len(drawn)]]))


def weights(
    classes: NDArray[np.integer],
    settings: SamplingSettings,
    *,
    epoch: int = 0,
    epochs: int = 1,
    subjects: NDArray[np.integer] | None = None,
) -> NDArray[np.float64]:
    """Compute the share [N] of an epoch's draws of each photo; sums to 1.

    The share of class c with n_c of N photos is proportional to n_c^(1 - strength): 0 draws photos equally, 1 classes,
    0.5 is square-root sampling (Kang et al. 2020, eq. 1 with q = 1 - strength). `progressive` moves linearly from
    photos (first epoch) to classes (last; their eq. 2). With `per_subject` a photo counts as 1 / (photos of its
    subject in its class) of a subject, so that subjects take the place of photos.
    """
    names, member = np.unique(classes, return_inverse=True)
    if settings.per_subject:
        if subjects is None:
            raise TrainError("sampling.per_subject needs the subject of every photo.")
        _, cell, sizes = np.unique(
            np.stack([member, subjects]), axis=1, return_inverse=True, return_counts=True
        )
        photo = 1.0 / sizes[cell.reshape(-1)]
    else:
        photo = np.ones(len(classes))
    mass = np.bincount(member, weights=photo)
    natural, balanced = mass / mass.sum(), np.full(len(mass), 1 / len(mass))
    if settings.kind == "progressive":
        done = epoch / max(epochs - 1, 1)
        wanted = (1 - done) * natural + done * balanced
    else:
        strength = {"none": 0.0, "square_root": 0.5}.get(settings.kind, settings.strength)
        wanted = natural ** (1 - strength)
    known = names >= 0
    wanted[known] *= natural[known].sum() / wanted[known].sum()
    wanted[~known] = natural[~known]
    return np.asarray(photo * (wanted / mass)[member], dtype=np.float64)


def _weighted(settings: SamplingSettings) -> bool:
    if settings.per_subject or settings.kind in ("square_root", "progressive"):
        return True
    return settings.kind == "oversample" and settings.strength > 0


def _shuffled_labels(labels: NDArray[np.integer], random: np.random.Generator) -> NDArray[np.int64]:
    _, codes = np.unique(labels, return_inverse=True)
    return random.permutation(int(codes.max()) + 1)[codes]
