"""The base of all results: `Result.model_dump(mode="json")` writes one, `Result.model_validate` reads one.

Reading what was written gives an equal object. A class whose JSON once looked different names the functions that
bring the old shape to the present one (`UPGRADES`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
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

Content = dict[str, Any]
Upgrade = Callable[[Content], Content]


def number(x: float | None) -> float | None:
    """Turn a number into what JSON can hold: a float, or None for None, NaN and the infinities."""
    return None if x is None or not math.isfinite(x) else float(x)


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
        FLAT: the field, a mapping, whose entries are written beside the other fields, not inside a key of its own.
        UPGRADES: functions from older JSON to the present one, in order; each leaves present JSON as it is.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    DERIVED: ClassVar[tuple[str, ...]] = ()
    FLAT: ClassVar[str] = ""
    UPGRADES: ClassVar[tuple[Upgrade, ...]] = ()

    @model_validator(mode="before")
    @classmethod
    def _read(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        content = dict(data)
        for upgrade in cls.UPGRADES:
            content = upgrade(content)
        for name in cls.DERIVED:
            content.pop(name, None)
        if cls.FLAT and cls.FLAT not in content:
            flat = {k: content.pop(k) for k in [*content] if k not in cls.model_fields}
            content[cls.FLAT] = flat
        return content

    @model_serializer(mode="wrap")
    def _write(self, handler: SerializerFunctionWrapHandler) -> Content:
        content: Content = handler(self)
        flat = content.pop(self.FLAT) if self.FLAT else {}
        derived = {name: getattr(self, name) for name in self.DERIVED}
        out: Content = files.plain(self._arranged({**flat, **content, **derived}))
        return out

    def _arranged(self, content: Content) -> Content:
        """Arrange the JSON otherwise than field by field; an upgrade reads the arrangement back."""
        return content

    def with_(self, **changes: Any) -> Self:
        """Return a copy with some fields changed, validated again."""
        return type(self).model_validate(
            {**{k: getattr(self, k) for k in type(self).model_fields}, **changes}
        )

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
