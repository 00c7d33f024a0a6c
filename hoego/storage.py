"""What the file system refuses: a full disk and a read-only folder, said in one line with the path."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from hoego.errors import DataError, HoegoError

FULL = {
    errno.ENOSPC: "the disk is full; free some space and try again",
    errno.EDQUOT: "the disk is full: your quota is used up; free some space and try again",
    errno.EFBIG: "the disk is full: a file may not grow longer here (ulimit -f, or the file system's own limit)",
}
"""What an error of the operating system says of a disk that takes no more, by its number."""

_READ_ONLY = {
    errno.EROFS: "the folder is read-only; mount it for writing, or work in another one",
    errno.EACCES: "the folder is read-only for you; ask for the right to write, or work in another one",
    errno.EPERM: "the folder is read-only for you; ask for the right to write, or work in another one",
}
_IN_THE_WAY = {
    errno.EISDIR: "a folder stands where the file is to be written; move it away",
    errno.ENOTDIR: "a file stands where a folder is to be; move it away",
    errno.EEXIST: "a file stands where a folder is to be; move it away",
    errno.ENAMETOOLONG: "the name is too long for this file system; choose a shorter one",
    errno.ELOOP: "links in the path lead to themselves; take them away",
}
_FULL_WORDS = {
    "no space left on device": errno.ENOSPC,
    "disk quota exceeded": errno.EDQUOT,
    "file too large": errno.EFBIG,
}


def full_disk(problem: BaseException | None) -> str:
    """Say that the disk is full where that is what an error means, also behind other errors; "" where it is not.

    Libraries in other languages give the operating system's words in an error of their own.

    >>> full_disk(OSError(28, "No space left on device"))
    'the disk is full; free some space and try again'
    """
    while problem is not None:
        number = problem.errno if isinstance(problem, OSError) else None
        if number not in FULL:
            text = str(problem).lower()
            number = next((n for words, n in _FULL_WORDS.items() if words in text), None)
        if number in FULL:
            return FULL[number]
        problem = problem.__cause__ or problem.__context__
    return ""


def storage_error(problem: BaseException, path: Path | None = None) -> DataError | None:
    """Return the error that says why nothing can be written to `path`; None where `problem` is something else.

    Args:
        problem: as the operating system or a library raised it.
        path: what was to be written; by default the file that the operating system names.
    """
    named = getattr(problem, "filename", None)
    where = path if path is not None else Path(named) if isinstance(named, str) else None
    if said := full_disk(problem):
        return DataError(said, file=where)
    if path is not None and isinstance(problem, OSError) and problem.errno in _IN_THE_WAY:
        return DataError(_IN_THE_WAY[problem.errno], file=where)
    if not isinstance(problem, OSError) or problem.errno not in _READ_ONLY:
        return None
    if path is None and problem.errno != errno.EROFS:
        return DataError(f"this may not be opened here: {problem.strerror}", file=where)
    here = path is None or named is None or Path(os.fsdecode(named)).is_relative_to(path.parent)
    return DataError(_READ_ONLY[problem.errno], file=where) if here else None


@contextlib.contextmanager
def storing(path: Path) -> Iterator[None]:
    """Raise DataError naming `path` where the body cannot write: the disk is full, or the folder is read-only."""
    try:
        yield
    except Exception as problem:
        if isinstance(problem, HoegoError) or (said := storage_error(problem, path)) is None:
            raise
        raise said from problem
