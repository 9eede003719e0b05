"""What ends a session, and that nothing else does."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from sqlalchemy import text

from app.core import clock, ids
from tests.client import PASSWORD, ApiClient, Person, error_of

ME, REFRESH, SESSIONS = "/v1/auth/me", "/v1/auth/refresh", "/v1/auth/sessions"


def assert_live(*people: Person) -> None:
    for person in people:
        assert person.get(ME).status_code == 200


def assert_dead(*people: Person) -> None:
    for person in people:
        error_of(person.get(ME), 401, "unauthenticated")
        refused = person.client.post(REFRESH, json={"refresh_token": person.refresh_token})
        error_of(refused, 401, "unauthenticated")


def refreshed(person: Person) -> Person:
    answer = person.client.post(REFRESH, json={"refresh_token": person.refresh_token})
    assert answer.status_code == 200, answer.text
    return Person(person.client, answer.json()["access_token"], answer.json()["refresh_token"])


def session_id(person: Person) -> str:
    [current] = [one["id"] for one in person.get(SESSIONS).json()["data"] if one["current"]]
    return str(current)


def deactivate(client: ApiClient) -> None:
    client.db.run_write(lambda session: session.execute(text("UPDATE users SET is_active = false")))


@pytest.fixture
def phone(client: ApiClient) -> Person:
    return client.sign_up()


@pytest.fixture
def laptop(phone: Person) -> Person:
    return phone.client.log_in()


@pytest.fixture
def bob(client: ApiClient) -> Person:
    return client.sign_up("bob@example.com")


def test_a_refresh_gives_the_next_pair_of_the_same_session(phone: Person) -> None:
    before = session_id(phone)
    after = refreshed(phone)
    assert after.refresh_token != phone.refresh_token
    assert session_id(after) == before
    assert_live(phone, after, refreshed(after))


def test_a_used_refresh_token_ends_its_whole_family(phone: Person, laptop: Person, bob: Person) -> None:
    second = refreshed(phone)
    third = refreshed(second)
    assert_live(phone, second, third)
    stolen = phone.client.post(REFRESH, json={"refresh_token": phone.refresh_token})
    error_of(stolen, 401, "unauthenticated")
    assert stolen.headers["www-authenticate"] == "Bearer"
    assert_dead(phone, second, third)
    assert_live(laptop, bob)


def test_the_reuse_of_a_refresh_token_is_in_the_audit_log(phone: Person) -> None:
    refreshed(phone)
    error_of(phone.client.post(REFRESH, json={"refresh_token": phone.refresh_token}), 401, "unauthenticated")
    sql = text("SELECT outcome FROM audit_log WHERE action = 'session.refresh'")
    assert phone.client.db.run_read(lambda session: list(session.scalars(sql))) == ["unauthenticated"]


@pytest.mark.parametrize("token", ["", "rt_", "rt_" + "x" * 43, "null", "é", "x" * 1024])
def test_an_unknown_refresh_token_is_refused(phone: Person, token: str) -> None:
    error_of(phone.client.post(REFRESH, json={"refresh_token": token}), 401, "unauthenticated")
    changed = {"refresh_token": phone.refresh_token.swapcase()}
    error_of(phone.client.post(REFRESH, json=changed), 401, "unauthenticated")
    assert_live(phone)


def test_logging_out_ends_this_session_and_no_other(phone: Person, laptop: Person, bob: Person) -> None:
    assert_live(phone, laptop, bob)
    out = phone.post("/v1/auth/logout")
    assert out.status_code == 204
    assert out.content == b""
    assert_dead(phone)
    assert_live(laptop, bob)
    error_of(phone.post("/v1/auth/logout"), 401, "unauthenticated")


def test_logging_out_with_an_old_access_token_ends_what_was_refreshed(phone: Person) -> None:
    newer = refreshed(phone)
    assert phone.post("/v1/auth/logout").status_code == 204
    assert_dead(phone, newer)


def test_logging_out_everywhere_ends_every_session_of_this_user(
    phone: Person, laptop: Person, bob: Person
) -> None:
    assert_live(phone, laptop, bob)
    assert phone.post("/v1/auth/logout-all").status_code == 204
    assert_dead(phone, laptop)
    assert_live(bob, phone.client.log_in())


def test_a_session_is_ended_by_its_id_from_another(phone: Person, laptop: Person, bob: Person) -> None:
    assert_live(phone, laptop, bob)
    gone = laptop.delete(f"{SESSIONS}/{session_id(phone)}")
    assert gone.status_code == 204
    assert gone.content == b""
    assert_dead(phone)
    assert_live(laptop, bob)


def test_a_session_may_end_itself_by_its_id(phone: Person, laptop: Person) -> None:
    assert phone.delete(f"{SESSIONS}/{session_id(phone)}").status_code == 204
    assert_dead(phone)
    assert_live(laptop)


def test_anothers_session_is_as_unknown_as_one_that_never_was(
    phone: Person, laptop: Person, bob: Person
) -> None:
    ended = session_id(laptop)
    assert laptop.post("/v1/auth/logout").status_code == 204
    strange = [
        session_id(bob),
        ended,
        ids.new_id(ids.SESSION),
        session_id(phone).upper(),
        phone.get(ME).json()["id"],
        "9223372036854775808",
        "-1",
        "%00",
        "%F0%9F%91%8D",
        "x" * 5000,
    ]
    answers = []
    for one in strange:
        error = error_of(phone.delete(f"{SESSIONS}/{one}"), 404, "not_found")
        answers.append(error | {"request_id": None})
    assert all(answer == answers[0] for answer in answers)
    assert_live(bob, phone)


def test_the_list_shows_ones_own_live_sessions_newest_first(
    phone: Person, laptop: Person, bob: Person
) -> None:
    tablet = phone.client.log_in()
    assert laptop.post("/v1/auth/logout").status_code == 204
    listed = phone.get(SESSIONS).json()
    assert [one["id"] for one in listed["data"]] == [session_id(tablet), session_id(phone)]
    assert [one["current"] for one in listed["data"]] == [False, True]
    assert listed["has_more"] is False
    assert all(one["address"] == "192.0.2.1" for one in listed["data"])
    secrets = (phone.refresh_token, phone.access_token, "digest", "hash")
    assert [secret for secret in secrets if secret in phone.get(SESSIONS).text] == []


def test_a_deactivated_user_is_out_by_every_door(phone: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    assert_live(phone)
    deactivate(phone.client)
    login = {"email": "ada@example.com", "password": PASSWORD}
    error_of(phone.client.post("/v1/auth/login", json=login), 401, "invalid_credentials")
    form = {"username": "ada@example.com", "password": PASSWORD}
    error_of(phone.client.post("/v1/auth/token", data=form), 401, "invalid_credentials")
    error_of(phone.client.post(REFRESH, json={"refresh_token": phone.refresh_token}), 401, "unauthenticated")
    # Another process did it, so this one may remember the user for SESSION_CACHE_SECONDS.
    later = clock.monotonic() + phone.client.app.state.bank.settings.session_cache_seconds
    monkeypatch.setattr(clock, "monotonic", lambda: later)
    error_of(phone.get(ME), 401, "unauthenticated")
    body = {"current_password": PASSWORD, "new_password": "a newer long password"}
    error_of(phone.post("/v1/auth/password", json=body), 401, "unauthenticated")


def test_a_session_ends_by_itself_when_it_is_not_refreshed(
    phone: Person, laptop: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, life = (
        datetime.now().astimezone(),
        timedelta(days=phone.client.app.state.bank.settings.session_days),
    )
    monkeypatch.setattr(clock, "now", lambda: start + life / 2)
    kept = refreshed(laptop)
    monkeypatch.setattr(clock, "now", lambda: start + life + timedelta(seconds=1))
    assert_dead(phone)
    kept = refreshed(kept)
    assert len(kept.get(SESSIONS).json()["data"]) == 1


def test_an_action_of_a_session_takes_no_body(phone: Person) -> None:
    for path in ("/v1/auth/logout", "/v1/auth/logout-all"):
        error_of(phone.post(path, json={"user_id": ids.new_id(ids.USER)}), 422, "validation_failed")
    assert_live(phone)
    assert phone.post("/v1/auth/logout", json={}).status_code == 204


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/auth/logout"),
        ("POST", "/v1/auth/logout-all"),
        ("POST", "/v1/auth/password"),
        ("GET", SESSIONS),
        ("DELETE", f"{SESSIONS}/ses_0"),
        ("GET", ME),
    ],
)
def test_nobody_is_nobody_everywhere(client: ApiClient, method: str, path: str) -> None:
    error_of(client.request(method, path), 401, "unauthenticated")


def test_a_session_that_is_ended_many_times_at_once_is_ended_once(phone: Person) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: phone.post("/v1/auth/logout").status_code, range(8)))
    assert set(answers) <= {204, 401}
    sql = text("SELECT count(*) FROM audit_log WHERE action = 'session.end'")
    assert phone.client.db.run_read(lambda session: session.scalar(sql)) == 1
