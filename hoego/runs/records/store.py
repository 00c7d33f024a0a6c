"""A folder of records: make a run's record, find one, list them all."""

from __future__ import annotations

import contextlib
import datetime
import difflib
import os
import secrets
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hoego import files, process, toml_text
from hoego.errors import RecordError, nearest
from hoego.runs.records.environment import code_state, environment, machine_key
from hoego.runs.records.index import read_all
from hoego.runs.records.meta import STATES, RunMeta, now
from hoego.runs.records.ranking import PRIMARY, Ranking, RankingRule, ranked
from hoego.runs.records.record import Record
from hoego.runs.records.run_facts import RunKind
from hoego.runs.records.upgrades import SCHEMA_VERSION
from hoego.storage import storing

LAST = "last"
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def new_id() -> str:
    """Make a run's id: UTC time to the second, then 25 random bits (unique also between machines)."""
    moment = datetime.datetime.now(datetime.UTC).strftime("%Y%m%d-%H%M%S")
    return f"{moment}-{''.join(secrets.choice(_ALPHABET) for _ in range(5))}"


class RunStore:
    """The records under `root` (made when the first run is). No hoego.toml is needed."""

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)
        self.read_only = False

    def __repr__(self) -> str:
        return f"Store({self.root})"

    def create(
        self,
        recipe: Mapping[str, Any],
        *,
        name: str = "",
        why: str = "",
        tags: Iterable[str] = (),
        state: str = "running",
        parents: Iterable[str] = (),
        **fields: Any,
    ) -> Record:
        """Make a new record with the resolved `recipe` (plain settings), the environment and the code's state.

        The folder appears whole: it is written under a temporary name and then renamed. `fields` are further
        fields of run.json (kind, fold, priority, after, value, fingerprints, training ...). Raises RecordError for an
        unknown state or field, or a recipe that TOML cannot hold; nothing is left behind then.
        """
        if state not in STATES:
            raise RecordError(f"unknown state {state!r}", remedy=f"One of {', '.join(STATES)}.")
        with storing(self.root / "run.json"):
            self.root.mkdir(parents=True, exist_ok=True)
        while True:
            id_ = new_id()
            meta = _first_meta(id_, name, why, state, {"tags": tags, "parents": parents, **fields})
            with storing(self.root / id_):
                folder = self._write_new(meta, recipe)
            if folder is not None:
                return Record(folder, meta)

    def _write_new(self, meta: RunMeta, recipe: Mapping[str, Any]) -> Path | None:
        temporary = self.root / f".new-{meta.id}"
        folder = self.root / meta.id
        temporary.mkdir()
        try:
            files.write_text(temporary / "recipe.toml", toml_text.dumps(recipe), durable=False)
            files.write_json(temporary / "environment.json", environment(), durable=False)
            files.write_json(temporary / "code.json", code_state(self.root), durable=False)
            (temporary / "heartbeat").touch()
            record = Record(temporary, meta)
            record.log(f"created, {meta.state}")
            files.write_json(temporary / "run.json", meta.model_dump(mode="json"))
            os.rename(temporary, folder)
        except BaseException as problem:
            shutil.rmtree(temporary, ignore_errors=True)
            if isinstance(problem, FileExistsError) or (isinstance(problem, OSError) and folder.exists()):
                return None
            raise
        return folder

    def find(self, text: str | Path) -> Record:
        """Find the record that `text` names: an id, a unique prefix or ending of one, a path to its folder, or
        "last".

        "last" is the newest run that is done. Raises RecordError when there is none or more than one, listing the
        near ones.
        """
        if text == LAST:
            return self._last()
        as_path = Path(text)
        candidates = [as_path, self.root / as_path] if str(text) else []
        for path in candidates:
            if (path / "run.json").is_file():
                return Record(path.resolve())
        wanted = str(text).strip("/")
        ids = self.ids()
        matches = [i for i in ids if i.startswith(wanted)] or [i for i in ids if i.endswith(wanted)]
        if wanted and len(matches) == 1:
            return Record(self.root / matches[0])
        if wanted and matches:
            raise RecordError(
                f"{wanted!r} fits {len(matches)} runs: {_few(matches)}", remedy="Give more of the id."
            )
        if as_path.is_file():
            raise _not_a_run(as_path)
        near = difflib.get_close_matches(wanted, ids, n=5, cutoff=0.5) or ids[-5:]
        listed = f"near ones: {_few(near)}" if near else f"there are no runs in {self.root}"
        raise RecordError(f"no run {str(text)!r}; {listed}", remedy="`hoego runs` lists them.")

    def _last(self) -> Record:
        done = self.list(states=("done",))
        if done:
            return done[-1]
        raise RecordError(f"no run in {self.root} is done yet.", remedy="`hoego runs` lists what there is.")

    def ids(self) -> list[str]:
        """Return every record's id, oldest first."""
        try:
            with os.scandir(self.root) as entries:
                return sorted(e.name for e in entries if not e.name.startswith(".") and _is_record(e))
        except FileNotFoundError:
            return []

    def list(
        self,
        *,
        states: Iterable[str] = (),
        tags: Iterable[str] = (),
        text: str = "",
        where: Callable[[RunMeta], bool] | None = None,
    ) -> list[Record]:
        """List the records, oldest first: in one of `states`, with all `tags`, with `text` in name, why or id.

        Broken records are left out (`broken` names them).
        """
        return [*self.scan(states=states, tags=tags, text=text, where=where)[0]]

    def scan(
        self,
        *,
        states: Iterable[str] = (),
        tags: Iterable[str] = (),
        text: str = "",
        where: Callable[[RunMeta], bool] | None = None,
    ) -> tuple[Sequence[Record], dict[str, RecordError]]:
        """Return `list` and `broken` from one look at the folder."""
        wanted_states, wanted_tags, lowered = set(states), set(tags), text.lower()
        found = []
        records, broken = self.read()
        for record in records:
            meta = record.meta
            if wanted_tags - set(meta.tags) or (where and not where(meta)):
                continue
            if lowered and lowered not in f"{meta.id} {meta.name} {meta.why}".lower():
                continue
            if wanted_states and record.state not in wanted_states:
                continue
            found.append(record)
        return found, broken

    def read(self) -> tuple[Sequence[Record], dict[str, RecordError]]:
        """Read every record, oldest first, and the error of each folder whose run.json cannot be read."""
        metas, broken = read_all(self.root)
        return [Record(self.root / id_, meta) for id_, meta in sorted(metas.items())], broken

    def ranked(
        self,
        metric: str = PRIMARY,
        *,
        honest: bool = True,
        kinds: Sequence[RunKind] = (),
        target: str = "",
        higher_is_better: bool | None = None,
    ) -> Ranking:
        """Rank the done records by a metric, the best first: the one rule that every reader takes.

        Only scores of one data set, split, target and labels version are ranked with one another: those of the
        largest such group. The other scored records are listed apart.
        """
        return ranked(
            self.list(),
            RankingRule(
                metric=metric,
                honest=honest,
                kinds=tuple(kinds),
                target=target,
                higher_is_better=higher_is_better,
            ),
        )

    def broken(self) -> dict[str, RecordError]:
        """Return the folders whose run.json cannot be read: folder name -> the error."""
        return self.read()[1]

    def remove_leftovers(self) -> tuple[Path, ...]:
        """Delete the temporary folders of creations and merges that were killed an hour ago or more."""
        removed: tuple[Path, ...] = ()
        for path in sorted(self.root.glob(".new-*")):
            if (process.age(path) or 0) > 3600:
                with contextlib.suppress(OSError):
                    shutil.rmtree(path)
                    removed += (path,)
        return removed


def _not_a_run(path: Path) -> RecordError:
    if path.suffix == ".parquet":
        return RecordError(f"'{path}' is a file, no run.", remedy="Give the run that it is of (hoego runs).")
    return RecordError(
        f"'{path}' is a file, no run.",
        remedy="Of files, only a .parquet of predictions can stand for a run (hoego predict --out FILE.parquet).",
    )


def _first_meta(id_: str, name: str, why: str, state: str, fields: Mapping[str, Any]) -> RunMeta:
    unknown = sorted(fields.keys() - RunMeta.model_fields.keys())
    if unknown:
        said = f"run.json has no field {', '.join(unknown)}"
        raise RecordError(said, remedy=nearest(unknown[0], RunMeta.model_fields))
    moment = now()
    content = {
        "schema_version": SCHEMA_VERSION,
        "id": id_,
        "name": name,
        "why": why,
        "state": state,
        "created": moment,
        "started": moment if state == "running" else "",
        "updated": moment,
        "process": process.this_process() if state == "running" else None,
        "machine": machine_key(),
        **{
            key: tuple(value) if key in ("tags", "parents", "after") else value
            for key, value in fields.items()
        },
    }
    return RunMeta.read(content)


def _is_record(entry: os.DirEntry[str]) -> bool:
    return entry.is_dir() and os.path.isfile(os.path.join(entry.path, "run.json"))


def _few(ids: Iterable[str], limit: int = 8) -> str:
    listed = list(ids)
    return ", ".join(listed[:limit]) + (f" and {len(listed) - limit} more" if len(listed) > limit else "")
