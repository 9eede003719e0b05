"""How slowly a password can be guessed."""

from collections.abc import Iterator

import pytest
from sqlalchemy import text

from app.core import clock, errors
from tests.client import PASSWORD, ApiClient, error_of, running
from tests.conftest import settings_for

ATTEMPTS, SECONDS = 5, 60
LOG_IN = "/v1/auth/login"
RIGHT = {"email": "ada@example.com", "password": PASSWORD}
WRONG = {"email": "ada@example.com", "password": "not this one"}


@pytest.fixture
def client(database_url: str) -> Iterator[ApiClient]:
    limits = {"login_attempts": ATTEMPTS, "login_window_seconds": SECONDS}
    with running(settings_for(database_url, **limits)) as api:
        api.sign_up()
        yield api


def fail(client: ApiClient, times: int, **change: str) -> None:
    for _ in range(times):
        error_of(client.post(LOG_IN, json=WRONG | change), 401, "invalid_credentials")


def pass_seconds(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    start = clock.monotonic()
    monkeypatch.setattr(clock, "monotonic", lambda: start + seconds)


def test_thirty_wrong_passwords_are_five_checks_and_then_a_wait(client: ApiClient) -> None:
    hasher = client.app.state.bank.hasher
    before = hasher.verifications
    answers = [client.post(LOG_IN, json=WRONG) for _ in range(30)]
    for answer in answers[:ATTEMPTS]:
        error_of(answer, 401, "invalid_credentials")
    for answer in answers[ATTEMPTS:]:
        error_of(answer, 429, "rate_limited")
        assert 1 <= int(answer.headers["retry-after"]) <= SECONDS
    assert hasher.verifications == before + ATTEMPTS


def test_the_right_password_waits_too_and_works_after_the_window(
    client: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail(client, ATTEMPTS)
    limited = client.post(LOG_IN, json=RIGHT)
    error_of(limited, 429, "rate_limited")
    pass_seconds(monkeypatch, int(limited.headers["retry-after"]))
    client.log_in()


def test_the_owner_logs_in_from_another_address(client: ApiClient) -> None:
    fail(client, ATTEMPTS)
    error_of(client.post(LOG_IN, json=RIGHT), 429, "rate_limited")
    client.at("192.0.2.2").log_in()
    error_of(client.post(LOG_IN, json=RIGHT), 429, "rate_limited")


def test_another_account_is_not_slowed_at_the_same_address(client: ApiClient) -> None:
    fail(client, ATTEMPTS)
    client.sign_up("bob@example.com")


def test_other_spellings_of_an_address_are_the_same_account(client: ApiClient) -> None:
    fail(client, ATTEMPTS - 1, email="ADA@EXAMPLE.COM")
    fail(client, 1, email="Ada@example.com")
    error_of(client.post(LOG_IN, json=RIGHT), 429, "rate_limited")


def test_both_ways_to_log_in_count_together(client: ApiClient) -> None:
    fail(client, ATTEMPTS - 1)
    form = {"username": "ada@example.com", "password": "not this one"}
    error_of(client.post("/v1/auth/token", data=form), 401, "invalid_credentials")
    error_of(client.post("/v1/auth/token", data=form | {"password": PASSWORD}), 429, "rate_limited")


@pytest.mark.parametrize("email", ["nobody@example.com", "no address"])
def test_an_unknown_address_is_slowed_like_a_known_one(client: ApiClient, email: str) -> None:
    fail(client, ATTEMPTS, email=email)
    error_of(client.post(LOG_IN, json=WRONG | {"email": email}), 429, "rate_limited")


def test_the_right_password_of_a_deactivated_user_is_slowed_like_a_wrong_one(client: ApiClient) -> None:
    client.db.run_write(lambda session: session.execute(text("UPDATE users SET is_active = false")))
    fail(client, ATTEMPTS, password=PASSWORD)
    error_of(client.post(LOG_IN, json=RIGHT), 429, "rate_limited")


def test_a_success_forgives_the_failures_before_it(client: ApiClient) -> None:
    fail(client, ATTEMPTS - 1)
    client.log_in()
    fail(client, ATTEMPTS - 1)
    client.log_in()


def test_a_forwarded_address_of_a_stranger_is_not_believed(client: ApiClient) -> None:
    for number in range(ATTEMPTS):
        forged = {"X-Forwarded-For": f"198.51.100.{number}"}
        error_of(client.post(LOG_IN, json=WRONG, headers=forged), 401, "invalid_credentials")
    error_of(
        client.post(LOG_IN, json=RIGHT, headers={"X-Forwarded-For": "198.51.100.99"}), 429, "rate_limited"
    )


def test_what_the_service_was_too_busy_to_check_is_no_failure(
    client: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    hasher = client.app.state.bank.hasher
    monkeypatch.setattr(hasher, "_waiting", 10_000)
    for _ in range(ATTEMPTS + 1):
        busy = client.post(LOG_IN, json=RIGHT)
        error_of(busy, 503, errors.Overloaded.code)
        assert busy.headers["retry-after"] == "1"
    monkeypatch.setattr(hasher, "_waiting", 0)
    client.log_in()


def test_signing_up_is_no_way_around_the_wait(client: ApiClient) -> None:
    fail(client, ATTEMPTS)
    error_of(client.post("/v1/auth/signup", json=RIGHT), 409, "email_taken")
    error_of(client.post(LOG_IN, json=RIGHT), 429, "rate_limited")


def test_an_ipv6_subscriber_does_not_get_more_tries_by_changing_the_address(client: ApiClient) -> None:
    fail(client.at("2001:db8::1"), ATTEMPTS)
    error_of(client.at("2001:db8::2").post(LOG_IN, json=RIGHT), 429, "rate_limited")
    assert client.at("2001:db8:0:1::1").post(LOG_IN, json=RIGHT).status_code == 200


def test_a_fault_of_ours_locks_nobody_out(client: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object) -> bool:
        raise RuntimeError("a fault")

    with monkeypatch.context() as patch:
        patch.setattr(client.app.state.bank.hasher, "verify", fail)
        for _ in range(ATTEMPTS + 1):
            error_of(client.post(LOG_IN, json=RIGHT), 500, "internal_error")
    assert client.post(LOG_IN, json=RIGHT).status_code == 200


def test_a_wrong_password_is_in_the_audit_log_and_the_address_that_was_tried_is_not(
    client: ApiClient,
) -> None:
    fail(client, 1)
    fail(client, 1, email="a password, typed here")
    sql = text(
        "SELECT actor, outcome, address, reason FROM audit_log WHERE action = 'session.create' ORDER BY id"
    )
    rows = [tuple(row) for row in client.db.run_read(lambda session: list(session.execute(sql)))]
    ada = client.at("192.0.2.9").log_in().get("/v1/auth/me").json()["id"]
    assert rows[-2:] == [
        (ada, "invalid_credentials", "192.0.2.1", None),
        ("anybody", "invalid_credentials", "192.0.2.1", None),
    ]
    assert client.post(LOG_IN, json=RIGHT).status_code == 200


def test_a_wrong_current_password_is_in_the_audit_log(client: ApiClient) -> None:
    change = {"current_password": "not this one", "new_password": "another long one"}
    error_of(client.log_in().post("/v1/auth/password", json=change), 401, "invalid_credentials")
    sql = text(
        "SELECT count(*) FROM audit_log WHERE action = 'user.password' AND outcome = 'invalid_credentials'"
    )
    assert client.db.run_read(lambda session: session.scalar(sql)) == 1
