"""The `bank` command in a process that kills itself at a named point of a posting.

    CRASH_POINT="before commit" CRASH_AT=3 python -m tests.crash.armed serve --port 0

dies by SIGKILL in front of the third COMMIT of a batch of postings. The service knows nothing of this:
the points hang on the events of SQLAlchemy and on what the server sends.
"""

import ctypes
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.orm import Session
from sqlalchemy.pool import Pool
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from app.cli import main

_TABLES = ("transfers", "entries", "idempotency_keys", "audit_log")
JUDGED = "before the first insert"
BEFORE_COMMIT = "before commit"
AFTER_COMMIT = "after commit, before the answer"
HALF_ANSWER = "after half of the answer"
POINTS = (
    JUDGED,
    *(f"after insert of {table}" for table in _TABLES),
    "after update of accounts",
    BEFORE_COMMIT,
    AFTER_COMMIT,
    HALF_ANSWER,
)
# The effect is there and the client has not been told.
UNTOLD = (AFTER_COMMIT, HALF_ANSWER)
_PR_CAPBSET_DROP, _CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH = 24, 1, 2
_MONEY = ("/v1/transfers", "/v1/transactions")


def arm(point: str, at: int) -> None:
    """The process ends when it reaches `point` for the `at`-th time."""
    assert point in POINTS, point
    left = at

    def reached(here: str) -> None:
        nonlocal left
        if here == point:
            left -= 1
            if left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)

    _watch_statements(reached)
    _watch_answers(reached)


def _watch_statements(reached: Callable[[str], None]) -> None:
    # A unit of work runs on one thread from its begin to its end.
    work = threading.local()

    @event.listens_for(Engine, "before_cursor_execute")
    def _before(_: Any, __: Any, statement: str, *___: Any) -> None:
        if statement.startswith("INSERT INTO transfers"):
            reached(JUDGED)

    @event.listens_for(Engine, "after_cursor_execute")
    def _after(_: Any, __: Any, statement: str, *___: Any) -> None:
        if statement.startswith("INSERT INTO transfers"):
            work.posts = True
        if getattr(work, "posts", False):
            for table in _TABLES:
                if statement.startswith(f"INSERT INTO {table} "):
                    reached(f"after insert of {table}")
            if statement.startswith("UPDATE accounts "):
                reached("after update of accounts")

    @event.listens_for(Engine, "commit")
    def _before_commit(_: Any) -> None:
        if getattr(work, "posts", False):
            reached(BEFORE_COMMIT)

    @event.listens_for(Session, "after_commit")
    def _after_commit(_: Any) -> None:
        if getattr(work, "posts", False):
            work.posts = False
            reached(AFTER_COMMIT)

    @event.listens_for(Engine, "rollback")
    def _rollback(_: Any) -> None:
        work.posts = False


def _watch_answers(reached: Callable[[str], None]) -> None:
    send = RequestResponseCycle.send

    async def watched(self: Any, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.moved_money = _tells_of_money(self.scope, message)
        elif message["type"] == "http.response.body" and self.moved_money:
            # The head has been written by now, and the body has not.
            reached(HALF_ANSWER)
        await send(self, message)

    # A fault point inside the server: it has no hook between an answer's head and its body.
    RequestResponseCycle.send = watched  # type: ignore[method-assign]


def _tells_of_money(scope: Any, message: Any) -> bool:
    names = [name for name, _ in message["headers"]]
    return scope["path"] in _MONEY and message["status"] == 201 and b"idempotent-replayed" not in names


def limit_pages_while(marker: Path) -> None:
    """SQLite may not grow its file as long as there is a file `marker`."""

    @event.listens_for(Pool, "checkout")
    def _limit(connection: Any, *_: Any) -> None:
        connection.execute(f"PRAGMA max_page_count = {1 if marker.exists() else 2**30}")


def lose_the_right_to_everything() -> None:
    """Starts this program anew, as a root to whom the modes of files apply; others stay who they are."""
    if os.geteuid() == 0:
        libc = ctypes.CDLL(None, use_errno=True)
        for capability in (_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH):
            assert libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) == 0, os.strerror(ctypes.get_errno())
    del os.environ["CRASH_OBEY_MODES"]
    os.execv(sys.executable, [sys.executable, "-m", "tests.crash.armed", *sys.argv[1:]])


if __name__ == "__main__":
    if "CRASH_OBEY_MODES" in os.environ:
        lose_the_right_to_everything()
    if "CRASH_FULL_WHILE" in os.environ:
        limit_pages_while(Path(os.environ["CRASH_FULL_WHILE"]))
    if "CRASH_POINT" in os.environ:
        arm(os.environ["CRASH_POINT"], int(os.environ["CRASH_AT"]))
    main()
