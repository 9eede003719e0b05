"""Instants and days as clients write them (RFC 3339; a day is the bank's)."""

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from app.core import clock

_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MONTH: Final = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])")
_LAST: Final = datetime.max.replace(tzinfo=UTC)
_INSTANT: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?"
    r"([Zz]|[+-][0-9]{2}:[0-9]{2})"
)


def is_date(text: str) -> bool:
    """Whether the text is written as a day, not as an instant."""
    return _DATE.fullmatch(text) is not None


def parse_date(text: str) -> date:
    """`2026-02-28`; ValueError for every other spelling and for days that do not exist."""
    if not is_date(text):
        raise ValueError("not a date")
    return date.fromisoformat(text)


def parse_instant(text: str) -> datetime:
    """An instant with its offset, as UTC; ValueError without one (a local time is ambiguous)."""
    if not _INSTANT.fullmatch(text):
        raise ValueError("not an instant")
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except OverflowError:
        raise ValueError("out of range") from None


def parse_boundary(text: str, zone: ZoneInfo, *, is_end: bool) -> datetime:
    """One end of a half-open range: an instant, or a day of the bank, which an end includes."""
    if not is_date(text):
        return parse_instant(text)
    try:
        return start_of_day(parse_date(text) + timedelta(days=int(is_end)), zone)
    except OverflowError:
        raise ValueError("out of range") from None


def start_of_day(day: date, zone: ZoneInfo) -> datetime:
    """The first instant of a day, in UTC; days have 23, 24 or 25 hours."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


def today(zone: ZoneInfo) -> date:
    """The day it is in the zone."""
    return clock.now().astimezone(zone).date()


def end_of_month(day: date, *, years: int = 0) -> date:
    """The last day of the day's month, or of the same month some years later."""
    return next_month(date(day.year + years, day.month, 1)) - timedelta(days=1)


def parse_month(text: str) -> date:
    """The first day of `2026-02`; ValueError for every other spelling."""
    found = _MONTH.fullmatch(text)
    if found is None:
        raise ValueError("not a month")
    return date(int(found[1]), int(found[2]), 1)


def next_month(first: date) -> date:
    """The first day of the month after; OverflowError after the last there is."""
    return (first + timedelta(days=31)).replace(day=1)


def month_over(first: date, zone: ZoneInfo) -> datetime:
    """The instant at which a month is over, which is the first of the next one."""
    try:
        return start_of_day(next_month(first), zone)
    except OverflowError:
        return _LAST


def day_in(instant: datetime, zone: ZoneInfo) -> date:
    """The day of an instant in a zone."""
    try:
        return instant.astimezone(zone).date()
    except OverflowError:
        # The first or last day there is, in a zone where it is another.
        return instant.date()
