"""The only source of "now".

Instants are timezone-aware UTC datetimes with microseconds; nothing else in the code base asks the
operating system for the time, so a test can stop or move it.
"""

import time
from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAIVE_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - what is added is UTC, and the zone is written by hand


def now() -> datetime:
    """The current instant, in UTC, to the microsecond."""
    return datetime.now(UTC)


def monotonic() -> float:
    """Seconds on a clock that never steps back, for durations and deadlines inside one process."""
    return time.monotonic()


def to_micros(instant: datetime) -> int:
    """Microseconds since 1970-01-01T00:00:00Z; exact, where float timestamps are not."""
    since = instant - EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def from_micros(micros: int) -> datetime:
    """The inverse of `to_micros`."""
    return EPOCH + timedelta(microseconds=micros)


def rfc3339(instant: datetime) -> str:
    """`2026-02-01T09:30:00.000000Z`: always six digits and `Z`, as the API writes every time."""
    return instant.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def rfc3339_of_micros(micros: int) -> str:
    """The same, of an instant in microseconds since 1970, without making the instant on the way."""
    return (_NAIVE_EPOCH + timedelta(microseconds=micros)).isoformat(timespec="microseconds") + "Z"
