"""Asking a card: yes reserves money, no is an answer that touches nothing else."""

from typing import Any

import pytest

from app.core.caller import Role
from app.core.config import Settings
from tests.bank import Customer, assert_right, count, customer, put, rows, staff, walk_in
from tests.cards import (
    AUTHORIZATIONS,
    CARDS,
    SHOP,
    act,
    approved,
    asked,
    authorize,
    declined,
    issue,
    money,
    on,
    shown,
)
from tests.client import ApiClient, Person, error_of, running

GONE = (404, "not_found")


@pytest.fixture
def ada(client: ApiClient) -> Customer:
    return customer(client, money=1000)


@pytest.fixture
def network(client: ApiClient) -> Person:
    return staff(client, Role.NETWORK)


def test_a_yes_reserves_the_amount_and_says_for_whom(
    client: ApiClient, ada: Customer, network: Person
) -> None:
    card = issue(ada)
    answer = authorize(network, card, 600)
    made = answer.json()
    assert answer.status_code == 201, answer.text
    assert made == {
        "id": made["id"],
        "card_id": card["id"],
        "status": "approved",
        "decline_reason": None,
        "amount": 600,
        "currency": "EUR",
        "captured_amount": 0,
        "held_amount": 600,
        "refunded_amount": 0,
        "merchant": SHOP,
        "online": False,
        "expires_at": made["expires_at"],
        "created_at": made["created_at"],
    }
    assert made["id"].startswith("aut_")
    assert made["expires_at"] > made["created_at"]
    assert answer.headers["Location"] == f"{AUTHORIZATIONS}/{made['id']}"
    for person in (network, ada.person, staff(client, Role.AUDITOR)):
        assert person.get(answer.headers["Location"]).json() == made
        assert person.get(AUTHORIZATIONS, params={"card_id": card["id"]}).json()["data"] == [made]
    assert money(ada) == (1000, 600, 400)
    assert count(client.db, "entries") == 2
    (held,) = ada.person.get(f"/v1/accounts/{ada.id}/holds").json()["data"]
    assert (held["type"], held["amount"], held["merchant"]) == ("card_payment", 600, SHOP)
    assert held["counterparty"] == {"name": "card_settlement", "account_number": None}
    assert_right(client.db)


def test_a_no_is_an_answer_that_is_kept_and_touches_nothing_else(
    client: ApiClient, ada: Customer, network: Person
) -> None:
    card = issue(ada)
    tables = ("transfers", "entries", "hold_events")
    before = [count(client.db, table) for table in tables]
    first = authorize(network, card, 1001, "k")
    made = declined(first, "insufficient_funds")
    assert money(ada) == (1000, 0, 1000)
    assert [count(client.db, table) for table in tables] == before
    assert network.get(f"{AUTHORIZATIONS}/{made['id']}").json() == made
    # The same question is answered again, though there would be money now.
    assert ada.deposit(500).status_code == 201
    again = authorize(network, card, 1001, "k")
    assert (again.status_code, again.json()) == (201, made)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.headers["Location"] == first.headers["Location"]
    error_of(authorize(network, card, 1002, "k"), 422, "idempotency_key_reused")
    audited = rows(
        client.db, "SELECT action, outcome FROM audit_log WHERE object_id = :id ORDER BY id", id=made["id"]
    )
    assert audited[0] == ("card_payment.authorize", "insufficient_funds")
    assert "card_payment.authorize" not in [action for action, _ in audited[1:]]
    for verb, body in (("capture", {"amount": 1}), ("increment", {"amount": 1}), ("void", {})):
        error_of(on(network, made, verb, **body), 409, "hold_not_active")
    assert_right(client.db)


def test_a_replayed_yes_tells_how_it_was_then(client: ApiClient, ada: Customer, network: Person) -> None:
    card = issue(ada)
    first = authorize(network, card, 300, "k")
    assert on(network, first.json(), "capture", amount=100).status_code == 200
    assert on(network, first.json(), "increment", amount=50).status_code == 200
    again = authorize(network, card, 300, "k")
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert count(client.db, "authorizations") == 1


@pytest.mark.parametrize(
    ("change", "field", "code"),
    [
        ({"amount": 0}, "amount", "too_small"),
        ({"amount": "5"}, "amount", "wrong_type"),
        ({"online": None}, "online", "wrong_type"),
        ({"merchant": SHOP | {"mcc": "541"}}, "merchant.mcc", "invalid"),
        ({"merchant": SHOP | {"mcc": 5411}}, "merchant.mcc", "wrong_type"),
        ({"merchant": SHOP | {"country": "UK"}}, "merchant.country", "not_a_country"),
        ({"merchant": SHOP | {"name": " "}}, "merchant.name", "blank"),
        ({"merchant": SHOP | {"name": "x" * 101}}, "merchant.name", "too_long"),
        ({"merchant": SHOP | {"city": "Wien"}}, "merchant.city", "unknown_field"),
        ({"number": "4111111111111111"}, "number", "unknown_field"),
        ({"cvv": "123"}, "cvv", "unknown_field"),
    ],
)
def test_a_question_that_is_none_is_refused(
    client: ApiClient, ada: Customer, network: Person, change: dict[str, Any], field: str, code: str
) -> None:
    path = f"{CARDS}/{issue(ada)['id']}/authorizations"
    headers = {"Idempotency-Key": "k"}
    error = error_of(network.post(path, json=asked(1) | change, headers=headers), 422, "validation_failed")
    assert [(detail["field"], detail["code"]) for detail in error["details"]] == [(field, code)]
    assert count(client.db, "authorizations") == 0


def test_a_currency_that_there_is_not_is_no_question(ada: Customer, network: Person) -> None:
    error_of(authorize(network, issue(ada), 1, currency="XXX"), 422, "currency_not_supported")


def test_a_question_needs_a_key(ada: Customer, network: Person) -> None:
    path = f"{CARDS}/{issue(ada)['id']}/authorizations"
    error_of(network.post(path, json=asked(1)), 400, "idempotency_key_required")


def test_what_is_said_no_to_first_is_told_in_the_order_of_the_list(
    client: ApiClient, ada: Customer, network: Person
) -> None:
    """Everything stands against it; then one thing after the other is put right."""
    card = issue(ada, "physical")
    path = f"{CARDS}/{card['id']}/limits"
    limits = {"limits": {"per_payment": 1500}, "online": False}
    blocks = {"blocked_mccs": ["5411"], "blocked_countries": ["AT"]}
    assert ada.person.patch(path, json=limits | blocks).status_code == 200
    put(client.db, ada, status="frozen")

    def answer(reason: str, **more: Any) -> None:
        declined(authorize(network, card, 2000, **({"currency": "JPY", "online": True} | more)), reason)

    answer("card_inactive")
    assert act(ada, card, "activate").status_code == 200
    assert act(ada, card, "freeze").status_code == 200
    answer("card_frozen")
    assert act(ada, card, "unfreeze").status_code == 200
    answer("account_frozen")
    put(client.db, ada, status="active")
    answer("currency_not_supported")
    answer("online_disabled", currency="EUR")
    answer("mcc_blocked", currency="EUR", online=False)
    answer("country_blocked", currency="EUR", online=False, mcc="0000")
    answer("limit_exceeded", currency="EUR", online=False, mcc="0000", country="DE")
    assert ada.person.patch(path, json={"limits": {"per_payment": None}}).status_code == 200
    answer("insufficient_funds", currency="EUR", online=False, mcc="0000", country="DE")
    assert approved(network, card, 1000, mcc="0000", country="DE")["held_amount"] == 1000
    assert act(ada, card, "cancel").status_code == 200
    answer("card_cancelled")
    assert money(ada) == (1000, 1000, 0)
    assert_right(client.db)


def test_a_payment_up_to_the_limit_is_a_yes(ada: Customer, network: Person) -> None:
    card = issue(ada)
    path = f"{CARDS}/{card['id']}/limits"
    assert ada.person.patch(path, json={"limits": {"per_payment": 100}}).status_code == 200
    declined(authorize(network, card, 101), "limit_exceeded")
    approved(network, card, 100)
    approved(network, card, 100)


def test_an_account_that_was_closed_answers_for_its_cancelled_card(ada: Customer, network: Person) -> None:
    card = issue(ada)
    assert act(ada, card, "cancel").status_code == 200
    assert ada.fund("withdrawal", 1000).status_code == 201
    assert ada.close().status_code == 200
    declined(authorize(network, card, 1), "card_cancelled")


def test_the_daily_limit_of_the_account_holds_for_its_cards(settings: Settings) -> None:
    with running(settings.model_copy(update={"daily_limits": {"EUR": 500}})) as client:
        ada, network = customer(client, money=10_000), staff(client, Role.NETWORK)
        bob = customer(client, "bob")
        card = issue(ada)
        assert ada.pay(bob, 300).status_code == 201
        declined(authorize(network, card, 201), "limit_exceeded")
        made = approved(network, card, 200)
        error_of(ada.pay(bob, 1), 409, "limit_exceeded")
        error_of(on(network, made, "increment", amount=1), 409, "limit_exceeded")
        assert on(network, made, "void").status_code == 200
        assert ada.pay(bob, 200).status_code == 201


def test_cards_of_others_are_not_there_and_roles_are_told_first(
    client: ApiClient, ada: Customer, network: Person
) -> None:
    bob, card = customer(client, "bob", money=1000), issue(ada)
    made = approved(network, card, 100)
    for answer in (
        authorize(bob, card, 1),
        bob.person.get(f"{AUTHORIZATIONS}/{made['id']}"),
        bob.person.get(AUTHORIZATIONS, params={"card_id": card["id"]}),
        on(bob, made, "capture", amount=1),
        on(bob, made, "increment", amount=1),
        on(bob, made, "void"),
    ):
        error_of(answer, *GONE)
    for wrong in ("crd_x", card["id"].upper(), ada.id, card["id"][:-3] + "000"):
        error = error_of(authorize(network, card | {"id": wrong}, 1), *GONE)
        assert [detail["field"] for detail in error["details"]] == ["card_id"]
    # A hold of another kind with the same end of its id is no authorisation.
    paid = bob.post("/v1/transfers", bob.payment(ada, 1) | {"pending": True}).json()
    twin = {"id": "aut_" + paid["id"].partition("_")[2]}
    for wrong in ("aut_x", made["id"].upper(), paid["id"], twin["id"], "trf_" + made["id"][4:]):
        for verb, body in (("capture", {"amount": 1}), ("increment", {"amount": 1}), ("void", {})):
            error = error_of(on(network, {"id": wrong}, verb, **body), *GONE)
            assert [detail["field"] for detail in error["details"]] == ["authorization_id"]
    for role in (Role.TELLER, Role.OPERATOR, Role.AUDITOR, Role.ADMIN):
        error_of(authorize(staff(client, role), card, 1), 403, "forbidden")
    assert bob.person.get(AUTHORIZATIONS).json()["data"] == []
    assert money(ada) == (1000, 100, 900)


def test_owners_play_the_network_only_where_the_bank_lets_them(settings: Settings) -> None:
    with running(settings.model_copy(update={"card_simulation": False})) as client:
        ada = customer(client, money=1000)
        card = issue(ada)
        error_of(authorize(ada, card, 1), 403, "forbidden")
        made = approved(staff(client, Role.NETWORK), card, 1)
        for verb, body in (("capture", {"amount": 1}), ("increment", {"amount": 1}), ("void", {})):
            error_of(on(ada, made, verb, **body), 403, "forbidden")
    with running(settings) as client:
        bob = customer(client, "bob", money=1000)
        made = approved(bob, issue(bob), 1)
        assert on(bob, made, "capture", amount=1).json()["status"] == "captured"


def test_a_hold_of_a_card_is_not_its_owners_to_let_go_of(ada: Customer, network: Person) -> None:
    made = approved(network, issue(ada), 100)
    path = f"/v1/transfers/trf_{made['id'].partition('_')[2]}"
    assert ada.person.get(path).json()["kind"] == "card_payment"
    for verb, body in (("capture", {"amount": 1}), ("increment", {"amount": 1}), ("void", {})):
        error_of(ada.post(f"{path}/{verb}", body), 403, "forbidden")


def test_a_card_of_somebody_without_a_login_pays(client: ApiClient, network: Person) -> None:
    guest = walk_in(staff(client), money=500)
    made = approved(network, issue(guest), 200)
    assert on(network, made, "capture", amount=200).json()["status"] == "captured"
    assert guest.balance() == 300


def test_an_account_with_an_open_authorisation_is_not_closed(ada: Customer, network: Person) -> None:
    card = issue(ada)
    made = approved(network, card, 1000)
    assert act(ada, card, "cancel").status_code == 200
    error_of(ada.close(), 409, "account_in_use")
    assert on(network, made, "capture", amount=1000).status_code == 200
    assert ada.close().status_code == 200


def test_authorisations_are_listed_by_card_and_time(
    client: ApiClient, ada: Customer, network: Person
) -> None:
    one, two = issue(ada), issue(ada)
    made = [approved(network, one, 1), declined(authorize(network, two, 5000), "insufficient_funds")]
    made.append(approved(network, two, 2))

    def listed(**query: str) -> list[dict[str, Any]]:
        data: list[dict[str, Any]] = ada.person.get(AUTHORIZATIONS, params=query).json()["data"]
        return data

    assert listed() == made[::-1]
    assert listed(card_id=two["id"]) == [made[2], made[1]]
    assert listed(**{"created_at.gte": made[1]["created_at"]}) == [made[2], made[1]]
    assert listed(**{"created_at.lt": made[1]["created_at"]}) == [made[0]]
    first = ada.person.get(AUTHORIZATIONS, params={"limit": "2"}).json()
    rest = ada.person.get(AUTHORIZATIONS, params={"limit": "2", "cursor": first["next_cursor"]}).json()
    assert first["data"] + rest["data"] == made[::-1]
    assert shown(one) == ada.person.get(f"{CARDS}/{one['id']}").json()
