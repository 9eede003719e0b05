"""What happens around every request: ids, addresses, hosts, headers, times."""

from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any

import pytest

from app.core.config import Settings
from app.core.ids import is_id
from tests.client import PASSWORD, ApiClient, error_of, running
from tests.conftest import settings_for
from tests.probes import add_probes

ADA = {"email": "ada@example.com", "password": PASSWORD}


@pytest.fixture
def url(tmp_path: Any, sqlite_template: Any) -> str:
    (tmp_path / "bank.db").write_bytes(sqlite_template.read_bytes())
    return f"sqlite:///{tmp_path / 'bank.db'}"


@pytest.fixture
def edge(url: str) -> Iterator[ApiClient]:
    """An application for tests that a database has no part in."""
    with running(settings_for(url)) as client:
        yield add_probes(client)


def call(edge: ApiClient, headers: list[tuple[bytes, bytes]], **scope: Any) -> tuple[int, dict[bytes, bytes]]:
    """One request with exactly these headers, as a server would hand it over; status and headers."""
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    whole = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http",
        "path": "/v1/health/live", "raw_path": b"/v1/health/live", "query_string": b"", "root_path": "",
        "headers": headers, "client": ("192.0.2.1", 1), "server": ("bank.test", 80),
    } | scope  # fmt: skip
    edge.loop.run(edge.app(whole, receive, send))
    return sent[0]["status"], dict(sent[0]["headers"])


HOST = (b"host", b"bank.test")


@pytest.mark.parametrize("given", ["a", "A-1_b.c", "x" * 64, "req_01kb3y8d4ke5v8m2n6p7q9r0st"])
def test_a_clients_request_id_is_kept(edge: ApiClient, given: str) -> None:
    answer = edge.get("/v1/nowhere", headers={"X-Request-Id": given})
    assert answer.headers["x-request-id"] == given
    assert error_of(answer, 404, "not_found")["request_id"] == given


@pytest.mark.parametrize(
    "given", [b"", b"x" * 65, b"a b", b"a\tb", b"a/b", b"a;b", b"\xc3\xa9", b"a\n", b'"a"']
)
def test_another_request_id_is_replaced(edge: ApiClient, given: bytes) -> None:
    _, headers = call(edge, [HOST, (b"x-request-id", given)])
    assert is_id("req", headers[b"x-request-id"].decode())


def test_every_request_without_an_id_gets_one_of_its_own(edge: ApiClient) -> None:
    ids = {edge.get("/v1/health/live").headers["x-request-id"] for _ in range(20)}
    assert len(ids) == 20
    assert all(is_id("req", one) for one in ids)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/health/live", 200),
        ("GET", "/v1/currencies", 200),
        ("GET", "/docs", 200),
        ("GET", "/docs/assets/swagger-ui.css", 200),
        ("GET", "/openapi.json", 200),
        ("GET", "/v1/nowhere", 404),
        ("PUT", "/v1/auth/me", 405),
        ("GET", "/v1/auth/me", 401),
        ("POST", "/v1/auth/login", 422),
        ("GET", "/v1/probe/error/internal_error", 500),
    ],
)
def test_every_answer_carries_the_security_headers(
    edge: ApiClient, method: str, path: str, status: int
) -> None:
    answer = edge.request(method, path)
    assert answer.status_code == status
    for name, value in {
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "referrer-policy": "no-referrer",
        "strict-transport-security": "max-age=31536000; includeSubDomains",
        "cache-control": "no-store",
    }.items():
        assert answer.headers[name] == value
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert "set-cookie" not in answer.headers
    assert "server" not in answer.headers


def test_tokens_are_never_cached(client: ApiClient) -> None:
    client.post("/v1/auth/signup", json=ADA)
    assert client.post("/v1/auth/login", json=ADA).headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("headers", "scope"),
    [
        ([], {}),
        ([HOST, (b"host", b"other.test")], {}),
        ([HOST, (b"content-length", b"4"), (b"transfer-encoding", b"chunked")], {}),
    ],
    ids=["no host", "two hosts", "a length and chunks"],
)
def test_ambiguous_requests_are_refused_and_the_connection_closed(
    edge: ApiClient, headers: list[tuple[bytes, bytes]], scope: dict[str, Any]
) -> None:
    status, answered = call(edge, headers, **scope)
    assert status == 400
    assert answered[b"connection"] == b"close"


def test_http_1_0_needs_no_host(edge: ApiClient) -> None:
    assert call(edge, [], http_version="1.0")[0] == 200


@pytest.mark.parametrize(
    ("headers", "scope"),
    [
        ([(b"authorization", b"Bearer " + b"a" * 33_000)], {}),
        ([(b"authorization", b"Bearer a")] * 2000, {}),
        ([], {"query_string": b"a" * 33_000}),
        ([], {"raw_path": b"/" + b"a" * 33_000}),
    ],
)
def test_headers_have_a_largest_size(
    edge: ApiClient, headers: list[tuple[bytes, bytes]], scope: dict[str, Any]
) -> None:
    assert call(edge, [HOST, *headers], **scope)[0] == 431


@pytest.mark.parametrize(
    ("host", "status"),
    [("bank.test", 200), ("BANK.test:8000", 200), ("[::1]:8000", 200), ("evil.test", 400), ("", 400),
     ("bank.test.evil.test", 400), ("bank.test@evil.test", 400), ("[::2]", 400)],
)  # fmt: skip
def test_only_allowed_hosts_are_answered(url: str, host: str, status: int) -> None:
    with running(settings_for(url, allowed_hosts=["bank.test", "[::1]"])) as edge:
        assert call(edge, [(b"host", host.encode())])[0] == status


PROXIES = "10.0.0.0/8,2001:db8::/32,fe80::1/128"


@pytest.mark.parametrize(
    ("socket", "forwarded", "address"),
    [
        ("192.0.2.1", [], "192.0.2.1"),
        ("192.0.2.1", ["198.51.100.7"], "192.0.2.1"),  # a stranger may write what they like
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.7"], "198.51.100.7"),
        ("10.0.0.1", ["203.0.113.9, 198.51.100.7"], "198.51.100.7"),  # the first one is the client's
        ("10.0.0.1", ["203.0.113.9", "198.51.100.7"], "198.51.100.7"),
        ("10.0.0.1", ["203.0.113.9, 198.51.100.7, 10.9.9.9"], "198.51.100.7"),
        ("10.0.0.1", ["10.1.1.1, 10.2.2.2"], "10.1.1.1"),
        ("10.0.0.1", ["203.0.113.9, unknown"], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.9, "], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.9, 198.51.100.7:1234"], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.7\n"], "198.51.100.7"),
        ("::ffff:10.0.0.1", ["198.51.100.7"], "198.51.100.7"),
        ("2001:db8::1", ["2001:DB8:0::2, ::ffff:198.51.100.7"], "198.51.100.7"),
        ("10.0.0.1", ["x" * 5000], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.9, fe80::1%" + "a" * 100], "10.0.0.1"),
        ("fe80::1%eth0", ["203.0.113.9"], "203.0.113.9"),
        ("fe80::2%eth0", ["203.0.113.9"], "fe80::2"),
    ],
)
def test_the_clients_address_is_the_last_one_that_no_trusted_proxy_has(
    url: str, socket: str, forwarded: list[str], address: str, caplog: pytest.LogCaptureFixture
) -> None:
    headers = [HOST, *((b"x-forwarded-for", value.encode()) for value in forwarded)]
    caplog.set_level("INFO", logger="app.access")
    with running(settings_for(url, trusted_proxies=PROXIES)) as edge:
        call(edge, headers, client=(socket, 1))
    assert [record.address for record in caplog.records if record.name == "app.access"] == [address]  # type: ignore[attr-defined]


def test_an_address_with_an_endless_zone_is_no_reason_to_fail(settings: Settings) -> None:
    trusting = settings.model_copy(update={"trusted_proxies": [ip_network("192.0.2.0/24")]})
    with running(trusting) as client:
        signed_up = client.post(
            "/v1/auth/signup", json=ADA, headers={"X-Forwarded-For": "fe80::1%" + "a" * 100}
        )
        assert signed_up.status_code == 201
        assert client.log_in()


def test_without_trusted_proxies_no_forwarded_address_is_believed(
    edge: ApiClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="app.access")
    call(edge, [HOST, (b"x-forwarded-for", b"203.0.113.9")], client=("10.0.0.1", 1))
    assert [record.address for record in caplog.records if record.name == "app.access"] == ["10.0.0.1"]  # type: ignore[attr-defined]


def test_the_access_log_has_the_route_and_ids_and_no_query(
    client: ApiClient, caplog: pytest.LogCaptureFixture
) -> None:
    ada = client.sign_up()
    session = ada.get("/v1/auth/sessions").json()["data"][0]["id"]
    caplog.set_level("INFO", logger="app.access")
    ada.delete(f"/v1/auth/sessions/{session}?canary=1")
    ada.delete("/v1/auth/sessions/canary")
    ada.get("/canary/1")
    lines = [record.__dict__ for record in caplog.records if record.name == "app.access"]
    assert [(line["method"], line["path"], line["status"]) for line in lines] == [
        ("DELETE", f"/v1/auth/sessions/{session}", 422),
        ("DELETE", "/v1/auth/sessions/*", 404),
        ("GET", "*", 404),
    ]
    assert "canary" not in str(lines)


def test_a_client_that_is_gone_is_no_error(edge: ApiClient, caplog: pytest.LogCaptureFixture) -> None:
    async def receive() -> Any:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        raise AssertionError("nobody listens")

    headers = [HOST, (b"content-type", b"application/json"), (b"content-length", b"9")]
    scope = {
        "type": "http", "http_version": "1.1", "method": "POST", "scheme": "http", "query_string": b"",
        "path": "/v1/auth/login", "headers": headers, "client": ("192.0.2.1", 1), "server": ("bank.test", 80),
    }  # fmt: skip
    edge.loop.run(edge.app(scope, receive, send))
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


@pytest.mark.parametrize("path", ["/v1/auth/signup/", "/v1//auth/signup", "/v1/auth//signup"])
def test_a_path_has_one_spelling_and_no_redirect(client: ApiClient, path: str) -> None:
    error_of(client.post(path, json=ADA, headers={"X-Forwarded-Proto": "https"}), 404, "not_found")
    error_of(client.post("/v1/auth/login", json=ADA), 401, "invalid_credentials")


def test_a_cookie_is_no_login(client: ApiClient) -> None:
    token = client.sign_up().access_token
    cookie = f"access_token={token}; session={token}; Authorization=Bearer {token}"
    error_of(client.get("/v1/auth/me", headers={"Cookie": cookie}), 401, "unauthenticated")


def test_a_time_reads_the_same_when_it_is_read_again(client: ApiClient) -> None:
    created = client.post("/v1/auth/signup", json=ADA).json()["created_at"]
    ada = client.log_in()
    assert [ada.get("/v1/auth/me").json()["created_at"] for _ in range(2)] == [created, created]
    assert created.endswith("Z")
    assert len(created) == len("2026-02-01T09:30:00.000000Z")


def test_public_ids_are_no_numbers(client: ApiClient) -> None:
    users = [
        client.post("/v1/auth/signup", json=ADA | {"email": f"{n}@b.test"}).json()["id"] for n in range(3)
    ]
    assert all(is_id("usr", one) for one in users)


def test_thousands_of_ranges_of_a_file_are_the_whole_file_once(edge: ApiClient) -> None:
    whole = edge.get("/docs/assets/favicon.png").content
    ranges = ",".join(["0-1"] * 5000)
    answer = edge.get("/docs/assets/favicon.png", headers={"Range": f"bytes={ranges}"})
    assert answer.status_code == 200
    assert answer.content == whole
