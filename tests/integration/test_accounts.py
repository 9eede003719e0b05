"""Accounts: their numbers, whose they are, their names and their end."""

from typing import Any

import pytest

from app.core import luhn
from app.core.caller import Role
from app.services import accounts
from tests.bank import Customer, count, customer, keyed, put, staff, walk_in, with_account
from tests.client import ApiClient, error_of

ACCOUNTS = "/v1/accounts"
EUROS = {"type": "checking", "currency": "EUR"}


def test_an_account_opens_with_nothing_on_it(client: ApiClient) -> None:
    ada = customer(client)
    made = ada.person.post(ACCOUNTS, json={"type": "savings", "currency": "JPY", "nickname": "Reise 旅"})
    assert made.status_code == 201
    account = made.json()
    assert account == {
        "id": account["id"],
        "number": account["number"],
        "type": "savings",
        "currency": "JPY",
        "status": "active",
        "balance": 0,
        "held": 0,
        "available": 0,
        "overdraft_limit": 0,
        "nickname": "Reise 旅",
        "account_holder_id": ada.account["account_holder_id"],
        "created_at": account["created_at"],
    }
    assert made.headers["Location"] == f"{ACCOUNTS}/{account['id']}"
    assert ada.person.get(made.headers["Location"]).json() == account
    assert ada.person.get(ACCOUNTS).json()["data"] == [account, ada.account]


def test_a_number_is_twelve_digits_with_a_check_digit_and_nobody_elses(client: ApiClient) -> None:
    ada = customer(client)
    numbers = {with_account(ada.person).number for _ in range(20)}
    assert len(numbers) == 20
    assert all(len(number) == 12 and luhn.is_valid(number) for number in numbers)


def test_a_number_that_is_taken_is_drawn_again(client: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
    ada = customer(client)
    free = "000000001230"
    draws = iter([ada.number, ada.number, free])
    monkeypatch.setattr(accounts, "new_number", lambda: next(draws))
    other = with_account(ada.person)
    assert other.number == free
    # Its zeros are part of it.
    assert ada.person.get(f"{ACCOUNTS}/{other.id}").json()["number"] == free
    assert ada.deposit(5).status_code == 201
    error_of(ada.post("/v1/transfers", ada.payment(other, 5) | {"destination_account_number": "1230"}), *GONE)
    assert ada.pay(other, 5).status_code == 201
    assert other.balance() == 5


GONE = (404, "not_found")


def test_who_is_no_holder_opens_no_account(client: ApiClient) -> None:
    ada = client.sign_up()
    error_of(ada.post(ACCOUNTS, json=EUROS), 409, "holder_required")
    assert count(client.db, "accounts") == 0


def test_a_holder_that_a_customer_names_is_told_before_a_reused_key(client: ApiClient) -> None:
    ada = customer(client)
    assert ada.post(ACCOUNTS, EUROS, "k").status_code == 201
    named = EUROS | {"account_holder_id": ada.account["account_holder_id"]}
    error_of(ada.post(ACCOUNTS, named, "k"), 422, "validation_failed")


def test_customers_open_for_themselves_and_tellers_for_the_holder_they_name(client: ApiClient) -> None:
    ada, teller = customer(client), staff(client)
    holder = ada.account["account_holder_id"]
    for named in (holder, "hdr_x"):
        error = error_of(
            ada.person.post(ACCOUNTS, json=EUROS | {"account_holder_id": named}), 422, "validation_failed"
        )
        assert [detail["field"] for detail in error["details"]] == ["account_holder_id"]
    error_of(teller.post(ACCOUNTS, json=EUROS), 409, "holder_required")
    for unknown in ("hdr_x", holder.upper(), ada.id, holder[:-1] + ("0" if holder[-1] != "0" else "1"), ""):
        error_of(teller.post(ACCOUNTS, json=EUROS | {"account_holder_id": unknown}), *GONE)
    opened = teller.post(ACCOUNTS, json=EUROS | {"account_holder_id": holder})
    assert opened.status_code == 201
    assert opened.json() in ada.person.get(ACCOUNTS).json()["data"]
    assert walk_in(teller).account["account_holder_id"] != holder
    for role in (Role.OPERATOR, Role.AUDITOR, Role.ADMIN, Role.NETWORK):
        body = EUROS | {"account_holder_id": holder}
        error_of(staff(client, role).post(ACCOUNTS, json=body), 403, "forbidden")


def test_an_account_of_no_known_kind_or_name_is_refused(client: ApiClient) -> None:
    ada = customer(client)
    for field, value, code in (
        ("type", "cash", "not_allowed"),
        ("type", "CHECKING", "not_allowed"),
        ("type", None, "not_allowed"),
        ("nickname", "x" * 51, "too_long"),
        ("nickname", " ", "blank"),
        ("nickname", "a\tb", "invalid_characters"),
    ):
        error = error_of(ada.person.post(ACCOUNTS, json=EUROS | {field: value}), 422, "validation_failed")
        assert [(d["field"], d["code"]) for d in error["details"]] == [(field, code)], value
    assert len(ada.person.get(ACCOUNTS).json()["data"]) == 1


def test_a_retried_opening_is_answered_again(client: ApiClient) -> None:
    ada = customer(client)
    first, second = (ada.person.post(ACCOUNTS, json=EUROS, headers=keyed("k")) for _ in range(2))
    assert (first.status_code, first.content) == (201, second.content)
    assert second.headers["Idempotent-Replayed"] == "true"
    other = EUROS | {"currency": "USD"}
    error_of(ada.person.post(ACCOUNTS, json=other, headers=keyed("k")), 422, "idempotency_key_reused")
    assert len(ada.person.get(ACCOUNTS).json()["data"]) == 2


def test_a_nickname_is_given_and_taken_away_by_who_has_seen_the_account(client: ApiClient) -> None:
    ada = customer(client)
    path = f"{ACCOUNTS}/{ada.id}"
    seen = {"If-Match": ada.person.get(path).headers["ETag"]}
    longest = "é😀" * 25
    named = ada.person.patch(path, json={"nickname": longest}, headers=seen)
    assert named.json() == ada.account | {"nickname": longest}
    error_of(ada.person.patch(path, json={"nickname": "x"}, headers=seen), 412, "precondition_failed")
    assert ada.person.get(path).json()["nickname"] == longest
    assert ada.person.get(path).headers["ETag"] == named.headers["ETag"]
    assert ada.person.patch(path, json={"nickname": None}).json() == ada.account
    error_of(ada.person.patch(path, json={}), 422, "validation_failed")


def test_a_payment_makes_what_was_seen_stale(client: ApiClient) -> None:
    ada = customer(client)
    path = f"{ACCOUNTS}/{ada.id}"
    seen = {"If-Match": ada.person.get(path).headers["ETag"]}
    assert ada.deposit(1).status_code == 201
    error_of(ada.person.patch(path, json={"nickname": "x"}, headers=seen), 412, "precondition_failed")


def test_tellers_name_and_close_only_accounts_of_people_without_a_login(client: ApiClient) -> None:
    ada, teller = customer(client), staff(client)
    error_of(teller.patch(f"{ACCOUNTS}/{ada.id}", json={"nickname": "x"}), 403, "forbidden")
    error_of(teller.post(f"{ACCOUNTS}/{ada.id}/close", headers=keyed()), 403, "forbidden")
    assert ada.person.get(f"{ACCOUNTS}/{ada.id}").json() == ada.account
    guest = walk_in(teller)
    assert teller.patch(f"{ACCOUNTS}/{guest.id}", json={"nickname": "x"}).json()["nickname"] == "x"
    assert guest.close().json()["status"] == "closed"


def assert_closed(answer: Any, of: Customer) -> None:
    assert (answer.status_code, answer.json()) == (200, of.account | {"status": "closed"})


def test_an_empty_account_is_closed_for_ever(client: ApiClient) -> None:
    ada = customer(client)
    closed = ada.close()
    assert_closed(closed, ada)
    assert ada.person.get(f"{ACCOUNTS}/{ada.id}").json() == closed.json()
    error_of(ada.close(), 409, "account_closed")
    error_of(ada.deposit(1), 409, "account_closed")
    assert ada.balance() == 0
    assert ada.person.get(f"{ACCOUNTS}/{ada.id}/transactions").json()["data"] == []


def test_a_retried_closing_is_answered_again(client: ApiClient) -> None:
    ada = customer(client)
    first, second = (ada.post(f"{ACCOUNTS}/{ada.id}/close", key="k") for _ in range(2))
    assert_closed(first, ada)
    assert (first.content, second.headers["Idempotent-Replayed"]) == (second.content, "true")


def test_an_account_with_money_or_holds_or_a_freeze_is_not_closed(client: ApiClient) -> None:
    ada = customer(client, money=100)
    error_of(ada.close(), 409, "balance_not_zero")
    put(client.db, ada, held=100)
    error_of(ada.close(), 409, "account_in_use")
    put(client.db, ada, held=0)
    assert ada.fund("withdrawal", 100).status_code == 201
    put(client.db, ada, status="frozen")
    error_of(ada.close(), 409, "account_frozen")
    put(client.db, ada, overdraft_limit=50, held=50, status="active")
    error_of(ada.close(), 409, "account_in_use")
    put(client.db, ada, overdraft_limit=0, held=0)
    assert_closed(ada.close(), ada)


def test_an_account_with_history_is_not_deleted(client: ApiClient) -> None:
    ada = customer(client, money=1)
    for path in (f"{ACCOUNTS}/{ada.id}", f"/v1/account-holders/{ada.account['account_holder_id']}"):
        error_of(ada.person.delete(path), 405, "method_not_allowed")
    assert ada.balance() == 1
