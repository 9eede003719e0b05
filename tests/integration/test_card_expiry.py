"""A card is good through the last day of its month, in the bank's time zone."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.core import clock
from app.core.config import Settings
from tests.bank import Customer, customer
from tests.cards import CARDS, act, approved, authorize, declined, issue, seen
from tests.client import ApiClient, error_of, running

STATE = (409, "card_state")
# In Vienna a winter's day begins an hour before it does in UTC.
LAST_MOMENT = datetime(2026, 2, 28, 22, 59, 59, 999_999, tzinfo=UTC)
OVER = datetime(2026, 2, 28, 23, 0, tzinfo=UTC)


class Clock:
    """A clock that stands where it is put."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.at = datetime(2022, 2, 10, tzinfo=UTC)
        patch.setattr(clock, "now", lambda: self.at)


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture
def client(settings: Settings, time: Clock) -> Iterator[ApiClient]:
    vienna = settings.model_copy(update={"bank_timezone": ZoneInfo("Europe/Vienna"), "cards_per_account": 2})
    with running(vienna) as api:
        yield api


def again(of: Customer) -> Customer:
    """The customer, logged in anew: a token does not last for years."""
    return Customer(of.person.client.log_in(), of.account)


def listed(of: Customer, status: str) -> list[Any]:
    data: list[Any] = of.person.get(CARDS, params={"status": status}).json()["data"]
    return data


def test_a_card_is_good_through_the_last_day_of_its_month(client: ApiClient, time: Clock) -> None:
    ada = customer(client, money=10)
    card, posted = issue(ada), issue(ada, "physical")
    assert (card["expiry_month"], card["expiry_year"]) == (2, 2026)
    time.at = LAST_MOMENT
    ada = again(ada)
    assert seen(ada, card)["status"] == "active"
    approved(ada, card, 1)
    assert act(ada, card, "freeze").status_code == 200
    error_of(ada.close(), 409, "account_in_use")
    time.at = OVER
    ada = again(ada)
    for one in (card, posted):
        assert seen(ada, one)["status"] == "expired"
        declined(authorize(ada, one, 1), "card_expired")
        for action in ("activate", "freeze", "unfreeze"):
            error_of(act(ada, one, action), *STATE)
    assert [one["id"] for one in listed(ada, "expired")] == [posted["id"], card["id"]]
    assert listed(ada, "frozen") == listed(ada, "inactive") == []


def test_an_expired_card_can_be_cancelled_or_replaced_and_hinders_no_closing(
    client: ApiClient, time: Clock
) -> None:
    ada = customer(client)
    card, other = issue(ada), issue(ada)
    time.at = OVER
    ada = again(ada)
    new = act(ada, card, "replace").json()
    assert (new["expiry_month"], new["expiry_year"], new["status"]) == (3, 2030, "active")
    assert act(ada, other, "cancel").json()["status"] == "cancelled"
    assert listed(ada, "expired") == []
    assert act(ada, new, "cancel").status_code == 200
    assert ada.close().status_code == 200


def test_an_expired_card_takes_no_place_until_it_is_replaced(client: ApiClient, time: Clock) -> None:
    ada = customer(client)
    old = issue(ada)
    time.at = OVER
    ada = again(ada)
    issue(ada)
    issue(ada)
    error_of(act(ada, old, "replace"), 409, "limit_exceeded")
    assert seen(ada, old)["status"] == "expired"


def test_an_account_closes_with_nothing_but_expired_cards(client: ApiClient, time: Clock) -> None:
    ada = customer(client)
    issue(ada)
    time.at = OVER
    assert again(ada).close().status_code == 200
