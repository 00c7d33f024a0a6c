"""The parts of a score: estimates, classes, label spaces, optimism, and the summary in run.json."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from hoego.draw import ForestRow
from hoego.results.base import Content, MaybeFloat, NanFloat, Result, Upgrade, forest_row
from hoego.results.honesty import HonestyMark, ScoreHonesty, stated

LEVEL = 0.95
PART = "that of the score it is part of"


def _bare_number(content: Content) -> Content:
    """Read early summaries, which held a number alone in place of an estimate."""
    return {
        k: {"value": v} if isinstance(v, int | float) and k in _METRICS else v for k, v in content.items()
    }


def _honesty_of_flag(content: Content) -> Content:
    """Read early records, which held `honest` alone."""
    if "honesty" in content or "honest" not in content:
        return content
    return {**content, "honesty": "out-of-fold" if content["honest"] else "in-sample"}


def _marks_of_notes(content: Content) -> Content:
    """Read early scores, which had their marks in the notes alone."""
    notes = content.get("notes")
    if content.get("marks") or not isinstance(notes, list | tuple):
        return content
    marks = {mark: None for note in notes for start, mark in _NOTED.items() if str(note).startswith(start)}
    return {**content, "marks": [*marks]} if marks else content


_NOTED = {
    "independence not shown": HonestyMark.INDEPENDENCE_NOT_SHOWN,
    "external, stated, not provable": HonestyMark.EXTERNAL,
}
_METRICS = frozenset(
    ("macro_f1", "accuracy", "balanced_accuracy", "specificity", "qwk", "mae", "auroc", "log_loss")
)


class MetricEstimate(Result):
    """A number with its interval over subjects.

    Args:
        value: None where the data do not determine it.
        low, high: the interval; None where it cannot be given.
        level: its confidence level (0.95).
        standard_error: over subjects.
        note: why something is None.
    """

    HONESTY_OF: ClassVar[str] = PART

    value: MaybeFloat
    low: MaybeFloat = None
    high: MaybeFloat = None
    level: float = LEVEL
    standard_error: MaybeFloat = None
    note: str = ""

    def _intervals(self) -> list[ForestRow]:
        return [forest_row("value", self)]

    def _arranged(self, content: Content) -> Content:
        return content if self.note else {k: v for k, v in content.items() if k != "note"}

    def __str__(self) -> str:
        if self.value is None:
            return f"cannot say: {self.note}" if self.note else "cannot say"
        if self.low is None or self.high is None:
            return f"{self.value:.4f} (no interval{': ' + self.note if self.note else ''})"
        return f"{self.value:.4f} ({100 * self.level:g} % interval {self.low:.4f} to {self.high:.4f})"


class DefinedEstimate(MetricEstimate):
    """An estimate whose value is always defined, whether or not it has an interval."""

    value: float


class IntervalEstimate(Result):
    """A value that is always defined, with its interval at `level`: differences, gains, gaps."""

    HONESTY_OF: ClassVar[str] = PART

    value: float
    low: NanFloat
    high: NanFloat
    level: float = LEVEL

    def _intervals(self) -> list[ForestRow]:
        return [forest_row("value", self)]

    def named(self, name: str) -> dict[str, float]:
        """Return the same as a dictionary with the value under another key."""
        return {name: self.value, "low": self.low, "high": self.high}


class ClassScore(Result):
    """One class of a label space.

    Args:
        name: of the class.
        images, subjects: that hold it in the truth.
        predicted: images predicted to be of it.
        metrics: f1, sensitivity, specificity, precision, auroc.
    """

    HONESTY_OF: ClassVar[str] = PART
    FLAT: ClassVar[str] = "metrics"

    name: str
    images: int
    subjects: int
    predicted: int
    metrics: Mapping[str, MetricEstimate]

    def _intervals(self) -> list[ForestRow]:
        return _shares(self.metrics)


class LabelSpaceScore(Result):
    """The score of one label space: the target or an attribute, by photo or by subject.

    Args:
        name: attribute or "composite"; empty in score.json of early records, where it was the key alone.
        n_images: rows that were scored (subjects, when subjects vote).
        n_subjects: subjects behind them.
        n_missing: rows whose label is missing, left out.
        metrics: the table's metrics that apply.
        classes: one entry per class present in the truth.
        class_names: all classes of the space, in the order of the confusion matrix; () in early records.
        confusion: images [true class, predicted class], over all classes of the space.
        notes: what must be said beside the numbers.
    """

    HONESTY_OF: ClassVar[str] = PART
    FLAT: ClassVar[str] = "metrics"

    name: str = ""
    metrics: Mapping[str, MetricEstimate]
    n_images: int
    n_subjects: int
    n_missing: int
    classes: tuple[ClassScore, ...]
    class_names: tuple[str, ...] = ()
    confusion: tuple[tuple[int, ...], ...]
    notes: tuple[str, ...] = ()

    def _intervals(self) -> list[ForestRow]:
        return _shares(self.metrics)


class LabelsScore(Result):
    """The means over several labels, each an attribute of the classes no and yes.

    Args:
        labels: their names.
        macro_f1: mean over labels of the F1 of yes; labels that no scored photo has are left out.
        macro_auroc: mean over the labels that are there and absent among the scored photos.
    """

    HONESTY_OF: ClassVar[str] = PART

    labels: tuple[str, ...]
    macro_f1: MetricEstimate
    macro_auroc: MetricEstimate


class Optimism(Result):
    """What a chosen candidate is worth.

    Args:
        metric: by which it was chosen.
        plain: its score on the images that chose it.
        corrected: the expected score of what this choice yields, on new subjects.
        optimism: plain - corrected.
        standard_error: of the corrected score over resamples' Monte Carlo error only.
        chosen: the chosen candidate of each fold.
        n_candidates: M.
        resamples: R.
    """

    HONESTY_OF: ClassVar[str] = PART

    metric: str
    plain: NanFloat
    corrected: NanFloat
    optimism: NanFloat
    standard_error: NanFloat
    chosen: tuple[int, ...]
    n_candidates: int
    resamples: int

    def __str__(self) -> str:
        return (
            f"optimism {self.optimism:+.4f}: the best of {self.n_candidates} is expected to be worth "
            f"{self.corrected:.4f}, not {self.plain:.4f}"
        )


_SPACE_FIELDS = ("n_images", "n_subjects", "n_missing", "classes", "class_names", "confusion")
_NAMED_ELSEWHERE = ("name", "notes")


def _target_inside(content: Content) -> Content:
    """Read score.json, which holds the target's numbers beside the score's own; its name is the value of
    `target`.
    """
    if not isinstance(content.get("target"), str):
        return content
    own = {k: content[k] for k in content if k in Score.model_fields or k in Score.DERIVED}
    space = {k: v for k, v in content.items() if k not in own and k != "target_notes"}
    target = {**space, "name": content["target"], "notes": content.get("target_notes", ())}
    return {**own, "target": target}


def _named_by_key(content: Content) -> Content:
    """Read an early score.json, which named an attribute's score by its key alone."""
    out = dict(content)
    for group in ("attributes", "by_subject"):
        if isinstance(out.get(group), Mapping):
            out[group] = {k: {"name": k, **v} if isinstance(v, Mapping) else v for k, v in out[group].items()}
    return out


class Score(Result):
    """What predictions are worth, and how far that can be believed.

    Args:
        name: of the predictions.
        target: the score of what is to be predicted.
        attributes: the score of each attribute.
        by_subject: the same with each subject's photos voting, where the truth is constant within subjects.
        honesty: that of the worst row.
        marks: what must be said beside it, whatever the honesty.
        optimism: how much the choice of the epoch flatters the score; None where it was not estimated or none was made.
        over_labels: the means over several binary labels; None where the schema has none.
    """

    DERIVED: ClassVar[tuple[str, ...]] = ("honest",)
    UPGRADES: ClassVar[tuple[Upgrade, ...]] = (
        _honesty_of_flag,
        _target_inside,
        _named_by_key,
        _marks_of_notes,
    )

    name: str
    target: LabelSpaceScore
    honesty: ScoreHonesty
    marks: tuple[HonestyMark, ...] = ()
    labels_version: str
    dataset_fingerprint: str
    split_fingerprint: str
    attributes: Mapping[str, LabelSpaceScore]
    by_subject: Mapping[str, LabelSpaceScore]
    resamples: int
    seed: int
    notes: tuple[str, ...] = ()
    optimism: Optimism | None = None
    over_labels: LabelsScore | None = None

    @property
    def stated(self) -> str:
        """The honesty with the marks, as it stands beside the numbers."""
        return stated(self.honesty, self.marks)

    @property
    def rankable(self) -> bool:
        """Whether the score may be ranked beside others."""
        return self.honesty.rankable

    @property
    def honest(self) -> bool:
        """The same, under its name in score.json."""
        return self.rankable

    @property
    def n_images(self) -> int:
        """Rows that were scored."""
        return self.target.n_images

    @property
    def n_subjects(self) -> int:
        """Subjects behind them."""
        return self.target.n_subjects

    @property
    def metrics(self) -> Mapping[str, MetricEstimate]:
        """The target's metrics."""
        return self.target.metrics

    @property
    def primary(self) -> MetricEstimate:
        """Macro F1 of the target."""
        return self.target.metrics["macro_f1"]

    def _summary(self) -> dict[str, str]:
        return _score_facts(self, self.target.name)

    def _intervals(self) -> list[ForestRow]:
        spaces = {self.target.name: self.target, **self.attributes}
        return [forest_row(f"macro F1 of {k}", v.metrics["macro_f1"]) for k, v in spaces.items()]

    def _arranged(self, content: Content) -> Content:
        target = content["target"]
        space = {k: v for k, v in target.items() if k not in _NAMED_ELSEWHERE}
        return {
            "name": self.name,
            "target": self.target.name,
            "target_notes": target["notes"],
            **space,
            **{k: v for k, v in content.items() if k not in ("name", "target")},
        }


class ScoreSummary(Result):
    """A score as it is in run.json: the target's metrics, the honesty, the size.

    Args:
        metrics: of the target.
        target: its name; empty where an early record does not say.
        honesty: of the worst row.
        n_images, n_subjects: that were scored; None where an early record does not say.
    """

    DERIVED: ClassVar[tuple[str, ...]] = ("honest",)
    FLAT: ClassVar[str] = "metrics"
    UPGRADES: ClassVar[tuple[Upgrade, ...]] = (_honesty_of_flag, _bare_number, _marks_of_notes)

    metrics: Mapping[str, MetricEstimate]
    target: str = ""
    honesty: ScoreHonesty = ScoreHonesty()
    marks: tuple[HonestyMark, ...] = ()
    n_images: int | None = None
    n_subjects: int | None = None
    labels_version: str = ""
    optimism: Optimism | None = None
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, score: Score) -> ScoreSummary:
        """Summarise a score."""
        shared: dict[str, Any] = {
            name: getattr(score, name) for name in cls.model_fields if name not in ("target",)
        }
        return cls(**shared, target=score.target.name)

    @property
    def stated(self) -> str:
        """The honesty with the marks, as it stands beside the numbers."""
        return stated(self.honesty, self.marks)

    @property
    def rankable(self) -> bool:
        """Whether the score may be ranked beside others."""
        return self.honesty.rankable

    @property
    def honest(self) -> bool:
        """The same, under its name in run.json."""
        return self.rankable

    @property
    def primary(self) -> MetricEstimate | None:
        """Macro F1 of the target; None where the record does not hold it."""
        return self.metrics.get("macro_f1")

    def _summary(self) -> dict[str, str]:
        return _score_facts(self, self.target)

    def _intervals(self) -> list[ForestRow]:
        return _shares(self.metrics)


def _shares(metrics: Mapping[str, MetricEstimate]) -> list[ForestRow]:
    """Return the metrics that lie between 0 and 1, which one axis can hold."""
    return [forest_row(k.replace("_", " "), v) for k, v in metrics.items() if k not in ("mae", "log_loss")]


def _score_facts(score: Score | ScoreSummary, target: str) -> dict[str, str]:
    """Return the facts of a score that a notebook shows beside its honesty."""
    return {
        "said beside it": ", ".join(score.marks),
        "target": target,
        **{k.replace("_", " "): str(v) for k, v in score.metrics.items()},
        "images": "" if score.n_images is None else f"{score.n_images:,}",
        "subjects": "" if score.n_subjects is None else f"{score.n_subjects:,}",
        "labels": score.labels_version,
        "optimism": "" if score.optimism is None else str(score.optimism),
    }
