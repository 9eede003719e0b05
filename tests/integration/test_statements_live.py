"""Long statements from a running service: as they are sent, as they are read, and broken off."""

import contextlib
import json
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bank import TRANSFERS, Customer, customer, keyed
from tests.client import BankClient
from tests.server import Server, serving

ENTRIES = 3000


@pytest.fixture
def server(database_url: str, tmp_path: Path) -> Iterator[Server]:
    with serving(database_url, tmp_path) as running:
        yield running


@pytest.fixture
def ada(server: Server) -> Iterator[Customer]:
    """A customer with a statement of a megabyte."""
    with server.client() as client:
        yield _with_entries(client)


def _with_entries(client: BankClient) -> Customer:
    made, other = customer(client, money=ENTRIES), customer(client, "bob")
    for _ in range(ENTRIES // 1000):
        body = {"atomic": True, "transfers": [made.payment(other, 1)] * 1000}
        assert made.person.post(f"{TRANSFERS}/bulk", json=body, headers=keyed()).status_code == 200
    return made


def ask(server: Server, ada: Customer, format_: str = "json") -> socket.socket:
    connection = server.connect()
    token = ada.person.bearer["Authorization"]
    connection.sendall(
        f"GET /v1/statements/{ada.id}?format={format_} HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: {token}\r\nConnection: close\r\n\r\n".encode()
    )
    return connection


def test_a_long_statement_arrives_whole(server: Server, ada: Customer) -> None:
    answer = ada.person.get(f"/v1/statements/{ada.id}")
    assert answer.headers["Transfer-Encoding"] == "chunked"
    told = json.loads(answer.content)
    assert (told["count"], len(told["entries"]), told["closing_balance"]) == (ENTRIES + 1, ENTRIES + 1, 0)
    assert [one["balance_after"] for one in told["entries"]] == list(range(ENTRIES, -1, -1))


def test_clients_that_read_slowly_hold_nothing_that_others_need(server: Server, ada: Customer) -> None:
    slow = [ask(server, ada) for _ in range(12)]
    for connection in slow:
        assert connection.recv(10).startswith(b"HTTP/1.1 2")
    # More of them than there are threads and connections that read.
    began = time.monotonic()
    assert ada.balance() == 0
    assert ada.person.get(f"/v1/statements/{ada.id}?format=csv").status_code == 200
    assert time.monotonic() - began < 10
    for connection in slow:
        connection.close()


def test_clients_that_go_away_in_the_middle_leave_nothing_behind(server: Server, ada: Customer) -> None:
    def go(format_: str) -> None:
        with contextlib.closing(ask(server, ada, format_)) as connection:
            connection.recv(1000)

    threads = [threading.Thread(target=go, args=(one,)) for one in ("json", "pdf", "csv", "camt.053") * 5]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ada.person.get(f"/v1/statements/{ada.id}?format=pdf").status_code == 200
    assert "Traceback" not in server.log
    server.terminate()
    assert server.wait(15) == -signal.SIGTERM
