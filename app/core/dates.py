"""Instants and days as clients write them (RFC 3339; a day is the bank's)."""

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from app.core import clock

_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
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
    first = date(day.year + years, day.month, 1)
    return (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
