"""Files of published weights: what is on this machine, what was put into a folder, what a training starts from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from hoego.results.base import BriefResult, Content, Result


class WeightsFile(Result):
    """A file of published weights.

    Args:
        name: with the tag.
        place: where it was found, in words.
        file: its path.
        sha256: of the file, 64 hex digits.
        licence: SPDX name; "" where it is not stated.
    """

    name: str
    place: str
    file: str
    sha256: str
    licence: str


class WeightsListing(Result):
    """The weights on this machine, place by place.

    Args:
        weights: one entry for each file.
        problems: files that are not what they say, in words.
    """

    TITLE: ClassVar[str] = "Published weights"

    weights: tuple[WeightsFile, ...]
    problems: tuple[str, ...] = ()


class WeightsFacts(WeightsFile):
    """One file of weights, with its configuration.

    Args:
        config: input_size, interpolation, mean, std, num_classes, as far as they are known.
        note: what must be said of the licence; "" for nothing.
    """

    FLAT: ClassVar[str] = "config"

    config: Mapping[str, Any] = Field(default_factory=dict)
    note: str = ""

    def _arranged(self, content: Content) -> Content:
        own = {k: v for k, v in content.items() if k in WeightsFile.model_fields}
        note = {"note": self.note} if self.note else {}
        return {**own, **{k: v for k, v in content.items() if k not in own and k != "note"}, **note}


class ShelvedWeights(Result):
    """Weights that lie in a folder of weights now.

    Args:
        name: with the tag.
        folder: NAME.TAG, which holds the file, its config.json and its lock.
        sha256: of the file.
        licence: SPDX name; "" where it is not stated.
    """

    name: str
    folder: Path
    sha256: str
    licence: str


class UsedPreprocessing(Result):
    """How photos reach a model: what a recipe leaves open is taken from the weights.

    Args:
        size: height and width in pixels.
        interpolation: resampling filter.
        mean, std: of each channel, in [0, 1].
    """

    size: tuple[int, int] | None = None
    interpolation: str | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None


class StartingWeights(BriefResult):
    """What a training starts from, as its record holds it; the first five are "" without published weights.

    Args:
        name, place, file, sha256, licence: of the file (see `WeightsFile`).
        preprocessing: of the photos; None where an early record does not say.
        notes: what must be said: settings that contradict the weights, a licence.
        others: further facts, of other versions.
    """

    FLAT: ClassVar[str] = "others"

    name: str = ""
    place: str = ""
    file: str = ""
    sha256: str = ""
    licence: str = ""
    preprocessing: UsedPreprocessing | None = None
    notes: tuple[str, ...] = ()
    others: Mapping[str, Any] = Field(default_factory=dict)
