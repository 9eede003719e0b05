"""A database that freezes: it keeps its connections and never answers. Nobody waits for it for ever."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from app.core.config import Settings
from app.db import unit_of_work
from tests.bank import Customer, assert_right, customer
from tests.client import PASSWORD, ApiClient, error_of, running
from tests.frozen import Relay, relayed
from tests.scratch import ONLY_POSTGRESQL, psycopg_url
from tests.server import eventually

pytestmark = ONLY_POSTGRESQL


@pytest.fixture
def relay(settings: Settings) -> Iterator[Relay]:
    with relayed(settings) as way:
        yield way


@pytest.fixture
def client(relay: Relay, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiClient]:
    """A service with one reader, one writer and little patience."""
    monkeypatch.setattr(unit_of_work, "_LONGEST_WAIT", 0.4)
    monkeypatch.setattr(unit_of_work, "_LONGEST_WORK", 0.5)
    narrow = {
        "database_url": relay.url,
        "lock_timeout_seconds": 0.4,
        "read_workers": 1,
        "write_workers": 1,
        "session_cache_seconds": 60,
    }
    with running(settings.model_copy(update=narrow)) as api:
        yield api
        relay.thaw()


@pytest.fixture
def ada(client: ApiClient) -> Customer:
    return customer(client, money=1000)


def test_a_frozen_database_is_503_for_every_way_and_the_service_recovers_by_itself(
    client: ApiClient, relay: Relay, ada: Customer
) -> None:
    grace = customer(client, "grace")
    new = {"email": "new@example.com", "password": PASSWORD}
    relay.freeze()
    ways = [
        lambda: ada.person.get(f"/v1/accounts/{ada.id}/balance"),
        lambda: client.post("/v1/auth/signup", json=new),
        # More than there are threads: some never begin.
        *[lambda: ada.pay(grace, 100, key="once")] * 3,
        lambda: ada.person.get("/v1/accounts"),
    ]
    with ThreadPoolExecutor(len(ways)) as pool:
        for answer in [call.result() for call in [pool.submit(way) for way in ways]]:
            error_of(answer, 503, "database_unavailable")
            assert answer.headers["Retry-After"] == "1"
    # Whoever comes while all threads are stuck is answered, too.
    error_of(ada.pay(grace, 100, key="once"), 503, "database_unavailable")
    relay.thaw()
    # What was begun may be committed or not; the key finds out.
    eventually(lambda: ada.pay(grace, 100, key="once").status_code == 201)
    assert (ada.balance(), grace.balance()) == (900, 100)
    assert client.get("/v1/health/ready").status_code == 200
    assert_right(client.db)


def test_a_write_that_had_not_begun_never_happens(
    client: ApiClient, relay: Relay, settings: Settings, ada: Customer
) -> None:
    relay.freeze()
    error_of(ada.deposit(1, key="begun"), 503, "database_unavailable")
    late = client.post("/v1/auth/signup", json={"email": "late@example.com", "password": PASSWORD})
    error_of(late, 503, "database_unavailable")
    relay.thaw()
    eventually(lambda: ada.deposit(1, key="begun").status_code == 201)
    assert ada.balance() == 1001
    with psycopg.connect(psycopg_url(settings)) as other:
        users = other.execute("SELECT email FROM users ORDER BY email").fetchall()
    assert users == [("ada@example.com",)]


def test_a_connection_to_a_server_that_is_gone_ends_by_itself(client: ApiClient) -> None:
    raw = client.db.engines.writer.raw_connection()
    given = raw.driver_connection.info.get_parameters()  # type: ignore[union-attr]
    raw.close()
    assert {name: value for name, value in given.items() if name.startswith(("keep", "tcp"))} == {
        "keepalives_idle": "5",
        "keepalives_interval": "2",
        "keepalives_count": "3",
        "tcp_user_timeout": "10000",
    }
