"""Signing up and logging in, over HTTP."""

from typing import Any

import pytest
from sqlalchemy import text

from app.core import ids
from tests.client import PASSWORD, ApiClient, error_of

SIGN_UP, LOG_IN, TOKEN, ME = "/v1/auth/signup", "/v1/auth/login", "/v1/auth/token", "/v1/auth/me"
FORM = {"username": "ada@example.com", "password": PASSWORD}
ADA = {"email": "ada@example.com", "password": PASSWORD}


def rows(client: ApiClient, sql: str) -> list[Any]:
    return client.db.run_read(lambda session: list(session.execute(text(sql))))


def test_a_new_customer_reads_who_they_are(client: ApiClient) -> None:
    ada = client.sign_up("Ada@Example.com")
    me = ada.get(ME)
    assert me.status_code == 200
    assert set(me.json()) == {"id", "email", "role", "account_holder_id", "created_at"}
    assert me.json()["email"] == "ada@example.com"
    assert me.json()["role"] == "customer"
    assert me.json()["account_holder_id"] is None


def test_signing_up_answers_with_the_user_and_where_to_find_them(client: ApiClient) -> None:
    created = client.post(SIGN_UP, json=ADA)
    assert created.status_code == 201
    assert created.headers["location"] == ME
    assert created.headers["cache-control"] == "no-store"
    assert client.log_in().get(created.headers["location"]).json() == created.json()


def test_the_subject_of_a_token_is_the_text_of_the_key_column(client: ApiClient) -> None:
    me = client.sign_up().get(ME).json()
    assert ids.is_id(ids.USER, me["id"])
    assert rows(client, "SELECT id, email FROM users") == [(me["id"], "ada@example.com")]


@pytest.mark.parametrize("email", ["ada@example.com", "ADA@example.com", "Ada@EXAMPLE.com"])
def test_an_address_is_taken_in_any_case(client: ApiClient, email: str) -> None:
    client.sign_up()
    other = {"email": email, "password": "another long password"}
    error_of(client.post(SIGN_UP, json=other), 409, "email_taken")
    error_of(client.post(LOG_IN, json=other), 401, "invalid_credentials")
    assert client.log_in(email).get(ME).status_code == 200
    assert len(rows(client, "SELECT id FROM users")) == 1


@pytest.mark.parametrize(
    "field",
    ["role", "is_admin", "is_active", "id", "created_at", "password_hash", "account_holder_id", "scope"],
)
@pytest.mark.parametrize("path", [SIGN_UP, LOG_IN])
def test_nobody_becomes_staff_by_an_extra_field(client: ApiClient, path: str, field: str) -> None:
    error = error_of(client.post(path, json={**ADA, field: "admin"}), 422, "validation_failed")
    assert [(one["field"], one["code"]) for one in error["details"]] == [(field, "unknown_field")]
    assert rows(client, "SELECT id FROM users") == []


def test_no_route_makes_staff(client: ApiClient) -> None:
    client.sign_up()
    assert rows(client, "SELECT role FROM users") == [("customer",)]
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    requests = [schemas[name] for name in ("SignUp", "Login", "Refresh", "PasswordChange")]
    assert all("role" not in schema["properties"] for schema in requests)
    assert all(schema["additionalProperties"] is False for schema in requests)


@pytest.mark.parametrize(
    ("body", "problems"),
    [
        ({}, {"email": "required", "password": "required"}),
        ({"email": 1, "password": 2}, {"email": "wrong_type", "password": "wrong_type"}),
        ({"email": None, "password": None}, {"email": "wrong_type", "password": "wrong_type"}),
        ({"email": ["a@b"], "password": {"a": 1}}, {"email": "wrong_type", "password": "wrong_type"}),
        ({"email": "nobody", "password": "short"}, {"email": "invalid_email", "password": "too_short"}),
        ({"email": "ada@example.com", "password": ""}, {"password": "too_short"}),
        ({"email": "ada@example.com", "password": "1234567"}, {"password": "too_short"}),
        ({"email": "ada@example.com", "password": "x" * 257}, {"password": "too_long"}),
        ({"email": "ada@example.com", "password": "y" * 1_000_000}, {"password": "too_long"}),
        ({"email": "ada@example.com", "password": "Password1"}, {"password": "common_password"}),
    ],
)
def test_every_wrong_field_of_a_sign_up_is_named_at_once(
    client: ApiClient, body: dict[str, Any], problems: dict[str, str]
) -> None:
    error = error_of(client.post(SIGN_UP, json=body), 422, "validation_failed")
    assert {one["field"]: one["code"] for one in error["details"]} == problems
    assert rows(client, "SELECT id FROM users") == []


CANARY = "Canary-Pw-93"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (SIGN_UP, {"email": "ada@example.com", "password": [CANARY]}),
        (SIGN_UP, {"email": CANARY, "password": CANARY}),
        (SIGN_UP, {"email": "ada@example.com", "password": CANARY + "x" * 300}),
        (SIGN_UP, {"email": "ada@example.com", "password": CANARY, CANARY: CANARY}),
        (LOG_IN, {"email": CANARY, "password": CANARY}),
        (LOG_IN, {"email": {CANARY: 1}, "password": {"a": CANARY}}),
        (LOG_IN, {"password": CANARY + "x" * 1024}),
        ("/v1/auth/refresh", {"refresh_token": [CANARY]}),
        ("/v1/auth/refresh", {"refresh_token": CANARY}),
        ("/v1/auth/refresh", {"token": CANARY}),
    ],
)
def test_no_refusal_repeats_what_was_submitted(client: ApiClient, path: str, body: dict[str, Any]) -> None:
    answer = client.post(path, json=body)
    assert answer.status_code in {401, 422}
    assert CANARY not in answer.text
    assert CANARY not in str(answer.headers)


@pytest.mark.parametrize("email", ["nobody@example.com", "no address", "", "a@b\n", "x" * 1000])
def test_an_unknown_address_is_answered_like_a_wrong_password(client: ApiClient, email: str) -> None:
    client.sign_up()
    hasher = client.app.state.bank.hasher
    answers = []
    for tried in ("ada@example.com", email):
        before = hasher.verifications
        refused = client.post(LOG_IN, json={"email": tried, "password": "not this one"})
        answers.append(error_of(refused, 401, "invalid_credentials") | {"request_id": None})
        assert hasher.verifications == before + 1
    assert answers[0] == answers[1]


@pytest.mark.parametrize("by_form", [False, True])
@pytest.mark.parametrize("state", ["right", "wrong", "unknown", "inactive"])
def test_every_login_is_exactly_one_verification(client: ApiClient, by_form: bool, state: str) -> None:
    client.sign_up()
    if state == "inactive":
        client.db.run_write(lambda session: session.execute(text("UPDATE users SET is_active = false")))
    email = "bob@example.com" if state == "unknown" else "ada@example.com"
    password = "not this one" if state == "wrong" else PASSWORD
    before = client.app.state.bank.hasher.verifications
    if by_form:
        answer = client.post(TOKEN, data={"username": email, "password": password})
    else:
        answer = client.post(LOG_IN, json={"email": email, "password": password})
    assert answer.status_code == (200 if state == "right" else 401)
    assert client.app.state.bank.hasher.verifications == before + 1


def test_the_form_of_the_documentation_logs_in(client: ApiClient) -> None:
    """What the Authorize button sends: an empty scope, and empty client credentials as a header."""
    client.sign_up()
    schemes = client.get("/openapi.json").json()["components"]["securitySchemes"]
    [url] = [scheme["flows"]["password"]["tokenUrl"] for scheme in schemes.values() if "flows" in scheme]
    form = {"grant_type": "password", "username": "ada@example.com", "password": PASSWORD, "scope": ""}
    tokens = client.post(url, data=form, headers={"Authorization": "Basic Og=="})
    assert tokens.status_code == 200
    assert set(tokens.json()) == {"access_token", "token_type", "expires_in", "refresh_token"}
    assert tokens.json()["token_type"] == "bearer"
    assert tokens.json()["expires_in"] == 900
    assert tokens.headers["cache-control"] == "no-store"
    bearer = {"Authorization": f"Bearer {tokens.json()['access_token']}"}
    assert client.get(ME, headers=bearer).status_code == 200


@pytest.mark.parametrize(
    ("form", "status", "code"),
    [
        ({"username": "ada@example.com"}, 422, "validation_failed"),
        ({**FORM, "grant_type": "magic"}, 422, "validation_failed"),
        ({**FORM, "role": "admin"}, 422, "validation_failed"),
        ({**FORM, "password": "no"}, 401, "invalid_credentials"),
        ({**FORM, "password": f"{PASSWORD}\0"}, 401, "invalid_credentials"),
        ({**FORM, "username": "ada@example.com\0"}, 401, "invalid_credentials"),
    ],
)
def test_a_wrong_form_is_refused(client: ApiClient, form: dict[str, str], status: int, code: str) -> None:
    client.sign_up()
    error_of(client.post(TOKEN, data=form), status, code)


def test_no_secret_is_taken_from_a_url(client: ApiClient) -> None:
    ada = client.sign_up()
    error_of(client.post(LOG_IN, params=ADA, json=ADA), 422, "validation_failed")
    for name in ("access_token", "token", "authorization"):
        error_of(client.get(ME, params={name: ada.access_token}), 401, "unauthenticated")
    error_of(client.get(ME, headers={"Cookie": f"access_token={ada.access_token}"}), 401, "unauthenticated")
    names = {
        parameter["name"].lower()
        for path in client.get("/openapi.json").json()["paths"].values()
        for operation in path.values()
        for parameter in operation.get("parameters", [])
        if parameter["in"] in {"query", "path", "cookie"}
    }
    secrets = ("token", "password", "secret", "pin", "api_key")
    assert [name for name in names if any(secret in name for secret in secrets)] == []


def test_what_is_stored_of_a_password_is_its_hash(client: ApiClient) -> None:
    client.sign_up()
    client.sign_up("bob@example.com")
    hashes = [row[0] for row in rows(client, "SELECT password_hash FROM users")]
    assert all(stored.startswith("$argon2id$v=19$m=64,t=1,p=1$") for stored in hashes)
    assert len(set(hashes)) == 2, "the same password, another salt"
