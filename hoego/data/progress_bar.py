"""Progress over photos, on a terminal, in a notebook and in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")
MANY = 20_000
"""Items from which on `counted` shows a bar: fewer are done before anybody looks."""


class ProgressBar:
    """Progress over photos: a bar on a terminal and in a notebook, else a line every ten seconds.

    Args:
        total: number of photos.
        title: what is done to them.
    """

    def __init__(self, total: int, title: str = "Decoding photos") -> None:
        self.title = title
        self.start = self.last_print = time.monotonic()
        from hoego.data.live_progress import live_progress

        self.bar = live_progress()
        if self.bar is not None:
            self.task = self.bar.add_task(title, total=total)
            self.bar.start()

    def __call__(self, done: int, total: int) -> None:
        if self.bar is not None:
            self.bar.update(self.task, completed=done)
        elif (now := time.monotonic()) - self.last_print > 10:
            self.last_print = now
            print(
                f"{self.title}: {done:,} of {total:,}, {now - self.start:.0f} s",
                file=sys.stderr,
                flush=True,
            )

    def close(self) -> None:
        """Remove the bar."""
        if self.bar is not None:
            self.bar.stop()


def counted(items: Iterable[T], total: int, title: str, *, shown: bool | None = None) -> Iterator[T]:
    """Yield the same items, with a bar while they are many.

    Args:
        items: what is done, one after another.
        total: how many there are.
        title: what is done to them.
        shown: whether there is a bar; from MANY items on where None.

    >>> list(counted("ab", 2, "Reading letters"))
    ['a', 'b']
    """
    if not (total >= MANY if shown is None else shown):
        yield from items
        return
    bar = ProgressBar(total, title)
    every = max(1, total // 1000)
    try:
        for done, item in enumerate(items, start=1):
            yield item
            if done % every == 0:
                bar(done, total)
    finally:
        bar.close()
