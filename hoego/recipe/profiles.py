"""Profiles: what is laid over any recipe to make it answer in minutes, or to use the whole night."""

from __future__ import annotations

from typing import Any

PROFILES: dict[str, dict[str, Any]] = {
    "quick": {
        "model": {"name": "resnet10t", "head": "multi"},
        "dataset": {"size": [128, 96]},
        "epochs": 8,
        "batch_size": 64,
        "optim": {"name": "adamw", "lr": 2e-3},
    },
    "overnight": {
        "model": {"name": "convnext_tiny"},
        "dataset": {"size": [288, 216]},
        "epochs": 60,
        "batch_size": 64,
        "optim": {"name": "adamw", "lr": 5e-4},
        "queue": {"shorten": True},
    },
}
