"""What `hoego init` does: look at a folder or a table, and propose a commented hoego.toml."""

from __future__ import annotations

import os
from pathlib import Path
from typing import ClassVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hoego import files
from hoego.data.encode import encode_labels
from hoego.data.images import is_photo
from hoego.data.proposals.commented_toml import InferredSetting, Settings, TomlWriter
from hoego.data.proposals.competition_proposal import competition_proposal
from hoego.data.proposals.draft import Draft
from hoego.data.proposals.find_tables import Tables, find_tables, names_of
from hoego.data.proposals.folder_proposal import folder_proposal
from hoego.data.proposals.photo_size import typical_size
from hoego.data.proposals.table_proposal import columns_of, no_label, table_proposal
from hoego.data.readers import competition, read_layout
from hoego.data.readers.passed_over import passed_over
from hoego.data.readers.raw_table import RawTable
from hoego.errors import DataError, UsageError
from hoego.recipe import Recipe
from hoego.results.base import Result

SMALL = 5_000
"""Below so many photos K folds are proposed, that every photo may be scored; above, one held-out side."""


class Proposal(Result):
    """What hoego.toml would say.

    Args:
        root: absolute folder of the photos.
        settings: section -> key -> value, as a recipe takes them (without dataset.root).
        inferences: in the order of the file.
        images: photos found.
    """

    TITLE: ClassVar[str] = "Proposed hoego.toml"
    DERIVED: ClassVar[tuple[str, ...]] = ("layout",)

    root: Path
    settings: Settings
    inferences: tuple[InferredSetting, ...]
    images: int

    def recipe(self) -> Recipe:
        """Return the proposal as a Recipe."""
        data = {k: dict(v) for k, v in self.settings.items()}
        data["dataset"]["root"] = str(self.root)
        return Recipe.model_validate(data)

    def text(self, folder: Path) -> str:
        """Return the commented hoego.toml, as it would lie in `folder`."""
        return TomlWriter(self.settings, self.inferences, self.images).text(self.root, folder)

    @property
    def layout(self) -> str:
        """How the photos lie: `dataset.layout`."""
        return str(self.settings["dataset"]["layout"])


def propose(path: Path | str) -> Proposal:
    """Propose settings for a folder of photos, or for a table that lists them.

    Raises:
        DataError: there is no such folder or table, no photo in it, or no label could be found for the photos.
    """
    path = Path(os.path.abspath(path))
    if not path.exists():
        raise DataError("There is no such folder or table.", file=path, remedy="Check the path.")
    known = path.is_dir() and competition.train_folder(path) is not None
    draft = competition_proposal(path) if known else _draft(path)
    for unread in passed_over(draft.root):
        draft.pass_over(unread.said, unread.remedy)
    raw = _checked(draft)
    _size(draft, raw)
    _split(draft, raw)
    return Proposal(
        root=draft.root,
        settings=draft.settings(),
        inferences=tuple(draft.inferences),
        images=0 if raw is None else raw.rows.height,
    )


def _draft(path: Path) -> Draft:
    """Draft from the best table that labels the photos, else from folders and names."""
    tables = find_tables(path)
    failure: DataError | None = None
    for k, found in enumerate(tables.labelled):
        columns = columns_of(found)
        if columns.attributes or columns.several.columns:
            draft = table_proposal(found, columns)
            rest = [t for t in tables.labelled if t is not found]
            for name in names_of(rest, draft.root):
                draft.pass_over(
                    name, "it names photos, too: one table is read; join them into one to use both"
                )
            break
        failure = failure or no_label(found, columns)
        if k == len(tables.labelled) - 1:
            draft = _without_table(path, tables, failure)
    if not tables.labelled:
        draft = _without_table(path, tables, None)
    for name, why in tables.others.items():
        draft.pass_over(name, why)
    return draft


def _without_table(path: Path, tables: Tables, failure: DataError | None) -> Draft:
    """Draft from folders or names; if they say nothing either, raise what was wrong with the table."""
    if path.is_file():
        why = next(iter(tables.others.values()), "")
        raise failure or DataError(
            f"No column of this table names photos: {why}.",
            file=path,
            remedy="Add a column 'path' with the photos' paths below the table's folder.",
        )
    said = [f"{name}: {why}" for name, why in tables.others.items()]
    said += [f"{u.said}. {u.remedy}" for u in passed_over(path)]
    try:
        draft = folder_proposal(path, said)
    except DataError:
        if failure is not None:
            raise failure from None
        raise
    for found in tables.labelled:
        reason = "none of its columns looks like a label"
        draft.pass_over(found.table.path.name, reason)
    return draft


def write_proposal(proposal: Proposal, path: Path | str, *, force: bool = False) -> Path:
    """Write the proposal as a TOML file and returns its path.

    Raises:
        UsageError: the file exists and `force` is not set.
    """
    path = Path(os.path.abspath(path))
    if path.exists() and not force:
        raise UsageError("The file exists already.", file=path, remedy="Add --force to replace it.")
    files.write_text(path, proposal.text(path.parent))
    return path


def _checked(draft: Draft) -> RawTable | None:
    """Load the data with the proposed settings; add to the proposal what prevents it, and do not raise."""
    data = {**draft.settings(), "dataset": {**draft.dataset, "root": str(draft.root)}}
    recipe = Recipe.model_validate(data)
    try:
        raw = read_layout(recipe.dataset, recipe.labels)
        schema, codes, _ = encode_labels(raw)
    except DataError as error:
        draft.infer("problem", "the data cannot be read yet", "problem", str(error).replace("\n", " "))
        return None
    if schema.target == "composite" and draft.dataset["layout"] != "competition":
        lonely = _lonely(raw, schema.target_codes(codes))
        if lonely > 0.3:
            first = schema.names[0]
            draft.labels = {"target": first, "attributes": draft.labels["attributes"]}
            draft.inferences = [i for i in draft.inferences if i.what != "target"]
            why = f"the first attribute; {lonely:.0%} of the photos are of a composite class that one subject alone has"
            names = ", ".join(schema.names)
            draft.infer("target", first, "unsure", why, f"Which is to be predicted (labels.target): {names}?")
            return raw
        combinations = len({tuple(row) for row in codes.tolist() if min(row) >= 0})
        possible = schema.n_target_classes
        if combinations < possible:
            draft.labels["sparse"] = True
            draft.infer("sparse", "true", "likely", f"{combinations} of {possible} combinations occur")
    return raw


def _lonely(raw: RawTable, classes: NDArray[np.int32]) -> float:
    """Return the share of photos whose class only one subject has; 0 if subjects are not known."""
    if not raw.subject_columns:
        return 0.0
    table = pl.DataFrame({"c": classes, "s": raw.rows[raw.subject_columns[0]]})
    held_by = table.select(pl.col("s").n_unique().over("c"))["s"].to_numpy()
    return float((held_by < 2).mean())


def _size(draft: Draft, raw: RawTable | None) -> None:
    paths = [] if raw is None else [raw.root / p for p in raw.rows["path"].to_list()]
    size, certainty, reason = typical_size([p for p in paths if is_photo(p)])
    if certainty == "sure":
        draft.dataset["size"] = list(size)
        draft.infer("size", f"{size[0]} x {size[1]}", certainty, reason)
    else:
        draft.infer("size", "chosen by each training", certainty, f"{reason}; dataset.size fixes it")


def _split(draft: Draft, raw: RawTable | None) -> None:
    if raw is None:
        draft.split |= {"kind": "folds", "folds": 5}
        draft.infer("split", "5 folds", "unsure", "the photos cannot be counted yet")
        return
    n = raw.rows.height
    if n >= SMALL:
        draft.split |= {"kind": "holdout", "ratio": 0.2}
        draft.infer(
            "split", "holdout", "likely", f"{n:,} photos: a fifth of the subjects is enough to score on"
        )
        return
    subjects = n
    if raw.subject_columns:
        subjects = raw.rows[raw.subject_columns[0]].n_unique()
    folds = max(2, min(5, subjects))
    draft.split |= {"kind": "folds", "folds": folds}
    draft.infer(
        "split", f"{folds} folds", "likely", f"{n:,} photos are few: with --fold all every one is scored"
    )
