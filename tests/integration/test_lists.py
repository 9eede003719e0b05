"""The lists of accounts, transactions and transfers: pages, cursors, and what they cost."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event

from app.core import clock, ids
from app.core.config import Settings
from app.models import Account
from tests.bank import Customer, customer, rows, staff, with_account
from tests.client import ApiClient, Person, error_of, running

ACCOUNTS, HOLDERS, TRANSACTIONS, TRANSFERS = (
    f"/v1/{noun}" for noun in ("accounts", "account-holders", "transactions", "transfers")
)
LISTS = (ACCOUNTS, TRANSACTIONS, TRANSFERS)


@pytest.fixture
def client(settings: Settings) -> Iterator[ApiClient]:
    # Every request asks the database who it is from, so that statements can be counted.
    with running(settings.model_copy(update={"session_cache_seconds": 0})) as api:
        yield api


def page(person: Person, path: str, **parameters: Any) -> dict[str, Any]:
    answer = person.get(path, params=parameters)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    assert (found["next_cursor"] is not None) is found["has_more"]
    return found


def walk(
    person: Person, path: str, between: Callable[[], object] = lambda: None, **parameters: Any
) -> list[str]:
    """The ids of all pages, in order."""
    found, shown = page(person, path, **parameters), []
    while True:
        assert len(found["data"]) <= parameters.get("limit", 25)
        shown += [one["id"] for one in found["data"]]
        if not found["has_more"]:
            return shown
        between()
        found = page(person, path, cursor=found["next_cursor"], **parameters)


def busy(client: ApiClient, movements: int) -> Customer:
    """Somebody with two accounts and this many transfers between them."""
    ada = customer(client, money=1000)
    savings = with_account(ada.person)
    for _ in range(movements):
        assert ada.pay(savings, 1).status_code == 201
    return ada


def test_walking_shows_each_once_newest_first(client: ApiClient) -> None:
    ada = busy(client, 14)
    expected = {
        TRANSACTIONS: "SELECT id FROM entries WHERE account_key IN "
        "(SELECT key FROM accounts WHERE holder_id IS NOT NULL) ORDER BY booked_at DESC, id DESC",
        TRANSFERS: "SELECT id FROM transfers ORDER BY key DESC",
        ACCOUNTS: "SELECT id FROM accounts WHERE holder_id IS NOT NULL ORDER BY key DESC",
    }
    for path, query in expected.items():
        right = [row[0] for row in rows(client.db, query)]
        for limit in (1, 7, 100):
            assert walk(ada.person, path, limit=limit) == right, (path, limit)
        assert page(ada.person, path)["data"] == page(ada.person, path, limit=25)["data"]


def test_what_was_booked_at_the_same_instant_is_shown_once_each(
    client: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    instant = clock.now()
    monkeypatch.setattr(clock, "now", lambda: instant)
    ada = customer(client)
    for number in range(20):
        assert with_account(ada.person, money=1 + number).balance() == 1 + number
    # One microsecond apart within the cash account; both sides of a deposit share it.
    for limit in (1, 3, 7):
        for path, most in ((TRANSACTIONS, 20), (TRANSFERS, 20), (ACCOUNTS, 21)):
            shown = walk(ada.person, path, limit=limit)
            assert len(shown) == len(set(shown)) == most


def test_equal_times_are_told_apart_by_the_id(client: ApiClient) -> None:
    ada = busy(client, 10)
    # Both entries of a transfer are booked at one instant, and both accounts are Ada's.
    booked = [one["booked_at"] for one in page(ada.person, TRANSACTIONS, limit=100)["data"]]
    assert len(set(booked)) == 11 < len(booked) == 21
    for limit in (1, 2, 3, 5, 7):
        shown = walk(ada.person, TRANSACTIONS, limit=limit)
        assert len(shown) == len(set(shown)) == 21


@pytest.mark.parametrize("path", LISTS)
def test_what_is_added_between_two_pages_makes_no_gap_and_no_duplicate(client: ApiClient, path: str) -> None:
    ada = busy(client, 8)
    other = with_account(ada.person)
    there = walk(ada.person, path, limit=100)

    def add() -> None:
        assert ada.pay(other, 1).status_code == 201
        with_account(ada.person)

    assert walk(ada.person, path, add, limit=2) == there
    assert len(walk(ada.person, path, limit=100)) > len(there)


@pytest.mark.parametrize("path", LISTS)
def test_a_cursor_belongs_to_its_list_its_filters_and_its_caller(client: ApiClient, path: str) -> None:
    ada = busy(client, 3)
    filters = {"created_at.gte": "2020-01-01"} if path != TRANSACTIONS else {"booked_at.gte": "2020-01-01"}
    cursor = page(ada.person, path, limit=1, **filters)["next_cursor"]
    assert page(ada.person, path, limit=2, cursor=cursor, **filters)["data"]
    other_filter = {next(iter(filters)): "2020-01-02"}
    for parameters in ({}, other_filter, filters | {"type": "transfer" if path != ACCOUNTS else "checking"}):
        error_of(ada.person.get(path, params={"cursor": cursor} | parameters), 422, "invalid_cursor")
    plain = page(ada.person, path, limit=1)["next_cursor"]
    for other in {*LISTS, HOLDERS, f"{ACCOUNTS}/{ada.id}/transactions"} - {path}:
        error_of(ada.person.get(other, params={"cursor": plain}), 422, "invalid_cursor")
    error_of(customer(client, "bob").person.get(path, params={"cursor": plain}), 422, "invalid_cursor")


@pytest.mark.parametrize("path", [*LISTS, HOLDERS])
def test_a_page_has_between_one_and_a_hundred_items(client: ApiClient, path: str) -> None:
    ada = client.sign_up()
    for limit in ("0", "-1", "101", "1000000", "9" * 20, "1.0", "abc", "", "true", "1_0"):
        error = error_of(ada.get(path, params={"limit": limit}), 422, "validation_failed")
        assert [detail["field"] for detail in error["details"]] == ["limit"], limit
    for limit in ("1", "100"):
        assert page(ada, path, limit=limit) == {"data": [], "has_more": False, "next_cursor": None}


@contextmanager
def statements(client: ApiClient) -> Iterator[list[str]]:
    sent: list[str] = []

    def listen(*given: Any) -> None:
        sent.append(given[2])

    event.listen(client.db.engines.reader, "before_cursor_execute", listen)
    try:
        yield sent
    finally:
        event.remove(client.db.engines.reader, "before_cursor_execute", listen)


def test_a_page_of_a_hundred_takes_as_many_statements_as_a_page_of_one(client: ApiClient) -> None:
    ada = busy(client, 101)
    add_accounts(client, ada, 100)
    for path in (*LISTS, f"{ACCOUNTS}/{ada.id}/transactions"):
        counts = []
        for limit in (1, 100):
            with statements(client) as sent:
                assert len(page(ada.person, path, limit=limit)["data"]) == limit
            counts.append([one.split()[0] for one in sent if one.startswith("SELECT")])
        assert counts[0] == counts[1], path
        assert len(counts[0]) <= 3, path


def add_accounts(client: ApiClient, owner: Customer, number: int) -> None:
    """More accounts of the same holder, quicker than by opening them."""
    ((holder, user),) = rows(
        client.db, "SELECT holder_id, owner_id FROM accounts WHERE id = :id", id=owner.id
    )
    now = clock.now()
    made = [
        Account(
            key=ids.new_key(),
            id=ids.new_id(ids.ACCOUNT),
            number=f"{one:012}",
            holder_id=holder,
            owner_id=user,
            kind="checking",
            currency="EUR",
            status="active",
            balance=0,
            held=0,
            overdraft_limit=0,
            unarranged=0,
            last_sequence=0,
            last_booked_at=now,
            nickname=None,
            version=1,
            created_at=now,
        )
        for one in range(number)
    ]
    client.db.run_write(lambda session: session.add_all(made))


def test_somebody_with_many_accounts_still_sees_their_lists(client: ApiClient) -> None:
    ada = busy(client, 5)
    add_accounts(client, ada, 260)
    assert len(walk(ada.person, ACCOUNTS, limit=100)) == 262
    assert len(walk(ada.person, TRANSFERS, limit=4)) == 6
    assert len(walk(ada.person, TRANSACTIONS, limit=4)) == 11
    assert len(walk(ada.person, TRANSACTIONS, limit=4, type="transfer")) == 10


def test_staff_see_the_lists_of_everybody(client: ApiClient) -> None:
    ada, bob = busy(client, 2), customer(client, "bob", money=5)
    teller = staff(client)
    assert len(walk(teller, ACCOUNTS, limit=2)) == 3
    assert len(walk(teller, TRANSFERS, limit=2)) == 4
    assert len(walk(teller, HOLDERS, limit=1)) == 2
    assert len(walk(teller, TRANSACTIONS, limit=2, account_id=ada.id)) == 3
    assert len(walk(teller, f"{ACCOUNTS}/{bob.id}/transactions")) == 1
    error = error_of(teller.get(TRANSACTIONS), 422, "validation_failed")
    assert [(d["field"], d["code"]) for d in error["details"]] == [("account_id", "required")]
