"""Decoding of chunks on all cores: in threads for few photos, in processes for many.

Decoders release the interpreter lock, but what surrounds them does not: with small photos two threads do 1.4 times
the work of one, two processes twice. The processes are started by command and not by fork or spawn, so a program
that holds threads or a GPU, or has no `if __name__ == "__main__"`, can build a cache.
"""

from __future__ import annotations

import contextlib
import json
import os
import struct
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from hoego.data.images import content_of, read_bytes
from hoego.data.pixels.store import DONE, read_at
from hoego.data.preprocess import Box, Preprocess
from hoego.errors import DataError
from hoego.process import child_environment

Item = tuple[str, Box | None, int, str | None, int]
"""Path, box, content hash, and the pixel file and row of a cache that holds it already (or None)."""


def fill(setup: dict[str, Any], preprocess: Preprocess, job: dict[str, Any]) -> dict[str, Any]:
    """Decode one chunk into its place and mark it. Return the photos at fault as [file, message]; with any, do
    not mark.
    """
    size = setup["row_bytes"]
    out = np.zeros((len(job["items"]), *preprocess.size, 3), dtype=np.uint8)
    bad: list[list[str]] = []
    for k, (path, box, content, donor, row) in enumerate(job["items"]):
        try:
            if donor is not None:
                with open(donor, "rb") as file:
                    out[k] = np.frombuffer(read_at(file.fileno(), size, row * size), np.uint8).reshape(
                        out[k].shape
                    )
                continue
            data = read_bytes(path)
            if content_of(data) != content:
                raise DataError("The photo has changed since its content was hashed.", file=path)
            out[k] = preprocess.load_bytes(data, path, None if box is None else tuple(box))
        except DataError as error:
            bad.append([path, error.message])
    if not bad:
        folder = Path(setup["folder"])
        _write_at(folder / "pixels.u8", out.data.cast("B"), job["first"] * size)
        _write_at(folder / "chunks.u64", struct.pack("<Q", DONE + zlib.crc32(out.data)), job["chunk"] * 8)
    return {"chunk": job["chunk"], "bad": bad}


def _write_at(path: Path, data: bytes | memoryview, offset: int) -> None:
    with open(path, "rb+", buffering=0) as file:
        file.seek(offset)
        view = memoryview(data)
        while view:
            view = view[file.write(view) :]


Take = Callable[[dict[str, Any], dict[str, Any]], None]


def work(
    setup: dict[str, Any], jobs: Iterator[dict[str, Any]], processes: int, threads: int, take: Take
) -> None:
    """Do the jobs in `processes` processes, or in `threads` threads of this one where `processes` is 0."""
    guard, stop = threading.Lock(), threading.Event()
    preprocess = Preprocess.from_dict(setup["preprocess"])

    def jobs_left() -> Iterator[dict[str, Any]]:
        while not stop.is_set():
            with guard:
                job = next(jobs, None)
            if job is None:
                return
            yield job

    def here(_: int) -> None:
        for job in jobs_left():
            take(fill(setup, preprocess, job), job)

    def there(_: int) -> None:
        with _decoder(setup) as ask:
            for job in jobs_left():
                take(ask(job), job)

    n = processes or threads
    with ThreadPoolExecutor(n) as pool:
        try:
            for future in [pool.submit(there if processes else here, k) for k in range(n)]:
                future.result()
        finally:
            stop.set()


@contextlib.contextmanager
def _decoder(setup: dict[str, Any]) -> Iterator[Callable[[dict[str, Any]], dict[str, Any]]]:
    """Yield a process that fills chunks: one JSON line in, one out. It ends when its input does, so with its parent."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", "from hoego.data.pixels.work import serve; serve()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=child_environment(),
        start_new_session=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    stdin, stdout = process.stdin, process.stdout

    def ask(message: dict[str, Any]) -> dict[str, Any]:
        try:
            stdin.write(json.dumps(message) + "\n")
            stdin.flush()
            line = stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            items = message.get("items") or [["?"]]
            raise DataError(
                f"A decoding process died (exit status {process.wait()}) between {items[0][0]} and {items[-1][0]}.",
                remedy="Out of memory, or a photo that crashes its decoder. Starting again goes on from here.",
            )
        answer: dict[str, Any] = json.loads(line)
        return answer

    try:
        ask(setup)
        yield ask
    finally:
        with contextlib.suppress(OSError):
            stdin.close()
        stdout.close()
        process.wait()


def serve() -> None:
    """Decode the chunks that `_decoder` asks for, until it closes the pipe."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    setup = json.loads(sys.stdin.readline() or "null")
    if setup is None:
        return
    preprocess = Preprocess.from_dict(setup["preprocess"])
    answer: dict[str, Any] = {}
    while True:
        try:
            answers.write(json.dumps(answer) + "\n")
            answers.flush()
        except BrokenPipeError:
            return
        line = sys.stdin.readline()
        if not line:
            return
        answer = fill(setup, preprocess, json.loads(line))
