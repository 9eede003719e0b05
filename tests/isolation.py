"""The suite with writers at another isolation level: `make serializable`.

The service has no such setting: it asks PostgreSQL for READ COMMITTED where it makes its writers, and
that is where this steps in, here and in the servers that tests start.
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import httpx

from app.db import session

VARIABLE: Final = "WRITER_ISOLATION"
_ROOT: Final = Path(__file__).parents[1]

# What holds at READ COMMITTED alone: that the level is pinned, and that whoever waits for a row has it
# in the end. At SERIALIZABLE the loser of a conflict starts again and gives up after five times.
_PINNED: Final = (
    "test_reads_are_read_only_snapshots_and_writes_are_not",
    "test_a_writer_waits_for_a_row_and_then_sees_it_as_it_is",
    "test_increments_at_once_are_all_counted",
    "test_increments_of_two_processes_are_all_counted",
    "test_readers_beside_writers_see_whole_commits",
)


def engines_at(level: str) -> Any:
    """A `create_engine` whose writers run at this level."""
    make = session.create_engine

    def create_engine(*args: Any, **options: Any) -> Any:
        if options.get("isolation_level") == "READ COMMITTED":
            options["isolation_level"] = level
        return make(*args, **options)

    return create_engine


def apply() -> None:
    """Makes every writer of this process run at the level that the environment names, if it does."""
    if level := os.environ.get(VARIABLE):
        session.create_engine = engines_at(level)


def variables() -> dict[str, str]:
    """What a server needs in its environment so that it does the same."""
    if level := os.environ.get(VARIABLE):
        return {VARIABLE: level, "PYTHONPATH": f"{_ROOT / 'tests' / 'isolated'}{os.pathsep}{_ROOT}"}
    return {}


def patiently(ask: Callable[[], httpx.Response]) -> httpx.Response:
    """Asks; at another level than the service's own again, as long as the answer is to try later."""
    answer = ask()
    for _ in range(100 if VARIABLE in os.environ else 0):
        if answer.status_code != 503:
            break
        answer = ask()
    return answer


def without_pinned(items: Sequence[Any]) -> list[Any]:
    """The tests that hold at every level."""
    if VARIABLE not in os.environ:
        return list(items)
    return [item for item in items if item.originalname not in _PINNED]
