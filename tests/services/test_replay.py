"""A replay is made from the records and equals the first answer, whatever has happened since."""

from datetime import date
from typing import Any

import pytest
from sqlalchemy import text

from app.core.errors import BankingError
from app.db.unit_of_work import Database
from app.ledger.commands import Command, Posted
from tests.books import Books, deposit, pay, reverse, withdraw


def assert_replays(books: Books, command: Command, first: Posted) -> None:
    again = books.did(command)
    assert again.replayed
    assert again.sides == first.sides
    assert {name: again.row[name] for name in first.row} == first.row


def test_the_first_answer_comes_again_after_balances_have_moved_on(db: Database) -> None:
    books = Books(db, zone="Asia/Tokyo")
    ada, ben = books.person(), books.person()
    one, two = books.account(ada, money=1000, overdraft_limit=70, held=20), books.account(ben)
    commands: list[Command] = [
        pay(ada, one, two, 300, description="rent", external_id="r-1", metadata={"a": "b"}),
        pay(ada, one, two, 1),
        deposit(ada, one, 5),
        withdraw(ada, one, 7),
        deposit(books.teller, two, 5, value_date=date(2026, 1, 2)),
    ]
    firsts = [books.did(command) for command in commands]
    assert firsts[0].row["source_available"] == 1000 - 300 - 20 + 70
    books.set(one, held=0, overdraft_limit=0)
    books.did(pay(ada, one, two, 333))
    books.did(pay(ben, two, one, 222))
    before = books.state()
    for command, first in zip(commands, firsts, strict=True):
        assert_replays(books, command, first)
    together = books.post(*commands)
    assert [isinstance(one, Posted) and one.replayed for one in together] == [True] * len(commands)
    assert books.state() == before


def test_the_first_answer_comes_again_after_the_transfer_was_reversed(db: Database) -> None:
    books = Books(db)
    ada = books.person()
    one, two = books.account(ada, money=1000), books.account()
    command = pay(ada, one, two, 300)
    first = books.did(command)
    undo = reverse(books.teller, first)
    undone = books.did(undo)
    assert undone.row["reverses_id"] == first.row["id"]
    assert_replays(books, command, first)
    assert_replays(books, undo, undone)


def test_the_first_answer_comes_again_on_a_closed_account(db: Database) -> None:
    books = Books(db)
    ada = books.person()
    one, two = books.account(ada, money=300), books.account()
    command = pay(ada, one, two, 300)
    first = books.did(command)
    books.set(one, status="closed")
    assert_replays(books, command, first)


def test_a_replay_leaves_no_trace_and_moves_nothing(db: Database) -> None:
    books = Books(db)
    ada = books.person()
    one, two = books.account(ada, money=300), books.account()
    command = pay(ada, one, two, 100)
    books.did(command)
    counts = [books.count(table) for table in ("audit_log", "transfers", "entries")]
    versions = books.rows("SELECT version FROM accounts ORDER BY key")
    books.did(command)
    assert [books.count(table) for table in ("audit_log", "transfers", "entries")] == counts
    assert books.rows("SELECT version FROM accounts ORDER BY key") == versions


def test_a_new_service_replays_what_another_one_posted(db: Database, settings: Any) -> None:
    books = Books(db)
    ada = books.person()
    one, two = books.account(ada, money=300), books.account()
    command = pay(ada, one, two, 100)
    first = books.did(command)
    other = Database(settings)
    (again,) = other.run_batch(books.ledger.post, [command])
    other.close()
    assert isinstance(again, Posted)
    assert (again.replayed, again.sides) == (True, first.sides)


@pytest.mark.parametrize("amount", [101, 99])
def test_another_amount_with_the_same_key_is_another_request(db: Database, amount: int) -> None:
    books = Books(db)
    ada = books.person()
    one, two = books.account(ada, money=300), books.account()
    books.did(pay(ada, one, two, 100, key="k"))
    books.refused(pay(ada, one, two, amount, key="k"), "idempotency_key_reused")
    assert books.balance(one) == 200


def test_a_refusal_keeps_no_key(db: Database) -> None:
    books = Books(db)
    ada = books.person()
    one, two = books.account(ada), books.account()
    command = pay(ada, one, two, 100)
    for _ in range(2):
        (outcome,) = books.post(command)
        assert isinstance(outcome, BankingError)
    assert books.count("idempotency_keys") == 0
    books.did(deposit(ada, one, 100))
    assert not books.did(command).replayed
    assert books.did(command).replayed


def test_a_key_is_kept_in_the_commit_of_its_transfer(db: Database) -> None:
    books = Books(db)
    ada = books.person()
    one, two = books.account(ada, money=100), books.account()
    command = pay(ada, one, two, 100)

    def fail(session: Any, commands: Any) -> Any:
        books.ledger.post(session, commands)
        assert session.scalar(text("SELECT count(*) FROM transfers")) == 2
        raise ValueError

    with pytest.raises(ValueError):
        db.run_write(fail, [command])
    assert (books.count("transfers"), books.count("idempotency_keys")) == (1, 1)
    assert not books.did(command).replayed
