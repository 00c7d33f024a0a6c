"""`hoego.make_split`: a split by keywords."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import ValidationError

from hoego.data.dataset import Dataset
from hoego.errors import SplitError
from hoego.recipe import SplitSettings
from hoego.results.split import SplitKind
from hoego.split.make import default_name, make
from hoego.split.plan import Split


def make_split(
    dataset: Dataset,
    kind: SplitKind = "folds",
    *,
    folds: int = 5,
    ratio: float = 0.2,
    seed: int = 0,
    stratify: Sequence[str] = (),
) -> Split:
    """Make a split that holds out whole subjects and spreads the classes evenly, and verify it.

    Args:
        dataset: with labels.
        kind: "folds"; "holdout" (one held-out side); "naive" (by photo: it measures the leak and is never ranked).
        folds: K, for the kind folds.
        ratio: the share of the photos to hold out, for the other kinds.
        seed: of the assignment.
        stratify: attributes to spread evenly besides the target.

    Raises:
        SplitError: fewer subjects than folds, no labels, an unknown attribute, or a value out of range.

    >>> import numpy as np, tempfile
    >>> from pathlib import Path
    >>> from PIL import Image
    >>> from hoego import load_dataset
    >>> folder = Path(tempfile.mkdtemp())
    >>> for i in range(8):
    ...     Image.fromarray(np.full((8, 8, 3), 30 * i, np.uint8)).save(folder / f"{i}.png")
    >>> frame = {"path": [f"{i}.png" for i in range(8)], "who": list("aabbccdd"), "label": list("xyxyxyxy")}
    >>> split = make_split(load_dataset(frame, root=folder, subject="who", target="label"), folds=2)
    >>> train, test = split.indices(0)
    >>> len(train), len(test), split.guarantees.subjects_on_two_sides
    (4, 4, 0)
    """
    try:
        settings = SplitSettings(kind=kind, folds=folds, ratio=ratio, seed=seed, stratify=tuple(stratify))
    except ValidationError as error:
        found = error.errors()[0]
        name = str(found["loc"][0])
        raise SplitError(
            f"{name} = {found.get('input')!r}: {found['msg'][0].lower()}{found['msg'][1:]}.",
            remedy="`hoego settings split` lists each setting with its range.",
        ) from None
    return make(dataset, settings)


def settings_of(split: Split, join: tuple[tuple[str, ...], ...] = ()) -> SplitSettings:
    """Return the settings that make a split again.

    Args:
        split: made by `make` or loaded.
        join: lists of subjects that its data set merges into one.
    """
    by_folds = split.kind == "folds"
    plain = SplitSettings(
        kind=split.kind,
        folds=split.n_folds if by_folds else SplitSettings().folds,
        ratio=SplitSettings().ratio if by_folds else split.ratio,
        seed=split.seed,
        stratify=split.stratify,
        join=join,
    )
    return plain if split.name == default_name(plain) else plain.model_copy(update={"name": split.name})
