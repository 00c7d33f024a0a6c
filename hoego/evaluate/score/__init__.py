"""Score predictions, with intervals over subjects that hold their level."""

from hoego.evaluate.score.metric_contract import MetricContract
from hoego.evaluate.score.metrics import METRICS, PRIMARY, Metric, load_own, metric, require_applicable
from hoego.evaluate.score.optimism import OptimismOptions, optimism
from hoego.evaluate.score.scoring import (
    NOT_ESTIMATED,
    ScoreOptions,
    SelectionCandidates,
    score,
    scored_target,
)
from hoego.evaluate.score.space import LabelSpace, scored_rows, space_of, voted
from hoego.results.score import ClassScore, LabelSpaceScore, MetricEstimate, Optimism, Score, ScoreSummary

__all__ = [
    "METRICS",
    "NOT_ESTIMATED",
    "PRIMARY",
    "SelectionCandidates",
    "ClassScore",
    "LabelSpaceScore",
    "Metric",
    "MetricContract",
    "MetricEstimate",
    "Optimism",
    "OptimismOptions",
    "Score",
    "ScoreOptions",
    "ScoreSummary",
    "LabelSpace",
    "load_own",
    "metric",
    "require_applicable",
    "optimism",
    "score",
    "scored_rows",
    "scored_target",
    "space_of",
    "voted",
]
