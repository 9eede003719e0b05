"""Real server processes beside each other on one database."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from app.core.caller import Origin, Role
from app.core.config import Settings
from app.services.auth import create_user
from tests import scratch
from tests.bank import TRANSFERS, Customer, assert_right, count, customer, keyed, rows
from tests.client import ApiClient, outcomes, together
from tests.concurrency import storm
from tests.record import seed
from tests.server import BANK, eventually, serving

KEY = "one-key"
WORKERS = (*BANK, "--workers", "2")


@pytest.fixture(params=["two services", "two workers"])
def web(request: pytest.FixtureRequest, database_url: str, tmp_path: Path) -> Iterator[list[httpx.Client]]:
    """Clients of two processes that serve one PostgreSQL."""
    folders, command = (["one", "two"], BANK) if request.param == "two services" else (["one"], WORKERS)
    with ExitStack() as stack:
        clients = []
        for name in folders:
            folder = tmp_path / name
            folder.mkdir()
            server = stack.enter_context(serving(database_url, folder, command))
            # Before that, a worker may not listen yet.
            eventually(lambda server=server: server.log.count("startup complete") == 2 / len(folders))
            clients.append(stack.enter_context(server.client()))
        yield clients


@scratch.ONLY_POSTGRESQL
def test_a_storm_over_two_processes_leaves_what_the_clients_were_told(
    client: ApiClient, web: list[httpx.Client]
) -> None:
    transfers = storm.gather(client, web)
    transfers.blow(400, seed=1000 + seed())
    transfers.assert_done_once(client)

    ada, bob = transfers.people[:2]
    assert ada.deposit(1000).status_code == 201
    before = ada.balance()
    spots = [ada.at(place) for place in web] * 50
    answers = together(*(lambda spot=spot: spot.pay(bob, 10, KEY) for spot in spots[:50]))
    assert set(outcomes(answers)) <= {201, (409, "idempotency_in_progress")}
    assert len({answer.text for answer in answers if answer.status_code == 201}) == 1
    assert ada.balance() == before - 10

    everything = ada.balance()
    answers = together(*(lambda spot=spot: spot.pay(bob, everything) for spot in spots[:12]))
    assert outcomes(answers) == {201: 1, (409, "insufficient_funds"): 11}
    assert ada.balance() == 0
    assert_right(client.db)


@scratch.ONLY_SQLITE
def test_a_process_that_writes_beside_the_service_is_only_waited_for(
    client: ApiClient, settings: Settings, tmp_path: Path
) -> None:
    written = threading.Event()

    def write_beside() -> int:
        users = 0
        while not written.is_set():
            email = f"user{users}@example.com"
            origin = Origin(None, None)
            client.db.run_write(
                create_user, email=email, password_hash="-", role=Role.CUSTOMER, origin=origin
            )
            users += 1
        return users

    with (
        serving(settings.database_url, tmp_path) as server,
        server.client() as service,
        ThreadPoolExecutor(1) as beside,
    ):
        transfers = storm.gather(client, [service])
        writer = beside.submit(write_beside)
        try:
            transfers.blow(200, seed=2000 + seed())
        finally:
            written.set()
        assert writer.result() > 0
    transfers.assert_done_once(client)
    assert scratch.integrity(settings.sqlite_path) == "ok"


def test_callers_that_hang_up_and_ask_again_have_paid_once(
    client: ApiClient, database_url: str, tmp_path: Path
) -> None:
    ada, bob = customer(client, money=100), customer(client, "bob")
    keys = [f"key-{number}" for number in range(20)]
    with serving(database_url, tmp_path) as server, server.client() as service:
        for key in keys:
            with server.connect() as connection:
                connection.sendall(request(ada, bob, key))
        # Some were gone before their request was read, some before it was answered.
        eventually(lambda: server.log.count('"path": "/v1/transfers"') == len(keys))
        paid = count(client.db, "transfers", "kind = 'transfer'")
        again = [ada.at(service).pay(bob, 1, key) for key in keys]
        assert outcomes(again) == {201: len(keys)}
        assert sum("Idempotent-Replayed" in answer.headers for answer in again) == paid
    assert (ada.balance(), bob.balance()) == (80, 20)
    assert_right(client.db)


@scratch.ONLY_POSTGRESQL
def test_a_posting_that_waits_for_a_lock_outlives_the_caller_who_hangs_up(
    client: ApiClient, settings: Settings, tmp_path: Path
) -> None:
    ada, bob = customer(client, money=100), customer(client, "bob")
    with serving(settings.database_url, tmp_path) as server:
        with (
            scratch.other_writer(settings, f"SELECT 1 FROM accounts WHERE id = '{bob.id}' FOR UPDATE"),
            server.connect() as connection,
        ):
            connection.sendall(request(ada, bob, KEY))
            eventually(lambda: rows(client.db, scratch.WAITING) == [(1,)])
        eventually(lambda: bob.balance() == 1)
        with server.client() as service:
            again = ada.at(service).pay(bob, 1, KEY)
            assert (again.status_code, again.headers["Idempotent-Replayed"]) == (201, "true")
    assert (ada.balance(), bob.balance()) == (99, 1)
    assert_right(client.db)


def request(payer: Customer, payee: Customer, key: str) -> bytes:
    """A payment of 1, as bytes on the wire."""
    body = json.dumps(payer.payment(payee, 1)).encode()
    headers = payer.person.bearer | keyed(key) | {"Content-Type": "application/json", "Host": "bank.test"}
    lines = [f"POST {TRANSFERS} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body
