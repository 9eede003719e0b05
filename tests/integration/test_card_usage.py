"""What counts towards a card's limits of a day and a month, which are the bank's."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.core import clock
from app.core.caller import Role
from app.core.config import Settings
from tests.bank import Customer, assert_right, customer, staff
from tests.cards import CARDS, approved, authorize, declined, issue, on, refund
from tests.client import ApiClient, Person, error_of, running


class World:
    """Ada's card in Vienna, and a network that is logged in anew whenever the clock has gone on."""

    def __init__(self, client: ApiClient, patch: pytest.MonkeyPatch) -> None:
        self.client = client
        self.at = datetime(2026, 2, 27, 12, tzinfo=UTC)
        patch.setattr(clock, "now", lambda: self.at)
        self.ada = customer(client, money=100_000)
        self.card = issue(self.ada)

    def limit(self, **limits: int | None) -> None:
        ada = Customer(self.client.log_in(), self.ada.account)
        path = f"{CARDS}/{self.card['id']}/limits"
        assert ada.person.patch(path, json={"limits": limits}).status_code == 200

    def go_to(self, at: str) -> None:
        self.at = datetime.fromisoformat(at).astimezone(UTC)

    @property
    def network(self) -> Person:
        return staff(self.client, Role.NETWORK)

    def yes(self, amount: int) -> dict[str, Any]:
        return approved(self.network, self.card, amount)

    def no(self, amount: int) -> None:
        declined(authorize(self.network, self.card, amount), "limit_exceeded")

    def left(self, amount: int) -> None:
        """Exactly so much may still be asked for; it is asked for and let go of again."""
        self.no(amount + 1)
        assert on(self.network, self.yes(amount), "void").status_code == 200


@pytest.fixture
def world(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    vienna = settings.model_copy(update={"bank_timezone": ZoneInfo("Europe/Vienna")})
    with running(vienna) as client:
        yield World(client, monkeypatch)
        assert_right(client.db)


def test_a_day_of_the_bank_begins_at_its_midnight(world: World) -> None:
    world.limit(per_day=100)
    world.go_to("2026-02-27T23:59:59.999999+01:00")
    world.yes(60)
    world.left(40)
    world.go_to("2026-02-28T00:00:00+01:00")
    world.yes(100)
    world.no(1)


def test_a_month_of_the_bank_begins_at_its_midnight(world: World) -> None:
    world.limit(per_month=100)
    world.go_to("2026-02-01T00:00:00+01:00")
    world.yes(10)
    world.go_to("2026-02-28T23:59:59+01:00")
    world.yes(50)
    # What was asked for first has expired since, and does not count.
    world.left(50)
    world.go_to("2026-03-01T00:00:00+01:00")
    world.left(100)


def test_a_day_of_25_hours_is_one_day(world: World) -> None:
    world.limit(per_day=100)
    world.go_to("2026-10-25T00:30:00+02:00")
    world.yes(60)
    world.go_to("2026-10-25T23:30:00+01:00")
    world.left(40)


def test_what_is_let_go_of_does_not_count_and_what_was_captured_does(world: World) -> None:
    world.limit(per_day=100, per_month=100)
    made = world.yes(90)
    assert on(world.network, made, "capture", amount=30).status_code == 200
    world.left(10)
    assert on(world.network, made, "void").status_code == 200
    world.left(70)
    final = world.yes(50)
    assert on(world.network, final, "capture", amount=20, final=True).status_code == 200
    world.left(50)
    # What is given back was spent all the same.
    assert refund(world.network, final, 20).status_code == 201
    world.left(50)


def test_what_has_expired_does_not_count_swept_or_not(world: World) -> None:
    world.limit(per_month=100)
    world.go_to("2026-03-02T12:00:00+01:00")
    made = world.yes(90)
    assert on(world.network, made, "capture", amount=30).status_code == 200
    world.at = datetime.fromisoformat(made["expires_at"]) - timedelta(seconds=1)
    world.left(10)
    world.at = datetime.fromisoformat(made["expires_at"])
    world.left(70)


def test_what_is_captured_above_an_authorisation_counts(world: World) -> None:
    world.limit(per_day=100)
    made = world.yes(50)
    assert on(world.network, made, "capture", amount=60).status_code == 200
    world.left(40)


def test_an_increment_counts_on_its_own_day(world: World) -> None:
    world.limit(per_day=100, per_month=250)
    world.go_to("2026-03-02T12:00:00+01:00")
    made = world.yes(80)
    error_of(on(world.network, made, "increment", amount=21), 409, "limit_exceeded")
    world.go_to("2026-03-03T12:00:00+01:00")
    world.yes(30)
    error_of(on(world.network, made, "increment", amount=71), 409, "limit_exceeded")
    assert on(world.network, made, "increment", amount=70).status_code == 200
    world.no(1)
    world.go_to("2026-03-04T12:00:00+01:00")
    # Of the month 180 are gone.
    world.left(70)


def test_an_increment_does_not_count_once_its_authorisation_of_another_day_is_voided(world: World) -> None:
    world.limit(per_day=100)
    world.go_to("2026-03-02T12:00:00+01:00")
    made = world.yes(50)
    world.go_to("2026-03-03T12:00:00+01:00")
    assert on(world.network, made, "increment", amount=80).status_code == 200
    world.no(21)
    assert on(world.network, made, "void").status_code == 200
    world.left(100)


def test_an_increment_of_an_authorisation_of_last_month_counts_this_month(world: World) -> None:
    world.limit(per_month=100)
    world.go_to("2026-02-28T12:00:00+01:00")
    made = world.yes(60)
    world.go_to("2026-03-01T12:00:00+01:00")
    assert on(world.network, made, "increment", amount=30).status_code == 200
    world.left(70)


def test_each_card_has_limits_of_its_own(world: World) -> None:
    world.limit(per_day=100)
    first, world.card = world.card, issue(Customer(world.client.log_in(), world.ada.account))
    world.limit(per_day=50)
    world.yes(50)
    world.no(1)
    world.card = first
    world.left(100)


def test_a_limit_that_is_lowered_holds_at_once(world: World) -> None:
    world.yes(60)
    world.limit(per_day=50)
    world.no(1)
    world.limit(per_day=None)
    world.yes(1)
