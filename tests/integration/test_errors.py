"""Every refusal in the one envelope, telling nothing that was submitted and nothing of the inside."""

import json
import logging
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.core import errors
from tests.client import PASSWORD, ApiClient, error_of, running
from tests.conftest import settings_for
from tests.probes import add_probes, admin_of

JSON = {"Content-Type": "application/json"}
CANARY = "Canary-Pw-93"
SECRETS = [CANARY, "4111111111111111", "4111-1111-1111-1111", "rt_" + "Zz09" * 10]


@pytest.fixture(scope="module")
def edge(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiClient]:
    """One application for the tests that a database has no part in."""
    path = shutil.copy(sqlite_template, tmp_path_factory.mktemp("edge") / "bank.db")
    with running(settings_for(f"sqlite:///{path}", login_attempts=1000)) as client:
        yield add_probes(client)


@pytest.mark.parametrize("error", list(errors.catalogue()), ids=lambda error: error.code)
def test_every_error_of_the_catalogue_is_rendered_by_the_one_handler(
    edge: ApiClient, error: type[errors.BankingError]
) -> None:
    told = error_of(edge.get(f"/v1/probe/error/{error.code}"), error.status, error.code)
    assert told["message"] == error.message
    assert told["details"] == []


@pytest.mark.parametrize(
    "path",
    ["/", "/v1", "/v2/auth/me", "/v1/auth/me/", "/v1//auth/me", "/v1/auth/ME", "/v1/health/live/x", "/redoc",
     "/docs/assets/nothing.js", "/docs/assets/%2e%2e/%2e%2e/main.py", "/.env"],
)  # fmt: skip
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_unknown_path_is_not_found_and_never_a_redirect(edge: ApiClient, method: str, path: str) -> None:
    answer = edge.request(method, path)
    if (method, path[:12]) == ("POST", "/docs/assets"):
        error_of(answer, 405, "method_not_allowed")
    else:
        error_of(answer, 404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", "/v1/auth/login", "POST"),
        ("PUT", "/v1/auth/login", "POST"),
        ("OPTIONS", "/v1/auth/me", "GET"),
        ("TRACE", "/v1/auth/me", "GET"),
        ("POST", "/v1/auth/sessions", "GET"),
        ("GET", "/v1/auth/sessions/x", "DELETE"),
        ("POST", "/docs", "GET"),
        ("POST", "/docs/assets/swagger-ui.css", "GET, HEAD"),
    ],
)
def test_a_wrong_method_is_told_which_are_right(edge: ApiClient, method: str, path: str, allow: str) -> None:
    answer = edge.send(httpx.Request(method, f"http://bank.test{path}"))
    error_of(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == allow


def test_allow_names_the_methods_of_all_routes_of_a_path(edge: ApiClient) -> None:
    edge.app.add_api_route("/v1/probe/act", lambda: None, methods=["DELETE", "PATCH"])
    assert edge.put("/v1/probe/act").headers["allow"] == "DELETE, PATCH, POST"


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/octet-stream",
        "text/plain",
        "text/json",
        "image/png",
        "application/jsonp",
        "application/json; charset=utf-16",
        "application/json; charset=latin-1",
        "application/json, text/plain",
        "application/problem+json",
        'application/json; "' + ";" * 31_000,
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_body_of_another_media_type_is_415(edge: ApiClient, content_type: str | None) -> None:
    headers = {} if content_type is None else {"Content-Type": content_type}
    body = b'{"email": "a@b.test", "password": "x"}'
    error_of(edge.post("/v1/auth/login", content=body, headers=headers), 415, "unsupported_media_type")


def test_two_media_types_are_415(edge: ApiClient) -> None:
    headers = [("Content-Type", "application/json"), ("Content-Type", "application/json")]
    error_of(edge.post("/v1/auth/login", content=b"{}", headers=headers), 415, "unsupported_media_type")


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "Application/JSON",
        "application/json; charset=UTF-8",
        'application/json;charset="utf8"',
    ],
)
def test_json_in_utf_8_is_read_however_it_is_spelt(client: ApiClient, content_type: str) -> None:
    body = json.dumps({"email": "ada@example.com", "password": PASSWORD})
    answer = client.post("/v1/auth/signup", content=body, headers={"Content-Type": content_type})
    assert answer.status_code == 201


def test_a_form_is_read_only_where_a_form_is_documented(edge: ApiClient) -> None:
    answer = edge.post("/v1/auth/token", json={"username": "a", "password": "b"})
    error_of(answer, 415, "unsupported_media_type")


@pytest.mark.parametrize("size", [1024 * 1024 + 1, 10 * 1024 * 1024])
def test_a_large_body_is_413(edge: ApiClient, size: int) -> None:
    answer = edge.post("/v1/auth/login", content=b" " * size, headers=JSON)
    error_of(answer, 413, "body_too_large")
    assert answer.headers["connection"] == "close"


def test_a_body_of_a_mebibyte_is_read(client: ApiClient) -> None:
    body = b'{"email": "a@b.test", "password": "x"}'
    answer = client.post("/v1/auth/login", content=body.ljust(1024 * 1024), headers=JSON)
    error_of(answer, 401, "invalid_credentials")


@pytest.mark.parametrize(
    "body",
    [b"{", b"NaN", b'{"email": 1e400}', b'{"email": NaN}', rb'{"email": "\ud800"}', b'{"email": "\xff"}',
     b'{"a": 1, "a": 2}', b"[" * 100_000, b'{"a":' * 1000, b"9" * 5000, b"\xef\xbb\xbf{}", b"//c\n{}", b" "],
    ids=lambda body: str(body[:20]),
)  # fmt: skip
def test_a_body_that_is_not_our_json_is_400(edge: ApiClient, body: bytes) -> None:
    error_of(edge.post("/v1/auth/login", content=body, headers=JSON), 400, "malformed_json")


@pytest.mark.parametrize("body", [b"null", b"[]", b'"x"', b"1", b"true", b"{}", b""])
def test_json_that_is_not_the_object_is_422(edge: ApiClient, body: bytes) -> None:
    error_of(edge.post("/v1/auth/login", content=body, headers=JSON), 422, "validation_failed")


@pytest.mark.parametrize("body", [b"", b"{}", b" {} "])
def test_an_action_takes_no_body_or_an_empty_object(edge: ApiClient, body: bytes) -> None:
    assert edge.post("/v1/probe/act", content=body, headers=JSON).status_code == 204


@pytest.mark.parametrize("body", [b"[]", b"null", b"0", b"false", b'""', b'{"a": 1}', b"[{}]"])
def test_an_action_refuses_every_other_body(edge: ApiClient, body: bytes) -> None:
    answer = edge.post("/v1/probe/act", content=body, headers=JSON)
    error_of(answer, 422, "validation_failed")


@pytest.mark.parametrize("kind", ["python", "sql", "recursion"])
def test_what_goes_wrong_inside_is_500_with_nothing_but_an_id_that_is_in_the_log(
    client: ApiClient, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    answer = add_probes(client).post(f"/v1/probe/crash/{kind}", json={"amount": 1, "name": CANARY})
    error = error_of(answer, 500, "internal_error")
    for inside in ("canary", "select", "traceback", "zerodivision", "recursion", ".py"):
        assert inside not in answer.text.lower()
    (record,) = [one for one in caplog.records if one.message == "unexpected error"]
    assert record.exc_info
    assert record.request_id == error["request_id"]  # type: ignore[attr-defined]
    # What a statement was given stays out of the log as well.
    assert CANARY not in caplog.text


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/auth/signup", {"email": "@", "password": PASSWORD}),
        ("/v1/auth/signup", {"email": "ada.b.test", "password": ["@"]}),
        ("/v1/auth/signup", {"email": "ada.b.test", "password": PASSWORD, "@": 1}),
        ("/v1/auth/login", {"email": {"@": "@"}, "password": "@"}),
        ("/v1/auth/login", {"email": "@", "password": "@"}),
        ("/v1/auth/refresh", {"refresh_token": "@", "extra": "@"}),
        ("/v1/auth/login?password=@", {"email": "a", "password": "b"}),
        ("/v1/auth/login?@=1", {"email": "a", "password": "b"}),
        ("/v1/@", {}),
        ("/v1/auth/sessions/@", {}),
    ],
)
def test_nothing_that_was_submitted_is_in_the_answer_or_the_log(
    client: ApiClient, path: str, body: dict[str, Any], secret: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="app")
    filled = json.loads(json.dumps(body).replace("@", secret))
    headers = {"Authorization": f"Bearer {secret}", "X-Other": secret, "Cookie": f"token={secret}"}
    answer = client.post(path.replace("@", secret), json=filled, headers=headers)
    assert answer.status_code in (401, 404, 405, 422)
    assert secret not in answer.text + str(answer.headers)
    logged = [record.__dict__ for record in caplog.records if record.name.startswith("app")]
    assert logged
    assert secret not in str(logged)


def test_an_unreadable_body_is_not_repeated(edge: ApiClient) -> None:
    body = b'{"password": "%s", "a": NaN}' % CANARY.encode()
    assert CANARY not in edge.post("/v1/auth/login", content=body, headers=JSON).text


@pytest.mark.parametrize(
    "path_id",
    ["0", "1", "-1", "9223372036854775808", "9" * 5000, "NaN", "undefined", "null", "me", "%zz",
     "%F0%9F%98%80", "1'--", "%00", "a%00b", "%ff", "00000000-0000-0000-0000-000000000000", "ses_" + "z" * 26,
     "a" * 10_000],
    ids=lambda value: value[:20],
)  # fmt: skip
def test_an_id_that_is_none_is_not_found(client: ApiClient, path_id: str) -> None:
    answer = client.sign_up().delete(f"/v1/auth/sessions/{path_id}")
    error_of(answer, 404, "not_found")


def test_a_body_that_is_wrong_everywhere_has_a_short_answer(edge: ApiClient) -> None:
    body = {f"a{number}": None for number in range(60_000)}
    answer = edge.post("/v1/auth/login", json=body)
    assert len(error_of(answer, 422, "validation_failed")["details"]) == 100


def test_query_parameters_that_are_unknown_or_repeated_are_named(client: ApiClient) -> None:
    ada = client.sign_up()
    error = error_of(ada.get("/v1/auth/sessions?limit=1&limit=2&nothing=1"), 422, "validation_failed")
    assert [(one["field"], one["code"]) for one in error["details"]] == [
        ("limit", "invalid"),
        ("nothing", "unknown_field"),
    ]
    error_of(ada.get("/v1/auth/me?x="), 422, "validation_failed")


def test_a_stream_without_a_declared_length_has_the_same_end(edge: ApiClient) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(17):
            yield b" " * 65536

    async def post() -> httpx.Response:
        transport = httpx.ASGITransport(edge.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://bank.test") as direct:
            return await direct.post("/v1/auth/login", content=chunks(), headers=JSON)

    error_of(edge.loop.run(post()), 413, "body_too_large")


def test_a_customer_is_refused_what_is_for_other_roles(client: ApiClient) -> None:
    add_probes(client)
    things, headers = "/v1/probe/things/1", {"Idempotency-Key": "k"}
    body = {"json": {"amount": 1}, "headers": headers}
    error_of(client.sign_up().post(things, **body), 403, "forbidden")
    error_of(admin_of(client).post(things, **body), 404, "not_found")
