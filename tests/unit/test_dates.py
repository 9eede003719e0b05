from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core import clock
from app.core.dates import parse_boundary, parse_date, parse_instant, start_of_day

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize("text", ["2024-02-29", "1970-01-01", "2100-02-28", "0001-01-01", "9999-12-31"])
def test_reads_a_day(text: str) -> None:
    assert parse_date(text).isoformat() == text


@pytest.mark.parametrize(
    "text",
    [
        "2025-02-29",
        "2100-02-29",
        "2025-13-01",
        "2025-00-01",
        "2025-01-32",
        "2025-01-00",
        "0000-01-01",
        "10000-01-01",
        "2025-1-1",
        "20250101",
        "2025-001",
        "2025-W01-1",
        "31/12/2025",
        "01.02.2025",
        "2025-01-01T00:00:00Z",
        "1e9",
        "1735689600",
        "foo",
        "today",
        "٢٠٢٥-01-01",
        "+2025-01-01",
        "-2025-01-01",
        "2025-01-01Z",
        "",
        " 2025-01-01",
        "2025-01-01 ",
        "2025-01-01\n",
        "2025-01-01\0",
        "2025-01-01" * 100_000,
    ],
)
def test_refuses_every_other_spelling_of_a_day(text: str) -> None:
    with pytest.raises(ValueError):
        parse_date(text)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-02-01T09:30:00Z", datetime(2026, 2, 1, 9, 30, tzinfo=UTC)),
        ("2026-02-01t09:30:00.5z", datetime(2026, 2, 1, 9, 30, 0, 500_000, tzinfo=UTC)),
        ("2026-02-01T09:30:00.123456+02:00", datetime(2026, 2, 1, 7, 30, 0, 123_456, tzinfo=UTC)),
        ("2026-01-01T00:00:00+23:59", datetime(2025, 12, 31, 0, 1, tzinfo=UTC)),
        ("2026-02-01T09:30:00-00:00", datetime(2026, 2, 1, 9, 30, tzinfo=UTC)),
    ],
)
def test_reads_an_instant_as_utc(text: str, instant: datetime) -> None:
    assert parse_instant(text) == instant
    assert parse_instant(text).utcoffset() == timedelta(0)


@given(st.datetimes(timezones=st.just(UTC)))
def test_reads_what_the_service_writes(instant: datetime) -> None:
    assert parse_instant(clock.rfc3339(instant)) == instant


@pytest.mark.parametrize(
    "text",
    [
        "2026-02-01T09:30:00",  # whose half past nine?
        "2026-02-01 09:30:00Z",
        "2026-02-01T09:30Z",
        "2026-02-01T24:00:00Z",
        "2026-02-01T09:60:00Z",
        "2026-02-01T09:30:60Z",
        "2026-02-30T09:30:00Z",
        "2026-02-01T09:30:00+25:00",
        "2026-02-01T09:30:00+24:00",
        "2026-02-01T09:30:00+0200",
        "2026-02-01T09:30:00+02",
        "2026-02-01T09:30:00.Z",
        "2026-02-01T09:30:00.1234567Z",
        "2026-02-01T09:30:00,5Z",
        "2026-02-01T09:30:00 UTC",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
        "1e9",
        "",
        "2026-02-01T09:30:00Z\n",
        "2026-02-01T0٩:30:00Z",
    ],
)
def test_refuses_what_is_no_instant(text: str) -> None:
    with pytest.raises(ValueError):
        parse_instant(text)


@pytest.mark.parametrize(
    ("day", "start", "end"),
    [
        ("2026-02-01", "2026-01-31T23:00:00Z", "2026-02-01T23:00:00Z"),
        ("2026-03-29", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"),  # 23 hours
        ("2026-10-25", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"),  # 25 hours
    ],
)
def test_a_day_is_the_banks_and_an_end_includes_it(day: str, start: str, end: str) -> None:
    assert parse_boundary(day, BERLIN, is_end=False) == parse_instant(start)
    assert parse_boundary(day, BERLIN, is_end=True) == parse_instant(end)
    assert parse_boundary(start, BERLIN, is_end=True) == parse_instant(start)


def test_a_day_without_midnight_begins_where_the_day_before_ends() -> None:
    santiago = ZoneInfo("America/Santiago")
    assert start_of_day(date(2025, 9, 7), santiago) == datetime(2025, 9, 7, 4, tzinfo=UTC)


@pytest.mark.parametrize("text", ["9999-12-31", "0001-01-01", "2026-02-30", "2026-02-01T09:30:00"])
def test_a_boundary_outside_of_the_calendar_is_refused(text: str) -> None:
    zone = ZoneInfo("Asia/Tokyo") if text < "1" else ZoneInfo("America/New_York")
    with pytest.raises(ValueError):
        parse_boundary(text, zone, is_end=text > "1")
