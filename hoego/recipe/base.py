"""The base of every section of a recipe: frozen, closed to unknown keys, listed by `hoego settings`."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict
from pydantic.fields import FieldInfo

from hoego.results.base import Result


class SettingsSection(BaseModel):
    """A frozen part of a recipe. The description of each field is shown by `hoego settings` and in the reference."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)


class Setting(Result):
    """One line of `hoego settings`.

    Args:
        key: dotted name, as `--set` takes it; `<name>` stands for a name of your own.
        type: what it takes, in words.
        default: the default as it is written in TOML, or "" where there is none.
        range: bounds or choices, or "".
        help: one sentence.
    """

    key: str
    type: str
    default: str
    range: str
    help: str


def plain_settings(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested settings as one table.

    >>> plain_settings({"epochs": 3, "model": {"name": "resnet18"}})
    {'epochs': 3, 'model.name': 'resnet18'}
    """
    found: dict[str, Any] = {}
    for key, value in settings.items():
        if isinstance(value, Mapping):
            found |= plain_settings(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found


def settings_of(section: type[BaseModel], prefix: str = "") -> Iterator[Setting]:
    """Yield every setting below a section, depth first, in the order of its fields."""
    for name, field in section.model_fields.items():
        key = f"{prefix}{name}"
        inner, named = _inner_section(field.annotation)
        if inner is not None:
            yield from settings_of(inner, f"{key}.<name>." if named else f"{key}.")
            if not named or not _plain_alternatives(field.annotation):
                continue
        yield Setting(
            key=key,
            type=describe_type(field.annotation),
            default=_default(field),
            range=_range(field),
            help=(field.description or "").strip(),
        )


def _alternatives(annotation: Any) -> tuple[Any, ...]:
    if get_origin(annotation) in (Union, types.UnionType):
        return tuple(a for a in get_args(annotation) if a is not type(None))
    return (annotation,)


def _inner_section(annotation: Any) -> tuple[type[BaseModel] | None, bool]:
    """Return the section that a field holds, and whether it holds one per name (a dict of sections)."""
    for a in _alternatives(annotation):
        if isinstance(a, type) and issubclass(a, BaseModel):
            return a, False
        if get_origin(a) is dict:
            value = get_args(a)[1]
            if isinstance(value, type) and issubclass(value, BaseModel):
                return value, True
    return None, False


def _plain_alternatives(annotation: Any) -> list[Any]:
    return [a for a in _alternatives(annotation) if _inner_section(a)[0] is None]


def describe_type(annotation: Any) -> str:
    """Return the name of a type in the words of a TOML file."""
    origin = get_origin(annotation)
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(describe_type(a) for a in _alternatives(annotation)))
    if origin is Literal:
        return "one of"
    if origin in (list, tuple, set, frozenset):
        args = [a for a in get_args(annotation) if a is not Ellipsis]
        return f"list of {describe_type(args[0])}" if args else "list"
    if origin is dict:
        return f"table of {describe_type(get_args(annotation)[1])}"
    if get_origin(annotation) is not None and hasattr(annotation, "__metadata__"):
        return describe_type(get_args(annotation)[0])
    plain = {int: "integer", float: "number", str: "text", bool: "true or false"}
    return plain.get(annotation, getattr(annotation, "__name__", str(annotation)))


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return ""
    value = field.get_default(call_default_factory=True, validated_data={})
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, tuple):
        return str(list(value))
    return str(value)


def _range(field: FieldInfo) -> str:
    choices = [
        str(c) for a in _alternatives(field.annotation) if get_origin(a) is Literal for c in get_args(a)
    ]
    bounds = []
    for m in field.metadata:
        for attribute, sign in (("ge", ">="), ("gt", ">"), ("le", "<="), ("lt", "<")):
            if (bound := getattr(m, attribute, None)) is not None:
                bounds.append(f"{sign} {bound}")
    return "; ".join(part for part in (" | ".join(choices), ", ".join(bounds)) if part)
