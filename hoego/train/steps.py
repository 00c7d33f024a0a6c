"""Work that is done a step at a time, so that others may take their steps between."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

T = TypeVar("T")
Steps = Generator[None, None, T]
"""Yields after every step; its return value is what came of it."""


def finished(steps: Steps[T]) -> T:
    """Take all steps and return their result.

    >>> finished(x for x in ())
    """
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result
