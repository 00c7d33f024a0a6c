"""Why a run failed, in one line with the remedy."""

from __future__ import annotations

import re

from hoego.errors import HoegoError, is_out_of_memory
from hoego.storage import full_disk


def one_line(problem: BaseException) -> str:
    """Shorten the reason to one line of at most 300 characters.

    A full disk, memory that ran out (the machine's or the accelerator's) and a loss that is not a number are
    named as such, without torch being imported; anything else is its type and message.
    """
    return _shorten(_reason(problem))


def _reason(problem: BaseException) -> str:
    if full_disk(problem):
        name = getattr(problem, "filename", None) or getattr(problem, "file", None)
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
