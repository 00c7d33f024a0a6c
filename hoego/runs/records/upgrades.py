"""run.json of earlier versions, brought to the present format by named steps; the files stay as they are."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hoego.errors import RecordError

SCHEMA_VERSION = 3

Content = dict[str, Any]


def _hypothesis_is_why(content: Content) -> Content:
    """Rename `hypothesis` and the state `stopped` of version 1, and read its Unix times."""
    content["why"] = content.pop("hypothesis", "")
    if content.get("state") == "stopped":
        content["state"] = "interrupted"
    for name in ("created", "started", "finished"):
        if isinstance(content.get(name), (int, float)):
            moment = datetime.datetime.fromtimestamp(content[name], datetime.UTC)
            content[name] = moment.isoformat(timespec="milliseconds")
    return content


_TRAINING = ("resolved", "weights", "selected", "pseudo", "teachers", "beside", "resumed", "chosen")
_QUEUE = ("code_changed", "epochs_at_death", "idea", "side")
_SAMPLE = ("keys", "units", "rate", "overhead", "first", "pixels", "error")


def _extra_is_declared(content: Content) -> Content:
    """Move kind, fold, target and the fields of training and queue out of `extra`, where version 2 kept them."""
    extra = dict(content.get("extra") or {})
    for name in ("kind", "fold", "target"):
        if (value := extra.pop(name, None)) not in (None, ""):
            content[name] = value
    content["training"] = {name: extra.pop(name) for name in _TRAINING if name in extra}
    content["queue"] = {name: extra.pop(name) for name in _QUEUE if name in extra}
    if shortened := extra.pop("shortened", None):
        content["queue"]["shortened"] = {"asked": shortened.get("from"), "epochs": shortened["to"]}
    timing = dict(content.get("timing") or {})
    if len(timing.get("keys") or ()) == 3 and timing.get("rate"):
        timing["sample"] = {name: timing.pop(name) for name in _SAMPLE if name in timing}
    content["timing"] = timing
    content["throughput"] = content.get("throughput") or {}
    for name in ("score", "verdict"):
        content[name] = content.get(name) or None
    content["extra"] = extra
    return content


UPGRADES: dict[int, Callable[[Content], Content]] = {1: _hypothesis_is_why, 2: _extra_is_declared}
"""Version -> the function that turns a record of that version into the next one."""


def upgrade(content: Content, *, file: Path | None = None) -> Content:
    """Bring `content` to SCHEMA_VERSION by the upgrades in turn. Raises RecordError for a newer format."""
    version = content.get("schema_version", 1)
    if not isinstance(version, int) or version > SCHEMA_VERSION or version < 1:
        raise RecordError(
            f"the record has format {version!r}, this Hoego reads up to {SCHEMA_VERSION}",
            file=file,
            column="schema_version",
            remedy="Upgrade Hoego on this machine.",
        )
    while version < SCHEMA_VERSION:
        content = UPGRADES[version](content)
        version += 1
    content["schema_version"] = SCHEMA_VERSION
    return content
