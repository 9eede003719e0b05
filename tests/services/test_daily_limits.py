"""How much may leave an account on one day of the bank."""

from datetime import UTC, datetime

import pytest

from app.core import clock, ids
from app.db.unit_of_work import Database
from app.ledger.commands import BankAccount
from app.models.accounts import AccountKind
from app.models.transfers import TransferKind
from tests.books import (
    Books,
    capture,
    deposit,
    hold,
    increment,
    move,
    pay,
    reverse,
    set_clock,
    told,
    void,
    withdraw,
)


@pytest.fixture
def books(db: Database) -> Books:
    return Books(db, limits={"EUR": 1000})


def test_what_goes_out_in_a_day_counts_together(books: Books) -> None:
    ada = books.person()
    one, two = books.account(ada, money=5000), books.account()
    books.did(pay(ada, one, two, 600))
    books.did(withdraw(books.teller, one, 300))
    books.refused(pay(ada, one, two, 101), "limit_exceeded")
    books.refused(withdraw(ada, one, 101), "limit_exceeded")
    books.did(pay(ada, one, two, 100))
    books.refused(pay(ada, one, two, 1), "limit_exceeded")


def test_what_is_paid_by_card_counts(books: Books) -> None:
    ada = books.person()
    one, two = books.account(ada, money=5000), books.account()
    shops = BankAccount(AccountKind.CARD_SETTLEMENT)
    books.did(move(ada, one.own, shops, 600, kind=TransferKind.CARD_PAYMENT))
    books.refused(pay(ada, one, two, 401), "limit_exceeded")
    books.refused(move(ada, one.own, shops, 401, kind=TransferKind.CARD_PAYMENT), "limit_exceeded")
    books.did(pay(ada, one, two, 400))


def test_within_one_batch_as_between_batches(books: Books) -> None:
    ada = books.person()
    one, two = books.account(ada, money=5000), books.account(ada)
    books.did(pay(ada, one, two, 400))
    outcomes = books.post(
        pay(ada, one, two, 400),
        pay(ada, one, two, 201),
        pay(ada, one, two, 200),
        withdraw(ada, one, 1),
        pay(ada, two, one, 1000),
        pay(ada, two, one, 1),
    )
    assert [told(outcome) for outcome in outcomes] == [
        "posted",
        "limit_exceeded",
        "posted",
        "limit_exceeded",
        "posted",
        "limit_exceeded",
    ]


def test_what_comes_in_is_not_limited_nor_counted(books: Books) -> None:
    ada, ben = books.person(), books.person()
    one, two = books.account(ada), books.account(ben, money=5000)
    books.did(deposit(ada, one, 4000))
    books.did(pay(ben, two, one, 1000))
    books.did(pay(ada, one, two, 1000))


def test_a_refusal_and_a_replay_count_nothing(books: Books) -> None:
    ada = books.person()
    one, two = books.account(ada, money=500), books.account()
    command = pay(ada, one, two, 400)
    books.did(command)
    books.refused(pay(ada, one, two, 501), "insufficient_funds")
    outcomes = books.post(command, command, pay(ada, one, two, 600), pay(ada, one, two, 100))
    assert [told(outcome) for outcome in outcomes] == ["replayed", "replayed", "insufficient_funds", "posted"]


def test_each_account_has_a_limit_of_its_own_and_other_currencies_none(books: Books) -> None:
    ada = books.person()
    one, two = books.account(ada, money=5000), books.account(ada, money=5000)
    books.did(pay(ada, one, two, 1000))
    books.did(pay(ada, two, one, 1000))
    books.refused(pay(ada, one, two, 1), "limit_exceeded")
    dollars, others = (books.account(ada, currency="USD", money=5000) for _ in range(2))
    books.did(pay(ada, dollars, others, 5000, currency="USD"))


def test_a_reversal_passes_no_limit_and_gives_nothing_back(books: Books) -> None:
    ada, ben = books.person(), books.person()
    one, two = books.account(ada, money=5000), books.account(ben, money=1100)
    posted = books.did(pay(ada, one, two, 1000))
    books.did(pay(ben, two, one, 400))
    books.did(reverse(books.teller, posted))
    books.refused(pay(ada, one, two, 1), "limit_exceeded")
    books.did(pay(ben, two, one, 600))
    books.refused(pay(ben, two, one, 1), "limit_exceeded")


def test_what_is_reserved_counts_until_it_is_let_go(books: Books) -> None:
    ada = books.person()
    one, two = books.account(ada, money=5000), books.account()
    held = books.held(hold(ada, one, two, 600))
    books.did(pay(ada, one, two, 300))
    books.refused(hold(ada, one, two, 101), "limit_exceeded")
    books.refused(increment(ada, held, 101), "limit_exceeded")
    books.held(increment(ada, held, 100))
    for command in (pay(ada, one, two, 1), hold(ada, one, two, 1), increment(ada, held, 1)):
        books.refused(command, "limit_exceeded")
    books.held(capture(ada, held, 400))
    books.refused(pay(ada, one, two, 1), "limit_exceeded")
    books.held(void(ada, held))
    books.refused(pay(ada, one, two, 301), "limit_exceeded")
    books.did(pay(ada, one, two, 300))
    books.refused(pay(ada, one, two, 1), "limit_exceeded")


def test_what_is_let_go_in_a_batch_can_be_spent_in_it(books: Books) -> None:
    ada = books.person()
    one, two = books.account(ada, money=5000), books.account()
    first, second = books.held(hold(ada, one, two, 600)), books.held(hold(ada, one, two, 400))
    outcomes = books.post(
        pay(ada, one, two, 1),
        void(ada, first),
        capture(ada, second, 100, final=True),
        pay(ada, one, two, 901),
        pay(ada, one, two, 900),
        increment(ada, second, 1),
    )
    assert [told(one) for one in outcomes] == [
        "limit_exceeded",
        "posted",
        "posted",
        "limit_exceeded",
        "posted",
        "hold_not_active",
    ]
    books.refused(pay(ada, one, two, 1), "limit_exceeded")


def test_increments_of_one_batch_count_together(books: Books) -> None:
    ada = books.person()
    one, two = books.account(ada, money=5000), books.account()
    held = books.held(hold(ada, one, two, 100))
    outcomes = books.post(
        increment(ada, held, 500), increment(ada, held, 401), increment(ada, held, 400), pay(ada, one, two, 1)
    )
    assert [told(one) for one in outcomes] == ["posted", "limit_exceeded", "posted", "limit_exceeded"]


def test_a_hold_counts_on_its_day_and_its_increments_on_theirs(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = books.person()
    one, two = books.account(ada, money=5000), books.account()
    set_clock(monkeypatch, "2026-03-10T12:00:00Z")
    held = books.held(hold(ada, one, two, 600))
    set_clock(monkeypatch, "2026-03-11T12:00:00Z")
    books.held(capture(ada, held, 500))
    books.refused(increment(ada, held, 1001), "limit_exceeded")
    books.held(increment(ada, held, 300))
    books.refused(pay(ada, one, two, 701), "limit_exceeded")
    books.held(void(ada, held))
    outcomes = books.post(pay(ada, one, two, 701), pay(ada, one, two, 700))
    assert [told(one) for one in outcomes] == ["limit_exceeded", "posted"]
    set_clock(monkeypatch, "2026-03-12T00:00:00Z")
    books.did(pay(ada, one, two, 1000))


def test_a_hold_whose_time_is_over_counts_no_more(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    ada = books.person()
    one, two = books.account(ada, money=5000), books.account()
    set_clock(monkeypatch, "2026-03-10T12:00:00Z")
    end = datetime(2026, 3, 10, 13, tzinfo=UTC)
    held = books.held(hold(ada, one, two, 1000, expires_at=end))
    books.held(capture(ada, held, 400))
    set_clock(monkeypatch, "2026-03-10T13:00:00Z")
    books.refused(pay(ada, one, two, 601), "limit_exceeded")
    books.did(pay(ada, one, two, 600))


@pytest.mark.parametrize(
    ("zone", "evening", "late", "morning"),
    [
        ("UTC", "2026-03-10T00:00:00Z", "2026-03-10T23:59:59.999Z", "2026-03-11T00:00:00Z"),
        ("Asia/Tokyo", "2026-03-09T15:00:00Z", "2026-03-10T14:59:59.999Z", "2026-03-10T15:00:00Z"),
        # The day on which the clocks go forward has 23 hours.
        ("Europe/Paris", "2026-03-28T23:00:00Z", "2026-03-29T21:59:59.999Z", "2026-03-29T22:00:00Z"),
    ],
)
def test_a_day_ends_at_midnight_in_the_banks_time_zone(
    db: Database, monkeypatch: pytest.MonkeyPatch, zone: str, evening: str, late: str, morning: str
) -> None:
    set_clock(monkeypatch, evening)
    books = Books(db, zone=zone, limits={"EUR": 1000})
    ada = books.person()
    one, two = books.account(ada, money=5000), books.account()
    books.did(pay(ada, one, two, 1000))
    set_clock(monkeypatch, late)
    books.refused(pay(ada, one, two, 1), "limit_exceeded")
    set_clock(monkeypatch, morning)
    books.did(pay(ada, one, two, 1000))
    books.refused(pay(ada, one, two, 1), "limit_exceeded")


def test_the_first_key_that_a_day_can_have_counts(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    set_clock(monkeypatch, "2026-03-10T00:00:00Z")
    books = Books(db, limits={"EUR": 1000})
    ada = books.person()
    one, two = books.account(ada, money=5000), books.account()
    with monkeypatch.context() as patch:
        patch.setattr(ids, "new_key", lambda: ids.first_key_at(clock.now()))
        books.did(pay(ada, one, two, 1000))
    books.refused(pay(ada, one, two, 1), "limit_exceeded")


def test_a_day_is_that_of_the_posting_also_when_the_clock_has_stepped_back(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_clock(monkeypatch, "2026-03-10T23:00:00Z")
    books = Books(db, limits={"EUR": 1000})
    ada = books.person()
    one, two = books.account(ada, money=5000), books.account()
    set_clock(monkeypatch, "2026-03-11T00:00:01Z")
    books.account()
    # Internal keys never step back.
    set_clock(monkeypatch, "2026-03-10T23:59:59Z", keep_ids=True)
    books.did(pay(ada, one, two, 1000))
    set_clock(monkeypatch, "2026-03-11T00:00:02Z")
    books.did(pay(ada, one, two, 1000))


def test_a_limit_of_zero_lets_nothing_out(db: Database) -> None:
    books = Books(db, limits={"EUR": 0})
    ada = books.person()
    one, two = books.account(ada, money=5000), books.account()
    books.refused(pay(ada, one, two, 1), "limit_exceeded")
