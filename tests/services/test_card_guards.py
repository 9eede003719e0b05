"""What the database refuses of cards by itself, whatever the code above does."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert
from sqlalchemy.exc import DBAPIError, IntegrityError

from app.core import clock, ids
from app.core.caller import Role
from app.core.money import MAX_AMOUNT
from app.db.unit_of_work import Database
from app.models import Authorization, Card, CardRefund
from tests.books import Books, authorize, give_back, on_card


class World:
    """A card with a yes that was partly given back, and a no."""

    def __init__(self, db: Database) -> None:
        self.db, self.books = db, Books(db)
        network, account = self.books.person(Role.NETWORK), self.books.account(money=100)
        self.card = self.books.card(account)
        self.yes = self.books.answered(authorize(network, self.card, 50)).row
        self.no = self.books.answered(authorize(network, self.card, 500)).row
        made = self.books.answered(authorize(network, self.card, 50))
        self.books.answered(on_card(network, made, "capture", 50))
        self.books.did(give_back(network, made, 20))

    def row(self, table: Any, **where: Any) -> dict[str, Any]:
        """The row of a table that is right, to be spoilt."""
        statement = table.__table__.select().filter_by(**where)
        return self.db.run_read(lambda session: dict(session.execute(statement).first()._mapping))

    def refuses(self, table: Any, values: dict[str, Any], match: str) -> None:
        before = self.books.state()
        with pytest.raises(IntegrityError, match=match):
            self.db.run_write(lambda session: session.execute(insert(table.__table__), [values]) and None)
        assert self.books.state() == before


@pytest.fixture
def world(db: Database) -> World:
    return World(db)


def test_a_card_has_a_number_of_its_own_and_is_what_a_card_can_be(world: World) -> None:
    card = world.row(Card, id=world.card)
    good = card | {"key": ids.new_key(), "id": ids.new_id(ids.CARD), "fingerprint": b"x" * 32}
    for bad, match in (
        ({"fingerprint": card["fingerprint"]}, "uq_cards_fingerprint|cards.fingerprint"),
        ({"id": card["id"]}, "uq_cards_id|cards.id"),
        ({"type": "gold"}, "ck_cards_type"),
        ({"status": "expired"}, "ck_cards_status"),
        ({"status": "cancelled"}, "ck_cards_cancelled"),
        ({"cancel_reason": "lost"}, "ck_cards_cancelled"),
        ({"status": "cancelled", "cancel_reason": "bored"}, "ck_cards_cancel_reason"),
        ({"last4": "123"}, "ck_cards_last4"),
        ({"per_payment": 0}, "ck_cards_per_payment"),
        ({"per_day": -1}, "ck_cards_per_day"),
        ({"per_month": MAX_AMOUNT + 1}, "ck_cards_per_month"),
        ({"account_key": 1}, "fk_cards_account_key_accounts|FOREIGN KEY"),
    ):
        world.refuses(Card, good | bad, match)


def test_a_card_is_replaced_once(world: World) -> None:
    card = world.row(Card, id=world.card)

    def replacement() -> dict[str, Any]:
        new = {"key": ids.new_key(), "id": ids.new_id(ids.CARD), "replaces_key": card["key"]}
        return card | new | {"fingerprint": new["id"].encode().ljust(32)[:32]}

    first = replacement()
    world.db.run_write(lambda session: session.execute(insert(Card.__table__), [first]) and None)
    world.refuses(Card, replacement(), "uq_cards_replaces_key|cards.replaces_key")


def test_an_answer_is_a_yes_with_a_hold_or_a_no_with_a_reason(world: World) -> None:
    no = world.row(Authorization, id=world.no["id"]) | {
        "key": ids.new_key(),
        "id": ids.new_id(ids.AUTHORIZATION),
    }
    for bad, match in (
        ({"amount": 0}, "ck_authorizations_amount"),
        ({"amount": MAX_AMOUNT + 1}, "ck_authorizations_amount"),
        ({"decline_reason": "bad_mood"}, "ck_authorizations_decline_reason"),
        ({"decline_reason": None}, "ck_authorizations_declined"),
        ({"hold_key": world.yes["key"]}, "ck_authorizations_"),
        ({"hold_key": world.yes["key"], "decline_reason": None}, "ck_authorizations_hold"),
        ({"card_key": 1}, "fk_authorizations_card_key_cards|FOREIGN KEY"),
        ({"id": world.no["id"]}, "uq_authorizations_id|authorizations.id"),
    ):
        world.refuses(Authorization, no | bad, match)


def test_a_refund_is_of_one_authorisation(world: World) -> None:
    refund = world.row(CardRefund)
    for bad, match in (
        ({}, "pk_card_refunds|card_refunds.transfer_key"),
        ({"transfer_key": world.yes["key"], "amount": 0}, "ck_card_refunds_amount"),
        ({"transfer_key": 1}, "fk_card_refunds_transfer_key_transfers|FOREIGN KEY"),
        (
            {"transfer_key": world.yes["key"], "authorization_key": 1},
            "fk_card_refunds_authorization_key_authorizations|FOREIGN KEY",
        ),
    ):
        world.refuses(CardRefund, refund | bad, match)


@pytest.mark.parametrize("table", ["authorizations", "card_refunds"])
@pytest.mark.parametrize("change", ["UPDATE {} SET amount = amount", "DELETE FROM {}"])
def test_what_was_answered_and_given_back_is_never_changed(world: World, table: str, change: str) -> None:
    before = world.books.state()
    with pytest.raises(DBAPIError, match=f"{table} is append-only"):
        world.books.run(change.format(table))
    assert world.books.state() == before


def test_a_card_outlives_its_month(world: World) -> None:
    """Its expiry is a date, not a state: nothing needs to run for it to be over."""
    last = world.row(Card, id=world.card)["expires_on"]
    assert (last + timedelta(days=1)).day == 1
    assert last.year == clock.now().year + 4
