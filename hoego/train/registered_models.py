"""The models that timm itself has registered."""

from __future__ import annotations

from hoego.errors import TrainError, nearest

HUB = ("hf-hub:", "hf_hub:", "local-dir:")
"""Beginnings of names that are an address and not in timm's registry."""


def require_registered(name: str) -> None:
    """Raise TrainError, with the nearest name, where timm's registry has no model of this name."""
    import timm

    if not name.startswith(HUB) and not timm.is_model(name):
        remedy = nearest(name, timm.list_models()) if name else "Set model.name."
        raise TrainError(f"timm has no model {name!r}.", remedy=remedy)
