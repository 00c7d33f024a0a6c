"""What `hoego weights list` and `show` say, without torch."""

from __future__ import annotations

from pathlib import Path

from hoego.errors import HoegoError, TrainError
from hoego.results.weights import WeightsFacts, WeightsListing
from hoego.weights.facts import Found, Wanted, licence_note
from hoego.weights.places import find, here

SHOWN = ("input_size", "interpolation", "mean", "std", "num_classes")


def listing(folder: Path | None = None) -> WeightsListing:
    """List every file of weights on this machine; broken ones are named, and do not hide the others."""
    rows, problems = [], []
    for found in here(folder):
        if isinstance(found, HoegoError):
            problems.append(str(found))
        else:
            rows.append(found.described())
    return WeightsListing(weights=tuple(rows), problems=tuple(problems))


def facts_of(name: str, folder: Path | None = None) -> WeightsFacts:
    """Return what is known of the weights NAME.TAG; a name without a tag takes the only ones of that model.

    Raises:
        TrainError: no place has them.
    """
    found = find(Wanted.named(name), folder)
    if isinstance(found, Found):
        return _facts(found)
    mine = [f for f in here(folder) if isinstance(f, Found) and name in (f.name, f.model)]
    if mine:
        return _facts(mine[0])
    raise TrainError(
        f"The weights {name} are not on this machine. Looked in: {'; '.join(found.places)}.",
        remedy=f"hoego weights fetch {name}; hoego weights list shows what is here.",
    )


def _facts(found: Found) -> WeightsFacts:
    config = {k: found.config[k] for k in SHOWN if k in found.config}
    return WeightsFacts(**dict(found.described()), config=config, note=licence_note(found))
