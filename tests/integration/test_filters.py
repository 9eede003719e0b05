"""Filters of lists, each alone and each with another: a page holds what fits all, and no more than asked."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.core import clock
from tests.bank import Customer, customer, put, with_account
from tests.client import ApiClient, Person, error_of

Item = dict[str, Any]
Filters = dict[str, tuple[Any, Callable[[Item], bool]]]
ACCOUNTS, TRANSACTIONS, TRANSFERS = "/v1/accounts", "/v1/transactions", "/v1/transfers"


@pytest.fixture
def ada(client: ApiClient) -> Customer:
    """Two accounts in one currency, one in another; two of each kind of movement and a few transfers."""
    ada = customer(client, money=1000)
    savings = with_account(ada.person, money=50)
    dollars = with_account(ada.person, currency="USD")
    put(client.db, dollars, status="frozen")
    for number in range(4):
        texts = {"external_id": f"ref-{number % 2}"} if number < 3 else {}
        assert ada.pay(savings, 10 + number, **texts).status_code == 201
    assert savings.pay(ada, 5, external_id="ref-0").status_code == 201
    for amount in (1, 2):
        assert savings.fund("withdrawal", amount).status_code == 201
    return ada


def everything(person: Person, path: str) -> list[Item]:
    found: list[Item] = person.get(path, params={"limit": 100}).json()["data"]
    return found


def assert_filtered(person: Person, path: str, filters: Filters) -> None:
    """Alone and in pairs, in whole and in pages of two."""
    items = everything(person, path)
    narrowed = 0
    singles = [(name,) for name in filters]
    for names in [*singles, *itertools.combinations(filters, 2)]:
        wanted = {name: filters[name][0] for name in names}
        fitting = [item for item in items if all(filters[name][1](item) for name in names)]
        narrowed += len(names) == 1 and 0 < len(fitting) < len(items)
        assert everything_with(person, path, wanted) == fitting, names
        pages = list(pages_of_two(person, path, wanted))
        assert list(itertools.chain(*pages)) == fitting, names
        assert all(len(page) <= 2 for page in pages)
    assert narrowed == len(filters), "each filter lets something through and holds something back"


def everything_with(person: Person, path: str, wanted: dict[str, Any]) -> list[Item]:
    answer = person.get(path, params=wanted | {"limit": 100})
    assert answer.status_code == 200, answer.text
    found: list[Item] = answer.json()["data"]
    return found


def pages_of_two(person: Person, path: str, wanted: dict[str, Any]) -> Any:
    cursor: dict[str, str] = {}
    while True:
        page = person.get(path, params=wanted | {"limit": 2} | cursor).json()
        yield page["data"]
        if not page["has_more"]:
            return
        cursor = {"cursor": page["next_cursor"]}


def test_accounts_are_filtered(client: ApiClient, ada: Customer) -> None:
    items = everything(ada.person, ACCOUNTS)
    since = items[1]["created_at"]
    filters: Filters = {
        "status": ("frozen", lambda item: item["status"] == "frozen"),
        "currency": ("EUR", lambda item: item["currency"] == "EUR"),
        "created_at.gte": (since, lambda item: item["created_at"] >= since),
        "created_at.lt": (since, lambda item: item["created_at"] < since),
    }
    assert_filtered(ada.person, ACCOUNTS, filters)
    assert everything_with(ada.person, ACCOUNTS, {"type": "savings"}) == []
    assert everything_with(ada.person, ACCOUNTS, {"type": "checking"}) == items
    holder = ada.account["account_holder_id"]
    assert everything_with(ada.person, ACCOUNTS, {"account_holder_id": holder}) == items


def test_transfers_are_filtered(ada: Customer) -> None:
    items = everything(ada.person, TRANSFERS)
    since = items[3]["created_at"]
    filters: Filters = {
        "type": ("transfer", lambda item: item["kind"] == "transfer"),
        "external_id": ("ref-0", lambda item: item["external_id"] == "ref-0"),
        "account_id": (
            ada.id,
            lambda item: ada.id in (item["source_account_id"], item["destination_account_id"]),
        ),
        "created_at.gte": (since, lambda item: item["created_at"] >= since),
        "created_at.lt": (since, lambda item: item["created_at"] < since),
    }
    assert_filtered(ada.person, TRANSFERS, filters)
    assert everything_with(ada.person, TRANSFERS, {"status": "posted"}) == items
    assert everything_with(ada.person, TRANSFERS, {"status": "pending"}) == []
    for reference in ("REF-0", "ref-", "ref-0 "):
        assert everything_with(ada.person, TRANSFERS, {"external_id": reference}) == []


@pytest.mark.parametrize("one_account", [False, True])
def test_transactions_are_filtered(ada: Customer, one_account: bool) -> None:
    path = f"{ACCOUNTS}/{ada.id}/transactions" if one_account else TRANSACTIONS
    items = everything(ada.person, path)
    since = items[2]["booked_at"]
    filters: Filters = {
        "type": ("transfer", lambda item: item["type"] == "transfer"),
        "booked_at.gte": (since, lambda item: item["booked_at"] >= since),
        "booked_at.lt": (since, lambda item: item["booked_at"] < since),
    }
    if not one_account:
        filters["account_id"] = (ada.id, lambda item: item["account_id"] == ada.id)
    assert_filtered(ada.person, path, filters)


def test_transactions_are_filtered_by_value_date(client: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def move(day: int) -> None:
        monkeypatch.setattr(clock, "now", lambda: datetime(2027, 3, day, 12, tzinfo=UTC))

    move(1)
    ada = customer(client, money=1)
    for day in (2, 3):
        move(day)
        ada = replace(ada, person=client.log_in())
        assert ada.deposit(day).status_code == 201
    filters: Filters = {
        "value_date.gte": ("2027-03-02", lambda item: item["value_date"] >= "2027-03-02"),
        "value_date.lt": ("2027-03-03", lambda item: item["value_date"] < "2027-03-03"),
        "booked_at.gte": ("2027-03-03", lambda item: item["value_date"] >= "2027-03-03"),
        "booked_at.lt": ("2027-03-02", lambda item: item["value_date"] < "2027-03-02"),
    }
    assert_filtered(ada.person, TRANSACTIONS, filters)


def test_the_recipient_does_not_find_a_transfer_by_its_payers_reference(
    client: ApiClient, ada: Customer
) -> None:
    bob = customer(client, "bob")
    assert ada.pay(bob, 1, external_id="secret plan").status_code == 201
    wanted = {"external_id": "secret plan"}
    assert len(everything_with(ada.person, TRANSFERS, wanted)) == 1
    assert everything_with(bob.person, TRANSFERS, wanted) == []


@pytest.mark.parametrize(
    ("path", "name", "values"),
    [
        (ACCOUNTS, "status", ("", "open", "ACTIVE")),
        (ACCOUNTS, "type", ("", "cash", "transfer")),
        (ACCOUNTS, "currency", ("", "eur", "XXX", "EUROS")),
        (TRANSFERS, "type", ("", "payment")),
        (TRANSFERS, "status", ("", "done")),
        (TRANSFERS, "external_id", ("", " ", "x" * 101, "a\nb", "a\0b")),
        (TRANSACTIONS, "type", ("", "payment")),
        (
            TRANSACTIONS,
            "value_date.gte",
            ("", "2025-02-29", "2025-01-01T00:00:00Z", "0000-01-01", "٢٠٢٥-٠١-٠١"),
        ),
        (TRANSACTIONS, "value_date.lt", ("2025-13-01", "2025-1-1", "1730000000")),
    ],
)
def test_a_filter_that_is_none_is_refused(
    client: ApiClient, path: str, name: str, values: tuple[str, ...]
) -> None:
    ada = client.sign_up()
    for value in values:
        code = "currency_not_supported" if name == "currency" else "validation_failed"
        error = error_of(ada.get(path, params={name: value}), 422, code)
        assert [detail["field"] for detail in error["details"]] == [name], value


TIMES = (
    (ACCOUNTS, "created_at"),
    (TRANSFERS, "created_at"),
    (TRANSACTIONS, "booked_at"),
)


@pytest.mark.parametrize(("path", "column"), TIMES)
def test_an_instant_needs_its_offset_and_must_exist(client: ApiClient, path: str, column: str) -> None:
    ada = client.sign_up()
    wrong = (
        "",
        "now",
        "2025-02-30",
        "2025-10-31T10:00:00",
        "2025-10-31T24:00:00Z",
        "0000-01-01",
        "1730000000",
    )
    for name, value in itertools.product((f"{column}.gte", f"{column}.lt"), wrong):
        error = error_of(ada.get(path, params={name: value}), 422, "validation_failed")
        assert [detail["field"] for detail in error["details"]] == [name], value
    right = ("0001-01-01", "9999-12-31", "9999-12-31T23:59:59.999999Z", "2025-10-31t10:00:00z")
    for name, value in itertools.product((f"{column}.gte", f"{column}.lt"), right):
        assert ada.get(path, params={name: value}).status_code == 200, value


@pytest.mark.parametrize(("path", "column"), TIMES)
def test_a_filter_by_time_is_half_open_and_the_same_in_every_zone(
    ada: Customer, path: str, column: str
) -> None:
    items = everything(ada.person, path)
    instant = items[1][column]
    later = [item for item in items if item[column] >= instant]
    earlier = [item for item in items if item[column] < instant]
    assert later
    assert earlier
    for zone in ("UTC", "Asia/Kathmandu", "America/St_Johns"):
        text = datetime.fromisoformat(instant).astimezone(ZoneInfo(zone)).isoformat()
        assert everything_with(ada.person, path, {f"{column}.gte": text}) == later
        assert everything_with(ada.person, path, {f"{column}.lt": text}) == earlier
    none = {f"{column}.gte": instant, f"{column}.lt": instant}
    assert everything_with(ada.person, path, none) == []


def test_a_filter_that_a_list_does_not_know_is_refused(client: ApiClient) -> None:
    ada = client.sign_up()
    for path in (ACCOUNTS, TRANSACTIONS, TRANSFERS, "/v1/account-holders"):
        for name in ("offset", "sort", "created_at", "created_at.gt", "Status", "metadata.k", "owner_id"):
            error_of(ada.get(path, params={name: "x"}), 422, "validation_failed")
        error_of(ada.get(f"{path}?limit=1&limit=2"), 422, "validation_failed")
