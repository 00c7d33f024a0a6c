"""The one rule for ranking records: what may be ranked at all, and which scores may be compared."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hoego.errors import HoegoError
from hoego.recipe.fold import Fold
from hoego.results.score import LabelSpaceScore, ScoreSummary
from hoego.runs.records.home import home_datasets
from hoego.runs.records.record import Record
from hoego.runs.records.run_facts import RunKind

PRIMARY = "macro_f1"


@dataclass(frozen=True, kw_only=True)
class RankingGroup:
    """What two scores must share to be ranked beside each other: the same people, photos, labels and question.

    Args:
        dataset: fingerprint of the photos.
        split: fingerprint of who was held out.
        labels: version of the labels that they were scored on.
        target: what is predicted.
        fold: that was held out, or "all": two folds hold out different people. None where a record does not say.
        images: number of the photos that were scored, so that a part of a fold is not ranked beside all of it; None
            where an early record does not say.
    """

    dataset: str
    split: str
    labels: str
    target: str
    fold: Fold | None = None
    images: int | None = None


@dataclass(frozen=True)
class Ranking:
    """The records of one group, the best first; `apart` holds the scored records that do not stand among them."""

    group: RankingGroup | None
    records: tuple[Record, ...]
    apart: tuple[Record, ...] = ()


@dataclass(frozen=True, kw_only=True)
class RankingRule:
    """What is ranked.

    Args:
        metric: of the score's target.
        honest: leave out the scores that may not be ranked (`ScoreSummary.rankable`).
        kinds: of the records; () for all.
        target: rank this target alone; "" for any.
        higher_is_better: None looks it up in the table of metrics.
    """

    metric: str = PRIMARY
    honest: bool = True
    kinds: Sequence[RunKind] = ()
    target: str = ""
    higher_is_better: bool | None = None

    def value(self, record: Record) -> float | None:
        """Give the metric's value where the record may be ranked, else None."""
        score = record.score
        if record.meta.state != "done" or score is None or (self.kinds and record.kind not in self.kinds):
            return None
        if (self.honest and not score.rankable) or (self.target and record.target != self.target):
            return None
        return metric_value(score, self.metric)


def metric_value(score: ScoreSummary | LabelSpaceScore | None, metric: str = PRIMARY) -> float | None:
    """Give the value of one of a score's metrics; None where it has none."""
    found = None if score is None else score.metrics.get(metric)
    return None if found is None else found.value


def group_of(record: Record) -> RankingGroup:
    """Say in which group a record's score stands."""
    prints = record.meta.fingerprints
    labels = record.score.labels_version if record.score is not None else ""
    return RankingGroup(
        dataset=prints.get("dataset", ""),
        split=prints.get("split", ""),
        labels=labels or prints.get("labels", ""),
        target=record.target,
        fold=_fold_of(record),
        images=None if record.score is None else record.score.n_images,
    )


def _fold_of(record: Record) -> Fold | None:
    try:
        return record.fold  # of an early record, by its recipe
    except HoegoError:
        return None


def rankings(records: Iterable[Record], rule: RankingRule | None = None) -> tuple[Ranking, ...]:
    """Rank records within each group that they fall into.

    The groups of this project's photos come first, then those of data sets that were merged in; the largest of them
    first, of equal ones the latest.
    """
    rule = rule or RankingRule()
    records = [*records]
    home = home_datasets(records)
    sign = -1.0 if _higher(rule) else 1.0
    groups: dict[RankingGroup, list[tuple[float, str, Record]]] = {}
    for record in records:
        value = rule.value(record)
        if value is not None:
            # Of equal scores the older comes first: a repetition does not push aside what it repeats.
            groups.setdefault(group_of(record), []).append((sign * value, record.id, record))
    for members in groups.values():
        members.sort(key=lambda m: m[:2])
    ordered = sorted(
        groups.items(),
        key=lambda g: (g[0].dataset in home, len(g[1]), max(id_ for _, id_, _ in g[1])),
        reverse=True,
    )
    return tuple(Ranking(group, tuple(r for *_, r in members)) for group, members in ordered)


def why_apart(record: Record, group: RankingGroup | None) -> str:
    """Say why a scored record is not ranked in a group."""
    if record.score is not None and not record.score.rankable:
        return str(record.score.honesty) or "honesty not known"
    if record.meta.state != "done" or group is None:
        return record.meta.state
    own = group_of(record)
    words = {
        "dataset": "another data set",
        "target": "another target",
        "split": "another split",
        "labels": "other labels",
        "fold": "another fold",
        "images": "other photos of the split",
    }
    return next((text for name, text in words.items() if getattr(own, name) != getattr(group, name)), "")


def ranked(records: Sequence[Record], rule: RankingRule | None = None) -> Ranking:
    """Rank the records of the largest group; every other scored record is listed apart, in the order given."""
    found = rankings(records, rule)
    first = found[0] if found else Ranking(None, ())
    inside = {r.id for r in first.records}
    apart = tuple(r for r in records if r.score is not None and r.id not in inside)
    return Ranking(first.group, first.records, apart)


def _higher(rule: RankingRule) -> bool:
    if rule.higher_is_better is not None:
        return rule.higher_is_better
    if rule.metric == PRIMARY:
        return True
    # The table of metrics loads SciPy, which a listing of runs does without.
    from hoego.evaluate.score.metrics import METRICS

    return rule.metric not in METRICS or METRICS[rule.metric].better == "higher"
