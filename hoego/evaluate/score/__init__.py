"""What predictions are worth, with intervals over subjects that hold their level."""

from hoego.evaluate.score.metric_contract import MetricContract
from hoego.evaluate.score.metrics import METRICS, PRIMARY, Metric, load_own, metric
from hoego.evaluate.score.optimism import Optimism, OptimismOptions, optimism
from hoego.evaluate.score.result import ClassScore, Estimate, Part, Score
from hoego.evaluate.score.scoring import NOT_ESTIMATED, Candidates, ScoreOptions, score, scored_target
from hoego.evaluate.score.space import Space, scored_rows, space_of, voted

__all__ = [
    "METRICS",
    "NOT_ESTIMATED",
    "PRIMARY",
    "Candidates",
    "ClassScore",
    "Estimate",
    "Metric",
    "MetricContract",
    "Optimism",
    "OptimismOptions",
    "Part",
    "Score",
    "ScoreOptions",
    "Space",
    "load_own",
    "metric",
    "optimism",
    "score",
    "scored_rows",
    "scored_target",
    "space_of",
    "voted",
]
