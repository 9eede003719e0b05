"""What comes of an authorisation: captures, increments, voids, expiry and refunds."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.core import clock
from app.core.caller import Role
from app.core.config import ForcedPost, Settings
from tests.bank import Customer, assert_right, count, customer, keyed, put, rows, staff
from tests.cards import CARDS, SHOP, act, approved, authorize, declined, issue, money, on, refund, seen
from tests.client import ApiClient, Person, error_of, running

GONE = (404, "not_found")
OVER = (409, "hold_not_active")
INVALID = (422, "validation_failed")


@pytest.fixture
def ada(client: ApiClient) -> Customer:
    return customer(client, money=1000)


@pytest.fixture
def network(client: ApiClient) -> Person:
    return staff(client, Role.NETWORK)


def state(authorization: dict[str, Any]) -> tuple[Any, ...]:
    names = ("status", "amount", "captured_amount", "held_amount", "refunded_amount")
    return tuple(authorization[name] for name in names)


def test_an_authorisation_is_captured_in_parts(client: ApiClient, ada: Customer, network: Person) -> None:
    made = approved(network, issue(ada), 600)
    part = on(network, made, "capture", "k", amount=200)
    assert part.status_code == 200
    assert state(part.json()) == ("approved", 600, 200, 400, 0)
    assert money(ada) == (800, 400, 400)
    assert state(on(network, made, "capture", amount=400).json()) == ("captured", 600, 600, 0, 0)
    error_of(on(network, made, "capture", amount=1), *OVER)
    again = on(network, made, "capture", "k", amount=200)
    assert (again.json(), again.headers["Idempotent-Replayed"]) == (part.json(), "true")
    assert money(ada) == (400, 0, 400)
    assert_right(client.db)


def test_null_is_absent_when_an_act_is_asked_again(ada: Customer, network: Person) -> None:
    card = issue(ada)
    made = approved(network, card, 600)
    asked: list[tuple[Any, str, dict[str, Any], str]] = [
        (network, f"/v1/authorizations/{made['id']}/capture", {"amount": 1}, "final"),
        (ada.person, f"{CARDS}/{card['id']}/cancel", {}, "reason"),
        (ada.person, f"{CARDS}/{issue(ada)['id']}/replace", {}, "reason"),
    ]
    for who, path, body, field in asked:
        headers = keyed()
        first = who.post(path, json=body, headers=headers)
        assert first.is_success, first.text
        again = who.post(path, json=body | {field: None}, headers=headers)
        assert (again.status_code, again.headers.get("Idempotent-Replayed")) == (first.status_code, "true"), (
            path
        )


def test_a_final_capture_lets_go_of_the_rest(ada: Customer, network: Person) -> None:
    made = approved(network, issue(ada), 600)
    assert state(on(network, made, "capture", amount=100, final=True).json()) == ("captured", 600, 100, 0, 0)
    assert money(ada) == (900, 0, 900)
    for verb, body in (("capture", {"amount": 1}), ("increment", {"amount": 1}), ("void", {})):
        error_of(on(network, made, verb, **body), *OVER)


def test_what_is_captured_is_a_transaction_with_its_merchant(ada: Customer, network: Person) -> None:
    made = approved(network, issue(ada), 600)
    assert on(network, made, "capture", amount=250).status_code == 200
    newest, paid_in = ada.person.get(f"/v1/accounts/{ada.id}/transactions").json()["data"]
    assert (newest["type"], newest["amount"], newest["merchant"]) == ("card_payment", -250, SHOP)
    assert newest["description"] == SHOP["name"]
    assert newest["counterparty"] == {"name": "card_settlement", "account_number": None}
    assert paid_in["merchant"] is None
    one = ada.person.get(f"/v1/transactions/{newest['id']}").json()
    assert one == newest


def test_void_frees_what_is_left_and_what_was_captured_stays(
    client: ApiClient, ada: Customer, network: Person
) -> None:
    made = approved(network, issue(ada), 600)
    assert on(network, made, "capture", amount=200).status_code == 200
    first = on(network, made, "void", "k")
    assert state(first.json()) == ("voided", 600, 200, 0, 0)
    assert money(ada) == (800, 0, 800)
    assert on(network, made, "void", "k").json() == first.json()
    error_of(on(network, made, "void"), *OVER)
    error_of(on(network, made, "capture", amount=1), *OVER)
    assert_right(client.db)


@pytest.mark.parametrize("tolerance", [0, 20])
def test_over_an_authorisation_only_its_tolerance_is_captured(settings: Settings, tolerance: int) -> None:
    with running(settings.model_copy(update={"card_capture_tolerance": tolerance})) as client:
        ada, network = customer(client, money=1000), staff(client, Role.NETWORK)
        most = 500 * (100 + tolerance) // 100
        made = approved(network, issue(ada), 500)
        error = error_of(on(network, made, "capture", amount=most + 1), *INVALID)
        assert [(one["field"], one["code"]) for one in error["details"]] == [("amount", "too_large")]
        assert state(on(network, made, "capture", amount=most).json()) == ("captured", 500, most, 0, 0)
        assert money(ada) == (1000 - most, 0, 1000 - most)
        assert_right(client.db)


def test_what_is_above_the_hold_needs_money(client: ApiClient, ada: Customer, network: Person) -> None:
    card = issue(ada)
    made = approved(network, card, 500)
    approved(network, card, 450)
    error_of(on(network, made, "capture", amount=551), 409, "insufficient_funds")
    assert state(on(network, made, "capture", amount=550).json()) == ("captured", 500, 550, 0, 0)
    assert money(ada) == (450, 450, 0)
    assert_right(client.db)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "amount"),
        ({"amount": 0}, "amount"),
        ({"amount": 1, "currency": "JPY"}, "currency"),
        ({"amount": 1, "final": 1}, "final"),
    ],
)
def test_a_capture_that_is_none_is_refused(
    ada: Customer, network: Person, body: dict[str, Any], field: str
) -> None:
    made = approved(network, issue(ada), 100)
    answer = network.post(
        f"/v1/authorizations/{made['id']}/capture", json=body, headers={"Idempotency-Key": "k"}
    )
    assert [detail["field"] for detail in error_of(answer, *INVALID)["details"]] == [field]
    assert money(ada) == (1000, 100, 900)


def test_more_is_approved_on_top_of_an_authorisation(
    client: ApiClient, ada: Customer, network: Person
) -> None:
    card = issue(ada)
    assert _limit(ada, card, per_payment=700).status_code == 200
    made = approved(network, card, 300)
    more = on(network, made, "increment", "k", amount=400)
    assert state(more.json()) == ("approved", 700, 0, 700, 0)
    error_of(on(network, made, "increment", amount=1), 409, "limit_exceeded")
    assert _limit(ada, card, per_payment=None).status_code == 200
    error_of(on(network, made, "increment", amount=301), 409, "insufficient_funds")
    assert act(ada, card, "freeze").status_code == 200
    error_of(on(network, made, "increment", amount=1), 409, "card_state")
    assert on(network, made, "increment", "k", amount=400).json() == more.json()
    assert money(ada) == (1000, 700, 300)
    assert_right(client.db)


def _limit(of: Customer, card: dict[str, Any], **limits: int | None) -> Any:
    return of.person.patch(f"{CARDS}/{card['id']}/limits", json={"limits": limits})


@pytest.mark.parametrize("action", ["freeze", "cancel", "replace"])
def test_a_card_that_is_stopped_stops_no_capture_and_no_refund(
    client: ApiClient, ada: Customer, network: Person, action: str
) -> None:
    card = issue(ada)
    made = approved(network, card, 300)
    assert act(ada, card, action).status_code in (200, 201)
    assert authorize(network, card, 1).json()["status"] == "declined"
    assert on(network, made, "capture", amount=200).status_code == 200
    put(client.db, ada, status="frozen")
    assert on(network, made, "capture", amount=100).status_code == 200
    assert refund(network, made, 50).status_code == 201
    assert money(ada) == (750, 0, 750)
    assert_right(client.db)


def test_what_is_above_the_approval_is_asked_as_a_new_payment(
    client: ApiClient, ada: Customer, network: Person
) -> None:
    card = issue(ada)
    made = approved(network, card, 100)
    limits = f"{CARDS}/{card['id']}/limits"
    assert ada.person.patch(limits, json={"limits": {"per_payment": 110}}).status_code == 200
    error_of(on(network, made, "capture", amount=120), 409, "limit_exceeded")
    error_of(on(network, made, "capture", amount=121), *INVALID)
    put(client.db, ada, status="frozen")
    error_of(on(network, made, "capture", amount=110), 409, "account_frozen")
    put(client.db, ada, status="active")
    assert act(ada, card, "freeze").status_code == 200
    error_of(on(network, made, "capture", amount=110), 409, "card_state")
    assert act(ada, card, "unfreeze").status_code == 200
    assert on(network, made, "capture", amount=110).status_code == 200
    assert money(ada) == (890, 0, 890)
    assert_right(client.db)


def test_the_day_of_a_card_counts_what_was_captured_above_an_approval(
    client: ApiClient, ada: Customer, network: Person
) -> None:
    card = issue(ada)
    made = approved(network, card, 100)
    limits = f"{CARDS}/{card['id']}/limits"
    assert ada.person.patch(limits, json={"limits": {"per_day": 115}}).status_code == 200
    error_of(on(network, made, "capture", amount=116), 409, "limit_exceeded")
    assert on(network, made, "capture", amount=115).status_code == 200
    assert authorize(network, card, 1).json()["decline_reason"] == "limit_exceeded"


def test_refunds_together_are_never_more_than_was_captured(
    client: ApiClient, ada: Customer, network: Person
) -> None:
    card = issue(ada)
    made = approved(network, card, 600)
    error_of(refund(network, made, 1), *INVALID)
    assert on(network, made, "capture", amount=300).status_code == 200
    first = refund(network, made, 100, "k")
    assert first.status_code == 201, first.text
    given = first.json()
    assert (given["kind"], given["amount"], given["destination_account_id"]) == ("card_refund", 100, ada.id)
    assert (given["source_account_id"], given["source_balances"]) == (None, None)
    assert first.headers["Location"] == f"/v1/transfers/{given['id']}"
    again = refund(network, made, 100, "k")
    assert (again.content, again.headers["Idempotent-Replayed"]) == (first.content, "true")
    error = error_of(refund(network, made, 201), *INVALID)
    assert [(one["field"], one["code"]) for one in error["details"]] == [("amount", "too_large")]
    assert refund(network, made, 200).status_code == 201
    error_of(refund(network, made, 1), *INVALID)
    assert on(network, made, "capture", amount=300).status_code == 200
    assert refund(network, made, 300).status_code == 201
    now = network.get(f"/v1/authorizations/{made['id']}").json()
    assert state(now) == ("captured", 600, 600, 0, 600)
    newest = ada.person.get("/v1/transactions").json()["data"][0]
    assert (newest["type"], newest["amount"], newest["merchant"]) == ("card_refund", 300, SHOP)
    assert money(ada) == (1000, 0, 1000)
    assert_right(client.db)


def test_a_replayed_act_tells_what_had_been_given_back_by_then(
    client: ApiClient, ada: Customer, network: Person
) -> None:
    made = approved(network, issue(ada), 600)
    first = on(network, made, "capture", "one", amount=100).json()
    assert refund(network, made, 60).status_code == 201
    second = on(network, made, "capture", "two", amount=100).json()
    assert refund(network, made, 40).status_code == 201
    assert (first["refunded_amount"], second["refunded_amount"]) == (0, 60)
    assert on(network, made, "capture", "one", amount=100).json() == first
    assert on(network, made, "capture", "two", amount=100).json() == second
    assert network.get(f"/v1/authorizations/{made['id']}").json()["refunded_amount"] == 100


def test_a_refund_names_an_authorisation_of_the_card(
    client: ApiClient, ada: Customer, network: Person
) -> None:
    bob = customer(client, "bob", money=1000)
    made, other = approved(network, issue(ada), 100), approved(network, issue(bob), 100)
    no = declined(authorize(network, {"id": made["card_id"]}, 5000), "insufficient_funds")
    assert on(network, made, "capture", amount=100).status_code == 200
    for wrong in (other["id"], "aut_x", made["id"].upper(), made["id"][:-3] + "000", "trf" + made["id"][3:]):
        error = error_of(refund(network, made | {"id": wrong}, 1), *GONE)
        assert [detail["field"] for detail in error["details"]] == ["authorization_id"]
    for card in (other["card_id"], "crd_x", ada.id):
        error = error_of(refund(bob, made | {"card_id": card}, 1), *GONE)
        assert [detail["field"] for detail in error["details"]] == [
            "authorization_id" if card == other["card_id"] else "card_id"
        ]
    error = error_of(refund(bob, made, 1), *GONE)
    assert [detail["field"] for detail in error["details"]] == ["card_id"]
    error_of(refund(network, no, 1), *INVALID)
    assert refund(network, made, 100).status_code == 201


def test_a_refund_to_a_closed_account_waits_in_suspense_and_says_for_whom(
    client: ApiClient, ada: Customer, network: Person
) -> None:
    card = issue(ada)
    made = approved(network, card, 1000)
    assert on(network, made, "capture", amount=1000).status_code == 200
    assert act(ada, card, "cancel").status_code == 200
    assert ada.close().status_code == 200
    given = refund(network, made, 400).json()
    assert given["destination_account_id"] != ada.id
    [(kind, balance)] = rows(
        client.db,
        "SELECT kind, balance FROM accounts WHERE id = :id",
        id=given["destination_account_id"],
    )
    assert (kind, balance) == ("suspense", 400)
    for reader in (Role.TELLER, Role.AUDITOR):
        known = staff(client, reader).get(f"/v1/transfers/{given['id']}").json()
        assert known["metadata"] == SHOP | {"intended_account_id": ada.id}
    error_of(ada.person.get(f"/v1/transfers/{given['id']}"), *GONE)
    error_of(refund(network, made, 601), *INVALID)
    assert_right(client.db)


def test_an_authorisation_ends_on_time(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(settings) as client:
        ada, network = customer(client, money=1000), staff(client, Role.NETWORK)
        card = issue(ada)
        made, other = approved(network, card, 600), approved(network, card, 100)
        ends = datetime.fromisoformat(made["expires_at"])
        at = [ends - timedelta(microseconds=1)]
        monkeypatch.setattr(clock, "now", lambda: at[0])
        network = _again(client)
        assert on(network, made, "capture", amount=100).status_code == 200
        at[0] = ends
        assert state(network.get(f"/v1/authorizations/{made['id']}").json()) == ("expired", 600, 100, 0, 0)
        for verb, body in (("capture", {"amount": 1}), ("increment", {"amount": 1}), ("void", {})):
            error_of(on(network, made, verb, **body), *OVER)
        at[0] = datetime.fromisoformat(other["expires_at"])
        error_of(on(network, other, "capture", amount=1), *OVER)
        assert refund(network, made, 100).status_code == 201
        assert_right(client.db)


def _again(client: ApiClient) -> Person:
    """A member of the network who logs in now: a token does not last for a week."""
    return staff(client, Role.NETWORK)


@pytest.mark.parametrize("closed", [False, True])
def test_a_late_capture_overdraws_once_where_the_bank_says_so(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, closed: bool
) -> None:
    overdraw = settings.model_copy(update={"card_forced_post": ForcedPost.OVERDRAW})
    with running(overdraw) as client:
        ada, network = customer(client, money=1000), staff(client, Role.NETWORK)
        card = issue(ada)
        made = approved(network, card, 600)
        late = datetime.fromisoformat(made["expires_at"]) + timedelta(days=1)
        assert act(ada, card, "cancel").status_code == 200
        monkeypatch.setattr(clock, "now", lambda: late.astimezone(UTC))
        network, ada = _again(client), Customer(client.log_in(), ada.account)
        assert ada.fund("withdrawal", 1000 if closed else 700).status_code == 201
        if closed:
            assert ada.close().status_code == 200
            error_of(on(network, made, "capture", amount=600), 409, "account_closed")
            return
        error_of(on(network, made, "capture", amount=721), *INVALID)
        assert state(on(network, made, "capture", amount=600).json()) == ("captured", 600, 600, 0, 0)
        error_of(on(network, made, "capture", amount=1), *OVER)
        assert money(ada) == (-300, 0, -300)
        [(unarranged,)] = rows(client.db, "SELECT unarranged FROM accounts WHERE id = :id", id=ada.id)
        assert unarranged == 300
        assert refund(network, made, 600).status_code == 201
        assert money(ada) == (300, 0, 300)
        assert seen(ada, card)["status"] == "cancelled"
        assert count(client.db, "card_refunds") == 1
        assert_right(client.db)
