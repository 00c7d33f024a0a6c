"""What is searched: settings with the values that they may take, as the command line writes them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hoego.errors import HoegoError, UsageError
from hoego.recipe import Recipe, parse_override
from hoego.runs.ablate import require_comparable, split_values
from hoego.runs.records.run_facts import SearchPoint, SearchValue
from hoego.runs.required_runs import varied

DIGITS = 4
"""Significant digits of a drawn number: a record is read by people, and no fifth digit decides a training."""

_RANGE = re.compile(r"(?P<log>log:)?(?P<low>[^:,/]+?)\.\.(?P<high>[^:,/]+?)(?:/(?P<count>\d+))?")


@dataclass(frozen=True, kw_only=True)
class Axis:
    """One setting and its values.

    Args:
        key: such as "optim.lr".
        low, high: the range of a number, both ends included; None for choices.
        log: even in the logarithm.
        whole: integers only.
        choices: values as they are written after `--set KEY=`; () for a range.
    """

    key: str
    low: float | None = None
    high: float | None = None
    log: bool = False
    whole: bool = False
    choices: tuple[str, ...] = ()

    def holds(self, value: SearchValue) -> bool:
        """Say whether a value lies on the axis."""
        if self.choices:
            return str(value) in self.choices
        assert self.low is not None
        assert self.high is not None
        number = isinstance(value, (int, float)) and self.low <= value <= self.high
        return number and (not self.whole or float(value).is_integer())

    def rounded(self, value: SearchValue) -> SearchValue:
        """Round a drawn number to DIGITS digits, inside the range."""
        if self.choices or self.whole:
            return value
        assert self.low is not None
        assert self.high is not None
        return min(max(float(f"{float(value):.{DIGITS}g}"), self.low), self.high)

    def ends(self) -> tuple[SearchValue, ...]:
        """Return the values that must be valid for all to be: every choice, or both ends."""
        if self.choices:
            return self.choices
        assert self.low is not None
        assert self.high is not None
        return (int(self.low), int(self.high)) if self.whole else (self.low, self.high)

    @property
    def text(self) -> str:
        """The axis as it is written after `--space`."""
        if self.choices:
            return f"{self.key}={','.join(self.choices)}"
        low, high = self.ends()
        return f"{self.key}={'log:' if self.log else ''}{low}..{high}"


def parse_axis(text: str) -> Axis:
    """Read `KEY=V,W`, `KEY=LOW..HIGH`, `KEY=log:LOW..HIGH`, or either range with `/N` for N even steps of it.

    A range of two integers is one of integers.

    Raises:
        UsageError: it is none of these, or cannot be searched.

    >>> parse_axis("optim.lr=log:1e-4..1e-2/3").choices
    ('0.0001', '0.001', '0.01')
    """
    key, equals, values = text.partition("=")
    key, values = key.strip(), values.strip()
    if not key or not equals or not values:
        raise UsageError(
            f"--space {text!r} names no values.",
            remedy="Examples: optim.lr=log:1e-4..1e-2, loss=ce,focal, epochs=4..12.",
        )
    require_comparable(key)
    found = _RANGE.fullmatch(values)
    if found is None:
        choices = tuple(split_values(values))
        for choice in choices:
            parse_override(f"{key}={choice}")
        if len(set(choices)) < 2:
            raise UsageError(
                f"--space {text!r} leaves one value.", remedy="Give two or more, or set it by --set."
            )
        return Axis(key=key, choices=tuple(dict.fromkeys(choices)))
    return _range(key, text, found)


def _range(key: str, text: str, found: re.Match[str]) -> Axis:
    try:
        low, high = float(found["low"]), float(found["high"])
    except ValueError:
        raise UsageError(
            f"--space {text!r}: the ends are not numbers.", remedy="Example: 1e-4..1e-2."
        ) from None
    log = found["log"] is not None
    if not (math.isfinite(low) and math.isfinite(high) and low < high) or (log and low <= 0):
        raise UsageError(
            f"--space {text!r} is an empty range.",
            remedy="The lower end comes first" + (", and is above zero for log." if log else "."),
        )
    whole = all(re.fullmatch(r"[+-]?\d+", found[end].strip()) for end in ("low", "high"))
    axis = Axis(key=key, low=low, high=high, log=log, whole=whole)
    count = found["count"]
    return axis if count is None else Axis(key=key, choices=_steps(axis, int(count), text))


def _steps(axis: Axis, count: int, text: str) -> tuple[str, ...]:
    if count < 2:
        raise UsageError(f"--space {text!r} leaves one value.", remedy="Give /2 or more.")
    assert axis.low is not None
    assert axis.high is not None
    shares = [k / (count - 1) for k in range(count)]
    if axis.log:
        values = [axis.low * (axis.high / axis.low) ** s for s in shares]
    else:
        values = [axis.low + (axis.high - axis.low) * s for s in shares]
    shown = [str(round(v)) if axis.whole else repr(axis.rounded(v)) for v in values]
    return tuple(dict.fromkeys(shown))


@dataclass(frozen=True)
class SearchSpace:
    """The axes of a search."""

    axes: tuple[Axis, ...]

    @classmethod
    def of(cls, recipe: Recipe, texts: Sequence[str]) -> SearchSpace:
        """Read the axes, and try both ends (every choice) of each on the recipe.

        Raises:
            UsageError: no axis, a key twice, or one that cannot be searched.
            RecipeError: an unknown setting, or a value out of range.
        """
        axes = tuple(parse_axis(text) for text in texts)
        if not axes:
            raise UsageError("Nothing is searched.", remedy="Example: --space optim.lr=log:1e-4..1e-2")
        keys = [a.key for a in axes]
        twice = [k for k in keys if keys.count(k) > 1]
        if twice:
            raise UsageError(f"--space names {twice[0]} twice.", remedy="Give each setting once.")
        for axis in axes:
            for value in axis.ends():
                varied(recipe, [f"{axis.key}={value}"], name="", refit=False)
        return cls(axes)

    def overrides(self, point: SearchPoint) -> list[str]:
        """Return a point as `--set` takes it."""
        return [f"{a.key}={point[a.key]}" for a in self.axes]

    def point_of(self, recipe: Recipe) -> dict[str, SearchValue] | None:
        """Return the recipe's own values as a point; None where one of them is not in the space."""
        point: dict[str, SearchValue] = {}
        for axis in self.axes:
            value = _value_at(recipe, axis)
            if value is None:
                return None
            point[axis.key] = value
        return point

    @property
    def texts(self) -> tuple[str, ...]:
        """The axes as they are written."""
        return tuple(a.text for a in self.axes)


def _value_at(recipe: Recipe, axis: Axis) -> SearchValue | None:
    own = recipe.to_dict()
    if axis.choices:
        # Written forms differ ("0.10" and 0.1), so each choice is set and the recipe looked at.
        for choice in axis.choices:
            try:
                if varied(recipe, [f"{axis.key}={choice}"], name=recipe.name).to_dict() == own:
                    return choice
            except HoegoError:
                continue
        return None
    value: object = own
    for part in axis.key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not axis.holds(value):
        return None
    return int(value) if axis.whole else float(value)
