"""Memory that a training frees stays with the process, unless the environment says how it should allocate."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="memory is kept with glibc only")

FAULTS = """
import json, resource
import numpy as np
from hoego.train.memory import keep_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        np.ones(40 << 20, dtype=np.uint8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

given = faults()
said = keep_freed_memory()
np.ones(40 << 20, dtype=np.uint8)
print(json.dumps([given, said, faults()]))
"""


def run(script: str, **environment: str) -> str:
    """What a script prints in a process of its own, in which nothing but `environment` says how to allocate."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("MALLOC_", "GLIBC_"))}
    # numpy asks for huge pages, of which one fault brings 512 at a time.
    told = {**clean, "NUMPY_MADVISE_HUGEPAGE": "0", **environment}
    return subprocess.run(
        [sys.executable, "-c", script], env=told, capture_output=True, text=True, check=True
    ).stdout


def measured(**environment: str) -> list[int]:
    found: list[int] = json.loads(run(FAULTS, **environment))
    return found


def test_freed_memory_is_kept() -> None:
    given, said, kept = measured()
    assert said
    assert given > 20 * 10_000, "each of twenty blocks of 40 MB was mapped anew"
    assert kept < given / 100


def test_what_is_kept_goes_back_on_request() -> None:
    script = """
from hoego.train.memory import trim_memory, keep_freed_memory
import numpy as np

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096 >> 20

assert keep_freed_memory()
photos = np.ones(200 << 20, dtype=np.uint8)
del photos
kept = resident()
trim_memory()
print(kept - resident())
"""
    assert int(run(script)) > 180


@pytest.mark.parametrize(
    ("name", "value"),
    [("MALLOC_MMAP_THRESHOLD_", "65536"), ("GLIBC_TUNABLES", "glibc.malloc.mmap_threshold=65536")],
)
def test_what_the_environment_says_stays(name: str, value: str) -> None:
    given, said, kept = measured(**{name: value})
    assert not said
    assert kept == pytest.approx(given, rel=0.05)


@pytest.mark.torch
def test_the_library_leaves_the_threads_of_the_process_as_they_are() -> None:
    torch = pytest.importorskip("torch")
    from hoego.train.precision import threads_restored

    before = torch.get_num_threads()
    with threads_restored():
        torch.set_num_threads(before + 1)
    assert torch.get_num_threads() == before
