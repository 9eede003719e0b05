"""Which addresses sign up, and that no other spelling reaches somebody else's login."""

import pytest

from tests.client import PASSWORD, ApiClient, error_of
from tests.unit.test_text import NO_ADDRESSES

SENDABLE = [address for address in NO_ADDRESSES if "\0" not in address and "\ud800" not in address]


def test_what_is_no_address_does_not_sign_up(client: ApiClient) -> None:
    for address in SENDABLE:
        refused = client.post("/v1/auth/signup", json={"email": address, "password": PASSWORD})
        error = error_of(refused, 422, "invalid_email")
        assert [(one["field"], one["code"]) for one in error["details"]] == [("email", "invalid_email")]


@pytest.mark.parametrize("address", ["a\0@example.com", "\ud800@example.com"])
def test_text_that_is_no_text_is_an_unreadable_body(client: ApiClient, address: str) -> None:
    escaped = address.encode("ascii", "backslashreplace").replace(b"\0", b"\\u0000")
    body = b'{"email": "%s", "password": "a good long password"}' % escaped
    sent = client.post("/v1/auth/signup", content=body, headers={"Content-Type": "application/json"})
    error_of(sent, 400, "malformed_json")


@pytest.mark.parametrize(
    "lookalike",
    [
        "mi\u212ae@x.example.com",
        "m\u0131ke@x.example.com",
        "m\u0456ke@x.example.com",
        "ｍｉｋｅ@x.example.com",
        "mike\u200b@x.example.com",
        " mike@x.example.com",
        "mike@x.example.com.",
    ],
)
def test_a_lookalike_is_never_the_account_it_looks_like(client: ApiClient, lookalike: str) -> None:
    client.sign_up("mike@x.example.com")
    body = {"email": lookalike, "password": PASSWORD}
    error_of(client.post("/v1/auth/signup", json=body), 422, "invalid_email")
    error_of(client.post("/v1/auth/login", json=body), 401, "invalid_credentials")


def test_both_spellings_of_an_international_domain_are_one_address(client: ApiClient) -> None:
    client.sign_up("a@münchen.test")
    body = {"email": "A@xn--mnchen-3ya.test", "password": PASSWORD}
    error_of(client.post("/v1/auth/signup", json=body), 409, "email_taken")
    me = client.log_in("a@xn--mnchen-3ya.test").get("/v1/auth/me").json()
    assert me["email"] == "a@xn--mnchen-3ya.test"


def test_the_longest_name_before_the_at_has_64_characters(client: ApiClient) -> None:
    client.sign_up("x" * 64 + "@x.example.com")
    body = {"email": "x" * 65 + "@x.example.com", "password": PASSWORD}
    error_of(client.post("/v1/auth/signup", json=body), 422, "invalid_email")
