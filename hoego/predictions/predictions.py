"""Predictions per image and attribute, with provenance and without labels: what every score is computed from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from dataclasses import fields as fields_of
from pathlib import Path
from typing import Any, cast

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from hoego import files
from hoego.damage import parsing
from hoego.data.dataset import Dataset
from hoego.data.schema import COMPOSITE, LabelSchema
from hoego.errors import DataError, MismatchError, RecordError
from hoego.predictions.fields import PredictionFields
from hoego.predictions.frame_columns import class_values, read_frame
from hoego.predictions.html import predictions_html
from hoego.predictions.labels_alone import LABELS_ALONE, one_hot
from hoego.predictions.outside import HeldOut, held_out_fields
from hoego.predictions.parquet import read_fields, write_fields
from hoego.predictions.provenance import Provenance, RowProvenance, SubjectUniverse
from hoego.predictions.scale import Scale, require_probabilities, softmax
from hoego.predictions.whole_runs import WholeRun, WholeRuns
from hoego.split import Split
from hoego.split.sklearn_splitters import SubjectKFold


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Predictions:
    """Predictions of M models for N images; rows are found by image id, never by position.

    Args:
        images: ids [N], distinct.
        values: float32 [N, C] per attribute and, where the model gives it, for "composite".
        scale: whether each of `values` is logits or probabilities.
        schema: the label schema that names the classes.
        fold: int16 [N]: the fold in which the image was held out; -1 for new images.
        source: int32 [N]: position in `sources` of each row's source.
        sources: where rows come from.
        universe: the subjects over which the sources are recorded.
        dataset_fingerprint: of the data set of the images.
        split_fingerprint, split_kind: of the split that held them out; "" for new images.
        name: run id, or the name of a combination.
        lineage: ids of all runs behind the rows.
        whole: run -> all that it predicted, where rows of it were left out.
        notes: sentences to show beside every score of them.
    """

    images: NDArray[Any]
    values: Mapping[str, NDArray[np.float32]]
    scale: Mapping[str, Scale]
    schema: LabelSchema
    fold: NDArray[np.int16]
    source: NDArray[np.int32]
    sources: tuple[RowProvenance, ...]
    universe: SubjectUniverse
    dataset_fingerprint: str
    split_fingerprint: str = ""
    split_kind: str = ""
    name: str = ""
    lineage: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())
    whole: WholeRuns = field(default_factory=dict)

    def __post_init__(self) -> None:
        n = len(self.images)
        if len(set(self.images.tolist())) != n:
            raise DataError(f"Predictions {self.name!r} hold an image twice.", remedy="One row per image.")
        if not self.values:
            raise DataError(f"Predictions {self.name!r} hold no attribute.")
        if len(self.fold) != n or len(self.source) != n:
            raise DataError(f"Predictions {self.name!r}: fold and source need {n} rows.")
        if n and not (int(self.source.min()) >= 0 and int(self.source.max()) < len(self.sources)):
            raise DataError(f"Predictions {self.name!r}: a row names a source that is not there.")
        for name, array in self.values.items():
            want = (n, self.schema.n_classes(name))
            if array.shape != want:
                raise DataError(f"Predictions of {name!r} have the shape {array.shape}, not {want}.")
            if not np.isfinite(array).all():
                bad = self.images[~np.isfinite(array).all(axis=1)]
                raise DataError(
                    f"Predictions {self.name!r} of {name!r} are not finite for {len(bad)} images, such as {bad[0]!r}.",
                    remedy="The model diverged or the file is damaged; train again.",
                )
            if self.scale[name] == "probabilities":
                require_probabilities(name, array)

    def __repr__(self) -> str:
        """Show the rows and attributes in one line; a score needs labels, which predictions do not hold."""
        folds = len(np.unique(self.fold[self.fold >= 0]))
        held = f"held out in {folds} fold{'s' if folds != 1 else ''}" if folds else "new images"
        return f"Predictions({self.name!r}: {self.n_images:,} images, {', '.join(self.values)}, {held})"

    def _repr_html_(self) -> str:
        """Show the rows, where they come from and the predicted classes in a notebook; no score."""
        name = self.schema.target if self.has(self.schema.target) else self.attributes[0]
        return predictions_html(self._fields(), name, self.probabilities(name).argmax(axis=1))

    @classmethod
    def from_probabilities(
        cls,
        p: Any,
        images: Sequence[Any] | NDArray[Any],
        dataset: Dataset,
        split: Split | SubjectKFold,
        attribute: str | None = None,
        fold: int | None = None,
    ) -> Predictions:
        """Take the probabilities of a model that was trained outside Hoego; every score of them is marked `declared`.

        Args:
            p: [N, C], each row sums to 1, columns in the schema's order of classes; or a data frame of class columns,
                in any order.
            images: ids [N] of the photos, or their files.
            dataset: of the photos.
            split: by whose folds the models were trained; also the SubjectKFold that divided the rows.
            attribute: what is predicted; the target where None.
            fold: the fold that the model held out; None for rows of all folds, each made by its fold's model.

        Raises:
            LeakError: a photo was on the training side of the model that predicts it.
            DataError: a shape is wrong, a photo occurs twice or is unknown, or the values are not probabilities.
            MismatchError: held-out photos are missing, or the split is of another data set.

        >>> from hoego import make_split
        >>> from hoego.data.example import example_dataset
        >>> dataset = example_dataset()
        >>> split = make_split(dataset, folds=3)
        >>> p = np.full((dataset.n_images, 2), 0.5)
        >>> Predictions.from_probabilities(p, dataset.image_ids, dataset, split).attributes
        ('label',)
        """
        held_out = HeldOut.of(images, dataset, split, attribute, fold)
        return cls(**held_out_fields(class_values(p, held_out), images, held_out, "probabilities"))

    @classmethod
    def from_logits(
        cls,
        logits: Any,
        images: Sequence[Any] | NDArray[Any],
        dataset: Dataset,
        split: Split | SubjectKFold,
        attribute: str | None = None,
        fold: int | None = None,
    ) -> Predictions:
        """Take the logits of a model that was trained outside Hoego. Arguments and errors as `from_probabilities`."""
        held_out = HeldOut.of(images, dataset, split, attribute, fold)
        return cls(**held_out_fields(class_values(logits, held_out), images, held_out, "logits"))

    @classmethod
    def from_labels(
        cls,
        labels: ArrayLike,
        images: Sequence[Any] | NDArray[Any],
        dataset: Dataset,
        split: Split | SubjectKFold,
        attribute: str | None = None,
        fold: int | None = None,
    ) -> Predictions:
        """Take the classes [N] that a model predicted, by name or by number; each probability is then 0 or 1.

        Other arguments and errors as `from_probabilities`.

        >>> from hoego.data.example import example_dataset
        >>> dataset = example_dataset()
        >>> said = np.where(dataset.target == 0, "x", "y")
        >>> Predictions.from_labels(said, dataset.image_ids, dataset, SubjectKFold(3)).n_images
        48
        """
        held_out = HeldOut.of(images, dataset, split, attribute, fold)
        made = cls(**held_out_fields(one_hot(labels, held_out), images, held_out, "probabilities"))
        return replace(made, notes=(LABELS_ALONE,))

    @classmethod
    def from_frame(
        cls,
        frame: Any,
        dataset: Dataset,
        split: Split,
        attribute: str | None = None,
        fold: int | None = None,
        scale: Scale = "probabilities",
    ) -> Predictions:
        """Take a data frame with a column that names the photo and a column for each class, found by name.

        A frame of pandas may name the photos in its index, as AutoGluon's `predict_proba` does. Other arguments and
        errors as `from_probabilities`.
        """
        held_out = HeldOut(dataset=dataset, split=split, attribute=attribute, fold=fold)
        rows = read_frame(frame, held_out)
        return cls(**held_out_fields(rows.values, rows.images, held_out, scale))

    def named(self, name: str) -> Predictions:
        """Return the same rows under another name, as an ensemble of several needs them.

        The runs behind them stay known; predictions of a model that was trained outside Hoego have no other name yet.
        """
        unknown = any(s.outside for s in self.sources) and len(self.lineage) < 2
        return replace(self, name=name, lineage=(name,) if unknown else self.lineage or (name,))

    @property
    def provenance(self) -> Provenance:
        """The universe and the sources of the rows."""
        return Provenance(self.universe, self.sources)

    @property
    def n_images(self) -> int:
        """Number of rows N."""
        return len(self.images)

    @property
    def attributes(self) -> tuple[str, ...]:
        """The attributes with available probabilities, in the order of the schema."""
        inside = self.schema.composite if COMPOSITE in self.values else ()
        return tuple(a for a in self.schema.names if a in self.values or a in inside)

    def has(self, name: str) -> bool:
        """Return whether `probabilities(name)` is available."""
        if name in self.values:
            return True
        if name == COMPOSITE:
            return bool(self.schema.composite) and all(a in self.values for a in self.schema.composite)
        return COMPOSITE in self.values and name in self.schema.composite

    def probabilities(self, name: str) -> NDArray[np.float64]:
        """Return probabilities [N, C] of an attribute or of "composite".

        Where the model gives attributes alone, the composite is their product, over the combinations that exist
        and normalised there; where it gives the composite alone, an attribute is its marginal.

        Raises:
            MismatchError: the model does not predict it.
        """
        if name in self.values:
            array = self.values[name].astype(np.float64)
            return softmax(array) if self.scale[name] == "logits" else array
        if not self.has(name):
            raise MismatchError(
                f"Predictions {self.name!r} do not include {name!r}; they hold {', '.join(self.values)}.",
                remedy="Train a head for it, or compose it from several runs.",
            )
        if name == COMPOSITE:
            return self._product()
        joint = self.probabilities(COMPOSITE)
        codes = self.schema.combination_codes[:, self.schema.composite.index(name)]
        out = np.zeros((self.n_images, self.schema.n_classes(name)))
        for c in range(out.shape[1]):
            out[:, c] = joint[:, codes == c].sum(axis=1)
        return out

    def _product(self) -> NDArray[np.float64]:
        codes = self.schema.combination_codes
        joint = np.ones((self.n_images, len(codes)))
        for i, a in enumerate(self.schema.composite):
            joint *= self.probabilities(a)[:, codes[:, i]]
        total = joint.sum(axis=1, keepdims=True)
        uniform = np.full_like(joint, 1 / joint.shape[1])
        out: NDArray[np.float64] = np.divide(joint, total, out=uniform, where=total > 0)
        return out

    def target_probabilities(self) -> NDArray[np.float64]:
        """Return probabilities [N, C] of the target."""
        return self.probabilities(self.schema.target)

    def take(self, rows: NDArray[Any]) -> Predictions:
        """Return some of the rows, given as a mask [N] or as positions.

        What is left out is remembered: a score of the rest says so.
        """
        images = self.images[rows]
        shorter = len(images) < self.n_images and self.name not in self.whole and bool(self.attributes)
        return replace(
            self,
            whole={**self.whole, self.name: self._predicted()} if shorter else self.whole,
            images=images,
            values={k: v[rows] for k, v in self.values.items()},
            fold=self.fold[rows],
            source=self.source[rows],
        )

    def _predicted(self) -> WholeRun:
        label = self.schema.target if self.has(self.schema.target) else self.attributes[0]
        predicted = self.probabilities(label).argmax(axis=1).astype(np.int32)
        return WholeRun(label=label, images=self.images, predicted=predicted)

    def align(self, images: NDArray[Any]) -> Predictions:
        """Return the rows of `images`, in that order. Raises MismatchError naming images that have no row."""
        if len(images) == self.n_images and (self.images == images).all():
            return self
        where = {image: i for i, image in enumerate(self.images.tolist())}
        missing = [i for i in images.tolist() if i not in where]
        if missing:
            raise MismatchError(
                f"Predictions {self.name!r} lack {len(missing)} of {len(images)} images, such as {missing[0]!r}.",
                remedy="Compare runs on the same held-out images, or train --fold all.",
            )
        return self.take(np.asarray([where[i] for i in images.tolist()], dtype=np.int64))

    def with_values(self, values: Mapping[str, ArrayLike], scale: Scale, **changes: Any) -> Predictions:
        """Return the same rows with other numbers (and other fields, by name)."""
        arrays = {k: np.asarray(v, dtype=np.float32) for k, v in values.items()}
        return replace(self, values=arrays, scale=dict.fromkeys(arrays, scale), **changes)

    def write(self, path: Path) -> None:
        """Write one Parquet file: a row per image, a fixed-size list column per attribute, provenance in the metadata.

        The file appears whole or not at all.
        """
        write_fields(path, self._fields())

    @classmethod
    def read(cls, path: Path) -> Predictions:
        """Read what `write` wrote.

        Raises:
            RecordError: no such file, a damaged one, no provenance or no row in it, or it was changed after it was
                written.
        """
        fields, unchanged = read_fields(path)
        with parsing(path):
            made = cls(**fields)  # first: what is wrong with a value says more than that the file was changed
        if not unchanged:
            raise RecordError(
                "The predictions or their provenance were changed after they were written.",
                remedy="Restore the file, or make the predictions again.",
                file=path,
            )
        return made

    def _fields(self) -> PredictionFields:
        return cast(PredictionFields, {f.name: getattr(self, f.name) for f in fields_of(self)})

    def write_csv(self, path: Path) -> None:
        """Write a CSV of ids, the target's class and its probabilities, without provenance."""
        probabilities = self.target_probabilities()
        classes = self.schema.target_classes
        best = probabilities.argmax(axis=1)
        columns: dict[str, Any] = {
            "image": self.images,
            self.schema.target: [classes[i] for i in best.tolist()],
        }
        columns |= {f"p:{c}": probabilities[:, i].astype(np.float32) for i, c in enumerate(classes)}
        with files.writing(path) as temporary:
            pl.DataFrame(columns).write_csv(temporary)
