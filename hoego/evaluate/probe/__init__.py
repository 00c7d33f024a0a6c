"""Heads on frozen features: a linear one and nearest neighbours, each fitted on a training side alone."""

from __future__ import annotations

from hoego.evaluate.probe.heads import FittedHead, HeadOptions, TrainingSide, fit_head
from hoego.evaluate.probe.out_of_fold import HeldOutValues, held_out_values, out_of_fold

__all__ = [
    "FittedHead",
    "HeadOptions",
    "HeldOutValues",
    "TrainingSide",
    "fit_head",
    "held_out_values",
    "out_of_fold",
]
