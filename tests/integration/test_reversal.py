"""Taking a transfer back: whole, once, by staff."""

import httpx
import pytest

from app.core.caller import Role
from tests.bank import TRANSACTIONS, TRANSFERS, Customer, assert_right, customer, keyed, put, staff
from tests.client import ApiClient, Person, error_of


@pytest.fixture
def ada(client: ApiClient) -> Customer:
    return customer(client, money=1000)


@pytest.fixture
def bob(client: ApiClient) -> Customer:
    return customer(client, "bob")


@pytest.fixture
def operator(client: ApiClient) -> Person:
    return staff(client, Role.OPERATOR)


def path_of(paid: httpx.Response) -> str:
    return f"{paid.headers['Location']}/reverse"


def test_a_transfer_is_taken_back_once(
    client: ApiClient, ada: Customer, bob: Customer, operator: Person
) -> None:
    paid = ada.pay(bob, 250, description="Oops", external_id="e", metadata={"a": "b"})
    back = operator.post(path_of(paid), headers=keyed("k"))
    assert back.status_code == 201
    reversal = back.json()
    assert reversal == paid.json() | {
        "id": reversal["id"],
        "kind": "reversal",
        "source_account_id": bob.id,
        "destination_account_id": ada.id,
        "description": None,
        "external_id": None,
        "metadata": None,
        "created_at": reversal["created_at"],
        "booked_at": reversal["booked_at"],
        "reverses_id": paid.json()["id"],
        "source_balances": {"balance": 0, "held": 0, "available": 0},
    }
    assert (ada.balance(), bob.balance()) == (1000, 0)
    assert operator.get(back.headers["Location"]).json() == reversal
    original = ada.person.get(paid.headers["Location"]).json()
    assert original == paid.json() | {"reversed_by_id": reversal["id"]}
    assert ada.pay(bob, 250).status_code == 201
    error_of(operator.post(path_of(paid), headers=keyed()), 409, "already_reversed")
    again = operator.post(path_of(paid), headers=keyed("k"))
    assert (again.content, again.headers["Idempotent-Replayed"]) == (back.content, "true")
    assert (ada.balance(), bob.balance()) == (750, 250)
    assert_right(client.db)


def test_both_parties_see_the_reversal_as_a_line_of_its_own(
    ada: Customer, bob: Customer, operator: Person
) -> None:
    paid = ada.pay(bob, 250)
    reversal = operator.post(path_of(paid), headers=keyed()).json()
    for party, amount in ((ada, 250), (bob, -250)):
        lines = party.person.get(TRANSACTIONS).json()["data"]
        assert [(line["type"], line["amount"]) for line in lines[:2]] == [
            ("reversal", amount),
            ("transfer", -amount),
        ]
        seen = party.person.get(f"{TRANSFERS}/{reversal['id']}").json()
        assert (seen["kind"], seen["reverses_id"]) == ("reversal", paid.json()["id"])


def test_customers_and_staff_of_other_roles_take_nothing_back(
    client: ApiClient, ada: Customer, bob: Customer
) -> None:
    paid = ada.pay(bob, 250)
    for party in (ada, bob):
        error_of(party.post(path_of(paid)), 403, "forbidden")
    for role in (Role.AUDITOR, Role.ADMIN, Role.NETWORK):
        error_of(staff(client, role).post(path_of(paid), headers=keyed()), 403, "forbidden")
    assert (ada.balance(), bob.balance()) == (750, 250)
    assert staff(client, Role.TELLER).post(path_of(paid), headers=keyed()).status_code == 201


def test_the_recipient_is_never_taken_below_zero(ada: Customer, bob: Customer, operator: Person) -> None:
    paid = ada.pay(bob, 250)
    assert bob.fund("withdrawal", 1).status_code == 201
    error_of(operator.post(path_of(paid), headers=keyed("k")), 409, "insufficient_funds")
    assert (ada.balance(), bob.balance()) == (750, 249)
    assert bob.deposit(1).status_code == 201
    assert operator.post(path_of(paid), headers=keyed("k")).status_code == 201, "a refusal keeps no key"
    assert (ada.balance(), bob.balance()) == (1000, 0)


def test_a_frozen_side_is_no_obstacle_and_a_closed_one_is(
    client: ApiClient, ada: Customer, bob: Customer, operator: Person
) -> None:
    frozen, closed = ada.pay(bob, 250), ada.pay(bob, 250)
    put(client.db, bob, status="frozen")
    put(client.db, ada, status="frozen")
    assert operator.post(path_of(frozen), headers=keyed()).status_code == 201
    put(client.db, bob, status="active")
    assert bob.fund("withdrawal", 250).status_code == 201
    assert bob.close().status_code == 200
    error_of(operator.post(path_of(closed), headers=keyed()), 409, "account_closed")
    assert ada.balance() == 750


def test_deposits_and_withdrawals_are_taken_back_too(
    client: ApiClient, ada: Customer, operator: Person
) -> None:
    taken = ada.fund("withdrawal", 400).json()
    paid_in = ada.deposit(70).json()
    for entry, balance in ((taken, 1070), (paid_in, 1000)):
        made = operator.post(f"{TRANSFERS}/{entry['transfer_id']}/reverse", headers=keyed())
        assert made.status_code == 201
        assert ada.balance() == balance
    assert_right(client.db)


def test_a_reversal_is_not_reversed(ada: Customer, bob: Customer, operator: Person) -> None:
    reversal = operator.post(path_of(ada.pay(bob, 250)), headers=keyed())
    error_of(operator.post(path_of(reversal), headers=keyed()), 409, "not_reversible")
    assert (ada.balance(), bob.balance()) == (1000, 0)


def test_what_is_not_there_is_not_reversed(ada: Customer, bob: Customer, operator: Person) -> None:
    right = ada.pay(bob, 250).json()["id"]
    wrong = [right.upper(), right[:-1] + ("0" if right[-1] != "0" else "1"), ada.id, "x", "%00", "9" * 30]
    for unknown in wrong:
        error_of(operator.post(f"{TRANSFERS}/{unknown}/reverse", headers=keyed()), 404, "not_found")
    error_of(operator.post(f"{TRANSFERS}/{right}/reverse"), 400, "idempotency_key_required")
    error_of(
        operator.post(f"{TRANSFERS}/{right}/reverse", json={"amount": 1}, headers=keyed()),
        422,
        "validation_failed",
    )
    assert (ada.balance(), bob.balance()) == (750, 250)
