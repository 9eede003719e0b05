from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from app.core import clock


def test_now_is_an_aware_instant_in_utc() -> None:
    assert clock.now().utcoffset() == timedelta(0)


def test_the_clock_for_durations_never_steps_back() -> None:
    assert clock.monotonic() <= clock.monotonic()


@given(st.integers(-62_135_596_800_000_000, 253_402_300_799_999_999))
def test_microseconds_are_exact_both_ways(micros: int) -> None:
    assert clock.to_micros(clock.from_micros(micros)) == micros


def test_times_are_written_in_utc_with_six_digits_and_z() -> None:
    assert clock.rfc3339(datetime(2026, 2, 1, 9, 30, tzinfo=UTC)) == "2026-02-01T09:30:00.000000Z"
    east = datetime(2026, 2, 1, 1, 0, 0, 5, tzinfo=timezone(timedelta(hours=2)))
    assert clock.rfc3339(east) == "2026-01-31T23:00:00.000005Z"
    assert clock.rfc3339(datetime(999, 1, 1, tzinfo=UTC)) == "0999-01-01T00:00:00.000000Z"
