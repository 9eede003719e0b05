"""The ledger marks the entries that count from another day than they are booked on, and no others."""

from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy.exc import DBAPIError

from app.core import clock
from app.db.unit_of_work import Database
from app.ledger.posting import Ledger, Policy
from tests.books import Books, bulk, deposit, pay, set_clock, told


def marks(books: Books) -> list[tuple[int, int]]:
    """(account, sequence) of the entries that are marked."""
    return [tuple(row) for row in books.rows("SELECT account_key, sequence FROM value_dates ORDER BY 1, 2")]


def of_transfer(books: Books, transfer_id: str) -> list[tuple[int, int]]:
    query = (
        "SELECT account_key, sequence FROM entries e JOIN transfers t ON t.key = e.transfer_key "
        "WHERE t.id = :id ORDER BY 1, 2"
    )
    return [tuple(row) for row in books.rows(query, id=transfer_id)]


def test_both_entries_of_a_back_dated_transfer_are_marked(db: Database) -> None:
    books = Books(db)
    account = books.account()
    today = clock.now().date()
    books.did(deposit(books.teller, account, 5))
    books.did(deposit(books.teller, account, 5, value_date=today))
    assert marks(books) == []
    earlier = books.did(deposit(books.teller, account, 7, value_date=today - timedelta(days=1)))
    later = books.did(deposit(books.teller, account, 7, value_date=today + timedelta(days=1)))
    wanted = [*of_transfer(books, earlier.row["id"]), *of_transfer(books, later.row["id"])]
    assert marks(books) == sorted(wanted)
    assert {side.value_date for side in earlier.sides} == {today - timedelta(days=1)}


@pytest.mark.parametrize(("value", "is_marked"), [(date(2026, 7, 1), False), (date(2026, 6, 30), True)])
def test_the_day_it_is_booked_on_is_the_banks(
    db: Database, monkeypatch: pytest.MonkeyPatch, value: date, is_marked: bool
) -> None:
    set_clock(monkeypatch, "2026-06-30T12:00:00Z")
    books = Books(db, zone="Pacific/Auckland")
    books.did(deposit(books.teller, books.account(), 5, value_date=value))
    assert bool(marks(books)) == is_marked


def test_a_group_that_is_taken_back_leaves_no_mark(db: Database) -> None:
    books = Books(db)
    one, two = books.account(money=100), books.account()
    yesterday = clock.now().date() - timedelta(days=1)
    good = pay(books.teller, one, two, 10, value_date=yesterday)
    much = pay(books.teller, one, two, 10**6, value_date=yesterday)
    (refused,) = books.post(bulk(books.teller, good, much, atomic=True))
    assert told(refused) == "insufficient_funds"
    assert marks(books) == []
    books.post(bulk(books.teller, good, much))
    assert len(marks(books)) == 2


def test_the_limit_of_today_is_told_with_what_has_left(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    set_clock(monkeypatch, "2026-06-30T12:00:00Z")
    books = Books(db, limits={"EUR": 500})
    one, two = books.account(money=1000), books.account()
    ledger = Ledger(Policy(ZoneInfo("UTC"), {"EUR": 500}))

    def today(currency: str = "EUR") -> tuple[int, int] | None:
        return db.run_read(ledger.limit_today, one.key, currency)

    assert today() == (500, 0)
    books.did(pay(books.teller, one, two, 120))
    books.did(pay(books.teller, one, two, 30))
    assert (today(), today("JPY")) == ((500, 150), None)
    set_clock(monkeypatch, "2026-07-01T00:00:00Z")
    assert today() == (500, 0)


@pytest.mark.parametrize("change", ["UPDATE value_dates SET sequence = 99", "DELETE FROM value_dates"])
def test_a_mark_is_neither_changed_nor_deleted(db: Database, change: str) -> None:
    books = Books(db)
    yesterday = clock.now().date() - timedelta(days=1)
    books.did(deposit(books.teller, books.account(), 5, value_date=yesterday))
    with pytest.raises(DBAPIError, match="value_dates is append-only"):
        books.run(change)
