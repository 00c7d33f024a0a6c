"""Attributes, the composite class made of them, and the codes of both.

A code is the position of a class in its attribute's `classes`; -1 is a missing value everywhere.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hoego.errors import DataError, nearest
from hoego.results.labels import Kind, LabelAttribute, ModelLabels, OnMissing

COMPOSITE = "composite"
MISSING = -1


@dataclass(frozen=True, kw_only=True)
class Attribute:
    """One label of a photo: mask, gender, age.

    Args:
        name: its name, also the name of its column of predictions.
        kind: `nominal`; `ordinal` (the order of `classes` means something); `binned` (ordinal, cut from a number).
        classes: names of the C classes in the order of their codes.
        edges: `binned` only: C-1 ascending numbers; class k holds edges[k-1] <= x < edges[k].
        missing: `error` or `allow` (a blank label masks the loss and the score of this attribute).
    """

    name: str
    kind: Kind
    classes: tuple[str, ...]
    edges: tuple[float, ...] = ()
    missing: OnMissing = "error"

    def __post_init__(self) -> None:
        object.__setattr__(self, "edges", tuple(float(e) for e in self.edges))
        if self.name == COMPOSITE:
            raise DataError(f"An attribute cannot be called {COMPOSITE!r}.", remedy="Rename the attribute.")
        if len(set(self.classes)) != len(self.classes) or not self.classes:
            raise DataError(f"Attribute {self.name!r} needs distinct classes, got {list(self.classes)}.")
        if self.kind == "binned":
            if len(self.edges) != len(self.classes) - 1:
                raise DataError(
                    f"Attribute {self.name!r} has {len(self.classes)} classes and {len(self.edges)} edges.",
                    remedy="A binned attribute has one edge fewer than classes.",
                )
            if any(b <= a for a, b in zip(self.edges, self.edges[1:], strict=False)):
                raise DataError(f"The edges of {self.name!r} must ascend, got {list(self.edges)}.")
        elif self.edges:
            raise DataError(f"Attribute {self.name!r} is {self.kind}: only a binned attribute has edges.")

    @property
    def n_classes(self) -> int:
        """The number of classes C."""
        return len(self.classes)

    @property
    def ordered(self) -> bool:
        """Whether the order of the classes means something."""
        return self.kind != "nominal"

    def code(self, value: str) -> int:
        """Return the code of a class name. Raises DataError naming the nearest known class."""
        try:
            return self.classes.index(value)
        except ValueError:
            raise DataError(
                f"{value!r} is not a class of {self.name!r}.", remedy=nearest(value, self.classes)
            ) from None

    def bin(self, numbers: ArrayLike) -> NDArray[np.int16]:
        """Return codes [N] of the numbers [N]; NaN becomes -1.

        >>> age = Attribute(name="age", kind="binned", classes=("<30", "30-59", ">=60"), edges=(30, 60))
        >>> age.bin([29.9, 30, 60]).tolist()
        [0, 1, 2]
        """
        values = np.asarray(numbers, dtype=np.float64)
        codes = np.searchsorted(np.asarray(self.edges), values, side="right").astype(np.int16)
        codes[np.isnan(values)] = MISSING
        return codes

    def described(self) -> LabelAttribute:
        """Return the attribute as files hold it."""
        return LabelAttribute(
            name=self.name, kind=self.kind, classes=self.classes, edges=self.edges, missing=self.missing
        )

    @classmethod
    def of(cls, described: LabelAttribute) -> Attribute:
        """Return the attribute that `described` described."""
        return cls(**dict(described))


@dataclass(frozen=True)
class LabelSchema:
    """The attributes, which of them make the composite class, and what is to be predicted.

    The composite class of a dense schema is the mixed radix of its attributes' codes, the first the most
    significant (6*mask + 3*gender + age); that of a sparse one is the position in `combinations`.

    Args:
        attributes: the A attributes in the order of the columns of `codes`.
        target: an attribute's name, or "composite".
        composite: names of the attributes that make the composite class; empty when there is none.
        combinations: None (dense), or the sorted combinations of codes that exist (sparse).
    """

    attributes: tuple[Attribute, ...]
    target: str
    composite: tuple[str, ...] = ()
    combinations: tuple[tuple[int, ...], ...] | None = None

    def __post_init__(self) -> None:
        names = self.names
        if len(set(names)) != len(names) or not names:
            raise DataError(f"Attributes need distinct names, got {list(names)}.")
        for name in self.composite:
            if name not in names:
                raise DataError(
                    f"The composite names {name!r}, which is not an attribute.", remedy=nearest(name, names)
                )
        if self.target == COMPOSITE:
            if not self.composite:
                raise DataError("The target is the composite, but no attributes make one.")
        elif self.target not in names:
            raise DataError(
                f"The target {self.target!r} is not an attribute.",
                remedy=nearest(self.target, [*names, COMPOSITE]),
            )
        if self.combinations is not None and list(self.combinations) != sorted(set(self.combinations)):
            raise DataError("The combinations of a sparse composite must be sorted and distinct.")

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the attributes [A]."""
        return tuple(a.name for a in self.attributes)

    @property
    def n_attributes(self) -> int:
        """The number of attributes A."""
        return len(self.attributes)

    def attribute(self, name: str) -> Attribute:
        """Return the attribute of a name. Raises DataError naming the nearest one."""
        for a in self.attributes:
            if a.name == name:
                return a
        raise DataError(f"There is no attribute {name!r}.", remedy=nearest(name, self.names))

    def position(self, name: str) -> int:
        """Return the column of attribute `name` in `codes`."""
        return self.names.index(self.attribute(name).name)

    @cached_property
    def radix(self) -> tuple[int, ...]:
        """Number of classes of each attribute of the composite, most significant first."""
        return tuple(self.attribute(n).n_classes for n in self.composite)

    @cached_property
    def combination_codes(self) -> NDArray[np.int16]:
        """Codes [C, len(composite)] of every composite class."""
        if self.combinations is not None:
            return np.asarray(self.combinations, dtype=np.int16).reshape(
                len(self.combinations), len(self.composite)
            )
        grid = np.indices(self.radix).reshape(len(self.radix), -1).T
        return np.ascontiguousarray(grid, dtype=np.int16)

    @cached_property
    def _rank(self) -> NDArray[np.int32]:
        table = np.full(int(np.prod(self.radix)), MISSING, dtype=np.int32)
        table[np.ravel_multi_index(tuple(self.combination_codes.T), self.radix)] = np.arange(
            len(self.combination_codes)
        )
        return table

    def n_classes(self, name: str) -> int:
        """Return the number of classes of an attribute, or of the composite."""
        return len(self.combination_codes) if name == COMPOSITE else self.attribute(name).n_classes

    def classes(self, name: str) -> tuple[str, ...]:
        """Return names of the classes of an attribute, or of the composite ("wear/male/<30")."""
        if name != COMPOSITE:
            return self.attribute(name).classes
        parts = [self.attribute(n).classes for n in self.composite]
        return tuple(
            "/".join(p[c] for p, c in zip(parts, row, strict=True)) for row in self.combination_codes.tolist()
        )

    @property
    def n_target_classes(self) -> int:
        """The number of classes of the target."""
        return self.n_classes(self.target)

    @property
    def target_classes(self) -> tuple[str, ...]:
        """The names of the target's classes."""
        return self.classes(self.target)

    def columns(self) -> dict[str, int]:
        """Return the number of classes of every attribute and, if there is one, of the composite."""
        out = {a.name: a.n_classes for a in self.attributes}
        if self.composite:
            out[COMPOSITE] = self.n_classes(COMPOSITE)
        return out

    def encode(self, codes: NDArray[np.integer[Any]]) -> NDArray[np.int32]:
        """Return composite classes [N] of the codes [N, A]; -1 where a part is missing or the combination does
        not exist.
        """
        parts = codes[:, [self.position(n) for n in self.composite]].astype(np.int64)
        absent = np.asarray((parts < 0).any(axis=1))
        flat = np.ravel_multi_index(tuple(np.where(absent[:, None], 0, parts).T), self.radix)
        out: NDArray[np.int32] = self._rank[flat]
        out[absent] = MISSING
        return out

    def decode(self, classes: NDArray[np.integer[Any]]) -> NDArray[np.int16]:
        """Return codes [N, len(composite)] of the composite classes [N]; rows of -1 for -1."""
        wanted = np.asarray(classes)
        out = self.combination_codes[np.maximum(wanted, 0)]
        out[wanted < 0] = MISSING
        return out

    def class_codes(self, name: str, codes: NDArray[np.integer[Any]]) -> NDArray[np.int32]:
        """Return classes [N] of an attribute, or of the composite, from the codes [N, A]."""
        if name == COMPOSITE:
            return self.encode(codes)
        return codes[:, self.position(name)].astype(np.int32)

    def target_codes(self, codes: NDArray[np.integer[Any]]) -> NDArray[np.int32]:
        """Return classes [N] of the target from the codes [N, A]."""
        return self.class_codes(self.target, codes)

    def described(self) -> ModelLabels:
        """Return the schema as files hold it."""
        return ModelLabels(
            attributes=tuple(a.described() for a in self.attributes),
            target=self.target,
            composite=self.composite,
            combinations=self.combinations,
        )

    @classmethod
    def of(cls, described: ModelLabels) -> LabelSchema:
        """Return the schema that `described` described."""
        attributes = tuple(Attribute.of(a) for a in described.attributes)
        return cls(attributes, described.target, described.composite, described.combinations)

    @cached_property
    def fingerprint(self) -> str:
        """A hash of the schema: equal schemas have equal ones."""
        text = json.dumps(self.described().model_dump(mode="json"), sort_keys=True)
        return blake2b(text.encode(), digest_size=8).hexdigest()
