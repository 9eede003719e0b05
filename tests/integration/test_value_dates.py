"""Value dates: staff choose them, and they never change what was booked."""

import itertools
import random
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from app.core import clock
from app.services import statements
from app.statements.formats import FORMATS
from tests.bank import Customer, assert_right, count, customer, staff, walk_in
from tests.books import Acct
from tests.client import ApiClient, Person, error_of, running
from tests.past import Past
from tests.readers import READERS


def day(days: int) -> str:
    return (clock.now().date() + timedelta(days=days)).isoformat()


def get(person: Person, account: Acct | Customer, **query: str) -> dict[str, Any]:
    wanted = {name.rstrip("_"): value for name, value in query.items()}
    answer: httpx.Response = person.get(f"/v1/statements/{account.id}", params=wanted)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def test_a_teller_books_with_another_value_date(client: ApiClient) -> None:
    teller = staff(client)
    account = walk_in(teller)
    made = account.fund("deposit", 1000, value_date=day(-10))
    assert (made.status_code, made.json()["value_date"]) == (201, day(-10))
    assert made.json()["booked_at"][:10] == day(0)
    assert teller.get(made.headers["Location"]).json() == made.json()
    assert account.fund("withdrawal", 100, value_date=day(5)).json()["value_date"] == day(5)
    assert account.fund("withdrawal", 1, value_date=day(0)).status_code == 201
    assert count(client.db, "value_dates") == 4, "both sides of what counts from another day"
    assert_right(client.db)


def test_a_replay_tells_the_value_date_of_the_first_answer(client: ApiClient) -> None:
    account = walk_in(staff(client))
    first = account.fund("deposit", 1000, "k", value_date=day(-10))
    again = account.fund("deposit", 1000, "k", value_date=day(-10))
    assert (again.json(), again.headers["Idempotent-Replayed"]) == (first.json(), "true")
    error_of(account.fund("deposit", 1000, "k", value_date=day(-9)), 422, "idempotency_key_reused")


def test_customers_do_not_set_one(client: ApiClient) -> None:
    ada = customer(client)
    error = error_of(ada.fund("deposit", 1, value_date=day(0)), 422, "validation_failed")
    assert [(one["field"], one["code"]) for one in error["details"]] == [("value_date", "not_allowed")]
    assert ada.fund("deposit", 1, value_date=None).status_code == 201


@pytest.mark.parametrize(
    "value", [day(-400), day(400), "2026-02-30", "2026-1-1", "", 20260101, True, "0001-01-01", "9999-12-31"]
)
def test_a_day_that_is_none_or_far_away_is_refused(client: ApiClient, value: Any) -> None:
    account = walk_in(staff(client))
    error = error_of(account.fund("deposit", 1, value_date=value), 422, "validation_failed")
    assert [one["field"] for one in error["details"]] == ["value_date"]


def test_back_dating_changes_the_view_by_value_date_and_nothing_else(client: ApiClient) -> None:
    teller = staff(client)
    account = walk_in(teller)
    account.fund("deposit", 1000)
    yesterday = {"from_": day(-30), "to": day(-1)}
    before = get(teller, account, **yesterday)
    balance = teller.get(f"/v1/accounts/{account.id}/balance", params={"at": day(-1)}).json()
    account.fund("deposit", 500, value_date=day(-10))
    assert get(teller, account, **yesterday) == before
    assert teller.get(f"/v1/accounts/{account.id}/balance", params={"at": day(-1)}).json() == balance
    by_value = get(teller, account, basis="value", **yesterday)
    assert [(one["amount"], one["balance_after"]) for one in by_value["entries"]] == [(500, 500)]
    assert (by_value["opening_balance"], by_value["closing_balance"], by_value["count"]) == (0, 500, 1)
    whole = get(teller, account, basis="value")
    assert [(one["amount"], one["balance_after"]) for one in whole["entries"]] == [(500, 500), (1000, 1500)]
    assert whole["closing_balance"] == 1500


def test_what_counts_from_tomorrow_is_not_there_by_value_today(client: ApiClient) -> None:
    teller = staff(client)
    account = walk_in(teller, money=100)
    account.fund("deposit", 500, value_date=day(3))
    assert get(teller, account)["closing_balance"] == 600
    today = get(teller, account, basis="value")
    assert (today["closing_balance"], today["count"]) == (100, 1)
    assert get(teller, account, basis="value", from_=day(1), to=day(5))["closing_balance"] == 600


def test_by_value_date_a_statement_is_about_days(client: ApiClient) -> None:
    ada = customer(client)
    for name in ("from", "to"):
        query = {"basis": "value", name: "2026-01-01T00:00:00Z"}
        error = error_of(ada.person.get(f"/v1/statements/{ada.id}", params=query), 422, "validation_failed")
        assert [(one["field"], one["code"]) for one in error["details"]] == [(name, "not_allowed")]
    error_of(ada.person.get(f"/v1/statements/{ada.id}?basis=x"), 422, "validation_failed")
    assert get(ada.person, ada, basis="value", month="2026-01")["count"] == 0


def test_a_refused_group_leaves_no_mark(client: ApiClient) -> None:
    """The ledger's undo knows of value dates, too."""
    account = walk_in(staff(client))
    error_of(account.fund("withdrawal", 1000, value_date=day(-10)), 409, "insufficient_funds")
    assert count(client.db, "value_dates") == 0


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Auckland", "America/Los_Angeles"])
@pytest.mark.parametrize("seed", [1, 2])
def test_the_view_by_value_date_is_the_entries_in_the_order_of_their_value_dates(
    settings: Any, monkeypatch: pytest.MonkeyPatch, zone: str, seed: int
) -> None:
    chance = random.Random(seed)
    monkeypatch.setattr(statements, "_CHUNK", 3)
    where = ZoneInfo(zone)
    with running(settings.model_copy(update={"bank_timezone": where})) as client:
        ada, past = client.sign_up(), Past(client.db, monkeypatch, zone)
        account = past.open("2026-01-01T00:00:00Z", ada)
        at = datetime.fromisoformat("2026-01-02T00:00:00Z")
        booked: list[tuple[date, int, int]] = []
        for number in range(40):
            at += timedelta(minutes=chance.randrange(60 * 60))
            amount, value = chance.randrange(1, 1000), at.astimezone(where).date()
            if chance.random() < 0.4:
                value += timedelta(days=chance.randrange(-20, 20))
            past.book(account, at.isoformat(), amount, value_date=value)
            booked.append((value, number, amount))
        booked.sort()
        for _ in range(12):
            first = date(2025, 12, 15) + timedelta(days=chance.randrange(100))
            last = first + timedelta(days=chance.randrange(30))
            told = get(ada, account, basis="value", from_=first.isoformat(), to=last.isoformat())
            inside = [one for one in booked if first <= one[0] <= last]
            opening = sum(amount for value, _, amount in booked if value < first)
            assert [one["amount"] for one in told["entries"]] == [amount for _, _, amount in inside]
            assert [one["value_date"] for one in told["entries"]] == [
                value.isoformat() for value, _, _ in inside
            ]
            balances = list(itertools.accumulate((amount for _, _, amount in inside), initial=opening))
            assert [one["balance_after"] for one in told["entries"]] == balances[1:]
            assert (told["opening_balance"], told["closing_balance"]) == (opening, balances[-1])
            assert (told["count"], told["total_in"], told["total_out"]) == (
                len(inside),
                balances[-1] - opening,
                0,
            )


def test_every_format_has_the_view_by_value_date(client: ApiClient) -> None:
    account = walk_in(teller := staff(client), money=300)
    account.fund("deposit", 500, value_date=day(-10))
    for name in FORMATS:
        query = {"basis": "value", "format": name}
        answer = teller.get(f"/v1/statements/{account.id}", params=query)
        assert f"-by-value-date.{FORMATS[name].suffix}" in answer.headers["Content-Disposition"]
        if name in READERS:
            assert [int(one * 100) for one in READERS[name](answer.content).entries] == [500, 300], name
