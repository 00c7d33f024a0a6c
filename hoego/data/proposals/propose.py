"""What `hoego init` does: look at a folder or a table, and propose a commented hoego.toml."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hoego.data.encode import encode_labels
from hoego.data.images import is_photo
from hoego.data.proposals.guess_columns import (
    TARGET_WORDS,
    Certainty,
    Columns,
    Guess,
    determines,
    guess_columns,
    words,
)
from hoego.data.proposals.guess_files import (
    FolderShape,
    find_labelled_table,
    folder_shape,
    subject_in_names,
    typical_size,
)
from hoego.data.proposals.toml_text import Inference, Settings, TomlWriter
from hoego.data.readers import competition, photos_below, read_layout
from hoego.data.readers.raw_table import RawTable
from hoego.errors import DataError, UsageError
from hoego.recipe import Recipe

SMALL = 5_000
"""Below so many photos K folds are proposed, that every photo may be scored; above, one held-out side."""


@dataclass(frozen=True)
class Proposal:
    """What hoego.toml would say.

    Args:
        root: absolute folder of the photos.
        settings: section -> key -> value, as a recipe takes them (without dataset.root).
        inferences: in the order of the file.
        n_images: photos found.
    """

    root: Path
    settings: Settings
    inferences: tuple[Inference, ...]
    n_images: int

    def recipe(self) -> Recipe:
        """The proposal as a Recipe."""
        data = {k: dict(v) for k, v in self.settings.items()}
        data["dataset"]["root"] = str(self.root)
        return Recipe.model_validate(data)

    def text(self, folder: Path) -> str:
        """The commented hoego.toml, as it would lie in `folder`."""
        return TomlWriter(self.settings, self.inferences, self.n_images).text(self.root, folder)

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "root": str(self.root),
            "images": self.n_images,
            "layout": self.settings["dataset"]["layout"],
            "inferences": [asdict(i) for i in self.inferences],
            "settings": self.settings,
        }


@dataclass
class _Draft:
    """A proposal in the making."""

    root: Path
    dataset: dict[str, Any] = field(default_factory=dict)
    labels: dict[str, Any] = field(default_factory=dict)
    split: dict[str, Any] = field(default_factory=dict)
    submission: dict[str, Any] = field(default_factory=dict)
    said: list[Inference] = field(default_factory=list)

    def say(self, what: str, value: object, certainty: str, reason: str) -> None:
        self.said.append(Inference(what, str(value), certainty, reason))

    def settings(self) -> Settings:
        sections = {
            "dataset": self.dataset, "labels": self.labels, "split": self.split, "submission": self.submission
        }  # fmt: skip
        return {name: dict(values) for name, values in sections.items() if values}


def propose(path: Path | str) -> Proposal:
    """Looks at a folder of photos, or at a table that lists them.

    Raises:
        DataError: there is no such folder or table, no photo in it, or no label could be found for the photos.
    """
    path = Path(os.path.abspath(path))
    if not path.exists():
        raise DataError("There is no such folder or table.", file=path, remedy="Check the path.")
    if path.is_dir() and competition.train_folder(path) is not None:
        draft = _competition(path)
    else:
        labelled = find_labelled_table(path)
        draft = _folders(path) if labelled is None else _table(*labelled)
    raw = _checked(draft)
    _size(draft, raw)
    _split(draft, raw)
    return Proposal(draft.root, draft.settings(), tuple(draft.said), 0 if raw is None else raw.rows.height)


def write_proposal(proposal: Proposal, path: Path | str, *, force: bool = False) -> Path:
    """Writes the proposal as a TOML file and returns its path.

    Raises:
        UsageError: the file exists and `force` is not set.
    """
    path = Path(os.path.abspath(path))
    if path.exists() and not force:
        raise UsageError("The file exists already.", file=path, remedy="Add --force to replace it.")
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        new.write_text(proposal.text(path.parent), encoding="utf-8")
        os.replace(new, path)
    finally:
        new.unlink(missing_ok=True)
    return path


def _competition(root: Path) -> _Draft:
    draft = _Draft(root, {"layout": "competition"})
    draft.say("layout", "competition", "sure", "train/images/{id}_{gender}_{race}_{age}/ is there")
    draft.say("subject", "id", "sure", "seven photos of each person; ids that occur with two folders are one")
    draft.labels |= {"target": "composite", "composite": ["mask", "gender", "age"]}
    draft.labels["attributes"] = {
        "mask": {"kind": "nominal", "classes": ["wear", "incorrect", "normal"]},
        "gender": {"kind": "nominal", "classes": ["male", "female"]},
        "age": {"kind": "binned", "edges": [30, 60]},
    }
    draft.say("attribute mask", "nominal", "sure", "from the photo's name: mask1-5, incorrect_mask, normal")
    draft.say("attribute gender", "nominal", "sure", "from train.csv or the folder's name")
    draft.say(
        "attribute age",
        "binned",
        "sure",
        "from train.csv or the folder's name; under 30, 30 to 59, 60 and over",
    )
    draft.say("target", "composite", "sure", "6*mask + 3*gender + age, as the competition has it")
    if (root / "eval" / "info.csv").is_file():
        draft.dataset["unlabelled"] = "eval"
        draft.submission["info"] = "eval/info.csv"
        draft.say("unlabelled", "eval", "sure", "eval/info.csv lists the photos to submit")
    return draft


def _table(root: Path, table: Path, path_column: str, frame: pl.DataFrame, certainty: Certainty) -> _Draft:
    draft = _Draft(root)
    name = os.path.relpath(table, root)
    draft.dataset |= {"layout": "table", "table": name, "path": path_column}
    draft.say("layout", f"table {name}", certainty, f"its column {path_column!r} names photos")
    columns = guess_columns(frame, [path_column])
    if not columns.attributes:
        raise DataError(
            "No column looks like a label.",
            file=table,
            remedy="Add one column per attribute. Left out: "
            + "; ".join(f"{c} ({why})" for c, why in columns.others.items()),
        )
    _subject(draft, columns, frame, path_column)
    _labels(draft, columns.attributes, frame)
    for column, why in columns.others.items():
        draft.say(f"column {column}", "no label", "likely", why)
    _test_set(draft, table, path_column)
    return draft


def _subject(draft: _Draft, columns: Columns, frame: pl.DataFrame, path_column: str) -> None:
    if columns.subject is not None:
        draft.dataset["subject"] = [columns.subject]
        draft.say("subject", columns.subject, columns.subject_certainty, columns.subject_reason)
        return
    labels = [frame[a.column].cast(pl.String).fill_null("").to_list() for a in columns.attributes]
    _subject_by_name(draft, frame[path_column].cast(pl.String).to_list(), labels, columns.subject_reason)


def _subject_by_name(
    draft: _Draft, paths: Sequence[str], labels: Sequence[Sequence[str]], otherwise: str
) -> None:
    found = subject_in_names(paths, labels)
    if found is None:
        draft.say("subject", "none", "unsure", otherwise)
        return
    regex, certainty, reason = found
    draft.dataset["subject_regex"] = regex
    draft.say("subject", regex, certainty, reason)


def _labels(draft: _Draft, attributes: Sequence[Guess], frame: pl.DataFrame) -> None:
    draft.labels["attributes"] = {a.name: _attribute(draft, a) for a in attributes}
    texts = {a.column: frame[a.column].cast(pl.String) for a in attributes}
    if len(attributes) == 1:
        draft.labels["target"] = attributes[0].name
        draft.say("target", attributes[0].name, "sure", "there is no other attribute")
        return
    plain = [a for a in attributes if a.kind != "binned" and not a.missing]
    rulers = [a for a in plain if all(b is a or (b in plain and determines(texts, a, b)) for b in attributes)]
    if rulers:
        rest = ", ".join(b.name for b in attributes if b is not rulers[0])
        draft.labels["target"] = rulers[0].name
        draft.say("target", rulers[0].name, "likely", f"it determines {rest}")
        return
    named = [a for a in attributes if set(words(a.column)) & TARGET_WORDS]
    if len(named) == 1:
        draft.labels["target"] = named[0].name
        draft.say("target", named[0].name, "likely", "by its name; the others are attributes beside it")
        return
    draft.labels |= {"target": "composite", "composite": [a.name for a in attributes]}
    draft.say(
        "target", "composite", "likely", f"the class is made of {', '.join(a.name for a in attributes)}"
    )


def _attribute(draft: _Draft, a: Guess) -> dict[str, Any]:
    out: dict[str, Any] = {} if a.column == a.name else {"column": a.column}
    out["kind"] = a.kind
    if a.kind == "binned":
        out["edges"] = [int(e) if e.is_integer() else e for e in a.edges]
    elif len(a.classes) <= 30:
        out["classes"] = list(a.classes)
    if a.missing:
        out["missing"] = "allow"
    blank = "; it has blanks, which are masked" if a.missing else ""
    draft.say(f"attribute {a.name}", a.kind, a.certainty, a.reason + blank)
    return out


def _test_set(draft: _Draft, table: Path, path_column: str) -> None:
    """A sister table that names photos but not their labels, or a test folder that the table does not mention."""
    likely = ("test", "eval", "unlabel", "predict", "submission")
    found = []
    for other in sorted(table.parent.iterdir()):
        rank = next((k for k, word in enumerate(likely) if word in other.stem.lower()), None)
        listed = other.is_file() and other.suffix.lower() in (".csv", ".tsv", ".parquet")
        if rank is not None and other != table and (listed or (other.is_dir() and photos_below(other))):
            found.append((not listed, rank, os.path.relpath(other, draft.root)))
    if found:
        draft.dataset["unlabelled"] = min(found)[2]
        draft.say("unlabelled", min(found)[2], "likely", "by its name it is the test set")


def _folders(root: Path) -> _Draft:
    if root.is_file():
        raise DataError("No column of this table names photos.", file=root, remedy="Add a column 'path'.")
    paths = photos_below(root)
    if not paths:
        raise DataError(
            "There is neither a photo nor a table in it.", file=root, remedy="Name the folder of the photos."
        )
    shape = folder_shape(paths)
    if shape is None:
        raise DataError(
            f"{len(paths):,} photos, but nothing says what they show: no class folders and no table.",
            file=root,
            remedy="Sort them into one folder per class, or write a CSV of path, subject and label.",
        )
    draft = _Draft(root, {"layout": "folders", "pattern": shape.pattern})
    draft.say("layout", "folders", shape.certainty, shape.reason)
    _parts(draft, shape)
    frame = pl.DataFrame(shape.values)
    attributes = guess_columns(frame, [c for c in frame.columns if c not in shape.labels]).attributes
    if not attributes:
        raise DataError("All photos are in one class folder.", file=root, remedy="Name the folder above it.")
    if shape.subject is not None:
        draft.dataset["subject"] = [shape.subject]
        draft.say("subject", shape.subject, "likely", "each class folder holds a folder for each")
    else:
        columns = [frame[a.column].to_list() for a in attributes]
        _subject_by_name(
            draft,
            shape.paths,
            columns,
            "nothing in the file names looks like one, so each photo counts as its own subject",
        )
    _labels(draft, attributes, frame)
    return draft


def _parts(draft: _Draft, shape: FolderShape) -> None:
    """Folders called train, val and test above the class folders."""
    if not shape.parts:
        return
    draft.say(
        "parts",
        ", ".join(shape.parts),
        "sure",
        "Hoego makes its own split, of the photos outside the test folder",
    )
    if shape.test is not None:
        draft.dataset["exclude"] = [f"{shape.test}/*"]
        draft.dataset["unlabelled"] = shape.test
        draft.say("unlabelled", shape.test, "likely", "kept apart as the test set")


def _checked(draft: _Draft) -> RawTable | None:
    """Reads what was proposed; what stands in the way is said, not raised."""
    data = {**draft.settings(), "dataset": {**draft.dataset, "root": str(draft.root)}}
    recipe = Recipe.model_validate(data)
    try:
        raw = read_layout(recipe.dataset, recipe.labels)
        schema, codes, _ = encode_labels(raw)
    except DataError as error:
        draft.say("problem", "the data cannot be read yet", "problem", str(error).replace("\n", " "))
        return None
    if schema.target == "composite" and draft.dataset["layout"] != "competition":
        lonely = _lonely(raw, schema.target_codes(codes))
        if lonely > 0.3:
            first = schema.names[0]
            draft.labels = {"target": first, "attributes": draft.labels["attributes"]}
            draft.said = [i for i in draft.said if i.what != "target"]
            why = f"the first attribute; {lonely:.0%} of the photos are of a composite class that one subject alone has"
            draft.say("target", first, "unsure", why)
            return raw
        combinations = len({tuple(row) for row in codes.tolist() if min(row) >= 0})
        possible = schema.n_target_classes
        if combinations < possible:
            draft.labels["sparse"] = True
            draft.say("sparse", "true", "likely", f"{combinations} of {possible} combinations occur")
    return raw


def _lonely(raw: RawTable, classes: NDArray[np.int32]) -> float:
    """Share of the photos whose class is held by one subject alone; 0 where subjects are not known."""
    if not raw.subject_columns:
        return 0.0
    table = pl.DataFrame({"c": classes, "s": raw.rows[raw.subject_columns[0]]})
    held_by = table.select(pl.col("s").n_unique().over("c"))["s"].to_numpy()
    return float((held_by < 2).mean())


def _size(draft: _Draft, raw: RawTable | None) -> None:
    paths = [] if raw is None else [raw.root / p for p in raw.rows["path"].to_list()]
    size, certainty, reason = typical_size([p for p in paths if is_photo(p)])
    draft.dataset["size"] = list(size)
    draft.say("size", f"{size[0]} x {size[1]}", certainty, reason)


def _split(draft: _Draft, raw: RawTable | None) -> None:
    n = SMALL if raw is None else raw.rows.height
    if n >= SMALL:
        draft.split |= {"kind": "holdout", "ratio": 0.2}
        draft.say(
            "split", "holdout", "likely", f"{n:,} photos: a fifth of the subjects is enough to score on"
        )
        return
    subjects = n
    if raw is not None and raw.subject_columns:
        subjects = raw.rows[raw.subject_columns[0]].n_unique()
    folds = max(2, min(5, subjects))
    draft.split |= {"kind": "folds", "folds": folds}
    draft.say(
        "split", f"{folds} folds", "likely", f"{n:,} photos are few: with --fold all every one is scored"
    )
