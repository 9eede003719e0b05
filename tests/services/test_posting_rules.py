"""The order of refusals, walked pairwise through the database, and what is told of whom."""

import itertools
from typing import Any

import pytest

from app.core.money import MAX_AMOUNT
from app.db.unit_of_work import Database
from app.ledger.commands import AnyAccount, OwnAccount, PostTransfer
from tests.books import Acct, Books, deposit, field_of, move, pay, reverse, told, withdraw

KEY, SOURCE, DESTINATION, SAME, CURRENCY, OUT, IN, BALANCE, LIMIT, FUNDS = range(10)
# What is told when a transfer breaks a rule, in the order of the contract.
TOLD = {
    KEY: ("idempotency_key_reused", None),
    SOURCE: ("not_found", "account"),
    DESTINATION: ("not_found", "account"),
    SAME: ("same_account", None),
    CURRENCY: ("currency_mismatch", "currency"),
    OUT: ("account_frozen", None),
    IN: ("account_closed", None),
    BALANCE: ("balance_limit", None),
    LIMIT: ("limit_exceeded", None),
    FUNDS: ("insufficient_funds", None),
}
# A stranger's account is not one's own as well, and what is closed is empty.
IMPOSSIBLE = {(DESTINATION, SAME), (IN, BALANCE), (IN, FUNDS)}
PAIRS = [pair for pair in itertools.combinations_with_replacement(TOLD, 2) if pair not in IMPOSSIBLE]


class Table:
    """Transfers of 100 EUR that break chosen rules; the daily limit is 1000."""

    def __init__(self, db: Database) -> None:
        self.books = Books(db, limits={"EUR": 1000, "USD": 1000})
        self.ada, self.ben = self.books.person(), self.books.person()
        self.purse = self.books.account(self.ada, money=100)
        self.books.did(deposit(self.ada, self.purse, key="used"))

    def account(self, breaks: frozenset[int], *, is_source: bool) -> Acct:
        values: dict[str, Any] = {"balance": 500 if is_source else 0}
        if is_source and FUNDS in breaks:
            values["balance"] = 99
        if BALANCE in breaks and not (is_source and SAME not in breaks):
            values["balance"] = MAX_AMOUNT - 99
        if is_source and OUT in breaks:
            values["status"] = "frozen"
        if not is_source and IN in breaks:
            values["status"] = "closed"
        foreign = (SOURCE if is_source else DESTINATION) in breaks
        return self.books.account(self.ben if foreign else self.ada, **values)

    def command(self, *broken: int) -> PostTransfer:
        breaks = frozenset(broken)
        source = self.account(breaks, is_source=True)
        destination = source if SAME in breaks else self.account(breaks, is_source=False)
        amount = 1001 if LIMIT in breaks else 100
        if LIMIT in breaks and FUNDS not in breaks:
            self.books.set(source, balance=2000)
        return move(
            self.ada,
            source.own,
            destination.own,
            amount,
            currency="USD" if CURRENCY in breaks else "EUR",
            key="used" if KEY in breaks else None,
        )


def test_of_two_broken_rules_the_earlier_one_is_told_and_nothing_moves(db: Database) -> None:
    table = Table(db)
    commands = [table.command(*pair) for pair in PAIRS]
    before = table.books.state()
    outcomes = table.books.post(*commands)
    found = {pair: _told(outcome) for pair, outcome in zip(PAIRS, outcomes, strict=True)}
    assert found == {pair: TOLD[pair[0]] for pair in PAIRS}
    assert table.books.state() == before


def _told(outcome: Any) -> tuple[str, str | None]:
    return told(outcome), None if told(outcome) == "posted" else field_of(outcome)


def test_a_transfer_that_breaks_no_rule_is_posted_and_its_key_replays_before_any_rule(db: Database) -> None:
    table = Table(db)
    ada, books = table.ada, table.books
    source = books.account(ada, money=100)
    destination = books.account(ada)
    command = pay(ada, source, destination, 100)
    books.did(command)
    books.run("UPDATE accounts SET balance = 0, status = 'closed' WHERE owner_id = :id", id=ada.id)
    assert told(books.post(command)[0]) == "replayed"


@pytest.mark.parametrize(
    ("values", "currency", "own_code"),
    [
        ({"status": "closed"}, "EUR", "account_closed"),
        ({}, "USD", "currency_mismatch"),
        ({"balance": MAX_AMOUNT}, "EUR", "balance_limit"),
    ],
)
def test_a_strangers_account_cannot_take_it_and_nothing_more_is_told(
    db: Database, values: dict[str, Any], currency: str, own_code: str
) -> None:
    books = Books(db)
    ada, ben = books.person(), books.person()
    source = books.account(ada, money=500)
    for owner, code in ((ben, "destination_unavailable"), (None, "destination_unavailable"), (ada, own_code)):
        target = books.account(owner, currency=currency, **values)
        before = books.state()
        (outcome,) = books.post(pay(ada, source, target))
        assert told(outcome) == code
        assert books.state() == before


def test_a_frozen_account_gives_nothing_and_takes_everything(db: Database) -> None:
    books = Books(db)
    ada, ben = books.person(), books.person()
    frozen, other = books.account(ada, money=100, status="frozen"), books.account(ben, money=100)
    books.refused(pay(ada, frozen, other), "account_frozen")
    books.refused(withdraw(ada, frozen), "account_frozen")
    books.refused(withdraw(books.teller, frozen), "account_frozen")
    books.did(pay(ben, other, frozen))
    books.did(deposit(ada, frozen))
    assert books.balance(frozen) == 300


def test_a_closed_account_gives_and_takes_nothing(db: Database) -> None:
    books = Books(db)
    ada = books.person()
    closed, other = books.account(ada, status="closed"), books.account(ada, money=100)
    for command in (
        pay(ada, closed, other),
        pay(ada, other, closed),
        withdraw(ada, closed),
        deposit(ada, closed),
        deposit(books.teller, closed),
    ):
        books.refused(command, "account_closed")


def test_a_teller_pays_for_people_without_a_login_and_nobody_else(db: Database) -> None:
    books = Books(db)
    theirs, adas = books.account(money=300), books.account(books.person(), money=300)
    books.did(pay(books.teller, theirs, adas))
    books.refused(pay(books.teller, adas, theirs), "not_found", "account")
    books.did(withdraw(books.teller, adas))
    assert (books.balance(theirs), books.balance(adas)) == (200, 300)


MALFORMED = ["", "x", "acc_", "%", "a\0b", "\ud800", "é" * 30, "acc_" + "0" * 40, "'; --", str(2**63)]


def test_malformed_names_are_not_found_and_take_no_neighbour_with_them(
    db: Database, caplog: pytest.LogCaptureFixture
) -> None:
    books = Books(db)
    ada = books.person()
    one, two = books.account(ada, money=10_000), books.account()
    for text in MALFORMED:
        own, number = OwnAccount(text, "account"), AnyAccount(text, "number")
        outcomes = books.post(
            pay(ada, one, two),
            move(ada, own, two.any, 100),
            move(ada, one.own, own, 100),
            move(ada, one.own, number, 100),
            deposit(ada, Acct(0, text, text)),
            reverse(books.teller, text),
            pay(ada, one, two),
        )
        assert [told(outcome) for outcome in outcomes] == ["posted", *["not_found"] * 5, "posted"]
    assert caplog.records == []


def test_ids_and_numbers_are_not_taken_for_each_other_and_case_counts(db: Database) -> None:
    books = Books(db)
    ada, ben = books.person(), books.person()
    one, bens = books.account(ada, money=300), books.account(ben)
    for source, destination in (
        (OwnAccount(one.id.upper(), "account"), bens.any),
        (OwnAccount(one.number, "account"), bens.any),
        (one.own, OwnAccount(bens.number, "account")),
        (one.own, bens.own),
        (bens.own, one.own),
    ):
        books.refused(move(ada, source, destination, 1), "not_found", "account")
    books.refused(move(ada, one.own, AnyAccount(bens.id, "number"), 1), "not_found", "number")
    books.refused(move(ada, one.own, AnyAccount("000000000000", "number"), 1), "not_found", "number")
