"""What may be set on a card: limits, online use, blocked categories and countries."""

from typing import Any

import pytest

from tests.bank import Customer, customer, rows
from tests.cards import CARDS, issue, seen, shown
from tests.client import ApiClient, error_of


@pytest.fixture
def ada(client: ApiClient) -> Customer:
    return customer(client)


def limit(of: Customer, card: dict[str, Any], body: Any) -> Any:
    return of.person.patch(f"{CARDS}/{card['id']}/limits", json=body)


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        ({"limits": {"per_payment": 0}}, "limits.per_payment", "too_small"),
        ({"limits": {"per_day": -1}}, "limits.per_day", "too_small"),
        ({"limits": {"per_month": 2**53}}, "limits.per_month", "too_large"),
        ({"limits": {"per_day": "100"}}, "limits.per_day", "wrong_type"),
        ({"limits": {"per_day": True}}, "limits.per_day", "wrong_type"),
        ({"limits": {"per_day": 1.0}}, "limits.per_day", "wrong_type"),
        ({"limits": {"per_year": 1}}, "limits.per_year", "unknown_field"),
        ({"limits": None}, "limits", "wrong_type"),
        ({"online": None}, "online", "wrong_type"),
        ({"online": "yes"}, "online", "wrong_type"),
        ({"blocked_mccs": None}, "blocked_mccs", "wrong_type"),
        ({"blocked_mccs": ["541"]}, "blocked_mccs[0]", "invalid"),
        ({"blocked_mccs": [5411]}, "blocked_mccs[0]", "wrong_type"),
        ({"blocked_mccs": ["٥٤١١"]}, "blocked_mccs[0]", "invalid"),
        ({"blocked_mccs": ["5411\n"]}, "blocked_mccs[0]", "invalid"),
        ({"blocked_countries": ["UK"]}, "blocked_countries[0]", "not_a_country"),
        ({"blocked_countries": ["at"]}, "blocked_countries[0]", "invalid"),
        ({"blocked_countries": "AT"}, "blocked_countries", "wrong_type"),
        ({"status": "active"}, "status", "unknown_field"),
        ({"number": "4111111111111111"}, "number", "unknown_field"),
    ],
)
def test_what_is_no_limit_is_refused_and_nothing_changes(
    ada: Customer, body: dict[str, Any], field: str, code: str
) -> None:
    card = issue(ada)
    error = error_of(limit(ada, card, body | {"blocked_mccs": body.get("blocked_mccs", ["7995"])}), *INVALID)
    assert [(detail["field"], detail["code"]) for detail in error["details"]] == [(field, code)]
    assert seen(ada, card) == shown(card)


INVALID = (422, "validation_failed")


def test_what_is_left_out_stays_and_null_takes_a_limit_away(ada: Customer) -> None:
    card = issue(ada)
    none = {"per_payment": None, "per_day": None, "per_month": None}
    steps: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({"limits": {"per_day": 500, "per_payment": 2**53 - 1}}, {}),
        ({"limits": {"per_month": 900}}, {}),
        ({"online": False}, {}),
        ({"blocked_mccs": ["7995", "5411", "7995"]}, {"blocked_mccs": ["5411", "7995"]}),
        ({"blocked_countries": ["XK", "AT"]}, {"blocked_countries": ["AT", "XK"]}),
        ({"limits": {"per_day": None}}, {}),
        ({}, {}),
        ({"limits": {}}, {}),
        ({"limits": none, "online": True, "blocked_mccs": [], "blocked_countries": []}, {}),
    ]
    expected = shown(card)
    for body, shown_as in steps:
        answer = limit(ada, card, body)
        assert answer.status_code == 200
        limits = expected["limits"] | body.get("limits", {})
        expected = expected | body | shown_as | {"limits": limits}
        assert answer.json() == expected
        assert seen(ada, card) == expected
    assert expected == shown(card)


def test_a_change_is_audited_and_no_change_is_none(client: ApiClient, ada: Customer) -> None:
    card = issue(ada)
    before = limit(ada, card, {}).headers["ETag"]
    after = limit(ada, card, {"online": False}).headers["ETag"]
    assert before != after
    query = "SELECT action, actor, outcome FROM audit_log WHERE object_id = :id ORDER BY id"
    me = ada.person.get("/v1/auth/me").json()["id"]
    assert rows(client.db, query, id=card["id"]) == [
        ("card.issue", me, "success"),
        ("card.limit", me, "success"),
    ]
