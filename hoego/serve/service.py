"""From the photos of a request to its answers: decode in threads, one queue for the session, a time limit."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from hoego.data.images import Photo, cpu_count
from hoego.serve.batching import BatchQueue, Outputs
from hoego.serve.bodies import HeldBytes, SentPhoto
from hoego.serve.drift import Drift
from hoego.serve.model import PreparedPhoto, ServedModel
from hoego.serve.options import ServeOptions
from hoego.serve.telemetry import Telemetry

LARGE_REQUESTS = 8
"""Requests of the largest size that are held at a time."""


class Service:
    """A served model with its queue, threads and counts; what the addresses call.

    Args:
        model: that is served.
        options: see there.
    """

    def __init__(self, model: ServedModel, options: ServeOptions) -> None:
        self.model = model
        self.options = options
        self.drift = Drift(model)
        self.telemetry = Telemetry()
        self.held = HeldBytes(LARGE_REQUESTS * options.most_bytes)
        self.draining = False
        self.queue: BatchQueue
        self._decoders: ThreadPoolExecutor

    @contextlib.asynccontextmanager
    async def running(self, _: object = None) -> AsyncIterator[None]:
        """Work while the body runs: the life of the server."""
        self.queue = BatchQueue(self.model.run, self.options.max_batch, self.options.waiting)
        self._decoders = ThreadPoolExecutor(cpu_count(), "decode")
        self.queue.start()
        try:
            yield
        finally:
            await self.queue.stop()
            self._decoders.shutdown(wait=True)

    async def answers(self, sent: Sequence[SentPhoto]) -> list[dict[str, Any]]:
        """Return the answers for photos, as JSON types.

        Raises:
            RequestProblem: a photo cannot be used, or the queue is full.
        """
        photos, found = await self._outputs(sent)
        out = [self.model.answer(s.name, p, f) for s, p, f in zip(sent, photos, found, strict=True)]
        for said in out:
            self.telemetry.photo(said["seen"], said.get("abstain", False))
        return out

    async def outputs(self, photos: Sequence[Photo] | Sequence[bytes]) -> list[Outputs]:
        """Return the graph's outputs of pixels uint8 [H, W, 3], or of the bytes of files."""
        if photos and isinstance(photos[0], bytes):
            sent = [SentPhoto(f"file {k}", data) for k, data in enumerate(photos) if isinstance(data, bytes)]
            return (await self._outputs(sent))[1]
        pixels = [p for p in photos if isinstance(p, np.ndarray)]
        self.queue.reserve(len(pixels))
        try:
            return await self._run([PreparedPhoto(p) for p in pixels])
        finally:
            self.queue.release(len(pixels))

    async def _outputs(self, sent: Sequence[SentPhoto]) -> tuple[list[PreparedPhoto], list[Outputs]]:
        self.queue.reserve(len(sent))
        try:
            loop = asyncio.get_running_loop()
            tasks = [loop.run_in_executor(self._decoders, self.model.prepare, s.data, s.name) for s in sent]
            try:
                photos = list(await asyncio.gather(*tasks))
            except BaseException:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                raise
            return photos, await self._run(photos)
        finally:
            self.queue.release(len(sent))

    async def _run(self, photos: Sequence[PreparedPhoto]) -> list[Outputs]:
        found = await self.queue.outputs([p.pixels for p in photos])
        for photo, outputs in zip(photos, found, strict=True):
            self.drift.add(photo.pixels, outputs)
        return found
