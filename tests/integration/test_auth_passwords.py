"""Passwords over HTTP: kept as typed, checked in full, changed with care."""

import pytest

from tests.client import PASSWORD, ApiClient, error_of

NEW = "a newer long password"


@pytest.mark.parametrize(
    ("password", "others"),
    [
        ("a" * 64, ["a" * 63, "a" * 65]),
        ("a" * 72, ["a" * 71, "a" * 73]),
        ("a" * 73, ["a" * 72]),
        ("п" * 37, ["п" * 36, "П" * 37]),
        ("\N{THUMBS UP SIGN}" * 64, ["\N{THUMBS UP SIGN}" * 63]),
        ("x" * 256, ["x" * 255, "x" * 257]),
        ("\N{THUMBS UP SIGN}" * 256, ["\N{THUMBS UP SIGN}" * 255]),
        (" both ends ", ["both ends", " both ends", "both ends "]),
        ("café au lait", ["cafe\u0301 au lait", "cafe au lait"]),
        ("tab\tand\nline end\n", ["tab\tand\nline end", "tab and line end"]),
        ("        ", ["       ", "\u00a0" * 8]),
    ],
)  # fmt: skip
def test_a_password_is_kept_as_typed(client: ApiClient, password: str, others: list[str]) -> None:
    ada = client.sign_up(password=password)
    assert ada.get("/v1/auth/me").status_code == 200
    for other in others:
        refused = client.post("/v1/auth/login", json={"email": "ada@example.com", "password": other})
        error_of(refused, 401, "invalid_credentials")


def test_a_password_with_nul_is_an_unreadable_body(client: ApiClient) -> None:
    body = rb'{"email": "ada@example.com", "password": "abcdefgh\u0000x"}'
    sent = client.post("/v1/auth/signup", content=body, headers={"Content-Type": "application/json"})
    error_of(sent, 400, "malformed_json")


@pytest.mark.parametrize(
    ("new", "code"),
    [
        ("", "too_short"),
        ("1234567", "too_short"),
        ("x" * 257, "too_long"),
        ("Password1", "common_password"),
        (None, "wrong_type"),
        (12345678, "wrong_type"),
    ],
)
def test_a_new_password_obeys_the_rules_of_the_first(client: ApiClient, new: object, code: str) -> None:
    ada = client.sign_up()
    refused = ada.post("/v1/auth/password", json={"current_password": PASSWORD, "new_password": new})
    error = error_of(refused, 422, "validation_failed")
    assert [(one["field"], one["code"]) for one in error["details"]] == [("new_password", code)]
    client.log_in()


def test_a_change_of_password_is_for_the_next_login(client: ApiClient) -> None:
    ada = client.sign_up()
    changed = ada.post("/v1/auth/password", json={"current_password": PASSWORD, "new_password": f" {NEW} "})
    assert changed.status_code == 204
    assert changed.content == b""
    old = client.post("/v1/auth/login", json={"email": "ada@example.com", "password": PASSWORD})
    error_of(old, 401, "invalid_credentials")
    stripped = client.post("/v1/auth/login", json={"email": "ada@example.com", "password": NEW})
    error_of(stripped, 401, "invalid_credentials")
    client.log_in(password=f" {NEW} ")


def test_a_change_of_password_ends_all_other_sessions_and_only_those(client: ApiClient) -> None:
    phone = client.sign_up()
    laptop = client.log_in()
    bob = client.sign_up("bob@example.com")
    for person in (phone, laptop, bob):
        assert person.get("/v1/auth/me").status_code == 200
    body = {"current_password": PASSWORD, "new_password": NEW}
    assert laptop.post("/v1/auth/password", json=body).status_code == 204
    error_of(phone.get("/v1/auth/me"), 401, "unauthenticated")
    refused = client.post("/v1/auth/refresh", json={"refresh_token": phone.refresh_token})
    error_of(refused, 401, "unauthenticated")
    for person in (laptop, bob):
        assert person.get("/v1/auth/me").status_code == 200
        kept = client.post("/v1/auth/refresh", json={"refresh_token": person.refresh_token})
        assert kept.status_code == 200


def test_a_stolen_token_does_not_change_the_password(client: ApiClient) -> None:
    ada = client.sign_up()
    hasher = client.app.state.bank.hasher
    before = hasher.verifications
    body = {"current_password": "a guess", "new_password": NEW}
    error_of(ada.post("/v1/auth/password", json=body), 401, "invalid_credentials")
    assert hasher.verifications == before + 1
    assert ada.get("/v1/auth/me").status_code == 200, "a wrong guess ends nothing"
    client.log_in()


def test_guesses_at_the_current_password_are_counted_with_the_failed_logins(client: ApiClient) -> None:
    ada = client.sign_up()
    bank = client.app.state.bank
    before = bank.hasher.verifications
    body = {"current_password": "a guess", "new_password": NEW}
    for _ in range(bank.settings.login_attempts):
        error_of(ada.post("/v1/auth/password", json=body), 401, "invalid_credentials")
    right = {"current_password": PASSWORD, "new_password": NEW}
    limited = ada.post("/v1/auth/password", json=right)
    error_of(limited, 429, "rate_limited")
    assert 1 <= int(limited.headers["retry-after"]) <= bank.settings.login_window_seconds
    login = {"email": "ada@example.com", "password": PASSWORD}
    error_of(client.post("/v1/auth/login", json=login), 429, "rate_limited")
    assert bank.hasher.verifications == before + bank.settings.login_attempts


def test_a_change_of_password_needs_a_token(client: ApiClient) -> None:
    body = {"current_password": PASSWORD, "new_password": NEW}
    error_of(client.post("/v1/auth/password", json=body), 401, "unauthenticated")
