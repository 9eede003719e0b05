"""Whatever goes wrong while a batch is posted, nothing is half there."""

import logging
import threading
from typing import Any

import pytest

from app.db.unit_of_work import Database
from app.ledger.commands import Command
from app.models.accounts import SYSTEM_KINDS
from tests import scratch
from tests.books import Books, capture, deposit, pay, reverse, statements, told, withdraw
from tests.holds import World


class Crash(Exception):
    """Not an error of ours."""


def batch_of_everything(books: Books) -> list[Command]:
    ada = books.person()
    one, two = books.account(ada, money=1000), books.account()
    posted = books.did(pay(ada, one, two, 300))
    return [
        pay(ada, one, two, 100),
        deposit(ada, one, 50),
        withdraw(ada, one, 25),
        reverse(books.teller, posted),
        pay(ada, one, two, 10**9),
    ]


def test_a_crash_after_any_statement_leaves_nothing(db: Database) -> None:
    books = Books(db)
    commands = batch_of_everything(books)
    before, traces = books.state(), books.count("audit_log")
    last = 0
    while True:
        last += 1

        def crash(_: Any, sent: list[str], at: int = last) -> None:
            if len(sent) == at:
                raise Crash

        try:
            with statements(db, crash):
                outcomes = db.run_write(books.ledger.post, commands)
        except Crash:
            assert books.state() == before
            assert books.count("audit_log") == traces
            continue
        break
    assert last > 8
    assert [told(outcome) for outcome in outcomes] == [*["posted"] * 4, "insufficient_funds"]
    assert books.state() != before
    books.assert_right()


def touch_locked_accounts(times: int) -> Any:
    """What a writer would do that does not keep to the locks: changes them after they were read."""

    def interfere(cursor: Any, sent: list[str]) -> None:
        nonlocal times
        if times and sent[-1].startswith("SELECT") and "FROM idempotency_keys" in sent[-1]:
            times -= 1
            cursor.connection.cursor().execute("UPDATE accounts SET version = version + 1")

    return interfere


def test_an_account_that_changed_under_the_lock_fails_the_batch(
    db: Database, caplog: pytest.LogCaptureFixture
) -> None:
    books = Books(db)
    commands = batch_of_everything(books)
    before = books.state()
    with statements(db, touch_locked_accounts(times=100)):
        outcomes = books.try_post(*commands)
    assert [told(outcome) for outcome in outcomes] == [*["internal_error"] * 4, "insufficient_funds"]
    assert _without_versions(books.state()) == _without_versions(before)
    assert caplog.text.count("RuntimeError: an account changed while it was locked") == 5


def _without_versions(state: dict[str, Any]) -> dict[str, Any]:
    """A refusal is committed, and with it what interfered there."""
    return state | {"accounts": [row[:14] for row in state["accounts"]]}


def test_after_a_failed_batch_each_command_runs_alone(db: Database, caplog: pytest.LogCaptureFixture) -> None:
    books = Books(db)
    commands = batch_of_everything(books)
    with statements(db, touch_locked_accounts(times=1)):
        outcomes = books.try_post(*commands)
    assert [told(outcome) for outcome in outcomes] == [*["posted"] * 4, "insufficient_funds"]
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert books.count("transfers") == 2 + 4
    books.assert_right()


def test_a_command_the_database_refuses_takes_no_neighbour_with_it(db: Database) -> None:
    books = Books(db)
    ada = books.person()
    one, two = books.account(ada, money=1000), books.account()
    too_long = pay(ada, one, two, 100, description="x" * 200, external_id="x" * 200)
    refuse = "BEGIN SELECT RAISE(ABORT, 'no'); END"
    if db.engines.writer.dialect.name == "sqlite":
        scratch.execute(
            db, f"CREATE TRIGGER no BEFORE INSERT ON transfers WHEN length(NEW.description) > 140 {refuse}"
        )
    outcomes = books.try_post(pay(ada, one, two, 100), too_long, pay(ada, one, two, 100))
    assert [told(outcome) for outcome in outcomes] == ["posted", "internal_error", "posted"]
    assert (books.balance(one), books.count("transfers")) == (800, 3)
    books.assert_right()


def test_a_batch_whose_commit_fails_has_done_nothing(db: Database) -> None:
    books = Books(db)
    commands = batch_of_everything(books)
    scratch.fail_commits_after(db, "transfers")
    before = books.state()
    outcomes = books.try_post(*commands)
    assert [told(outcome) for outcome in outcomes] == [*["internal_error"] * 4, "insufficient_funds"]
    assert books.state() == before
    scratch.succeed_again(db, "transfers")
    assert [told(outcome) for outcome in books.try_post(*commands)] == [
        *["posted"] * 4,
        "insufficient_funds",
    ]
    books.assert_right()


def test_the_same_key_at_the_same_time_from_everywhere_is_posted_once(db: Database) -> None:
    """The accounts differ, so that no lock on them keeps the two apart."""
    books = Books(db)
    ada = books.person()
    accounts = [books.account(ada, money=100) for _ in range(8)]
    others = [books.account() for _ in range(8)]
    gate = threading.Barrier(8)
    found: list[str] = []

    def run(number: int) -> None:
        command = pay(ada, accounts[number], others[number], key="k")
        gate.wait()
        (outcome,) = books.try_post(command)
        found.append(told(outcome))

    in_threads(run, 8)
    assert sorted(found) == [*["idempotency_key_reused"] * 7, "posted"]
    assert books.count("transfers") == 8 + 1
    books.assert_right()


def test_the_banks_accounts_of_a_currency_are_made_once_by_whoever_is_first(db: Database) -> None:
    books = Books(db)
    gate = threading.Barrier(6)

    def run(_: int) -> None:
        gate.wait()
        books.account(currency="USD")

    in_threads(run, 6)
    found = books.rows("SELECT kind FROM accounts WHERE holder_id IS NULL AND currency = 'USD' ORDER BY kind")
    assert [row.kind for row in found] == sorted(SYSTEM_KINDS)
    assert books.count("accounts") == 6 + len(SYSTEM_KINDS)


def in_threads(run: Any, count: int) -> None:
    failures: list[BaseException] = []

    def guarded(number: int) -> None:
        try:
            run(number)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_a_hold_that_changed_under_the_lock_fails_the_batch(
    db: Database, caplog: pytest.LogCaptureFixture
) -> None:
    world = World(db)
    held = world.hold()
    before = world.books.state()

    def interfere(cursor: Any, sent: list[str]) -> None:
        if sent[-1].startswith("SELECT") and "FROM idempotency_keys" in sent[-1]:
            cursor.connection.cursor().execute(
                "UPDATE transfers SET status = 'voided', remaining = 0 WHERE captured IS NOT NULL"
            )

    with statements(db, interfere):
        (outcome,) = world.books.try_post(capture(world.ada, held))
    assert told(outcome) == "internal_error"
    assert world.books.state() == before
    assert caplog.text.count("RuntimeError: a hold changed while its account was locked") == 2
