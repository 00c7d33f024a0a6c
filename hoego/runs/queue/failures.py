"""Why a run failed, in one line that says what to do."""

from __future__ import annotations

import errno
import re

from hoego.errors import HoegoError, is_out_of_memory


def one_line(problem: BaseException) -> str:
    """The reason in one line of at most 300 characters.

    A full disk, memory that ran out (the machine's or the accelerator's) and a loss that is not a number are
    named as such, without torch being imported; anything else is its type and message.
    """
    return _shorten(_reason(problem))


def is_disk_full(problem: BaseException) -> bool:
    """Whether the disk (or the quota on it) is full; also when another error hides the OSError that said so."""
    seen: BaseException | None = problem
    while seen is not None:
        if isinstance(seen, OSError) and seen.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        if "no space left on device" in str(seen).lower():
            return True
        seen = seen.__cause__ or seen.__context__
    return False


def _reason(problem: BaseException) -> str:
    if is_disk_full(problem):
        name = getattr(problem, "filename", None)
        return f"the disk is full{f' ({name})' if name else ''}: free some space, then retry"
    if is_out_of_memory(problem):
        device = "the GPU" if re.search(r"cuda|hip|gpu|mps", str(problem), re.IGNORECASE) else "the machine"
        return f"out of memory on {device}: make batch_size or dataset.size smaller, then retry"
    if isinstance(problem, FloatingPointError) or re.search(
        r"\bnan\b|not finite|non-finite", str(problem), re.I
    ):
        return f"the loss is not a number: {str(problem) or 'NaN'}; lower optim.lr or use float32"
    if isinstance(problem, HoegoError):
        return f"{problem.message}{f' {problem.remedy}' if problem.remedy else ''}"
    return f"{type(problem).__name__}: {problem}" if str(problem) else type(problem).__name__


def _shorten(text: str, limit: int = 300) -> str:
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
