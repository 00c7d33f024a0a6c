"""Make a Split of a Dataset."""

from __future__ import annotations

import numpy as np

from hoego.data.dataset import Dataset
from hoego.errors import SplitError, nearest
from hoego.recipe import SplitSettings
from hoego.split.assign import assign_folds, assign_holdout
from hoego.split.plan import Split
from hoego.split.prove import SplitTerms, by_image_id, proved_split, strata_of


def make(dataset: Dataset, settings: SplitSettings | None = None) -> Split:
    """Make the split of a data set that the settings describe, and verify it.

    The naive kind divides photos instead; identical photos stay on one side even then, so that what it measures is the
    leak through subjects and not through copies.

    Raises:
        SplitError: fewer subjects than folds, no labels, an unknown attribute to balance.
    """
    settings = settings or SplitSettings()
    dataset = by_image_id(dataset)
    if not dataset.labelled or (dataset.target < 0).all():
        raise SplitError("A set without labels cannot be split.", remedy="Split the labelled photos.")
    known = dataset.schema.columns()
    for name in settings.stratify:
        if name not in known:
            raise SplitError(
                f"split.stratify names {name!r}, which is not an attribute.", remedy=nearest(name, known)
            )
    strata = list(strata_of(dataset, settings.stratify).values())
    if settings.kind == "folds":
        n_folds, ratio = settings.folds, 1.0 / settings.folds
        fold = assign_folds(dataset.subject_index, strata, n_folds, settings.seed)
    else:
        n_folds, ratio = 1, settings.ratio
        groups = dataset.subject_index
        if settings.kind == "naive":
            groups = np.unique(dataset.contents, return_inverse=True)[1].astype(np.int32)
        fold = assign_holdout(groups, strata, ratio, settings.seed)
    terms = SplitTerms(
        name=settings.name or default_name(settings),
        kind=settings.kind,
        seed=settings.seed,
        n_folds=n_folds,
        ratio=ratio,
        stratify=settings.stratify,
    )
    return proved_split(dataset, fold, terms)


def default_name(settings: SplitSettings) -> str:
    """Return the default name of a split: its kind, its number, what else it balances and its seed.

    >>> default_name(SplitSettings(kind="folds", folds=5, seed=3))
    'folds-5-seed3'
    """
    number = f"{settings.folds}" if settings.kind == "folds" else f"{settings.ratio:g}"
    return "-".join([settings.kind, number, *sorted(settings.stratify), f"seed{settings.seed}"])
