"""Photos that a score rests on no longer: how many a run had predicted, and how many of those it had wrong."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from hoego.results.base import Result


class LeftOutPhotos(Result):
    """Photos that a run predicted and that are left out of what is scored now.

    Args:
        run: that predicted them.
        photos: how many are left out.
        subjects: subjects of which no photo is left; None where an early record does not say whose photos they were.
        of: photos that the run predicted.
        labelled: of the photos left out, those that had a label.
        wrong: of these, those that the run had wrong.
        error_rate: share that the run had wrong of all labelled photos that it predicted; None where none has a label.
    """

    run: str
    photos: int
    subjects: int | None = None
    of: int
    labelled: int
    wrong: int
    error_rate: float | None = None

    @property
    def excess(self) -> float:
        """How many more of them the run had wrong than its error rate lets one expect."""
        return self.wrong - self.labelled * (self.error_rate or 0.0)

    def sentence(self, how: str = "are left out") -> str:
        """Say it beside a score.

        >>> LeftOutPhotos(run="a", photos=10, of=99, labelled=10, wrong=9, error_rate=0.3).sentence()
        '10 of 99 photos that a predicted are left out: it had 9 of them wrong (90.0 %), 30.0 % of all'
        """
        verb = how if self.photos != 1 else how.replace("are ", "is ", 1).replace("have ", "has ", 1)
        whole = ""
        if self.subjects is not None:
            whole = f" ({self.subjects:,} whole subject{'' if self.subjects == 1 else 's'})"
        said = f"{self.photos:,} of {self.of:,} photos that {self.run} predicted {verb}{whole}"
        if not self.labelled or self.error_rate is None:
            return f"{said}; none of them had a label"
        share = 100 * self.wrong / self.labelled
        among = "them" if self.labelled == self.photos else f"the {self.labelled:,} with a label"
        return (
            f"{said}: it had {self.wrong:,} of {among} wrong ({share:.1f} %), "
            f"{100 * self.error_rate:.1f} % of all"
        )


class LeftOut(Result):
    """What a record's data set leaves out.

    Args:
        by_setting: setting -> how many photos of the folder or table it leaves out.
        predicted: photos that earlier runs of these records predicted, and that are not in the data set now.
    """

    by_setting: Mapping[str, int] = Field(default_factory=dict)
    predicted: tuple[LeftOutPhotos, ...] = ()
