"""What `hoego weights list` and `show` say, without torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hoego.errors import HoegoError, TrainError
from hoego.weights.facts import Found, Wanted, licence_note
from hoego.weights.places import find, here

SHOWN = ("input_size", "interpolation", "mean", "std", "num_classes")


@dataclass(frozen=True)
class Listing:
    """The weights on this machine.

    Args:
        rows: one for each file, place by place.
        problems: files that are not what they say, in words.
    """

    rows: tuple[dict[str, Any], ...]
    problems: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain types."""
        return {"weights": list(self.rows), "problems": list(self.problems)}


def listing(folder: Path | None = None) -> Listing:
    """List every file of weights on this machine; broken ones are named, and do not hide the others."""
    rows, problems = [], []
    for found in here(folder):
        if isinstance(found, HoegoError):
            problems.append(str(found))
        else:
            rows.append(found.to_dict())
    return Listing(tuple(rows), tuple(problems))


@dataclass(frozen=True)
class Facts:
    """One file of weights, with its configuration."""

    found: Found

    def to_dict(self) -> dict[str, Any]:
        """Return plain types."""
        config = {k: self.found.config[k] for k in SHOWN if k in self.found.config}
        note = licence_note(self.found)
        return {**self.found.to_dict(), **config, **({"note": note} if note else {})}


def facts_of(name: str, folder: Path | None = None) -> Facts:
    """Return what is known of the weights NAME.TAG; a name without a tag takes the only ones of that model.

    Raises:
        TrainError: no place has them.
    """
    found = find(Wanted.named(name), folder)
    if isinstance(found, Found):
        return Facts(found)
    mine = [f for f in here(folder) if isinstance(f, Found) and name in (f.name, f.model)]
    if mine:
        return Facts(mine[0])
    raise TrainError(
        f"The weights {name} are not on this machine. Looked in: {'; '.join(found.places)}.",
        remedy=f"hoego weights fetch {name}; hoego weights list shows what is here.",
    )
