"""Deadlines and durations as people write them."""

from __future__ import annotations

import datetime
import re
import zoneinfo

from hoego.errors import UsageError

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(d|h|m|s)", re.IGNORECASE)
_UNITS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0}
_CLOCK = re.compile(r"(?:(\d{4}-\d{2}-\d{2})[ T])?(\d{1,2}):(\d{2})(?::(\d{2}))?(?:\s+(\S+))?")


def parse_duration(text: str) -> float:
    """Parse the seconds in "8h", "90m", "1h30m", "45s", "2d" or a plain number of seconds.

    Raises UsageError for anything else, and for nothing or less.

    >>> parse_duration("1h30m")
    5400.0
    """
    compact = text.strip()
    if re.fullmatch(r"\d+(\.\d+)?", compact):
        seconds = float(compact)
    elif compact and not _DURATION.sub("", compact).strip():
        seconds = sum(float(n) * _UNITS[unit.lower()] for n, unit in _DURATION.findall(compact))
    else:
        raise UsageError(f"{text!r} is not a duration", remedy="Write it as 8h, 90m, 1h30m or 45s.")
    if seconds <= 0:
        raise UsageError(f"{text!r} leaves no time", remedy="Give a duration above zero.")
    return seconds


def parse_until(text: str, *, now: datetime.datetime | None = None) -> datetime.datetime:
    """Parse the moment that `text` names, as an aware time: "19:00" is its next occurrence, today or tomorrow.

    Also "2022-03-04 19:00", each with an optional zone ("19:00 Asia/Seoul", "19:00 UTC"), and ISO 8601 with an
    offset. Without a zone it is this machine's (or that of `now`, where given). A clock time that the change to
    summer time skips, or shows twice, is read as `zoneinfo` does. Raises UsageError for anything else, and for
    a moment that has passed.
    """
    current = now or datetime.datetime.now().astimezone()
    moment = _clock(text.strip(), current) or _iso(text.strip(), current)
    if moment is None:
        raise UsageError(
            f"{text!r} is not a time", remedy='Write it as "19:00", "2022-03-04 19:00" or "19:00 Asia/Seoul".'
        )
    if moment <= current:
        raise UsageError(
            f"{text!r} has passed: it is {current:%Y-%m-%d %H:%M %Z}", remedy="Give a later time."
        )
    return moment


def _clock(text: str, current: datetime.datetime) -> datetime.datetime | None:
    match = _CLOCK.fullmatch(text)
    if match is None:
        return None
    day, hour, minute, second, zone_name = match.groups()
    zone = _zone(zone_name, current)
    local = current.astimezone(zone)
    try:
        clock = datetime.time(int(hour) % 24 if hour == "24" else int(hour), int(minute), int(second or 0))
        date = datetime.date.fromisoformat(day) if day else local.date()
    except ValueError:
        return None
    moment = _at(date, clock, zone)
    if day is None and moment <= current:
        moment = _at(date + datetime.timedelta(days=1), clock, zone)
    return moment


def _at(date: datetime.date, clock: datetime.time, zone: datetime.tzinfo | None) -> datetime.datetime:
    naive = datetime.datetime.combine(date, clock)
    return naive.astimezone() if zone is None else naive.replace(tzinfo=zone)


def _zone(name: str | None, current: datetime.datetime) -> datetime.tzinfo | None:
    """Return the named time zone; without a name that of `current` if it is a full one, else None: the
    machine's.
    """
    if name is None:
        return current.tzinfo if isinstance(current.tzinfo, zoneinfo.ZoneInfo) else None
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        raise UsageError(
            f"{name!r} is not a time zone", remedy="Use a name such as Asia/Seoul or UTC."
        ) from None


def _iso(text: str, current: datetime.datetime) -> datetime.datetime | None:
    try:
        moment = datetime.datetime.fromisoformat(text)
    except ValueError:
        return None
    if len(text) <= 10:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=current.tzinfo)


def format_duration(seconds: float) -> str:
    """Format a duration for people, to two units.

    >>> format_duration(5425), format_duration(42.4), format_duration(90061)
    ('1 h 30 min', '42 s', '1 d 1 h')
    """
    total = max(0, round(seconds))
    parts = [(total // 86400, "d"), (total // 3600 % 24, "h"), (total // 60 % 60, "min"), (total % 60, "s")]
    first = next((k for k, (n, _) in enumerate(parts) if n), 3)
    shown = [f"{n} {unit}" for n, unit in parts[first : first + 2] if n]
    return " ".join(shown) or "0 s"
