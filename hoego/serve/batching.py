"""One session for all requests: photos wait in a bounded queue, and a batch leaves whenever the session is free."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from hoego.data.images import Photo
from hoego.serve.options import RequestProblem

Outputs = Mapping[str, NDArray[np.float32]]
Waiting = tuple[Photo, "asyncio.Future[Outputs]"]


class BatchQueue:
    """Photos that wait for the session. None waits for a timer: the batch is what has come while the last one ran.

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
        self._more = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, "session")
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to work, in the running loop."""
        self._task = asyncio.create_task(self._work())

    async def stop(self) -> None:
        """End the work; the server has answered all requests before."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._thread.shutdown(wait=True)

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
        self._waiting.extend(zip(photos, futures, strict=True))
        self._more.set()
        return list(await asyncio.gather(*futures))

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._more.wait()
            batch = self._next()
            if not batch:
                self._more.clear()
                continue
            self.sizes[len(batch)] += 1
            try:
                found = await loop.run_in_executor(self._thread, self._run, [photo for photo, _ in batch])
            except Exception as error:  # handed on to those who wait: the queue goes on
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
                continue
            for k, (_, future) in enumerate(batch):
                if not future.done():
                    future.set_result({name: array[k] for name, array in found.items()})

    def _next(self) -> list[Waiting]:
        """Take the next batch; photos of requests that were given up are passed over."""
        batch: list[Waiting] = []
        while self._waiting and len(batch) < self.max_batch:
            photo, future = self._waiting.popleft()
            if not future.done():
                batch.append((photo, future))
        return batch

    def _run(self, photos: list[Photo]) -> Outputs:
        return self.run(np.stack(photos))
