"""`hoego.runs`: the records of a folder as runs, listed, found, ranked and as a table."""

from __future__ import annotations

import builtins
from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl

from hoego.api.folders import records_folder
from hoego.api.run import Run
from hoego.results.looks import RankingLooks
from hoego.runs.records import RunStore
from hoego.runs.records.listing import COLUMNS, RunsQuery
from hoego.runs.records.listing import runs as query_runs


def runs(where: Path | str | None = None) -> Runs:
    """Open a folder of records.

    Args:
        where: the folder; `runs/` beside the nearest hoego.toml or here where None.

    >>> import tempfile
    >>> len(runs(tempfile.mkdtemp()))
    0
    """
    return Runs(RunStore(records_folder(where)))


class Runs:
    """The runs of a folder, oldest first."""

    def __init__(self, store: RunStore) -> None:
        self.store = store

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.store.ids())

    def __iter__(self) -> Iterator[Run]:
        """Give every run, oldest first."""
        return iter(self.list())

    def __repr__(self) -> str:
        """Show the folder and the number of runs."""
        return f"Runs({str(self.store.root)!r}, {len(self)} runs)"

    def _repr_html_(self) -> str:
        """Show the table in a notebook."""
        return self.table()._repr_html_()

    def find(self, text: str | Path) -> Run:
        """Return the run of an id, a unique prefix or ending, a folder, or "last" (the newest that is done).

        Raises RecordError where there is none or more than one, naming the near ones.
        """
        return Run(self.store.find(text))

    def list(self, *, state: str = "", tag: str = "", text: str = "") -> builtins.list[Run]:
        """Return the runs in a state, with a tag, and with a text in name, reason or id; all where not given."""
        found = self.store.list(states=(state,) if state else (), tags=(tag,) if tag else (), text=text)
        return [Run(record) for record in found]

    def ranked(self, metric: str = "macro_f1", *, higher_is_better: bool | None = None) -> builtins.list[Run]:
        """Return the runs that are done and whose score may be ranked, the best first.

        A naive or in-sample score is never among them. Scores of one data set, split, target and labels version are
        ranked: those that most runs share.
        """
        found = self.store.ranked(metric, higher_is_better=higher_is_better)
        return [Run(record) for record in found.records]

    def looks(self, metric: str = "macro_f1") -> RankingLooks | None:
        """Return by how much the first of `ranked` is flattered, since it was chosen by the scores that rank it.

        None where there is no choice among several runs.
        """
        from hoego.runs.looks import looks

        return looks(self.store.ranked(metric), metric)

    def table(self, columns: Sequence[str] = COLUMNS) -> pl.DataFrame:
        """Return the runs as a table, a row each, the columns as `hoego runs --columns` takes them."""
        found = query_runs(self.store, RunsQuery(columns=tuple(columns)))
        cells = list(zip(*found.rows, strict=True)) or [()] * len(found.columns)
        return pl.DataFrame(
            [
                pl.Series(name, _plain(values), strict=False)
                for name, values in zip(found.columns, cells, strict=True)
            ]
        )


def _plain(values: Sequence[object]) -> list[object]:
    return [" ".join(map(str, v)) if isinstance(v, (list, tuple)) else v for v in values]
