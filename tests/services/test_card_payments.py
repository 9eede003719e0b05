"""Card payments in the ledger: a batch of them is judged as if they had come one by one."""

from typing import Any

import pytest

from app.core.caller import Caller, Role
from app.core.errors import BankingError
from app.db.unit_of_work import Database
from app.ledger.commands import Authorized, Posted
from app.ledger.posting import Outcome
from tests.books import Acct, Books, authorize, deposit, give_back, on_card, pay, set_clock, statements


class World:
    """Ada, who pays by card; a network that asks."""

    def __init__(self, db: Database, **options: Any) -> None:
        self.books = Books(db, **options)
        self.network = self.books.person(Role.NETWORK)
        self.ada = self.books.person()
        self.one = self.books.account(self.ada, money=1000)

    def card(self, account: Acct | None = None, **settings: Any) -> str:
        return self.books.card(account or self.one, **settings)

    def ask(self, card: str, amount: int, **more: Any) -> Authorized:
        return self.books.answered(authorize(self.network, card, amount, **more))

    def act(self, made: Authorized, verb: str, amount: int = 0, **more: Any) -> Authorized:
        return self.books.answered(on_card(self.network, made, verb, amount, **more))


@pytest.fixture
def world(db: Database) -> World:
    return World(db)


def said(outcome: Outcome) -> str:
    """An answer in a word."""
    if isinstance(outcome, BankingError):
        return outcome.code
    assert isinstance(outcome, Authorized | Posted)
    if isinstance(outcome, Posted):
        return "posted"
    return outcome.row["decline_reason"] or ("replayed" if outcome.replayed else "yes")


def test_a_batch_counts_what_it_has_approved_itself(world: World) -> None:
    card = world.card(per_day=100)
    batch = [authorize(world.network, card, amount) for amount in (60, 41, 40, 1)]
    assert [said(one) for one in world.books.post(*batch)] == [
        "yes",
        "limit_exceeded",
        "yes",
        "limit_exceeded",
    ]
    world.books.assert_right()


def test_a_batch_counts_what_it_has_let_go_of(world: World) -> None:
    card = world.card(per_day=100, per_month=100)
    made, other = world.ask(card, 60), world.ask(card, 40)
    batch = [
        authorize(world.network, card, 1),
        on_card(world.network, made, "void"),
        authorize(world.network, card, 60),
        authorize(world.network, card, 1),
        on_card(world.network, other, "capture", 10, final=True),
        authorize(world.network, card, 31),
        authorize(world.network, card, 30),
    ]
    answers = [said(one) for one in world.books.post(*batch)]
    assert answers == ["limit_exceeded", "yes", "yes", "limit_exceeded", "yes", "limit_exceeded", "yes"]
    world.books.assert_right()


def test_a_batch_counts_what_it_has_raised_and_captured_above(world: World) -> None:
    card = world.card(per_day=100)
    made = world.ask(card, 50)
    batch = [
        on_card(world.network, made, "increment", 20),
        authorize(world.network, card, 31),
        on_card(world.network, made, "increment", 31),
        on_card(world.network, made, "capture", 80, tolerance=20),
        authorize(world.network, card, 21),
        authorize(world.network, card, 20),
    ]
    answers = [said(one) for one in world.books.post(*batch)]
    assert answers == ["yes", "limit_exceeded", "limit_exceeded", "yes", "limit_exceeded", "yes"]
    world.books.assert_right()


def test_money_that_comes_in_a_batch_can_be_spent_in_it(world: World) -> None:
    card = world.card()
    batch = [
        authorize(world.network, card, 1001),
        deposit(world.books.teller, world.one, 1),
        authorize(world.network, card, 1001),
        pay(world.ada, world.one, world.one, 1),
    ]
    answers = world.books.post(*batch)
    assert [said(one) for one in answers[:3]] == ["insufficient_funds", "posted", "yes"]
    world.books.assert_right()


def test_refunds_of_one_batch_are_together_no_more_than_was_captured(world: World) -> None:
    made = world.ask(world.card(), 100)
    batch = [
        give_back(world.network, made, 1),
        on_card(world.network, made, "capture", 60),
        give_back(world.network, made, 40),
        give_back(world.network, made, 21),
        give_back(world.network, made, 20),
    ]
    answers = [said(one) for one in world.books.post(*batch)]
    assert answers == ["validation_failed", "yes", "posted", "validation_failed", "posted"]
    assert world.books.balance(world.one) == 1000
    world.books.assert_right()


def test_a_key_that_comes_twice_in_a_batch_is_answered_alike(world: World) -> None:
    card = world.card()
    twice = [authorize(world.network, card, 600, key="k") for _ in range(2)]
    first, second = world.books.post(*twice)
    assert isinstance(first, Authorized)
    assert isinstance(second, Authorized)
    assert (first.replayed, second.replayed, first.row["id"]) == (False, True, second.row["id"])
    no = [authorize(world.network, card, 600, key="no") for _ in range(2)]
    first, second = world.books.post(*no)
    assert [said(one) for one in (first, second)] == ["insufficient_funds", "insufficient_funds"]
    assert world.books.count("authorizations") == 2


def test_an_act_is_told_again_as_it_was(world: World) -> None:
    made = world.ask(world.card(), 100, key="asked")
    part = world.act(made, "capture", 60, key="part")
    world.books.did(give_back(world.network, made, 10))
    more = world.act(made, "increment", 5, key="more")
    world.books.did(give_back(world.network, made, 20))
    end = world.act(made, "void", key="end")
    assert [one.refunded for one in (made, part, more, end)] == [0, 0, 10, 30]
    again = [
        authorize(world.network, made.row["card_id"], 100, key="asked"),
        on_card(world.network, made, "capture", 60, key="part"),
        on_card(world.network, made, "increment", 5, key="more"),
        on_card(world.network, made, "void", key="end"),
    ]
    for told, first in zip(world.books.post(*again), (made, part, more, end), strict=True):
        assert isinstance(told, Authorized)
        assert told.replayed
        assert told.refunded == first.refunded
        assert told.hold is not None
        assert first.hold is not None
        names = ("status", "amount", "captured", "remaining", "expires_at", "source_held")
        assert [told.hold.row[name] for name in names] == [first.hold.row[name] for name in names]
        assert told.row["merchant"] == first.row["merchant"]


def test_the_limit_of_the_account_counts_cards_and_transfers_together(db: Database) -> None:
    world = World(db, limits={"EUR": 100})
    bob = world.books.account()
    card = world.card()
    batch = [
        pay(world.ada, world.one, bob, 60),
        authorize(world.network, card, 41),
        authorize(world.network, card, 40),
        pay(world.ada, world.one, bob, 1),
    ]
    assert [said(one) for one in world.books.post(*batch)] == [
        "posted",
        "limit_exceeded",
        "yes",
        "limit_exceeded",
    ]


def test_days_and_months_begin_in_the_banks_time_zone(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(db, zone="Asia/Tokyo")
    card = world.card(per_day=100, per_month=150)
    set_clock(monkeypatch, "2026-02-28T23:59:59+09:00")
    assert said(world.ask(card, 100)) == "yes"
    set_clock(monkeypatch, "2026-03-01T00:00:00+09:00")
    assert said(world.ask(card, 100)) == "yes"
    set_clock(monkeypatch, "2026-03-02T00:00:00+09:00")
    assert [said(world.ask(card, amount)) for amount in (51, 50)] == ["limit_exceeded", "yes"]


def test_as_many_statements_for_twenty_cards_as_for_one(world: World) -> None:
    cards = [world.card(per_day=10_000) for _ in range(20)]
    # From now on the accounts of the cards are known, and something is held.
    world.books.post(*(authorize(world.network, card, 1) for card in cards))

    def sent(*names: str) -> list[str]:
        batch = [authorize(world.network, card, 1) for card in names]
        with statements(world.books.db) as found:
            assert {said(one) for one in world.books.post(*batch)} == {"yes"}
        return [statement.split("VALUES")[0] for statement in found]

    assert len(sent(*cards)) == len(sent(cards[0])) < 20


def test_a_batch_without_cards_asks_nothing_of_them(world: World) -> None:
    bob = world.books.account()
    with statements(world.books.db) as sent:
        world.books.post(pay(world.ada, world.one, bob, 1), deposit(world.books.teller, bob, 1))
    assert not [one for one in sent if "cards" in one or "authorizations" in one]


def test_a_session_that_has_ended_asks_nothing(world: World) -> None:
    gone = Caller(world.network.id, Role.NETWORK, "ses_x", world.network.origin)
    world.books.refused(authorize(gone, world.card(), 1), "unauthenticated")


def test_each_answer_leaves_a_trace(world: World) -> None:
    made = world.ask(world.card(), 100)
    world.ask(made.row["card_id"], 10_000)
    world.act(made, "capture", 60)
    world.books.did(give_back(world.network, made, 10))
    world.act(made, "void")
    world.books.refused(on_card(world.network, made, "void"), "hold_not_active")
    traces = world.books.rows(
        "SELECT action, outcome FROM audit_log "
        "WHERE actor = :who AND action LIKE 'card_payment.%' ORDER BY id",
        who=world.network.id,
    )
    assert [tuple(row) for row in traces] == [
        ("card_payment.authorize", "success"),
        ("card_payment.authorize", "insufficient_funds"),
        ("card_payment.capture", "success"),
        ("card_payment.refund", "success"),
        ("card_payment.void", "success"),
        ("card_payment.void", "hold_not_active"),
    ]
