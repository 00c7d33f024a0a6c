"""The period of a retrospective, and its title.

The week of the month follows the rule of ISO 8601 for the weeks of a year: a week runs from Monday to Sunday,
belongs to the month that holds its Thursday, and is numbered by that Thursday's place among the month's
Thursdays. So 28 February to 6 March 2022 is the first week of March (2022-W09), which is how the field titles
its reviews.
"""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass

from hoego.errors import UsageError
from hoego.results.base import Result

_MONTHS = tuple(datetime.date(2000, month, 1).strftime("%B") for month in range(1, 13))


class PeriodDays(Result):
    """The days of a retrospective, both ends included.

    Args:
        key: 2022-W09, 2022-03-04, or 2022-02-28_2022-03-10.
        kind: week, day or range.
    """

    key: str
    kind: str
    first: datetime.date
    last: datetime.date


@dataclass(frozen=True)
class Period:
    """Whole days, both ends included, in one time zone.

    Args:
        first, last: the days.
        kind: week, day or range.
        zone: in which a day begins; None for the machine's own.
    """

    first: datetime.date
    last: datetime.date
    kind: str = "range"
    zone: datetime.tzinfo | None = None

    @property
    def key(self) -> str:
        """2022-W09, 2022-03-04, or 2022-02-28_2022-03-10."""
        if self.kind == "week":
            year, week, _ = self.first.isocalendar()
            return f"{year}-W{week:02d}"
        return f"{self.first}" if self.first == self.last else f"{self.first}_{self.last}"

    def days(self) -> list[datetime.date]:
        """Return every day, in order."""
        count = (self.last - self.first).days + 1
        return [self.first + datetime.timedelta(days=n) for n in range(count)]

    def local(self, moment: str) -> datetime.datetime | None:
        """Return a moment of the records (ISO 8601) on this period's clock; None where there is none."""
        try:
            found = datetime.datetime.fromisoformat(moment)
        except (TypeError, ValueError):
            return None
        aware = found if found.tzinfo is not None else found.replace(tzinfo=datetime.UTC)
        return aware.astimezone(self.zone)

    def holds(self, moment: str) -> bool:
        """Return whether a moment lies in the period."""
        found = self.local(moment)
        return found is not None and self.first <= found.date() <= self.last

    def title(self, lang: str) -> str:
        """Format the title: `2022년 3월 1주차 주간 회고`, `Retrospective of week 1 of March 2022`."""
        if self.kind == "week":
            year, month, number = week_of_month(self.first)
            if lang == "ko":
                return f"{year}년 {month}월 {number}주차 주간 회고"
            return f"Retrospective: week {number} of {_MONTHS[month - 1]} {year}"
        if lang == "ko":
            span = _korean(self.first) + ("" if self.first == self.last else f" ~ {_korean(self.last)}")
            return f"{span} 회고"
        span = _english(self.first) + ("" if self.first == self.last else f" to {_english(self.last)}")
        return f"Retrospective: {span}"

    def stated(self) -> PeriodDays:
        """Return its days and its name, without the time zone."""
        return PeriodDays(key=self.key, kind=self.kind, first=self.first, last=self.last)


def _korean(day: datetime.date) -> str:
    return f"{day.year}년 {day.month}월 {day.day}일"


def _english(day: datetime.date) -> str:
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


def day_title(day: datetime.date, lang: str) -> str:
    """Format a day: `3월 4일 금요일`, `Friday 4 March`."""
    if lang == "ko":
        return f"{day.month}월 {day.day}일 {'월화수목금토일'[day.weekday()]}요일"
    names = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
    return f"{names[day.weekday()]} {day.day} {_MONTHS[day.month - 1]}"


def week_of_month(day: datetime.date) -> tuple[int, int, int]:
    """Return (year, month, number) of the week that holds a day: those of its Thursday.

    >>> week_of_month(datetime.date(2022, 2, 28))
    (2022, 3, 1)
    """
    thursday = day + datetime.timedelta(days=3 - day.weekday())
    return thursday.year, thursday.month, (thursday.day - 1) // 7 + 1


def period_of(
    *,
    week: str = "",
    since: str = "",
    to: str = "",
    today: bool = False,
    zone: datetime.tzinfo | None = None,
    now: datetime.datetime | None = None,
) -> Period:
    """Return the period that a command line asks for; this week where it asks for nothing.

    Raises:
        UsageError: two ways at once, a week or a day that does not exist, or an end before the beginning.
    """
    if sum((bool(week), bool(since or to), today)) > 1:
        raise UsageError("a week, two days and today exclude one another.", remedy="Give one of them.")
    current = (now or datetime.datetime.now(datetime.UTC)).astimezone(zone).date()
    if today:
        return Period(current, current, "day", zone)
    if week:
        monday = _monday(week)
        return Period(monday, monday + datetime.timedelta(days=6), "week", zone)
    if since or to:
        last = _day(to) if to else current
        first = _day(since) if since else last - datetime.timedelta(days=6)
        if first > last:
            raise UsageError(f"the period would end ({last}) before it begins ({first}).")
        return Period(first, last, "day" if first == last else "range", zone)
    monday = current - datetime.timedelta(days=current.weekday())
    return Period(monday, monday + datetime.timedelta(days=6), "week", zone)


def _monday(week: str) -> datetime.date:
    match = re.fullmatch(r"(\d{4})-?[Ww](\d{1,2})", week.strip())
    try:
        if match is not None:
            return datetime.date.fromisocalendar(int(match[1]), int(match[2]), 1)
    except ValueError:
        pass
    raise UsageError(f"{week!r} is not a week.", remedy="Give it as 2022-W09.")


def _day(text: str) -> datetime.date:
    try:
        return datetime.date.fromisoformat(text.strip())
    except ValueError:
        raise UsageError(f"{text!r} is not a day.", remedy="Give it as 2022-03-04.") from None
