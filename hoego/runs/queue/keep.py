"""Which checkpoints stay on the disk: never is the selected one of a fold deleted, nor anything of the best runs."""

from __future__ import annotations

import contextlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hoego.runs.records import Record, RunStore

STATE_FILES = ("state.safetensors", "state.pt", "state")
"""What a run needs in order to go on; of no use once it is done."""


@dataclass(frozen=True)
class DeletedFiles:
    """Files that were deleted (or, when only looking, would be), and the bytes they took."""

    files: tuple[str, ...]
    bytes: int

    def to_dict(self) -> dict[str, Any]:
        """Plain types."""
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
    doomed: list[Path] = []
    for fold in record.folds():
        folder = record.folder / f"fold-{fold}"
        weights = sorted(folder.glob("*.safetensors"))
        others = [p for p in weights if p.name not in STATE_FILES]
        doomed += [folder / name for name in STATE_FILES if others and (folder / name).is_file()]
        if policy == "selected" and any(p.stem == chosen for p in others):
            doomed += [p for p in others if p.stem not in (chosen, "refit")]
    return _delete(doomed, record.folder, look)


def tidy(store: RunStore, *, recent: int = 20, best: int = 5, look: bool = False) -> DeletedFiles:
    """Free the disk of old checkpoints: of done runs beyond the `recent` latest only the selected ones stay.

    The `best` runs of each target by their macro F1 and those with the tag `keep` are not touched. `look` deletes
    nothing.
    """
    done = store.list(states=["done"])
    ranked = sorted(done, key=lambda r: -1.0 if (s := score_of(r)) is None else s, reverse=True)
    targets = {target_of(r) for r in done}
    spared = {r.id for t in targets for r in [r for r in ranked if target_of(r) == t][:best]}
    spared |= {r.id for r in done[len(done) - recent if recent else len(done) :]}
    deleted = [tidy_run(r, keep="selected" if r.id not in spared else None, look=look) for r in done]
    return DeletedFiles(tuple(f for t in deleted for f in t.files), sum(t.bytes for t in deleted))


def score_of(record: Record) -> float | None:
    """A run's macro F1; None where it has none."""
    metric = (record.meta.score or {}).get("macro_f1")
    value = metric.get("value") if isinstance(metric, dict) else metric
    return float(value) if isinstance(value, (int, float)) else None


def target_of(record: Record) -> str:
    """What a run's score is of: the project's target, or the one attribute that the run predicts."""
    return str((record.meta.score or {}).get("target") or "")


def _delete(doomed: list[Path], folder: Path, look: bool) -> DeletedFiles:
    freed = 0
    gone = []
    for path in doomed:
        with contextlib.suppress(OSError):
            size = path.stat().st_size
            if not look:
                path.unlink()
            freed += size
            gone.append(f"{folder.name}/{path.relative_to(folder).as_posix()}")
    return DeletedFiles(tuple(gone), freed)
