"""The held-out photos of an export: hashes, labels and predictions of the run; no names and no pixels.

With it another machine repeats the whole comparison, and a service knows what its answers are to look like.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hoego import files
from hoego.data.schema import LabelSchema
from hoego.errors import ParityError
from hoego.predictions import Predictions, RowProvenance, SubjectUniverse
from hoego.short_repr import ShortRepr

TRUTH, PROBABILITY, HONEST = "truth.", "p.", "held_out."


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class ReferencePhotos(ShortRepr):
    """N held-out photos.

    Args:
        content: hash of each file's bytes, uint64 [N].
        pixels: hash of each photo's preprocessed pixels, 16 hex digits [N].
        fold: in which each was held out, int16 [N]; -1 where the exported model has seen it (a refit).
        subject: a number for each photo's subject, int32 [N].
        codes: labels, int16 [N, A]; -1 where missing.
        values: probabilities float32 [N, C] by head, of the model that held the photo out; of a refit: its own.
        honest: of a refit, probabilities [N, C] of the run's models that held the photo out; else {}.
        brightness: mean of the pixels, 0 to 1 [N].
        sharpness: see `sharpness_of` [N].
    """

    content: NDArray[np.uint64]
    pixels: NDArray[np.str_]
    fold: NDArray[np.int16]
    subject: NDArray[np.int32]
    codes: NDArray[np.int16]
    values: Mapping[str, NDArray[np.float32]]
    honest: Mapping[str, NDArray[np.float32]]
    brightness: NDArray[np.float32]
    sharpness: NDArray[np.float32]

    @property
    def n_images(self) -> int:
        """The number of photos N."""
        return len(self.content)

    def take(self, rows: NDArray[np.intp]) -> ReferencePhotos:
        """Return some of the photos."""
        return ReferencePhotos(
            content=self.content[rows],
            pixels=self.pixels[rows],
            fold=self.fold[rows],
            subject=self.subject[rows],
            codes=self.codes[rows],
            values={h: v[rows] for h, v in self.values.items()},
            honest={h: v[rows] for h, v in self.honest.items()},
            brightness=self.brightness[rows],
            sharpness=self.sharpness[rows],
        )

    def honest_predictions(self, schema: LabelSchema) -> Predictions:
        """Return predictions of models that had not seen the photos: promises about new people rest on these alone."""
        return self.predictions(schema, self.honest or self.values)

    def predictions(self, schema: LabelSchema, values: Mapping[str, NDArray[np.float32]]) -> Predictions:
        """Return probabilities of these photos [N, C] by head as Predictions, which compose what heads do not say."""
        n = self.n_images
        universe = SubjectUniverse(np.empty(0, np.str_), np.empty(0, np.int32), np.empty(0, np.uint64))
        none = universe.no_subjects()
        return Predictions(
            images=np.arange(n).astype(np.str_),
            values=dict(values),
            scale=dict.fromkeys(values, "probabilities"),
            schema=schema,
            fold=self.fold,
            source=np.zeros(n, np.int32),
            sources=(RowProvenance(name="reference", seen=none, seen_through=none, selected=none),),
            universe=universe,
            dataset_fingerprint="",
        )

    def write(self, path: Path, schema: LabelSchema) -> None:
        """Write one Parquet file."""
        columns: dict[str, object] = {
            "content": self.content,
            "pixels": self.pixels.tolist(),
            "fold": self.fold,
            "subject": self.subject,
            "brightness": self.brightness,
            "sharpness": self.sharpness,
        }
        columns |= {TRUTH + a: self.codes[:, i] for i, a in enumerate(schema.names)}
        for start, values in ((PROBABILITY, self.values), (HONEST, self.honest)):
            for head, array in values.items():
                kind = pl.Array(pl.Float32, array.shape[1])
                columns[start + head] = pl.Series(np.ascontiguousarray(array, np.float32), dtype=kind)
        with files.writing(path) as temporary:
            pl.DataFrame(columns).write_parquet(temporary)

    @classmethod
    def read(cls, path: Path, schema: LabelSchema) -> ReferencePhotos:
        """Read what `write` wrote. Raises ParityError where the file is missing or damaged."""
        try:
            table = pl.read_parquet(path, use_pyarrow=False)
            return cls(
                content=table["content"].to_numpy(),
                pixels=table["pixels"].to_numpy().astype(np.str_),
                fold=table["fold"].to_numpy(),
                subject=table["subject"].to_numpy(),
                codes=np.stack([table[TRUTH + a].to_numpy() for a in schema.names], axis=1),
                values=_arrays(table, PROBABILITY),
                honest=_arrays(table, HONEST),
                brightness=table["brightness"].to_numpy(),
                sharpness=table["sharpness"].to_numpy(),
            )
        except (OSError, pl.exceptions.PolarsError) as e:
            raise ParityError(
                f"The held-out reference cannot be read: {e}", file=path, remedy="Export the run again."
            ) from None


def _arrays(table: pl.DataFrame, start: str) -> dict[str, NDArray[np.float32]]:
    """Return the columns [N, C] whose names begin so, by the rest of the name."""
    names = [c for c in table.columns if c.startswith(start)]
    return {
        c.removeprefix(start): table[c].to_numpy().reshape(table.height, -1).astype(np.float32) for c in names
    }


def brightness_of(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the mean green of each photo, 0 to 1 [n], of uint8 [n, H, W, 3]."""
    return np.asarray(pixels[..., 1].mean(axis=(1, 2)) / 255, np.float32)


def sharpness_of(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the mean absolute difference of neighbouring pixels' green, 0 to 1 [n], of uint8 [n, H, W, 3]."""
    green = pixels[..., 1].astype(np.int16)
    across, down = np.abs(np.diff(green, axis=2)), np.abs(np.diff(green, axis=1))
    return np.asarray((across.mean(axis=(1, 2)) + down.mean(axis=(1, 2))) / 510, np.float32)


def scores_of(predictions: Predictions, schema: LabelSchema, codes: NDArray[np.int16]) -> dict[str, float]:
    """Return macro F1 and accuracy of the target, and the macro F1 of every attribute that is predicted.

    Args:
        predictions: N rows.
        schema: of the labels.
        codes: labels [N, A] in the order of the rows.
    """
    # Here, since the scores load scipy.stats, which takes a second, and a service computes none.
    from hoego.evaluate.score.formulas import macro_f1_score

    out: dict[str, float] = {}
    names = list(predictions.attributes)
    target = schema.target if predictions.has(schema.target) else names[0]
    for name in dict.fromkeys([target, *names]):
        truth = schema.class_codes(name, codes)
        decided = predictions.probabilities(name).argmax(axis=1)
        known = truth >= 0
        if not known.any():
            continue
        label = "macro F1" if name == target else f"macro F1 of {name}"
        out[label] = macro_f1_score(decided, truth, schema.n_classes(name))
        if name == target:
            out["accuracy"] = float((decided == truth)[known].mean())
    return out
