"""The service as real processes, with real sockets."""

import signal
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.client import PASSWORD, error_of
from tests.conftest import postgresql_database
from tests.server import BANK, UVICORN, Server, eventually, read_all, serving

ADA = {"email": "ada@example.com", "password": PASSWORD}
HEAD = b"POST /v1/auth/signup HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
LIVE = b"GET /v1/health/live HTTP/1.1\r\nHost: x\r\n"
SMUGGLED = HEAD + (b'Content-Length: 60\r\n\r\n{"email":"eve@example.com","password":"a good long password"}')


@pytest.fixture(scope="module")
def server(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One service for the tests that only talk to it."""
    folder = tmp_path_factory.mktemp("server")
    (folder / "bank.db").write_bytes(sqlite_template.read_bytes())
    with serving(f"sqlite:///{folder / 'bank.db'}", folder, LOGIN_ATTEMPTS="1000") as running:
        yield running


@contextmanager
def writes_blocked(database_url: str) -> Iterator[None]:
    """Another writer holds what a sign-up needs."""
    if database_url.startswith("sqlite"):
        connection: Any = sqlite3.connect(database_url.removeprefix("sqlite:///"), isolation_level=None)
        connection.execute("BEGIN IMMEDIATE")
    else:
        connection = psycopg.connect(database_url.replace("+psycopg", ""))
        connection.execute("LOCK TABLE users IN SHARE MODE")
    try:
        yield
    finally:
        connection.rollback()
        connection.close()


def begin_sign_up(server: Server) -> socket.socket:
    """A request of which the service has begun to read the body, and all of which is sent."""
    connection = server.connect()
    body = b'{"email":"ada@example.com","password":"a good long password"}'
    connection.sendall(HEAD + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body))
    assert b"100 Continue" in connection.recv(100)
    connection.sendall(body)
    return connection


@pytest.mark.parametrize("command", [BANK, UVICORN], ids=["bank serve", "uvicorn"])
def test_serves_sign_up_and_login(database_url: str, tmp_path: Path, command: tuple[str, ...]) -> None:
    with serving(database_url, tmp_path, command) as server, server.client() as client:
        assert client.post("/v1/auth/signup", json=ADA).status_code == 201
        token = client.post("/v1/auth/login", json=ADA).json()["access_token"]
        me = client.get("/v1/auth/me", headers={"Authorization": f"Bearer {token}"}).json()
        assert me["email"] == ADA["email"]
        assert client.get("/v1/health/ready").status_code == 200


@pytest.mark.parametrize("command", [BANK, UVICORN], ids=["bank serve", "uvicorn"])
def test_each_documented_way_to_serve_is_as_careful(
    sqlite_template: Path, tmp_path: Path, command: tuple[str, ...]
) -> None:
    (tmp_path / "bank.db").write_bytes(sqlite_template.read_bytes())
    url = f"sqlite:///{tmp_path / 'bank.db'}"
    with serving(url, tmp_path, command) as server:
        with server.client() as client:
            answer = client.get("/v1/health/live", headers={"X-Forwarded-For": "203.0.113.9"})
        assert "server" not in answer.headers
        server.await_log('"address": "127.0.0.1"')
        assert "203.0.113.9" not in server.log
        refused(server.send_raw(b"get / HTTP/1.1\r\n\r\n"), 400, "malformed_request")


def test_several_workers_serve_postgresql(postgresql_server: str, tmp_path: Path) -> None:
    with (
        postgresql_database(postgresql_server) as url,
        serving(url, tmp_path, (*BANK, "--workers", "2")) as server,
        server.client() as client,
    ):
        eventually(lambda: server.log.count("Application startup complete") == 2)
        assert client.post("/v1/auth/signup", json=ADA).status_code == 201
        assert client.post("/v1/auth/login", json=ADA).status_code == 200
        server.terminate()
        server.wait(10)


def test_a_request_that_runs_at_sigterm_completes(database_url: str, tmp_path: Path) -> None:
    with serving(database_url, tmp_path) as server, ExitStack() as other_writer:
        other_writer.enter_context(writes_blocked(database_url))
        with begin_sign_up(server) as connection:
            server.terminate()
            server.await_log("Shutting down")
            with pytest.raises(ConnectionRefusedError):
                server.connect()
            other_writer.close()
            assert read_all(connection).startswith(b"HTTP/1.1 201")
        assert server.wait(10) in (0, -signal.SIGTERM)
        assert '"stopped"' in server.log
    with serving(database_url, tmp_path) as server, server.client() as client:
        assert client.post("/v1/auth/login", json=ADA).status_code == 200


@pytest.mark.parametrize("command", [BANK, UVICORN], ids=["bank serve", "uvicorn"])
def test_a_request_that_does_not_end_cannot_hold_the_exit(
    sqlite_template: Path, tmp_path: Path, command: tuple[str, ...]
) -> None:
    (tmp_path / "bank.db").write_bytes(sqlite_template.read_bytes())
    url = f"sqlite:///{tmp_path / 'bank.db'}"
    with (
        serving(url, tmp_path, command, LOCK_TIMEOUT_SECONDS="10") as server,
        writes_blocked(url),
        begin_sign_up(server) as connection,
    ):
        server.terminate()
        refused(read_all(connection), 503, "not_ready")
        assert server.wait(10) in (0, -signal.SIGTERM)
        assert '"path": "/v1/auth/signup", "status": 503' in server.log
    with serving(url, tmp_path) as server, server.client() as client:
        error_of(client.post("/v1/auth/login", json=ADA), 401, "invalid_credentials")


def refused(answer: bytes, status: int, code: str) -> None:
    """Exactly one answer, in the envelope, and the connection was closed (or nothing would be here)."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d" % status), answer
    assert b'"code":"%s"' % code.encode() in body
    assert answer.count(b"HTTP/1.1") == 1
    lines = head.lower()
    assert b"connection: close" in lines
    assert b"x-request-id: req_" in lines
    assert b"x-content-type-options: nosniff" in lines


@pytest.mark.parametrize(
    "request_bytes",
    {
        "length and chunks": HEAD + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "two lengths": HEAD + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\n",
        "the same length twice": HEAD + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
        "a negative length": HEAD + b"Content-Length: -1\r\n\r\n",
        "a signed length": HEAD + b"Content-Length: +2\r\n\r\n{}",
        "an unknown coding": HEAD + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        "chunks inside another coding": HEAD + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        "a negative chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\n-2\r\n{}\r\n0\r\n\r\n",
        "no host": b"GET /v1/health/live HTTP/1.1\r\n\r\n",
        "two hosts": LIVE + b"Host: y\r\n\r\n",
        "bare line feeds": b"GET /v1/health/live HTTP/1.1\nHost: x\n\n",
        "a folded header": LIVE + b"X-A: b\r\n c\r\n\r\n",
        "a space before the colon": b"GET /v1/health/live HTTP/1.1\r\nHost : x\r\n\r\n",
        "NUL in a header": LIVE + b"X-A: b\0c\r\n\r\n",
        "bytes in the path": b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        "a lower-case method": b"get /v1/health/live HTTP/1.1\r\nHost: x\r\n\r\n",
        "CONNECT": b"CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n",
        "TLS": b"\x16\x03\x01\x00\xa5",
    }.items(),
    ids=lambda item: item[0],
)
def test_ambiguous_http_is_refused_and_the_connection_closed(
    server: Server, request_bytes: tuple[str, bytes]
) -> None:
    refused(server.send_raw(request_bytes[1] + SMUGGLED), 400, "malformed_request")
    with server.client() as client:
        # What came behind it had no effect.
        login = client.post("/v1/auth/login", json={"email": "eve@example.com", "password": PASSWORD})
        error_of(login, 401, "invalid_credentials")


def test_pipelined_requests_are_answered_in_order(server: Server) -> None:
    last = LIVE.replace(b"health/live", b"nowhere") + b"Connection: close\r\n\r\n"
    answers = server.send_raw(LIVE + b"\r\n" + last).split(b"HTTP/1.1 ")
    assert [answer[:3] for answer in answers[1:]] == [b"200", b"404"]


@pytest.mark.parametrize("method", ["HEAD", "TRACE", "PUT"])
def test_a_method_that_the_path_does_not_know_is_405(server: Server, method: str) -> None:
    with server.client() as client:
        answer = client.request(method, "/v1/health/live")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET"
    if method != "HEAD":
        error_of(answer, 405, "method_not_allowed")


def test_a_streamed_body_without_a_length_has_an_end(server: Server) -> None:
    with server.connect() as connection:
        connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
        connection.sendall(chunk * 16 + b"1\r\n \r\n")
        refused(read_all(connection), 413, "body_too_large")


def test_a_declared_body_is_refused_before_it_is_sent(server: Server) -> None:
    head = HEAD + b"Expect: 100-continue\r\nContent-Length: 1048577\r\n\r\n"
    refused(server.send_raw(head), 413, "body_too_large")


@pytest.mark.parametrize(
    "start", [LIVE + b"X-A: ", b"GET /", LIVE], ids=["one header", "the path", "many headers"]
)
def test_headers_that_never_end_are_cut_off(server: Server, start: bytes) -> None:
    part = (b"X-B: 1\r\n" if start is LIVE else b"aaaaaaaa") * 8192

    def send_for_ever() -> None:
        while True:
            connection.sendall(part)

    with server.connect() as connection:
        connection.sendall(start)
        # Reset or broken pipe, as the machine likes.
        with pytest.raises(OSError):
            send_for_ever()


@pytest.mark.parametrize(
    "head",
    [
        LIVE + b"Authorization: Bearer " + b"a" * 60_000 + b"\r\n\r\n",
        LIVE + b"Authorization: Bearer a\r\n" * 2000 + b"\r\n",
        b"GET /v1/health/live?" + b"a" * 60_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
    ids=["one large header", "many headers", "the query"],
)
def test_large_headers_are_431(server: Server, head: bytes) -> None:
    refused(server.send_raw(head), 431, "headers_too_large")


def test_a_client_that_hangs_up_leaves_no_error_in_the_log(server: Server) -> None:
    with server.connect() as connection:
        connection.sendall(HEAD + b"Expect: 100-continue\r\nContent-Length: 50\r\n\r\n")
        assert b"100 Continue" in connection.recv(100)
        connection.sendall(b"{")
    server.await_log('"path": "/v1/auth/signup", "status": 0')
    assert "Traceback" not in server.log


def test_the_service_without_its_database_lives_but_is_not_ready(tmp_path: Path) -> None:
    with serving("postgresql://nobody:canary-password@127.0.0.1:9/none", tmp_path) as server:
        with server.client() as client:
            assert client.get("/v1/health/live").status_code == 200
            error = error_of(client.get("/v1/health/ready"), 503, "database_unavailable")
            assert "127.0.0.1" not in str(error)
            answer = client.post("/v1/auth/login", json=ADA)
            error_of(answer, 503, "database_unavailable")
            assert answer.headers["retry-after"]
        assert "canary-password" not in server.log
