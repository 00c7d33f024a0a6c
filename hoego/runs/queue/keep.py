"""Which checkpoints stay on the disk: never is the selected one of a fold deleted, nor anything of the best runs."""

from __future__ import annotations

import contextlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hoego.runs.records import RankingRule, Record, RunKind, RunStore, rankings

STATE_FILES = ("state.safetensors", "state.pt", "state")
"""What a run needs in order to go on; of no use once it is done."""


@dataclass(frozen=True)
class DeletedFiles:
    """Files that were deleted (or, when only looking, would be), and the bytes they took."""

    files: tuple[str, ...]
    bytes: int

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON types."""
        return asdict(self)


def tidy_run(record: Record, *, keep: str | None = None, look: bool = False) -> DeletedFiles:
    """Delete what a done run needs no more, by its recipe's `queue.keep` (or `keep`).

    all: nothing. best: the state for resuming goes, one checkpoint per criterion stays. selected: of those only
    the one that was selected (`select.by`) stays. A fold whose selected checkpoint is not there is left alone,
    and so is every run that is not done or has the tag `keep`.
    """
    policy = keep or str(record.recipe.get("queue", {}).get("keep", "best"))
    if record.state != "done" or policy == "all" or "keep" in record.meta.tags:
        return DeletedFiles((), 0)
    chosen = str(record.recipe.get("select", {}).get("by", "macro_f1"))
    to_delete: list[Path] = []
    for fold in record.folds():
        folder = record.folder / f"fold-{fold}"
        weights = sorted(folder.glob("*.safetensors"))
        others = [p for p in weights if p.name not in STATE_FILES]
        to_delete += [folder / name for name in STATE_FILES if others and (folder / name).is_file()]
        if policy == "selected" and any(p.stem == chosen for p in others):
            to_delete += [p for p in others if p.stem not in (chosen, "refit")]
    return _delete(to_delete, record.folder, look)


def tidy(store: RunStore, *, recent: int = 20, best: int = 5, look: bool = False) -> DeletedFiles:
    """Free the disk of old checkpoints: of done runs beyond the `recent` latest only the selected ones stay.

    The `best` runs by their honest macro F1 (of each data set, split, labels version and target) and those with the
    tag `keep` are not touched. `look` deletes nothing.
    """
    done = store.list(states=["done"])
    # Only what has checkpoints of its own takes a place among the best: an ensemble's are those of its members.
    groups = rankings(done, RankingRule(kinds=(RunKind.RUN, RunKind.PROBE)))
    spared = {r.id for group in groups for r in group.records[:best]}
    spared |= {r.id for r in done[len(done) - recent if recent else len(done) :]}
    deleted = [tidy_run(r, keep="selected" if r.id not in spared else None, look=look) for r in done]
    return DeletedFiles(tuple(f for t in deleted for f in t.files), sum(t.bytes for t in deleted))


def _delete(to_delete: list[Path], folder: Path, look: bool) -> DeletedFiles:
    freed = 0
    gone = []
    for path in to_delete:
        with contextlib.suppress(OSError):
            size = path.stat().st_size
            if not look:
                path.unlink()
            freed += size
            gone.append(f"{folder.name}/{path.relative_to(folder).as_posix()}")
    return DeletedFiles(tuple(gone), freed)
