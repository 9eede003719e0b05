"""Transfers: from an account of one's own, to one's own by id or to anybody's by number."""

from typing import Any

import pytest

from tests.bank import (
    TRANSFERS,
    Customer,
    assert_right,
    count,
    customer,
    keyed,
    put,
    rows,
    staff,
    walk_in,
    with_account,
)
from tests.client import ApiClient, error_of

HIDDEN = ("source_account_id", "external_id", "metadata", "source_balances")


@pytest.fixture
def ada(client: ApiClient) -> Customer:
    return customer(client, money=1000)


@pytest.fixture
def bob(client: ApiClient) -> Customer:
    return customer(client, "bob")


def assert_nothing_moved(ada: Customer, bob: Customer) -> None:
    assert (ada.balance(), bob.balance()) == (1000, 0)
    assert count(ada.person.client.db, "transfers") == 1, "the deposit"


def test_a_transfer_is_told_to_both_parties(ada: Customer, bob: Customer) -> None:
    texts = {
        "description": "Miete 家賃 👩‍👩‍👧",
        "external_id": "INV-7/é",
        "metadata": {"Ordnung": "ü", "b": ""},
    }
    paid = ada.pay(bob, 300, **texts)
    assert paid.status_code == 201
    transfer = paid.json()
    assert transfer == texts | {
        "id": transfer["id"],
        "status": "posted",
        "kind": "transfer",
        "source_account_id": ada.id,
        "destination_account_id": bob.id,
        "amount": 300,
        "currency": "EUR",
        "created_at": transfer["created_at"],
        "booked_at": transfer["booked_at"],
        "expires_at": None,
        "captured_amount": None,
        "remaining_amount": None,
        "pending_id": None,
        "reverses_id": None,
        "reversed_by_id": None,
        "source_balances": {"balance": 700, "held": 0, "available": 700},
    }
    assert (ada.balance(), bob.balance()) == (700, 300)
    path = paid.headers["Location"]
    assert path == f"{TRANSFERS}/{transfer['id']}"
    assert ada.person.get(path).json() == transfer
    assert ada.person.get(TRANSFERS).json()["data"][0] == transfer
    told = transfer | dict.fromkeys(HIDDEN)
    assert bob.person.get(path).json() == told
    assert bob.person.get(TRANSFERS).json()["data"] == [told]
    assert_right(ada.person.client.db)


def test_balances_of_a_transfer_are_those_right_after_it(ada: Customer, bob: Customer) -> None:
    put(ada.person.client.db, ada, held=200, overdraft_limit=50)
    paid = ada.pay(bob, 100)
    assert paid.json()["source_balances"] == {"balance": 900, "held": 200, "available": 750}
    put(ada.person.client.db, ada, held=0, overdraft_limit=0)
    assert ada.deposit(5).status_code == 201
    assert ada.person.get(paid.headers["Location"]).json() == paid.json()


def test_one_moves_money_between_ones_own_accounts_by_id_or_number(ada: Customer) -> None:
    savings = with_account(ada.person)
    by_id = ada.payment(savings, 300) | {"destination_account_id": savings.id}
    del by_id["destination_account_number"]
    for body in (by_id, ada.payment(savings, 300)):
        paid = ada.post(TRANSFERS, body)
        assert (paid.status_code, paid.json()["destination_account_id"]) == (201, savings.id)
        assert ada.person.get(paid.headers["Location"]).json() == paid.json()
    assert (ada.balance(), savings.balance()) == (400, 600)


def test_a_transfer_has_one_destination(ada: Customer, bob: Customer) -> None:
    savings = with_account(ada.person)
    both = ada.payment(savings, 1) | {"destination_account_id": savings.id}
    neither = {key: value for key, value in ada.payment(bob, 1).items() if "destination" not in key}
    nulls = dict.fromkeys(("destination_account_id", "destination_account_number"))
    for body in (both, neither, neither | nulls):
        error = error_of(ada.post(TRANSFERS, body), 422, "validation_failed")
        assert [detail["code"] for detail in error["details"]] == ["one_destination"]
    assert_nothing_moved(ada, bob)


def test_a_transfer_to_its_own_source_is_refused(ada: Customer, bob: Customer) -> None:
    body = {"source_account_id": ada.id, "amount": 10, "currency": "EUR"}
    error_of(ada.post(TRANSFERS, body | {"destination_account_id": ada.id}), 422, "same_account")
    error_of(ada.post(TRANSFERS, body | {"destination_account_number": ada.number}), 422, "same_account")
    # Ids are case-sensitive.
    error_of(ada.post(TRANSFERS, body | {"destination_account_id": ada.id.upper()}), 404, "not_found")
    assert_nothing_moved(ada, bob)


def sort_of_ids(right: str) -> list[str]:
    last = "0" if right[-1] != "0" else "1"
    return [
        right[:-1] + last,
        right.upper(),
        right.replace("acc_", "usr_"),
        right + "0",
        "acc_",
        "",
        "x" * 5000,
    ]


def test_what_is_unknown_or_not_ones_own_is_not_found(ada: Customer, bob: Customer) -> None:
    body = {"source_account_id": ada.id, "amount": 10, "currency": "EUR"}
    cash = rows(ada.person.client.db, "SELECT id FROM accounts WHERE kind = 'cash'")[0][0]
    for unknown in [*sort_of_ids(ada.id), bob.id, cash]:
        answer = ada.post(TRANSFERS, body | {"destination_account_id": unknown})
        error = error_of(answer, 404, "not_found")
        assert [detail["field"] for detail in error["details"]] == ["destination_account_id"]
    wrong_digit = bob.number[:-1] + str((int(bob.number[-1]) + 1) % 10)
    full_width = bob.number.translate({ord("0") + digit: ord("０") + digit for digit in range(10)})
    for unknown in (wrong_digit, full_width, f" {bob.number}", f"+{bob.number}", bob.id, "", "000000000000"):
        answer = ada.post(TRANSFERS, body | {"destination_account_number": unknown})
        error = error_of(answer, 404, "not_found")
        assert [detail["field"] for detail in error["details"]] == ["destination_account_number"]
    assert_nothing_moved(ada, bob)


def test_anothers_account_as_source_cannot_be_told_from_one_that_is_not_there(
    ada: Customer, bob: Customer
) -> None:
    told = []
    for source in [ada.id, *sort_of_ids(ada.id)]:
        body = bob.payment(bob, 10) | {"source_account_id": source}
        error = error_of(bob.post(TRANSFERS, body), 404, "not_found")
        del error["request_id"]
        told.append(error)
    assert all(error == told[0] for error in told)
    assert_nothing_moved(ada, bob)


def test_money_of_one_currency_never_becomes_another(client: ApiClient, ada: Customer, bob: Customer) -> None:
    dollars, yours = with_account(ada.person, currency="USD"), customer(client, "cleo", currency="USD")
    error_of(ada.pay(dollars, 10), 422, "currency_mismatch")
    error_of(ada.pay(dollars, 10, currency="USD"), 422, "currency_mismatch")
    error_of(ada.pay(bob, 10, currency="JPY"), 422, "currency_mismatch")
    # What the account of a stranger refuses tells nothing more.
    error_of(ada.pay(yours, 10), 409, "destination_unavailable")
    without = {key: value for key, value in ada.payment(bob, 10).items() if key != "currency"}
    error_of(ada.post(TRANSFERS, without), 422, "validation_failed")
    assert_nothing_moved(ada, bob)
    assert (dollars.balance(), yours.balance()) == (0, 0)


def test_a_frozen_account_receives_and_does_not_pay(client: ApiClient, ada: Customer, bob: Customer) -> None:
    put(client.db, bob, status="frozen")
    assert ada.pay(bob, 300).status_code == 201
    error_of(bob.pay(ada, 1), 409, "account_frozen")
    assert (ada.balance(), bob.balance()) == (700, 300)


def test_a_closed_account_does_neither(client: ApiClient, ada: Customer, bob: Customer) -> None:
    assert bob.close().status_code == 200
    error_of(bob.pay(ada, 1), 409, "account_closed")
    error_of(ada.pay(bob, 1), 409, "destination_unavailable")
    own = with_account(ada.person)
    assert own.close().status_code == 200
    error_of(ada.pay(own, 1), 409, "account_closed")
    assert_nothing_moved(ada, bob)


def test_what_a_stranger_cannot_take_tells_nothing_more(ada: Customer, bob: Customer) -> None:
    most = 2**53 - 1
    put(ada.person.client.db, bob, balance=most)
    error_of(ada.pay(bob, 1), 409, "destination_unavailable")
    savings = with_account(ada.person)
    put(ada.person.client.db, savings, balance=most)
    error_of(ada.pay(savings, 1), 409, "balance_limit")
    assert ada.balance() == 1000


def test_no_more_is_paid_than_is_available(client: ApiClient, ada: Customer, bob: Customer) -> None:
    error_of(ada.pay(bob, 1001), 409, "insufficient_funds")
    put(client.db, ada, held=400)
    error_of(ada.pay(bob, 601), 409, "insufficient_funds")
    assert_nothing_moved(ada, bob)
    assert ada.pay(bob, 600).status_code == 201


def test_a_retry_is_answered_as_the_first_time(ada: Customer, bob: Customer) -> None:
    first = ada.pay(bob, 100, key="k", metadata={"a": "ü"})
    assert bob.pay(ada, 50).status_code == 201
    again = ada.pay(bob, 100, key="k", metadata={"a": "ü"}, description=None)
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["Location"] == first.headers["Location"]
    assert (first.headers.get("Idempotent-Replayed"), again.headers["Idempotent-Replayed"]) == (None, "true")
    for changed in ({"amount": 101}, {"metadata": {"a": "x"}}, {"metadata": None}, {"description": "x"}):
        fields: dict[str, Any] = {"amount": 100, "metadata": {"a": "ü"}} | changed
        error_of(ada.pay(bob, key="k", **fields), 422, "idempotency_key_reused")
    error_of(ada.deposit(100, key="k"), 422, "idempotency_key_reused")
    error_of(ada.post(f"/v1/accounts/{ada.id}/close", key="k"), 422, "idempotency_key_reused")
    error_of(ada.person.post(TRANSFERS, json=ada.payment(bob, 1)), 400, "idempotency_key_required")
    assert (ada.balance(), bob.balance()) == (950, 50)
    assert bob.pay(ada, 50, key="k").status_code == 201, "a key is its caller's"


def test_a_refused_transfer_frees_its_key(ada: Customer, bob: Customer) -> None:
    error_of(bob.pay(ada, 10, key="k"), 409, "insufficient_funds")
    assert ada.pay(bob, 10).status_code == 201
    paid = bob.pay(ada, 10, key="k")
    assert (paid.status_code, "Idempotent-Replayed" in paid.headers) == (201, False)


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("description", "x" * 141, "too_long"),
        ("description", "😀" * 141, "too_long"),
        ("description", "", "too_short"),
        ("description", "\t", "invalid_characters"),
        ("external_id", "x" * 101, "too_long"),
        ("external_id", "", "too_short"),
        ("external_id", "a\u2028b", "invalid_characters"),
        ("external_id", 12, "wrong_type"),
        ("metadata", {str(number): "x" for number in range(21)}, "too_long"),
        ("metadata", {"k": "x" * 501}, "too_long"),
        ("metadata", {"k": "a\u202eb"}, "invalid_characters"),
        ("metadata", {"k\n": "a"}, "invalid_characters"),
        ("metadata", {"k" * 41: "a"}, "too_long"),
        ("metadata", {"n": 2**53}, "wrong_type"),
        ("metadata", {"n": 1e300}, "wrong_type"),
        ("metadata", {"n": {"a": "b"}}, "wrong_type"),
        ("metadata", {"n": None}, "wrong_type"),
        ("metadata", ["a"], "wrong_type"),
        ("metadata", "a", "wrong_type"),
    ],
)
def test_texts_that_are_too_much_are_refused(
    ada: Customer, bob: Customer, field: str, value: Any, code: str
) -> None:
    error = error_of(ada.pay(bob, 10, **{field: value}), 422, "validation_failed")
    assert [(d["field"].partition(".")[0], d["code"]) for d in error["details"]] == [(field, code)]
    assert_nothing_moved(ada, bob)


def test_texts_as_long_as_allowed_are_kept(ada: Customer, bob: Customer) -> None:
    longest = {
        "description": "😀" * 140,
        "external_id": "é" * 100,
        "metadata": {f"{number:040}": "𝄞" * 500 for number in range(20)},
    }
    paid = ada.pay(bob, 10, **longest)
    assert paid.status_code == 201
    assert ada.person.get(paid.headers["Location"]).json() == paid.json()
    assert {name: paid.json()[name] for name in longest} == longest


def test_tellers_pay_for_people_without_a_login_and_for_nobody_else(client: ApiClient, ada: Customer) -> None:
    teller = staff(client)
    guest = walk_in(teller, money=100)
    other = walk_in(teller)
    body = ada.payment(guest, 10)
    error_of(teller.post(TRANSFERS, json=body, headers=keyed()), 404, "not_found")
    error_of(ada.post(TRANSFERS, guest.payment(ada, 10)), 404, "not_found")
    assert guest.pay(ada, 30).status_code == 201
    by_id = guest.payment(other, 20) | {"destination_account_id": other.id}
    del by_id["destination_account_number"]
    assert guest.post(TRANSFERS, by_id).status_code == 201
    assert (ada.balance(), guest.balance(), other.balance()) == (1030, 50, 20)
