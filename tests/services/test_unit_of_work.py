"""What `read` and `write` promise, on both databases."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Engine, event, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.core import errors
from app.core.config import Settings
from app.db.unit_of_work import Database
from tests import scratch


@pytest.fixture(autouse=True)
def _table(db: Database) -> None:
    scratch.create(db)


@pytest.fixture
def other_process(settings: Settings) -> Iterator[Database]:
    """Another process, as far as the database can tell."""
    database = Database(settings)
    yield database
    database.close()


def test_a_write_is_committed_when_it_returns(db: Database, other_process: Database) -> None:
    async def write() -> None:
        assert await db.write(scratch.add, 1) == 1
        assert scratch.notes(other_process) == [1]

    scratch.run(write)


def test_pending_changes_are_flushed_even_if_the_work_does_not(db: Database) -> None:
    db.run_write(lambda session: session.add(scratch.Note(id=1, count=0)))
    assert scratch.notes(db) == [1]


@pytest.mark.parametrize("error", [errors.EmailTaken(), ValueError("a bug"), KeyboardInterrupt()])
def test_raising_rolls_back(db: Database, error: BaseException) -> None:
    def work(session: Session) -> None:
        scratch.add(session, 1)
        raise error

    with pytest.raises(type(error)):
        scratch.run(lambda: db.write(work))
    assert scratch.notes(db) == []
    assert scratch.run(lambda: db.write(scratch.add, 2)) == 2


def test_a_returned_error_commits_the_trace_and_is_raised(db: Database) -> None:
    def work(session: Session) -> errors.BankingError:
        scratch.add(session, 1)
        return errors.EmailTaken()

    with pytest.raises(errors.EmailTaken):
        scratch.run(lambda: db.write(work))
    assert scratch.notes(db) == [1]


def test_a_stray_stop_iteration_does_not_leave_the_caller_waiting(db: Database) -> None:
    def work(session: Session) -> None:
        scratch.add(session, 1)
        raise StopIteration

    with pytest.raises(RuntimeError, match="StopIteration"):
        scratch.run(lambda: db.write(work))
    assert scratch.notes(db) == []


@pytest.mark.parametrize("flushed", [True, False])
def test_a_read_session_cannot_write(db: Database, flushed: bool) -> None:
    def work(session: Session) -> None:
        session.add(scratch.Note(id=1, count=0))
        if flushed:
            session.flush()

    with pytest.raises(errors.DatabaseUnavailable):
        scratch.run(lambda: db.read(work))
    with pytest.raises(errors.DatabaseUnavailable):
        db.run_read(lambda session: session.execute(text("CREATE TABLE more (id INTEGER)")))
    assert scratch.notes(db) == []


def test_a_read_sees_one_snapshot(db: Database, other_process: Database) -> None:
    db.run_write(scratch.add, 1)

    def work(session: Session) -> list[int]:
        seen = [scratch.count(session, 1)]
        other_process.run_write(scratch.increment, 1)
        session.expire_all()
        return [*seen, scratch.count(session, 1)]

    assert db.run_read(work) == [0, 0]
    assert db.run_read(scratch.count, 1) == 1


def test_savepoints_do_not_survive_the_outer_rollback(db: Database) -> None:
    def work(session: Session) -> None:
        scratch.count(session, 1)
        with session.begin_nested():
            scratch.add(session, 2)
        raise ValueError

    db.run_write(scratch.add, 1)
    with pytest.raises(ValueError):
        db.run_write(work)
    assert scratch.notes(db) == [1]


def test_a_rolled_back_savepoint_leaves_the_rest(db: Database) -> None:
    def work(session: Session) -> None:
        scratch.add(session, 1)
        with pytest.raises(IntegrityError), session.begin_nested():
            session.execute(text("INSERT INTO notes VALUES (1, 0)"))
        scratch.add(session, 2)

    db.run_write(work)
    assert scratch.notes(db) == [1, 2]


def test_a_commit_that_fails_raises_and_stores_nothing(db: Database) -> None:
    def work(session: Session) -> int:
        scratch.add_orphan(session)
        return scratch.add(session, 1)

    with pytest.raises(IntegrityError):
        scratch.run(lambda: db.write(work))
    assert scratch.notes(db) == []
    assert scratch.run(lambda: db.write(scratch.add, 2)) == 2


def test_a_failing_commit_takes_a_returned_error_with_it(db: Database) -> None:
    def work(session: Session) -> errors.BankingError:
        scratch.add_orphan(session)
        return errors.EmailTaken()

    with pytest.raises(IntegrityError):
        db.run_write(work)


def test_too_many_waiting_writes_are_overloaded(settings: Settings) -> None:
    database = Database(settings.model_copy(update={"write_queue": 2}))
    scratch.create(database)
    gate = threading.Event()

    async def flood() -> None:
        blocked = [asyncio.ensure_future(database.write(lambda _: gate.wait(30))) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(errors.Overloaded) as refused:
            await database.write(scratch.add, 1)
        assert refused.value.headers == {"Retry-After": "1"}
        gate.set()
        assert await asyncio.gather(*blocked) == [True, True]
        assert await database.write(scratch.add, 2) == 2

    scratch.run(flood)
    assert scratch.notes(database) == [2]
    database.close()


def test_a_closed_database_refuses_instead_of_hanging(db: Database) -> None:
    db.close()
    with pytest.raises(errors.NotReady):
        scratch.run(lambda: db.write(scratch.add, 1))
    with pytest.raises(errors.NotReady):
        scratch.run(lambda: db.read(scratch.count, 1))
    with pytest.raises(errors.NotReady):
        scratch.run(lambda: db.write_batched(scratch.post, 1))


@contextmanager
def lost_commit(engine: Engine) -> Iterator[None]:
    """Each COMMIT meanwhile fails before the database hears of it."""

    def fail(_: Any) -> None:
        raise MemoryError

    event.listen(engine, "commit", fail)
    try:
        with pytest.raises(MemoryError):
            yield
    finally:
        event.remove(engine, "commit", fail)


def test_a_commit_that_the_database_never_heard_of_is_not_made_up_for_by_the_next(db: Database) -> None:
    with lost_commit(db.engines.writer):
        db.run_write(scratch.add, 1)
    db.run_write(scratch.add, 2)
    assert scratch.notes(db) == [2]


def test_failing_ends_of_reads_cost_no_connection(db: Database, settings: Settings) -> None:
    for _ in range(settings.read_workers + 1):
        with lost_commit(db.engines.reader):
            db.run_read(scratch.total)
    assert scratch.notes(db) == []
