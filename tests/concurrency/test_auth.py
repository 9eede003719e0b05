"""Logins and sessions when many come at the same instant."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from sqlalchemy import text

from tests.client import PASSWORD, ApiClient, Person, outcomes, running, together
from tests.conftest import settings_for

ME, LOG_IN, REFRESH, SIGN_UP = "/v1/auth/me", "/v1/auth/login", "/v1/auth/refresh", "/v1/auth/signup"
NEW = "a newer long password"
RIGHT = {"email": "ada@example.com", "password": PASSWORD}


def session_dies(person: Person) -> None:
    assert person.get(ME).status_code == 401
    refreshed = person.client.post(REFRESH, json={"refresh_token": person.refresh_token})
    assert refreshed.status_code == 401


def refresh(client: ApiClient, token: str) -> httpx.Response:
    return client.post(REFRESH, json={"refresh_token": token})


def live_sessions(client: ApiClient) -> int:
    sql = text("SELECT count(*) FROM sessions WHERE ended_at IS NULL")
    return client.db.run_read(lambda session: session.scalar(sql)) or 0


def test_of_eight_sign_ups_with_one_address_one_succeeds(client: ApiClient) -> None:
    spellings = ["ada@example.com", "ADA@example.com", "Ada@Example.com", "adA@EXAMPLE.COM"] * 2
    bodies = [{"email": email, "password": PASSWORD} for email in spellings]
    answers = together(*(lambda body=body: client.post(SIGN_UP, json=body) for body in bodies))
    assert outcomes(answers) == {201: 1, (409, "email_taken"): 7}
    assert client.log_in().get(ME).status_code == 200


def test_of_parallel_refreshes_with_one_token_exactly_one_succeeds(client: ApiClient) -> None:
    ada, bob = client.sign_up(), client.sign_up("bob@example.com")
    answers = together(*[lambda: refresh(client, ada.refresh_token)] * 8)
    assert outcomes(answers) == {200: 1, (401, "unauthenticated"): 7}
    [winner] = [answer.json() for answer in answers if answer.status_code == 200]
    session_dies(ada)
    session_dies(Person(client, winner["access_token"], winner["refresh_token"]))
    assert refresh(client, bob.refresh_token).status_code == 200


def test_of_parallel_refreshes_at_two_workers_exactly_one_succeeds(client: ApiClient) -> None:
    ada = client.sign_up()
    with running(client.app.state.bank.settings) as other:
        places = [client, other] * 4
        answers = together(*(lambda place=place: refresh(place, ada.refresh_token) for place in places))
    assert outcomes(answers) == {200: 1, (401, "unauthenticated"): 7}
    assert live_sessions(client) == 0


@pytest.fixture
def five_attempts(database_url: str) -> Iterator[ApiClient]:
    with running(settings_for(database_url, login_attempts=5)) as api:
        api.sign_up()
        yield api


def test_parallel_wrong_passwords_do_not_pass_the_limit_together(five_attempts: ApiClient) -> None:
    hasher = five_attempts.app.state.bank.hasher
    before = hasher.verifications
    wrong = RIGHT | {"password": "not this one"}
    answers = together(*[lambda: five_attempts.post(LOG_IN, json=wrong)] * 50)
    assert outcomes(answers) == {(401, "invalid_credentials"): 5, (429, "rate_limited"): 45}
    assert outcomes([five_attempts.post(LOG_IN, json=RIGHT)]) == {(429, "rate_limited"): 1}
    assert hasher.verifications == before + 5
    assert five_attempts.at("192.0.2.2").post(LOG_IN, json=RIGHT).status_code == 200


def test_parallel_guesses_at_the_current_password_do_not_pass_it_either(five_attempts: ApiClient) -> None:
    ada = five_attempts.log_in()
    hasher = five_attempts.app.state.bank.hasher
    before = hasher.verifications
    guess = {"current_password": "a guess", "new_password": NEW}
    answers = together(*[lambda: ada.post("/v1/auth/password", json=guess)] * 20)
    assert outcomes(answers) == {(401, "invalid_credentials"): 5, (429, "rate_limited"): 15}
    assert hasher.verifications == before + 5


def test_twenty_users_at_once_never_see_each_other(client: ApiClient) -> None:
    people = {
        f"user{number}@example.com": client.sign_up(f"user{number}@example.com") for number in range(20)
    }
    sessions = {email: one.get("/v1/auth/sessions").json()["data"][0]["id"] for email, one in people.items()}

    def look(email: str) -> tuple[str, str, str]:
        me = people[email].get(ME)
        listed = people[email].get("/v1/auth/sessions")
        assert (me.status_code, listed.status_code) == (200, 200)
        [session] = listed.json()["data"]
        return email, me.json()["email"], session["id"]

    with ThreadPoolExecutor(32) as pool:
        for asked, seen, session in pool.map(look, list(people) * 30):
            assert seen == asked
            assert session == sessions[asked]


@pytest.mark.parametrize("path", ["/v1/auth/logout", "/v1/auth/logout-all"])
def test_no_session_survives_a_logout_that_races_refreshes(client: ApiClient, path: str) -> None:
    client.sign_up()
    for _ in range(5):
        ada = client.log_in()
        raced = together(
            lambda ada=ada: ada.post(path),
            lambda ada=ada: refresh(client, ada.refresh_token),
        )
        assert raced[0].status_code == 204
        assert raced[1].status_code in {200, 401}
        session_dies(ada)
        if raced[1].status_code == 200:
            pair = raced[1].json()
            session_dies(Person(client, pair["access_token"], pair["refresh_token"]))


def test_no_login_with_the_old_password_survives_its_change(client: ApiClient) -> None:
    client.sign_up()
    old, new = PASSWORD, NEW
    for _ in range(4):
        ada = client.log_in(password=old)
        body = {"current_password": old, "new_password": new}
        login = {"email": "ada@example.com", "password": old}
        raced = together(
            lambda ada=ada, body=body: ada.post("/v1/auth/password", json=body),
            *[lambda login=login: client.post(LOG_IN, json=login)] * 4,
        )
        assert raced[0].status_code == 204
        assert set(outcomes(raced[1:])) <= {200, (401, "invalid_credentials")}
        for answer in raced[1:]:
            if answer.status_code == 200:
                session_dies(Person(client, answer.json()["access_token"], answer.json()["refresh_token"]))
        assert ada.get(ME).status_code == 200
        assert live_sessions(client) == 1, "the one that made the change"
        client.log_in(password=new)
        ada.post("/v1/auth/logout-all")
        old, new = new, old


def test_no_other_session_survives_a_change_of_password_that_races_its_refresh(client: ApiClient) -> None:
    client.sign_up()
    old, new = PASSWORD, NEW
    for _ in range(4):
        ada, other = client.log_in(password=old), client.log_in(password=old)
        body = {"current_password": old, "new_password": new}
        raced = together(
            lambda ada=ada, body=body: ada.post("/v1/auth/password", json=body),
            lambda other=other: refresh(client, other.refresh_token),
        )
        assert raced[0].status_code == 204
        assert raced[1].status_code in {200, 401}
        session_dies(other)
        if raced[1].status_code == 200:
            pair = raced[1].json()
            session_dies(Person(client, pair["access_token"], pair["refresh_token"]))
        assert ada.get(ME).status_code == 200
        ada.post("/v1/auth/logout-all")
        old, new = new, old


def test_of_parallel_changes_of_one_password_exactly_one_wins(client: ApiClient) -> None:
    client.sign_up()
    people = [client.log_in() for _ in range(4)]
    bodies = [{"current_password": PASSWORD, "new_password": f"{NEW} {number}"} for number in range(4)]
    answers = together(
        *(
            lambda one=one, body=body: one.post("/v1/auth/password", json=body)
            for one, body in zip(people, bodies, strict=True)
        )
    )
    statuses = [answer.status_code for answer in answers]
    assert sorted(statuses) == [204, 401, 401, 401]
    winner = statuses.index(204)
    assert [one.get(ME).status_code for one in people] == [200 if at == winner else 401 for at in range(4)]
    client.log_in(password=f"{NEW} {winner}")


def test_parallel_logouts_of_everything_end_everything_and_fail_nobody(client: ApiClient) -> None:
    client.sign_up()
    people = [client.log_in() for _ in range(6)]
    answers = together(*(lambda one=one: one.post("/v1/auth/logout-all") for one in people))
    assert set(outcomes(answers)) <= {204, (401, "unauthenticated")}
    assert live_sessions(client) == 0
    for one in people:
        session_dies(one)
