"""Connections that say nothing, or never come to an end, and too many of them."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from app.api import protocol
from tests.client import error_of
from tests.server import BANK, eventually, read_all, serving

PATIENCE = 0.3
GET = b"GET / HTTP/1.1\r\nHost: x\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n"


async def slow(scope: Any, receive: Any, send: Any) -> None:
    """Reads later than any client's patience allows for, then answers how much there was."""
    if scope["method"] == "POST":
        await asyncio.sleep(3 * PATIENCE)
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size, more = size + len(message["body"]), message["more_body"]
    answer = str(size).encode()
    headers = [(b"content-length", str(len(answer)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})


def read_answer(connection: socket.socket) -> bytes:
    """One answer of `slow`; the connection stays open."""
    answer = b""
    while not answer.partition(b"\r\n\r\n")[2]:
        more = connection.recv(1)
        assert more, "it was ended"
        answer += more
    return answer


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], socket.socket]]:
    """Opens connections to a server with this protocol and little patience."""
    monkeypatch.setattr(protocol, "_PATIENCE", PATIENCE)
    config = uvicorn.Config(
        slow, port=0, http=protocol.BoundedHttp, loop="asyncio", lifespan="off", log_config=None
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    eventually(lambda: server.started)
    address = server.servers[0].sockets[0].getsockname()
    yield lambda: socket.create_connection(address, timeout=30)
    server.should_exit = True
    thread.join()


def drip(connection: socket.socket, data: bytes) -> None:
    """Sends these bytes one by one, in more time than the server has patience for silence."""
    for number in range(len(data)):
        connection.sendall(data[number : number + 1])
        time.sleep(3 * PATIENCE / len(data))


@pytest.mark.parametrize(
    "begun",
    [b"", b"GET", GET, b"\r\n", POST % 10 + b"\r\n", POST % 10 + b"\r\n12345", GET + b"\r\n" + GET],
    ids=["nothing", "a word", "half a head", "an empty line", "no body", "half a body", "a second half"],
)
def test_a_connection_that_falls_silent_is_ended(connect: Callable[[], socket.socket], begun: bytes) -> None:
    with connect() as connection:
        connection.sendall(begun)
        # It comes to an end, and nothing is answered but what was whole.
        assert read_all(connection).count(b"HTTP/1.1") == begun.count(b"\r\n\r\nGET")


def test_an_empty_line_does_not_keep_an_idle_connection(connect: Callable[[], socket.socket]) -> None:
    with connect() as connection:
        connection.sendall(GET + b"\r\n")
        assert read_answer(connection).startswith(b"HTTP/1.1 200")
        connection.sendall(b"\r\n")
        assert read_all(connection) == b""


def test_a_head_that_drips_is_ended(connect: Callable[[], socket.socket]) -> None:
    def send_for_ever() -> None:
        while True:
            drip(connection, b"a" * 20)

    with connect() as connection:
        connection.sendall(GET + b"X-A: ")
        with pytest.raises(OSError):
            send_for_ever()


def test_a_body_that_comes_slowly_but_steadily_is_read(connect: Callable[[], socket.socket]) -> None:
    with connect() as connection:
        connection.sendall(POST % 20 + b"Connection: close\r\n\r\n")
        drip(connection, b"x" * 20)
        assert read_all(connection).endswith(b"\r\n\r\n20")


@pytest.mark.parametrize("size", [5, 1_000_000], ids=["asks first", "more than is read ahead"])
def test_a_client_that_has_to_wait_for_the_application_is_not_blamed(
    connect: Callable[[], socket.socket], size: int
) -> None:
    with connect() as connection:
        expect = b"Expect: 100-continue\r\n" if size < 10 else b""
        connection.sendall(POST % size + expect + b"Connection: close\r\n\r\n")
        if expect:
            assert b"100 Continue" in connection.recv(100)
        connection.sendall(b"x" * size)
        assert read_all(connection).endswith(str(size).encode())


def test_half_a_head_behind_a_request_that_runs_does_not_end_it(connect: Callable[[], socket.socket]) -> None:
    with connect() as connection:
        connection.sendall(POST % 1 + b"\r\nx")
        # In a packet of its own.
        time.sleep(PATIENCE / 3)
        connection.sendall(GET)
        assert read_answer(connection).startswith(b"HTTP/1.1 200")


def test_an_idle_connection_between_two_requests_is_kept(connect: Callable[[], socket.socket]) -> None:
    with connect() as connection:
        for _ in range(2):
            connection.sendall(GET + b"\r\n")
            assert read_answer(connection).startswith(b"HTTP/1.1 200")
            time.sleep(3 * PATIENCE)


def test_a_connection_may_carry_any_number_of_requests(connect: Callable[[], socket.socket]) -> None:
    request = GET + b"X-Padding: " + b"x" * 8_000 + b"\r\n\r\n"
    with connect() as connection:
        for _ in range(2 * protocol._LONGEST_HEAD // len(request)):
            connection.sendall(request)
            assert read_answer(connection).startswith(b"HTTP/1.1 200")


def test_too_many_connections_are_told_and_far_too_many_closed(sqlite_template: Path, tmp_path: Path) -> None:
    (tmp_path / "bank.db").write_bytes(sqlite_template.read_bytes())
    # 200 files: 72 connections are served, 64 more are answered.
    few_files = ("sh", "-c", 'ulimit -n 200 && exec "$@"', "sh", *BANK)
    with serving(f"sqlite:///{tmp_path / 'bank.db'}", tmp_path, few_files) as server:
        with ExitStack() as held:
            for _ in range(72):
                held.enter_context(server.connect())
            with server.client() as client:
                refused = client.get("/v1/health/live")
            error_of(refused, 503, "overloaded")
            assert refused.headers["connection"] == "close"
            assert refused.headers["retry-after"] == "1"
            for _ in range(64):
                held.enter_context(server.connect())
            answer = b""
            with server.connect() as one_more, suppress(ConnectionError):
                one_more.sendall(GET + b"\r\n")
                answer = read_all(one_more)
            assert answer == b""
        with server.client() as client:
            eventually(lambda: client.get("/v1/health/live").status_code == 200)
        assert '"ERROR"' not in server.log
