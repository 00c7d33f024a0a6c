"""The base of all results: `Result.model_dump(mode="json")` writes one, `Result.model_validate` reads one.

Reading what was written gives an equal object. A class whose JSON once looked different names the functions that
bring the old shape to the present one (`UPGRADES`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import cache
from html import escape
from typing import Annotated, Any, ClassVar, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from hoego import files
from hoego.draw import ForestRow, card, forest, notebook_chart

Content = dict[str, Any]
Upgrade = Callable[[Content], Content]


def number(x: float | None) -> float | None:
    """Turn a number into what JSON can hold: a float, or None for None, NaN and the infinities."""
    return None if x is None or not math.isfinite(x) else float(x)


def _is_estimate(value: Any) -> bool:
    return all(hasattr(value, name) for name in ("value", "low", "high"))


def forest_row(label: str, found: Any) -> ForestRow:
    """Return an estimate as a row of a chart."""
    low, high = number(found.low), number(found.high)
    return ForestRow(
        label=label,
        value=number(found.value),
        low=low,
        high=high,
        note="" if found.value is not None else str(found),
    )


def _finite(x: Any) -> Any:
    return None if isinstance(x, float) and not math.isfinite(x) else x


def _nan(x: Any) -> Any:
    return math.nan if x is None else x


# JSON has no NaN: a field that may be undefined is None in both worlds, so that writing and reading agree.
MaybeFloat = Annotated[float | None, BeforeValidator(_finite)]
# For the few numbers that callers compute with and that may be NaN: null in JSON, NaN again when read.
NanFloat = Annotated[float, BeforeValidator(_nan)]


class Result(BaseModel):
    """A frozen result that is written and read as JSON.

    Class attributes:
        DERIVED: properties that are written beside the fields, for those who read the JSON; not read back.
        FLAT: the field, a mapping or a result, whose entries are written beside the other fields, not inside a key.
        KEYS: field -> its key in the JSON, where the two differ.
        TITLE: what a notebook shows above the result; the class's name where empty.
        HONESTY_OF: where the honesty of a part's numbers is stated, for classes that hold none themselves.
        UPGRADES: functions from older JSON to the present one, in order; each leaves present JSON as it is.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    DERIVED: ClassVar[tuple[str, ...]] = ()
    FLAT: ClassVar[str] = ""
    KEYS: ClassVar[Mapping[str, str]] = {}
    TITLE: ClassVar[str] = ""
    HONESTY_OF: ClassVar[str] = ""
    UPGRADES: ClassVar[tuple[Upgrade, ...]] = ()

    @model_validator(mode="before")
    @classmethod
    def _read(cls, data: Any) -> Any:
        # Thousands of records are read at a time: what has nothing to bring to shape is handed on as it is.
        if not (cls.UPGRADES or cls.DERIVED or cls.FLAT or cls.KEYS) or not isinstance(data, Mapping):
            return data
        content = dict(data)
        for upgrade in cls.UPGRADES:
            content = upgrade(content)
        for name in cls.DERIVED:
            content.pop(name, None)
        for name, key in cls.KEYS.items():
            if key in content:
                content[name] = content.pop(key)
        if cls.FLAT and cls.FLAT not in content:
            fields = cls.model_fields
            flat = {k: content.pop(k) for k in [*content] if k not in fields}
            content[cls.FLAT] = flat
        return content

    @model_serializer(mode="wrap")
    def _write(self, handler: SerializerFunctionWrapHandler) -> Content:
        content: Content = handler(self)
        flat = content.pop(self.FLAT) if self.FLAT else {}
        derived = {name: getattr(self, name) for name in self.DERIVED}
        keyed = {self.KEYS.get(name, name): value for name, value in content.items()}
        out: Content = files.plain(self._arranged({**flat, **keyed, **derived}))
        return out

    def _arranged(self, content: Content) -> Content:
        """Arrange the JSON otherwise than field by field; an upgrade reads the arrangement back."""
        return content

    def with_(self, **changes: Any) -> Self:
        """Return a copy with some fields changed, validated again."""
        return type(self).model_validate(
            {**{k: getattr(self, k) for k in type(self).model_fields}, **changes}
        )

    def _repr_html_(self) -> str:
        """Show the result in a notebook: what it says, its honesty, and its numbers with their intervals."""
        rows = self._intervals()
        stated = {"honesty": self._honesty_text(), **self._summary()}
        chart = notebook_chart(forest(rows, zero=self._zero())) if rows else ""
        return card(escape(self.TITLE or type(self).__name__), stated, chart, getattr(self, "notes", ()))

    def __str__(self) -> str:
        stated = {"honesty": self._honesty_text(), **self._summary()}
        return "; ".join(f"{name} {text}".strip() for name, text in stated.items() if text)

    def _honesty_text(self) -> str:
        """Return the honesty, which every display of the numbers carries; "" only for results without a score."""
        stated = getattr(self, "honesty", None)
        return self.HONESTY_OF if stated is None else str(stated) or "not known"

    def _summary(self) -> dict[str, str]:
        """Return the facts that a notebook shows beside the honesty: name -> text."""
        fields = {k: getattr(self, k) for k in type(self).model_fields if k not in ("honesty", "notes")}
        return {
            name.replace("_", " "): f"{value:.4f}" if isinstance(value, float) else str(value)
            for name, value in fields.items()
            if value is not None and (isinstance(value, str | int | float) or _is_estimate(value))
        }

    def _intervals(self) -> list[ForestRow]:
        """Return the rows of the chart: every estimate among the fields."""
        found = {k: getattr(self, k) for k in type(self).model_fields}
        return [forest_row(k.replace("_", " "), v) for k, v in found.items() if _is_estimate(v)]

    def _zero(self) -> float | None:
        """Return the place of the line of no difference in the chart; None draws none."""
        return None

    def __repr__(self) -> str:
        shown = []
        for name in type(self).model_fields:
            value = getattr(self, name)
            if isinstance(value, str | int | float | None):
                shown.append(f"{name}={value!r}")
            elif isinstance(value, tuple | list | Mapping):
                shown.append(f"{name}=<{len(value)}>")
            else:
                shown.append(f"{name}={type(value).__name__}")
        return f"{type(self).__name__}({', '.join(shown)})"


class BriefResult(Result):
    """A result that writes only what differs from its defaults, so that run.json stays short enough to read."""

    def _arranged(self, content: Content) -> Content:
        usual = _defaults(type(self))
        return {
            name: value
            for name, value in content.items()
            if name not in usual or getattr(self, name) != usual[name]
        }


@cache
def _defaults(kind: type[Result]) -> dict[str, Any]:
    """Return the default of each field; asked for four times for each of ten thousand records."""
    fields = kind.model_fields.items()
    return {name: field.get_default(call_default_factory=True) for name, field in fields}
