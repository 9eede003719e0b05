"""When the database asks for a unit of work again, and when nobody may run it again.

PostgreSQL raises these errors for real: a trigger does it inside the insert or inside COMMIT. SQLite
has none of them, as it has one writer.
"""

import threading
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from app.core import errors
from app.core.config import Settings
from app.db.locks import locked
from app.db.unit_of_work import Database
from tests import scratch

TRIES = 5
STATES = ("40001", "40P01")


pytestmark = scratch.ONLY_POSTGRESQL


@pytest.fixture(autouse=True)
def _table(db: Database) -> None:
    scratch.create(db)


class Counted:
    """A unit of work that counts how often it is run."""

    def __init__(self) -> None:
        self.tries = 0

    def __call__(self, session: Session, number: int) -> int:
        self.tries += 1
        return scratch.add(session, number)


def rejection(state: str) -> str:
    return f"RAISE EXCEPTION 'again' USING ERRCODE = '{state}'"


@pytest.mark.parametrize("at_commit", [False, True], ids=["statement", "commit"])
@pytest.mark.parametrize("state", STATES)
def test_what_the_database_rejects_runs_again(db: Database, state: str, at_commit: bool) -> None:
    scratch.fail_on_insert(db, rejection(state), times=TRIES - 1, at_commit=at_commit)
    work = Counted()
    assert scratch.run(lambda: db.write(work, 1)) == 1
    assert work.tries == TRIES
    assert scratch.notes(db) == [1]


@pytest.mark.parametrize("at_commit", [False, True], ids=["statement", "commit"])
@pytest.mark.parametrize("state", STATES)
def test_after_five_tries_the_client_is_told_to_try_later(db: Database, state: str, at_commit: bool) -> None:
    scratch.fail_on_insert(db, rejection(state), times=TRIES, at_commit=at_commit)
    work = Counted()
    with pytest.raises(errors.LockTimeout):
        db.run_write(work, 1)
    assert work.tries == TRIES
    assert scratch.notes(db) == []


@pytest.mark.parametrize(
    ("state", "error"),
    [
        ("55P03", errors.LockTimeout),
        ("57014", errors.LockTimeout),
        ("53100", errors.StorageFull),
        ("25006", errors.DatabaseUnavailable),
        ("58030", errors.DatabaseUnavailable),
        ("40003", Exception),
    ],
)
def test_other_failures_are_not_run_again(db: Database, state: str, error: type[Exception]) -> None:
    scratch.fail_on_insert(db, rejection(state))
    work = Counted()
    with pytest.raises(error):
        db.run_write(work, 1)
    assert work.tries == 1
    assert scratch.notes(db) == []


def test_a_batch_that_the_database_rejects_runs_again_as_a_batch(db: Database) -> None:
    scratch.fail_on_insert(db, rejection("40001"), times=2, at_commit=True)
    assert list(db.run_batch(scratch.post, [1, 2])) == [1, 2]
    assert db.run_read(scratch.count, 1) == 2


def test_a_connection_lost_before_commit_is_replaced_and_the_work_runs_again(db: Database) -> None:
    scratch.fail_on_insert(db, scratch.CUT, times=2)
    work = Counted()
    assert db.run_write(work, 1) == 1
    assert work.tries == 3
    assert scratch.notes(db) == [1]


def test_a_connection_lost_at_the_last_statement_is_not_taken_for_one_lost_at_commit(db: Database) -> None:
    scratch.fail_on_insert(db, scratch.CUT, times=1)
    db.run_write(lambda session: session.add(scratch.Note(id=1, count=0)))
    assert scratch.notes(db) == [1]


def test_a_connection_lost_again_and_again_is_an_unavailable_database(db: Database) -> None:
    scratch.fail_on_insert(db, scratch.CUT)
    work = Counted()
    with pytest.raises(errors.DatabaseUnavailable):
        db.run_write(work, 1)
    assert work.tries == TRIES
    assert scratch.notes(db) == []


def test_a_connection_lost_during_commit_is_never_run_again(db: Database) -> None:
    scratch.fail_on_insert(db, scratch.CUT, at_commit=True)
    work = Counted()
    with pytest.raises(errors.DatabaseUnavailable):
        db.run_write(work, 1)
    assert work.tries == 1
    assert scratch.notes(db) == []


def test_a_commit_whose_answer_is_lost_has_its_effect_once(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def commit_then_lose_the_connection(connection: Any) -> None:
        driver = connection.driver_connection
        driver.commit()
        driver.close()
        driver.commit()

    work = Counted()
    with monkeypatch.context() as patch:
        patch.setattr(db.engines.writer.dialect, "do_commit", commit_then_lose_the_connection)
        with pytest.raises(errors.DatabaseUnavailable):
            db.run_write(work, 1)
    assert work.tries == 1
    assert scratch.notes(db) == [1]
    assert db.run_write(work, 2) == 2


def test_reads_survive_every_connection_being_cut(db: Database, settings: Settings) -> None:
    db.run_write(scratch.add, 1)
    assert scratch.notes(db) == [1]
    scratch.cut_all_connections(settings)
    assert scratch.notes(db) == [1]


def test_two_that_deadlock_both_succeed_in_the_end(db: Database) -> None:
    db.run_write(lambda session: [scratch.add(session, number) for number in (1, 2)])
    both_hold_one = threading.Barrier(2)
    tries: list[int] = []

    def work(session: Session, first: int, second: int) -> None:
        session.execute(text("SET LOCAL deadlock_timeout = '20ms'"))
        tries.append(first)
        scratch.increment(session, first)
        if len(tries) <= 2:
            both_hold_one.wait(30)
        scratch.increment(session, second)

    threads = [threading.Thread(target=db.run_write, args=(work, *order)) for order in ((1, 2), (2, 1))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(tries) == 3
    assert [db.run_read(scratch.count, number) for number in (1, 2)] == [2, 2]


def test_locked_rows_let_rows_that_refer_to_them_in(db: Database) -> None:
    db.run_write(scratch.add, 1)

    def refer(session: Session) -> None:
        session.execute(text("SET LOCAL lock_timeout = '1s'"))
        session.add(scratch.Reply(id=1, note_id=1))

    def hold(session: Session) -> None:
        session.execute(locked(select(scratch.Note)))
        db.run_write(refer)

    db.run_write(hold)
