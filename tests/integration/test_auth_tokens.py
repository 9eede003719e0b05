"""What an Authorization header may be: the one refusal for everything else, before anything is read."""

from datetime import datetime, timedelta

import httpx
import pytest

from app.core import clock, ids
from app.core.config import Settings
from tests.client import ApiClient, Person, error_of, running
from tests.conftest import settings_for
from tests.tokens import claims, encoded, header, signed

ME, REFRESH = "/v1/auth/me", "/v1/auth/refresh"


def me(client: ApiClient, *values: str) -> httpx.Response:
    return client.get(ME, headers=[("Authorization", value) for value in values])


def ids_of(person: Person) -> dict[str, str]:
    """The claims that name this person and their session."""
    session = person.get("/v1/auth/sessions").json()["data"][0]["id"]
    return {"sub": person.get(ME).json()["id"], "sid": session}


def test_a_missing_token_is_a_challenge(client: ApiClient) -> None:
    refused = client.get(ME)
    error_of(refused, 401, "unauthenticated")
    assert refused.headers["www-authenticate"] == "Bearer"


def test_every_bad_authorization_gets_the_same_refusal(client: ApiClient) -> None:
    ada = client.sign_up()
    named = ids_of(ada)
    assert me(client, f"Bearer {signed(header(), claims(**named))}").status_code == 200
    head, payload, signature = ada.access_token.split(".")
    bad = [
        "",
        "Bearer",
        "Bearer ",
        "bearer x",
        "Bearer a.b.c",
        "Bearer null",
        "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.",
        f"Bearer {'x' * 20_000}",
        f"Basic {ada.access_token}",
        f"Token {ada.access_token}",
        ada.access_token,
        f"Bearer{ada.access_token}",
        f"Bearer  {ada.access_token}",
        f"Bearer\t{ada.access_token}",
        f"Bearer {ada.access_token}, Bearer {ada.access_token}",
        f"Bearer {ada.access_token} x",
        f'Bearer "{ada.access_token}"',
        f"Bearer {head}.{payload}.",
        f"Bearer {head}.{payload}.{signature[:-4]}",
        f"Bearer {encoded({'alg': 'none', 'typ': 'JWT'})}.{payload}.",
        f"Bearer {encoded({'alg': 'dir', 'enc': 'A128CBC-HS256', 'zip': 'DEF'})}..AAAA.AAAA.AAAA",
        f"Bearer {ada.refresh_token}",
        *(
            f"Bearer {signed(head, claims(**named))}"
            for head in (
                header(alg="none"),
                header(crit=["x"]),
                header(jku="http://192.0.2.9/"),
                header(kid="x"),
            )
        ),
        *(
            f"Bearer {signed(header(), claims(**named | change))}"
            for change in (
                {"exp": ...},
                {"exp": 1},
                {"exp": None},
                {"exp": "9999999999"},
                {"iat": 4_000_000_000},
                {"nbf": 4_000_000_000},
                {"aud": "another-service"},
                {"iss": "another-service"},
                {"sub": ...},
                {"sub": "None"},
                {"sub": None},
                {"sub": 1},
                {"sub": ids.new_id(ids.USER)},
                {"sid": ids.new_id(ids.SESSION)},
                {"sid": "None"},
            )
        ),
        f"Bearer {signed(header(), claims(**named), 'another secret of 32 characters!!')}",
        f"Bearer {signed(header(alg='HS384'), claims(**named), algorithm='HS384')}",
    ]
    seen = set()
    for value in bad:
        refused = me(client, value)
        error = error_of(refused, 401, "unauthenticated")
        seen.add((error["message"], str(error["details"]), refused.headers["www-authenticate"]))
    assert len(seen) == 1


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR"])
def test_the_case_of_the_scheme_does_not_matter(client: ApiClient, scheme: str) -> None:
    assert me(client, f"{scheme} {client.sign_up().access_token}").status_code == 200


def test_two_authorization_headers_are_refused_also_when_both_are_valid(client: ApiClient) -> None:
    token = f"Bearer {client.sign_up().access_token}"
    error_of(me(client, token, token), 401, "unauthenticated")
    error_of(me(client, token, "Bearer x"), 401, "unauthenticated")


def test_headers_that_are_not_ascii_are_refused(client: ApiClient) -> None:
    value = f"Bearer {client.sign_up().access_token}".encode() + b"\xe9\xff"
    error_of(client.get(ME, headers=[(b"Authorization", value)]), 401, "unauthenticated")


@pytest.mark.parametrize(
    "values", [["Bearer " + "x" * 60_000], ["Bearer " + "x" * 1_000_000], ["Bearer x"] * 1000 * 4]
)
def test_giant_headers_are_refused_before_they_are_looked_at(client: ApiClient, values: list[str]) -> None:
    error_of(me(client, *values), 431, "headers_too_large")


def test_the_token_of_another_users_session_is_nobody(client: ApiClient) -> None:
    ada, bob = client.sign_up(), client.sign_up("bob@example.com")
    mixed = {"sub": ids_of(ada)["sub"], "sid": ids_of(bob)["sid"]}
    error_of(me(client, f"Bearer {signed(header(), claims(**mixed))}"), 401, "unauthenticated")


def test_access_and_refresh_tokens_do_not_stand_for_each_other(client: ApiClient) -> None:
    ada = client.sign_up()
    error_of(me(client, f"Bearer {ada.refresh_token}"), 401, "unauthenticated")
    swapped = client.post(REFRESH, json={"refresh_token": ada.access_token})
    error_of(swapped, 401, "unauthenticated")
    assert ada.get(ME).status_code == 200, "and the session lives on"


def test_a_stranger_learns_nothing_about_a_body(client: ApiClient) -> None:
    for content in (b"{", b"{}", b'{"new_password": 1}'):
        json = {"Content-Type": "application/json"}
        error_of(client.post("/v1/auth/password", content=content, headers=json), 401, "unauthenticated")


def test_a_clock_that_steps_back_a_little_logs_nobody_out(
    client: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = client.sign_up()
    start = datetime.now().astimezone()
    for seconds, status in ((-5, 200), (-120, 401), (3600, 401), (0, 200)):
        monkeypatch.setattr(clock, "now", lambda seconds=seconds: start + timedelta(seconds=seconds))
        assert ada.get(ME).status_code == status
    monkeypatch.setattr(clock, "now", lambda: start + timedelta(hours=1))
    assert client.post(REFRESH, json={"refresh_token": ada.refresh_token}).status_code == 200


def test_a_rotation_of_the_secret_logs_nobody_out(settings: Settings) -> None:
    new = "the second secret of these tests!"
    with running(settings) as client:
        ada = client.sign_up()
    rotated = settings_for(
        settings.database_url, jwt_secret=new, jwt_previous_secrets=[settings.jwt_secret.get_secret_value()]
    )
    with running(rotated) as client:
        assert me(client, f"Bearer {ada.access_token}").status_code == 200
        renewed = client.post(REFRESH, json={"refresh_token": ada.refresh_token}).json()
    with running(settings_for(settings.database_url, jwt_secret=new)) as client:
        error_of(me(client, f"Bearer {ada.access_token}"), 401, "unauthenticated")
        assert me(client, f"Bearer {renewed['access_token']}").status_code == 200
