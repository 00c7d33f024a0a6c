"""Records compared: from two lists of runs to what `hoego compare` says of them."""

from __future__ import annotations

from collections.abc import Sequence

from hoego.evaluate.compare import CompareOptions, Comparison, compare
from hoego.predictions import Predictions
from hoego.results.verdict import ComparisonVerdict
from hoego.runs.loading import dataset_of_all
from hoego.runs.record_predictions import predictions_of
from hoego.runs.records import Record


def compare_records(
    first: Sequence[Record], second: Sequence[Record], options: CompareOptions | None = None
) -> Comparison:
    """Compare the runs of one side with those of the other, on today's labels of their data set.

    One run a side compares two models; three or more, two recipes.

    Raises:
        MismatchError: other data set, split or images.
        LeakError: a run has seen what it is scored on.
        NotEstimableError: nothing to compare.
        DataError: the photos cannot be found any more.
    """
    sides: list[Predictions | list[Predictions]] = []
    for side in (first, second):
        given = [predictions_of(record) for record in side]
        sides.append(given[0] if len(given) == 1 else given)
    return compare(sides, dataset_of_all([*first, *second]), options)


def compare_sides(
    baseline: Sequence[Record], runs: Sequence[Record], names: tuple[str, str]
) -> ComparisonVerdict:
    """Return the verdict on an idea: its runs less those of the leading recipe."""
    found = compare_records(runs, baseline, CompareOptions(names=(names[1], names[0])))
    return ComparisonVerdict(
        outcome=found.verdict,
        sentence=found.sentence,
        metric=found.metric,
        difference=found.difference,
        p_value=found.p_value,
        scope=found.scope,
        baseline=tuple(record.id for record in baseline),
        runs=tuple(record.id for record in runs),
    )
