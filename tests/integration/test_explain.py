"""Why an available balance is what it is, and what the books of the whole bank say."""

from typing import Any

import pytest

from app.core.caller import Role
from app.core.config import Settings
from app.models.accounts import CLASSES, SYSTEM_KINDS, AccountKind
from tests.bank import Customer, assert_right, customer, execute, put, rows, staff, walk_in
from tests.client import ApiClient, error_of, running


def explain(account: Customer) -> dict[str, Any]:
    answer = account.person.get(f"/v1/accounts/{account.id}/explain")
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    assert told["available"] == told["balance"] - told["held"] + told["overdraft_limit"]
    return told


def test_an_available_balance_is_explained_by_its_parts(client: ApiClient) -> None:
    ada, bob = customer(client, money=1000), customer(client, "bob")
    put(client.db, ada, overdraft_limit=50)
    first, second, third = (ada.pay(bob, amount, pending=True).json() for amount in (100, 250, 70))
    assert ada.post(f"/v1/transfers/{second['id']}/capture", {"amount": 50}).status_code == 200
    assert ada.post(f"/v1/transfers/{third['id']}/void").status_code == 200
    told = explain(ada)
    assert (told["balance"], told["held"], told["overdraft_limit"], told["available"]) == (950, 300, 50, 700)
    assert [(one["transfer_id"], one["amount"], one["expires_at"]) for one in told["holds"]] == [
        (second["id"], 200, second["expires_at"]),
        (first["id"], 100, first["expires_at"]),
    ]
    assert sum(one["amount"] for one in told["holds"]) == told["held"]
    for link in [*told["links"].values(), *(one["link"] for one in told["holds"])]:
        assert ada.person.get(link).status_code == 200, link
    assert told["daily_limit"] is None


def test_the_limit_of_the_day_is_part_of_it(settings: Settings) -> None:
    with running(settings.model_copy(update={"daily_limits": {"EUR": 500}})) as client:
        ada, bob = customer(client, money=1000), customer(client, "bob")
        assert explain(ada)["daily_limit"] == {"limit": 500, "spent": 0, "left": 500}
        assert ada.pay(bob, 200).status_code == 201
        assert explain(ada)["daily_limit"] == {"limit": 500, "spent": 200, "left": 300}
        execute(client.db, "UPDATE transfers SET created_at = created_at - 86400000000 * 3")
        assert explain(ada)["daily_limit"]["left"] == 500, "what left it on another day is not of today"


def test_of_many_holds_the_newest_hundred_are_listed(client: ApiClient) -> None:
    ada, bob = customer(client, money=1000), customer(client, "bob")
    made = [ada.pay(bob, 1, pending=True).json()["id"] for _ in range(103)]
    told = explain(ada)
    assert [one["transfer_id"] for one in told["holds"]] == made[:2:-1]
    assert told["held"] == 103


def test_a_stranger_hears_nothing(client: ApiClient) -> None:
    ada, bob = customer(client), customer(client, "bob")
    error_of(bob.person.get(f"/v1/accounts/{ada.id}/explain"), 404, "not_found")


def test_the_trial_balance_has_every_kind_of_account_and_its_sides_agree(client: ApiClient) -> None:
    ada, bob = customer(client, money=1000), customer(client, "bob", money=500)
    walk_in(staff(client), money=77, currency="JPY")
    ada.pay(bob, 300)
    answer = staff(client, Role.AUDITOR).get("/v1/admin/trial-balance")
    assert answer.status_code == 200, answer.text
    told = {one["currency"]: one for one in answer.json()["currencies"]}
    assert set(told) == {"EUR", "JPY"}
    for currency, total in (("EUR", 1500), ("JPY", 77)):
        assert (told[currency]["debit"], told[currency]["credit"]) == (total, total)
    by_kind = {one["kind"]: one for one in told["EUR"]["rows"]}
    assert set(by_kind) == {"checking", *SYSTEM_KINDS}
    assert by_kind["checking"] == {
        "kind": "checking",
        "account_class": "liability",
        "accounts": 2,
        "debit": 0,
        "credit": 1500,
    }
    assert (by_kind["cash"]["debit"], by_kind["cash"]["account_class"]) == (1500, "asset")
    assert {kind: one["account_class"] for kind, one in by_kind.items()} == {
        kind: CLASSES[AccountKind(kind)] for kind in by_kind
    }
    assert_right(client.db)


def test_an_overdrawn_customer_is_debit_beside_those_in_credit(client: ApiClient) -> None:
    ada, bob = customer(client, money=1000), customer(client, "bob")
    put(client.db, bob, overdraft_limit=400)
    assert bob.pay(ada, 400).status_code == 201
    [told] = staff(client, Role.ADMIN).get("/v1/admin/trial-balance").json()["currencies"]
    checking = next(one for one in told["rows"] if one["kind"] == "checking")
    assert (checking["debit"], checking["credit"]) == (400, 1400)
    assert told["debit"] == told["credit"] == 1400


def test_an_empty_bank_has_an_empty_trial_balance(client: ApiClient) -> None:
    assert staff(client, Role.OPERATOR).get("/v1/admin/trial-balance").json()["currencies"] == []


@pytest.mark.parametrize("role", [Role.TELLER, Role.NETWORK])
def test_who_only_works_with_customers_sees_no_trial_balance(client: ApiClient, role: Role) -> None:
    error_of(staff(client, role).get("/v1/admin/trial-balance"), 403, "forbidden")


def test_who_looked_at_it_is_in_the_audit_log(client: ApiClient) -> None:
    staff(client, Role.AUDITOR).get("/v1/admin/trial-balance")
    assert rows(client.db, "SELECT outcome FROM audit_log WHERE action = 'trial_balance.read'") == [
        ("success",)
    ]
