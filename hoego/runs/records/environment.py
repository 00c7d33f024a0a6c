"""What a run ran on, and which code: recorded once per process, without loading torch."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

from hoego.process import host
from hoego.version import version

_CORE_PACKAGES = ("numpy", "polars", "pillow", "simplejpeg", "scipy", "torch", "torchvision", "timm")


def environment() -> dict[str, Any]:
    """Describe the machine and its software: python, packages, cores, memory (bytes), accelerator.

    torch is asked for the accelerator only where it is already imported.
    """
    return {**_fixed(), "accelerator": accelerator(), "torch_threads": _torch_threads()}


def machine_key() -> str:
    """Name "the same machine" in timings: host, processor, cores and accelerator."""
    fixed = _fixed()
    return "|".join((fixed["host"], fixed["processor"], str(fixed["cores"])))


def accelerator() -> str:
    """Return the first accelerator's name, "cpu" if torch sees none, "" if torch is not imported."""
    torch: Any = sys.modules.get("torch")
    if torch is None or not hasattr(torch, "cuda"):
        return ""
    if torch.cuda.is_available():
        return str(torch.cuda.get_device_name(0))
    return "mps" if getattr(torch.backends, "mps", None) and torch.backends.mps.is_available() else "cpu"


def _torch_threads() -> int | None:
    torch: Any = sys.modules.get("torch")
    return int(torch.get_num_threads()) if torch is not None and hasattr(torch, "get_num_threads") else None


@functools.cache
def _fixed() -> dict[str, Any]:
    packages: dict[str, str] = {}
    for distribution in importlib.metadata.distributions():
        name = distribution.metadata["Name"]
        if name:
            packages.setdefault(name.lower().replace("_", "-"), distribution.version)
    first = {name: packages[name] for name in _CORE_PACKAGES if name in packages}
    return {
        "python": platform.python_version(),
        "system": platform.platform(),
        "host": host(),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory": _memory(),
        "packages": {**first, **dict(sorted(packages.items()))},
    }


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _memory() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        return None


def code_state(project: Path | None = None) -> dict[str, Any]:
    """Describe the code that runs: a hash per source file of the package, one over all, and the project's git
    state.

    `hash` (64-bit, hex) is over the sorted relative names and contents of the package's Python files.
    `git` is None outside a git checkout, else commit and whether the work tree differs from it.
    """
    files = _package_files()
    total = hashlib.blake2b(digest_size=8)
    for name, digest in files.items():
        total.update(f"{name}\0{digest}\0".encode())
    return {
        "hoego": version(),
        "hash": total.hexdigest(),
        "git": _git(str((project or Path.cwd()).resolve())),
        "package_git": _git(str(Path(__file__).resolve().parents[2])),
        "files": files,
    }


@functools.cache
def _package_files() -> dict[str, str]:
    package = Path(__file__).resolve().parents[2]
    return {
        path.relative_to(package).as_posix(): hashlib.blake2b(path.read_bytes(), digest_size=8).hexdigest()
        for path in sorted(package.rglob("*.py"))
    }


@functools.cache
def _git(folder: str) -> dict[str, Any] | None:
    try:
        commit = _run_git(folder, "rev-parse", "HEAD")
        changed = _run_git(folder, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return None
    return {"commit": commit.strip(), "dirty": bool(changed.strip())}


def _run_git(folder: str, *arguments: str) -> str:
    return subprocess.run(
        ["git", "-C", folder, *arguments], capture_output=True, text=True, check=True, timeout=10
    ).stdout
