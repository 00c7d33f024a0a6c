"""Preprocessing: from a photo of any size to the uint8 pixels a model is fed, the same in training and test.

One frozen object serves training, validation and test and is saved with the run. Whatever is random belongs
to augmentation; whatever is here is a function of the photo (and of its box, where a crop file gives one).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

from hoego.data.images import Photo, named_errors, read_bytes, special_opener
from hoego.data.photo_pixels import Preprocessing
from hoego.errors import DataError, RecipeError, nearest

Box = tuple[float, float, float, float]
Fit = Literal["squash", "crop", "pad"]
Interpolation = Literal["bilinear", "bicubic", "lanczos", "box"]


@dataclass(frozen=True, kw_only=True)
class Preprocess:
    """Crop, then bring to one size. Pillow's resampling is integer arithmetic: equal on every machine.

    Args:
        size: (height, width) of the result, in pixels.
        fit: `squash` (the proportions give way), `crop` (the centre of the right proportions), or `pad` (all of the
            photo, black bars around it).
        interpolation: resampling filter, with antialiasing when shrinking.
        box: fixed crop (left, top, right, bottom) as shares of the photo's width and height; None: all of it.
        boxes: one box per image id, (x0, y0, x1, y1) in pixels of the upright photo; None for an image: its
            detector found nothing, so `box` applies to it. An image that is not listed is an error.
        draft: JPEGs that are to shrink to less than half may be decoded at 1/2, 3/8, 1/4 or 1/8, never below
            the resolution that the result needs.
    """

    size: tuple[int, int] = (224, 224)
    fit: Fit = "squash"
    interpolation: Interpolation = "bilinear"
    box: Box | None = None
    boxes: Mapping[str, Box | None] | None = field(default=None, hash=False)
    draft: bool = True

    def __post_init__(self) -> None:
        for name, allowed in (("fit", get_args(Fit)), ("interpolation", get_args(Interpolation))):
            if getattr(self, name) not in allowed:
                raise RecipeError(
                    f"{getattr(self, name)!r} is no {name}.",
                    remedy=nearest(str(getattr(self, name)), allowed),
                )
        if len(self.size) != 2 or min(self.size) < 1:
            raise RecipeError(f"size must be height and width of at least 1 pixel, not {list(self.size)}.")
        if self.box is not None:
            x0, y0, x1, y1 = self.box
            if not (0 <= x0 < x1 <= 1 and 0 <= y0 < y1 <= 1):
                raise RecipeError(
                    f"The crop box {list(self.box)} is not left, top, right, bottom as shares between 0 and 1."
                )

    @classmethod
    def from_settings(cls, settings: Any, base: Path) -> Preprocess:
        """Read the `[dataset]` section of a recipe; the crop file is relative to `base` (the file that names it)."""
        crop = settings.crop
        return cls(
            size=settings.size,
            fit=settings.fit,
            interpolation=settings.interpolation,
            box=crop.box,
            boxes=None if crop.file is None else read_boxes(base / crop.file),
        )

    def with_boxes(self, boxes: Mapping[str, Box | None] | None) -> Preprocess:
        """Return the same preprocessing for other photos: their boxes in place of these."""
        return replace(self, boxes=boxes)

    def box_of(self, image: str) -> Box | None:
        """Return the crop of one image. Raises DataError when there is a crop file and it does not list the image."""
        if self.boxes is None:
            return None
        try:
            return self.boxes[image]
        except KeyError:
            raise DataError(
                f"The crop file has no box for image {image!r}.",
                remedy="Give each image a row; leave its four cells blank where the detector found nothing.",
            ) from None

    @property
    def steps(self) -> Preprocessing:
        """The same for photos without boxes of their own, as it is exported with a model."""
        return Preprocessing(
            size=self.size, fit=self.fit, interpolation=self.interpolation, box=self.box, draft=self.draft
        )

    def load(self, path: Path | str, image: str | None = None) -> Photo:
        """Return pixels uint8 [H, W, 3] of a file; `image` is its id in the crop file."""
        return self.load_bytes(read_bytes(path), path, None if image is None else self.box_of(image))

    def load_bytes(self, data: bytes, name: Path | str, box: Box | None = None) -> Photo:
        """Return pixels uint8 [H, W, 3] from a file's bytes; `name` is for messages, `box` the image's own crop in
        pixels.
        """
        with named_errors(name):
            photo: Photo = self.steps(data, box, special_opener(name))
        return photo

    def apply(self, photo: Photo, box: Box | None = None, name: Path | str = "") -> Photo:
        """Return pixels uint8 [H, W, 3] of an upright photo uint8 [h, w, 3] decoded at full size."""
        with named_errors(name):
            shown: Photo = self.steps.apply(photo, box)
        return shown

    @property
    def fingerprint(self) -> str:
        """16 hex digits over every setting; whether boxes are used, not which (each photo's box is its own matter)."""
        return self.steps.fingerprint(self.boxes is not None)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON types, as they are saved with a run."""
        boxes = self.boxes
        listed = (
            None if boxes is None else {k: None if v is None else list(v) for k, v in sorted(boxes.items())}
        )
        return self.steps.settings() | {"boxes": listed, "fingerprint": self.fingerprint}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Preprocess:
        """Read what `to_dict` gives."""
        boxes = data["boxes"]
        return cls(
            size=tuple(data["size"]),
            fit=data["fit"],
            interpolation=data["interpolation"],
            box=None if data["box"] is None else tuple(data["box"]),
            boxes=None if boxes is None else {k: None if v is None else tuple(v) for k, v in boxes.items()},
            draft=data["draft"],
        )


def read_boxes(path: Path) -> dict[str, Box | None]:
    """Return a crop file: CSV, TSV or Parquet with the columns image, x0, y0, x1, y1 (pixels of the upright photo).

    Four blank cells mean that the detector found nothing.

    Raises:
        DataError: a column is missing, a number is none, a box is empty or an image is listed twice.
    """
    from hoego.data.readers.tables import read_table  # here, so that decoding processes start without polars

    table = read_table(path)
    table.require("image", "x0", "y0", "x1", "y1")
    boxes: dict[str, Box | None] = {}
    for k, row in enumerate(table.frame.select("image", "x0", "y0", "x1", "y1").iter_rows()):
        image, cells = str(row[0]), row[1:]
        if image in boxes:
            raise DataError(f"Image {image!r} has two boxes.", file=path, row=table.line(k), column="image")
        if all(c is None or not str(c).strip() for c in cells):
            boxes[image] = None
            continue
        try:
            x0, y0, x1, y1 = (float(c) for c in cells)
        except (TypeError, ValueError):
            raise DataError(
                f"The box {list(cells)} is not four numbers.", file=path, row=table.line(k), column="x0"
            ) from None
        if not (x0 < x1 and y0 < y1):
            raise DataError(
                f"The box {[x0, y0, x1, y1]} is empty.", file=path, row=table.line(k), column="x0"
            )
        boxes[image] = (x0, y0, x1, y1)
    return boxes
