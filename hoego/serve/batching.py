"""One session for all requests: photos wait in a bounded queue, and a batch leaves whenever the session is free."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from hoego.data.images import Photo
from hoego.serve.options import RequestProblem

Outputs = Mapping[str, NDArray[np.float32]]
Waiting = tuple[Photo, "asyncio.Future[Outputs]"]


class BatchQueue:
    """Photos that wait for the session. None waits for a timer: the batch is what has come while the last one ran.

    The session's thread takes its batches itself: through the event loop, which has requests to read, the session
    would stand still for a tenth of the time between two batches.

    Args:
        run: outputs [n, ...] by name of photos uint8 [n, H, W, 3]; called in a thread of its own, one batch at a time.
        max_batch: photos at a time.
        most_waiting: photos that may wait, those that are being decoded included.
    """

    def __init__(self, run: Callable[[Photo], Outputs], max_batch: int, most_waiting: int) -> None:
        self.run = run
        self.max_batch = max_batch
        self.most_waiting = most_waiting
        self.reserved = 0
        self.sizes: Counter[int] = Counter()
        self._waiting: deque[Waiting] = deque()
        self._change = threading.Condition()
        self._ending = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to work for the running loop."""
        loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._work, args=(loop,), name="session", daemon=True)
        self._thread.start()

    async def stop(self) -> None:
        """End the work; the server has answered all requests before."""
        with self._change:
            self._ending = True
            self._change.notify()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)

    def reserve(self, n: int) -> None:
        """Take places for n photos. Raises RequestProblem (503) where the queue is full."""
        if self.reserved + n > self.most_waiting:
            raise RequestProblem(
                503,
                f"{self.reserved:,} photos are waiting already; try again in a second.",
                {"retry-after": "1"},
            )
        self.reserved += n

    def release(self, n: int) -> None:
        """Give n places back."""
        self.reserved -= n

    async def outputs(self, photos: Sequence[Photo]) -> list[Outputs]:
        """Return the outputs of each photo [H, W, 3], without the axis of the batch; places were reserved before."""
        loop = asyncio.get_running_loop()
        futures: list[asyncio.Future[Outputs]] = [loop.create_future() for _ in photos]
        with self._change:
            self._waiting.extend(zip(photos, futures, strict=True))
            self._change.notify()
        return list(await asyncio.gather(*futures))

    def _work(self, loop: asyncio.AbstractEventLoop) -> None:
        while batch := self._next():
            self.sizes[len(batch)] += 1
            futures = [future for _, future in batch]
            try:
                found = self.run(np.stack([photo for photo, _ in batch]))
            except Exception as error:  # handed on to those who wait: the queue goes on
                loop.call_soon_threadsafe(_fail, futures, error)
            else:
                loop.call_soon_threadsafe(_answer, futures, found)

    def _next(self) -> list[Waiting]:
        """Wait for the next batch; photos of requests that were given up are passed over. [] at the end."""
        batch: list[Waiting] = []
        with self._change:
            while not batch:
                self._change.wait_for(lambda: self._waiting or self._ending)
                if not self._waiting:
                    break
                while self._waiting and len(batch) < self.max_batch:
                    photo, future = self._waiting.popleft()
                    if not future.done():
                        batch.append((photo, future))
        return batch


def _answer(futures: Sequence[asyncio.Future[Outputs]], found: Outputs) -> None:
    for k, future in enumerate(futures):
        if not future.done():
            future.set_result({name: array[k] for name, array in found.items()})


def _fail(futures: Sequence[asyncio.Future[Outputs]], error: Exception) -> None:
    for future in futures:
        if not future.done():
            future.set_exception(error)
