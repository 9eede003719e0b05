"""Amounts are whole minor units: every field of money in every request, and in every answer."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from app.api.openapi import build
from app.core.money import CURRENCIES, MAX_AMOUNT
from tests.bank import TRANSACTIONS, Customer, assert_right, count, customer, keyed, with_account
from tests.cards import approved, issue
from tests.client import ApiClient, error_of
from tests.routes import Route, routes, valid_bodies

REFUSED = {
    "too_small": ["0", "-0", "-1", "-9007199254740991", "-9223372036854775809"],
    "too_large": ["9007199254740992", "9223372036854775807", "9223372036854775808", "1" + "0" * 29],
    "wrong_type": [
        *("true", "false", "null", "[]", "[1]", "{}", '{"minor": 1}'),
        *("100.0", "1e2", "1E2", "0.5", "0.001", "0.30000000000000004", "-0.0", "0e0", "1e-5", "500.00"),
        *('""', '"100"', '"1.00"', '"1_000"', '" 12 "', '"+5"', '"0010"', '"1,000"', '"0x10"', '"1e3"'),
        *('"١٢٣"', '"１２３"', '"²"', '"12\\u200b"', '"NaN"', '"Infinity"', '"1e999999"', '"€5"'),
    ],
}
UNREADABLE = [
    *("NaN", "Infinity", "-Infinity", "1e400", "-1e400", "1e999999", "1" + "0" * 30, "1" + "0" * 5000),
    *("01", "+1", "1.", ".5", "0x10", "1_000", "１２", "0." + "0" * 40 + "1", '"\\ud800"', '"1\\u0000"'),
]


@pytest.fixture
def ada(client: ApiClient) -> Customer:
    return customer(client, money=1000)


def schema_of(document: dict[str, Any], route: Route) -> dict[str, Any]:
    if route.media_type != "application/json":
        return {}
    reference = route.operation["requestBody"]["content"][route.media_type]["schema"]["$ref"]
    found: dict[str, Any] = document["components"]["schemas"][reference.rpartition("/")[2]]
    return found


def money_fields(client: ApiClient) -> Iterator[tuple[Route, str, bool]]:
    """Every whole number in a request of ours is an amount; and whether it can be left out."""
    document = build(client.app)
    for route in routes(client.app):
        for name, schema in schema_of(document, route).get("properties", {}).items():
            if any(kind in json.dumps(schema) for kind in ('"type": "integer"', '"type": "number"')):
                yield route, name, '"null"' in json.dumps(schema)


def send(
    ada: Customer, route: Route, body: dict[str, Any], field: str, token: str, **ids: str
) -> httpx.Response:
    """The body with the token, to the letter, as the field's value."""
    content = json.dumps(body | {field: "@"}).replace('"@"', token)
    headers = keyed() | {"Content-Type": "application/json"}
    return ada.person.request(route.method, route.at(ids), content=content.encode(), headers=headers)


def test_only_whole_numbers_in_range_are_amounts(client: ApiClient, ada: Customer) -> None:
    bob = customer(client, "bob")
    card = issue(ada)
    ids = {
        "transfer_id": ada.pay(bob, 1, pending=True).json()["id"],
        "card_id": card["id"],
        "authorization_id": approved(ada, card, 1)["id"],
    }
    before = [count(client.db, table) for table in ("transfers", "authorizations", "idempotency_keys")]
    fields = list(money_fields(client))
    assert {(route.name, field) for route, field, _ in fields} == {
        ("POST /v1/transactions", "amount"),
        ("POST /v1/transfers", "amount"),
        ("POST /v1/transfers/{transfer_id}/capture", "amount"),
        ("POST /v1/transfers/{transfer_id}/increment", "amount"),
        ("POST /v1/cards/{card_id}/authorizations", "amount"),
        ("POST /v1/cards/{card_id}/refunds", "amount"),
        ("POST /v1/authorizations/{authorization_id}/capture", "amount"),
        ("POST /v1/authorizations/{authorization_id}/increment", "amount"),
    }
    for route, field, is_optional in fields:
        body = valid_bodies(ada, bob)[route.name]
        for code, tokens in REFUSED.items():
            for token in tokens:
                if is_optional and token == "null":
                    continue
                answer = send(ada, route, body, field, token, **ids)
                error = error_of(answer, 422, "validation_failed")
                assert [(d["field"], d["code"]) for d in error["details"]] == [(field, code)], token
        assert str(MAX_AMOUNT) in send(ada, route, body, field, str(2**53), **ids).text
        for token in UNREADABLE:
            error_of(send(ada, route, body, field, token, **ids), 400, "malformed_json")
    assert (ada.balance(), bob.balance()) == (1000, 0)
    after = [count(client.db, table) for table in ("transfers", "authorizations", "idempotency_keys")]
    assert after == before


def test_no_field_of_money_is_a_number_with_a_fraction(client: ApiClient) -> None:
    document = json.dumps(build(client.app)["components"]["schemas"])
    assert '"type": "number"' not in document


def test_every_amount_in_an_answer_stands_beside_its_currency(client: ApiClient) -> None:
    schemas = build(client.app)["components"]["schemas"]
    # Nested in an answer that names it, or about a hold that does.
    inside = {"SourceBalances", "CaptureIn", "IncrementIn", "AuthorizationCapture", "RefundIn"}
    inside |= {"StatementLine", "ExplainedHold"}
    for name, schema in schemas.items():
        fields = schema.get("properties", {})
        if {"amount", "balance", "balance_after"} & fields.keys():
            assert "currency" in fields or name in inside, name


def test_no_answer_has_a_fraction(client: ApiClient, ada: Customer) -> None:
    def refuse(text: str) -> float:
        raise AssertionError(text)

    paid = ada.pay(customer(client, "bob"), 1)
    entry = ada.person.get(TRANSACTIONS).json()["data"][0]["id"]
    paths = ["/v1/accounts", f"/v1/accounts/{ada.id}", f"/v1/accounts/{ada.id}/balance", "/v1/transfers"]
    paths += [TRANSACTIONS, f"{TRANSACTIONS}/{entry}", paid.headers["Location"], "/v1/currencies"]
    for path in paths:
        answer = ada.person.get(path)
        assert answer.status_code == 200
        json.loads(answer.text, parse_float=refuse)


def test_every_deposit_raises_the_balance_by_exactly_itself(client: ApiClient) -> None:
    ada = customer(client)
    amounts = range(1, 301)
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(ada.deposit, amounts))
    assert [(answer.status_code, answer.json()["amount"]) for answer in answers] == [
        (201, amount) for amount in amounts
    ]
    balance = 0
    for line in sorted((answer.json() for answer in answers), key=lambda line: line["booked_at"]):
        balance += line["amount"]
        assert line["balance_after"] == balance
    assert ada.balance() == balance == sum(amounts)
    assert_right(client.db)


def test_the_largest_balance_is_exact_and_nothing_goes_above_it(client: ApiClient) -> None:
    ada = customer(client, money=MAX_AMOUNT)
    assert ada.balance() == MAX_AMOUNT
    error_of(ada.deposit(1), 409, "balance_limit")
    assert ada.fund("withdrawal", 1).json()["balance_after"] == MAX_AMOUNT - 1
    assert ada.deposit(1).json()["balance_after"] == MAX_AMOUNT
    assert ada.balance() == MAX_AMOUNT


@pytest.mark.parametrize(("currency", "exponent"), [("JPY", 0), ("EUR", 2), ("KWD", 3), ("CLF", 4)])
def test_minor_units_stay_what_they_are_in_every_currency(
    client: ApiClient, currency: str, exponent: int
) -> None:
    ada = customer(client, money=10_000, currency=currency)
    bob = customer(client, "bob", currency=currency)
    paid = ada.pay(bob, 952, currency=currency)
    assert (paid.json()["amount"], paid.json()["currency"]) == (952, currency)
    assert (ada.balance(), bob.balance()) == (9048, 952)
    line = bob.person.get(TRANSACTIONS).json()["data"][0]
    assert (line["amount"], line["balance_after"], line["currency"]) == (952, 952, currency)
    known = {one["code"]: one["exponent"] for one in client.get("/v1/currencies").json()["data"]}
    assert known[currency] == exponent


def test_a_currency_that_is_none_is_refused_everywhere(client: ApiClient, ada: Customer) -> None:
    bob = customer(client, "bob")
    bodies = {name: body for name, body in valid_bodies(ada, bob).items() if "currency" in body}
    answers = "POST /v1/cards/{card_id}/authorizations"
    assert set(bodies) == {"POST /v1/accounts", "POST /v1/transactions", "POST /v1/transfers", answers}
    bodies[answers.format(card_id=issue(ada)["id"])] = bodies.pop(answers)
    for name, body in bodies.items():
        path = name.removeprefix("POST ")
        for wrong in ("zz9!!", "usd", "US", "EUROEUROEU", "", " EUR", "EUR ", "ＥＵＲ", "XAU", "XXX", "DEM"):
            answer = ada.post(path, body | {"currency": wrong})
            error = error_of(answer, 422, "currency_not_supported")
            assert [detail["field"] for detail in error["details"]] == ["currency"], wrong
        for wrong in (978, None, True, ["EUR"]):
            error_of(ada.post(path, body | {"currency": wrong}), 422, "validation_failed")
    assert (ada.balance(), count(client.db, "transfers")) == (1000, 1)


def test_every_currency_that_is_listed_has_accounts(client: ApiClient, ada: Customer) -> None:
    listed = client.get("/v1/currencies").json()["data"]
    assert {one["code"] for one in listed} == set(CURRENCIES)
    for code in ("XAF", "XOF", "XPF", "XCD", "JPY", "KWD"):
        assert with_account(ada.person, currency=code).account["currency"] == code
