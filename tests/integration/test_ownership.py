"""What holds for every route that OpenAPI lists: whose things they open, and to whom.

A new route fails here until it is written down (see `tests/routes.py`).
"""

from typing import Any

import httpx
import pytest

from app.core.caller import Role
from tests.bank import Customer, customer, issue_statement, keyed, rows, staff
from tests.cards import approved, issue
from tests.client import ApiClient, error_of
from tests.routes import WITHOUT_BODY, Route, routes, valid_bodies

# Routes that need no token.
OPEN = {
    "GET /v1/health",
    "GET /v1/health/live",
    "GET /v1/health/ready",
    "GET /v1/currencies",
    "POST /v1/auth/signup",
    "POST /v1/auth/login",
    "POST /v1/auth/token",
    "POST /v1/auth/refresh",
}
# Documentation of the API, which OpenAPI leaves out.
UNLISTED = {"/openapi.json", "/docs", "/docs/oauth2-redirect", "/docs/assets"}
# Routes with an id that customers may not call at all.
STAFF_ONLY = {"POST /v1/transfers/{transfer_id}/reverse"}
# Fields of request bodies that name one of the caller's own accounts.
IDS_IN_BODIES = {"account_id", "source_account_id", "destination_account_id"}

# What a path can name.
NAMES = (
    "holder_id",
    "account_id",
    "authorization_id",
    "card_id",
    "transfer_id",
    "transaction_id",
    "session_id",
    "number",
)

FORBIDDEN = {
    "balance": 1_000_000,
    "status": "active",
    "user_id": "usr_x",
    "role": "admin",
    "id": "acc_x",
    "created_at": "2020-01-01T00:00:00Z",
    "fee": -5,
    "is_admin": True,
    "held": 0,
    "overdraft_limit": 100,
    "owner_id": "usr_x",
    "version": 1,
}


@pytest.fixture
def ada(client: ApiClient) -> Customer:
    return customer(client, money=1000)


@pytest.fixture
def bob(client: ApiClient) -> Customer:
    return customer(client, "bob", money=1000)


@pytest.fixture
def ids(client: ApiClient, ada: Customer, bob: Customer) -> dict[str, str]:
    """An id of Ada's for each kind of thing that a path can name. Nothing here has to do with Bob."""
    savings = ada.person.post("/v1/accounts", json={"type": "savings", "currency": "EUR"}).json()
    number = {"destination_account_number": savings["number"]}
    transfer = ada.post("/v1/transfers", ada.payment(bob, 10) | number).json()
    entry = ada.person.get("/v1/transactions").json()["data"][0]
    card = issue(ada)
    return {
        "holder_id": ada.account["account_holder_id"],
        "account_id": ada.id,
        "transfer_id": transfer["id"],
        "transaction_id": entry["id"],
        "card_id": card["id"],
        "authorization_id": approved(ada, card, 1)["id"],
        "session_id": ada.person.get("/v1/auth/sessions").json()["data"][0]["id"],
        "number": str(issue_statement(client, ada).json()["number"]),
    }


def everything(client: ApiClient) -> list[list[tuple[Any, ...]]]:
    """All that a customer could change."""
    orders = {
        "users": "id",
        "account_holders": "id",
        "accounts": "key",
        "transfers": "key",
        "entries": "id",
        "cards": "key",
        "authorizations": "key",
        "hold_events": "transfer_key, sequence",
        "idempotency_keys": "caller, key",
    }
    tables = [rows(client.db, f"SELECT * FROM {table} ORDER BY {key}") for table, key in orders.items()]
    return [*tables, rows(client.db, "SELECT id, ended_at FROM sessions ORDER BY id")]


def send(sender: Any, route: Route, path: str, body: dict[str, Any] | None) -> httpx.Response:
    """The request with this body, as the route's media type."""
    content = {} if body is None else {"data" if "form" in (route.media_type or "") else "json": body}
    answer: httpx.Response = sender.request(route.method, path, headers=keyed(), **content)
    assert str(answer.status_code) in route.operation["responses"], f"{route.name}: undocumented"
    return answer


def stripped(answer: httpx.Response) -> dict[str, Any]:
    """The error without what differs between any two requests."""
    error: dict[str, Any] = answer.json()["error"]
    return {name: value for name, value in error.items() if name != "request_id"}


def test_nothing_opens_by_the_id_of_another_customer(
    client: ApiClient, ada: Customer, bob: Customer, ids: dict[str, str]
) -> None:
    bodies = valid_bodies(bob, ada)
    unknown = {name: one[:-3] + "000" for name, one in ids.items()}
    malformed = [
        {name: one.upper() for name, one in ids.items()},
        dict.fromkeys(ids, "9223372036854775808"),
        dict.fromkeys(ids, "-1"),
        dict.fromkeys(ids, "%00"),
        dict.fromkeys(ids, "'; --"),
        dict.fromkeys(ids, "x" * 3000),
    ]
    before = everything(client)
    seen = set()
    for route in routes(client.app):
        if "{" not in route.path:
            continue
        body = bodies.get(route.name)
        if route.name in STAFF_ONLY:
            error_of(send(bob.person, route, route.at(ids), body), 403, "forbidden")
            continue
        foreign = send(bob.person, route, route.at(ids), body)
        error_of(foreign, 404, "not_found")
        for other in [unknown, *malformed]:
            answer = send(bob.person, route, route.at(other), body)
            error_of(answer, 404, "not_found")
            assert stripped(answer) == stripped(foreign), route.name
        seen.add(route.name)
    assert len(seen) >= 10
    assert everything(client) == before


def test_the_same_ids_open_for_their_owner(client: ApiClient, ada: Customer, ids: dict[str, str]) -> None:
    for route in routes(client.app):
        if route.method == "GET" and "{" in route.path:
            assert send(ada.person, route, route.at(ids), None).status_code == 200, route.name


def test_no_list_shows_what_is_anothers(
    client: ApiClient, ada: Customer, bob: Customer, ids: dict[str, str]
) -> None:
    lists = [route for route in routes(client.app) if "limit" in route.parameters]
    assert len(lists) >= 6
    for route in lists:
        if "{" in route.path:
            continue
        answer = send(bob.person, route, route.path, None)
        assert answer.status_code == 200
        assert not [one for name, one in ids.items() if name != "number" and one in answer.text], route.name
        for parameter in ("account_id", "account_holder_id"):
            if parameter not in route.parameters:
                continue
            mine = ids["account_id" if parameter == "account_id" else "holder_id"]
            for wrong in (mine, mine[:-3] + "000", mine.upper(), "x", "\0", ""):
                refused = bob.person.get(route.path, params={parameter: wrong})
                error = error_of(refused, 404, "not_found")
                assert [detail["field"] for detail in error["details"]] == [parameter]


def test_nothing_moves_by_the_id_of_another_customer_in_a_body(
    client: ApiClient, ada: Customer, bob: Customer
) -> None:
    before = everything(client)
    tried = set()
    bodies = valid_bodies(bob, ada)
    to_own = {key: value for key, value in bodies["POST /v1/transfers"].items() if "number" not in key}
    for name, valid in [*bodies.items(), ("POST /v1/transfers", to_own | {"destination_account_id": bob.id})]:
        for field in IDS_IN_BODIES & valid.keys():
            for type_ in ("deposit", "withdrawal") if "amount" in valid and "type" in valid else (None,):
                body = valid | {field: ada.id} | ({"type": type_} if type_ else {})
                error = error_of(bob.post(name.removeprefix("POST "), body), 404, "not_found")
                assert [detail["field"] for detail in error["details"]] == [field]
            tried.add(field)
    assert tried == IDS_IN_BODIES
    assert everything(client) == before


def test_no_route_answers_without_a_token_but_those_written_down(client: ApiClient) -> None:
    any_ids = dict.fromkeys(NAMES, "x")
    answered = set()
    for route in routes(client.app):
        for headers in ({}, {"Authorization": "Bearer x"}, {"Authorization": "Basic eDp4"}):
            answer = client.request(route.method, route.at(any_ids), headers=headers)
            if route.name in OPEN:
                answered.add(route.name)
                assert answer.status_code in (200, 415, 422), route.name
            else:
                error_of(answer, 401, "unauthenticated")
                assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answered == OPEN
    unlisted = {one.path for one in client.app.routes if not getattr(one, "include_in_schema", False)}
    assert unlisted == UNLISTED


def test_no_field_that_a_route_does_not_know_is_taken(
    client: ApiClient, ada: Customer, bob: Customer, ids: dict[str, str]
) -> None:
    bodies = valid_bodies(ada, bob)
    taking = {route.name: route for route in routes(client.app) if route.method in ("POST", "PATCH", "PUT")}
    assert {name for name, route in taking.items() if not route.media_type} == WITHOUT_BODY
    assert set(taking) - WITHOUT_BODY == set(bodies)
    before = everything(client)
    for name, route in taking.items():
        sender = client if name in OPEN else ada.person
        if name in STAFF_ONLY:
            sender = staff(client, Role.OPERATOR)
            before = everything(client)
        for field, value in FORBIDDEN.items():
            answer = send(sender, route, route.at(ids), bodies.get(name, {}) | {field: value})
            error = error_of(answer, 422, "validation_failed")
            told = [(detail["field"], detail["code"]) for detail in error["details"]]
            wanted = field if route.media_type else "body"
            assert told == [(wanted, "unknown_field")], (name, field)
    assert everything(client) == before


def test_no_query_parameter_that_a_route_does_not_know_is_taken(client: ApiClient, ada: Customer) -> None:
    any_ids = dict.fromkeys(NAMES, "x")
    auditor = staff(client, Role.AUDITOR)
    for route in routes(client.app):
        if route.method == "GET":
            sender = auditor if route.path.startswith("/v1/admin/") else ada.person
            answer = sender.get(f"{route.at(any_ids)}?owner_id=x")
            error = error_of(answer, 422, "validation_failed")
            assert [detail["code"] for detail in error["details"]] == ["unknown_field"], route.name


def test_no_answer_has_a_field_that_is_not_in_its_schema(
    client: ApiClient, ada: Customer, ids: dict[str, str]
) -> None:
    inner = ("password", "version", "key", "owner", "initiated", "fingerprint", "unarranged")
    for route in routes(client.app):
        if route.method == "GET" and "/v1/health" not in route.path:
            answer = send(ada.person, route, route.at(ids), None)
            assert not [word for word in inner if f'"{word}' in answer.text], route.name
