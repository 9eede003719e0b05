"""How long a process may believe in a session that another process has ended."""

import asyncio
from typing import Any

import pytest

from app.api import identity
from app.api.identity import Identities
from app.core import clock
from app.core.caller import Origin, Role
from app.core.config import Settings
from app.services import auth
from app.services.auth import Identity
from tests.client import PASSWORD, ApiClient, Person, error_of, running

ME = "/v1/auth/me"
ADA = Identity("usr_1", Role.CUSTOMER)
OPERATOR = Identity("usr_2", Role.OPERATOR)


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The monotonic clock of this test; it moves when the test says so."""
    now = [1000.0]
    monkeypatch.setattr(clock, "monotonic", lambda: now[0])
    return now


def elsewhere(client: ApiClient, person: Person) -> None:
    """Another process logs this person out."""
    with running(client.app.state.bank.settings) as other:
        assert other.post("/v1/auth/logout", headers=person.bearer).status_code == 204


def member_of_staff(client: ApiClient) -> Person:
    client.db.run_write(
        auth.create_user,
        email="olga@example.com",
        password_hash=client.app.state.bank.hasher.hash_now(PASSWORD),
        role=Role.OPERATOR,
        origin=Origin(None, None),
    )
    return client.log_in("olga@example.com")


def test_a_customers_session_is_believed_for_the_documented_seconds_and_no_longer(
    client: ApiClient, seconds: list[float]
) -> None:
    ada = client.sign_up()
    assert ada.get(ME).status_code == 200
    elsewhere(client, ada)
    seconds[0] += client.app.state.bank.settings.session_cache_seconds - 0.01
    assert ada.get(ME).status_code == 200, "cached"
    seconds[0] += 0.01
    error_of(ada.get(ME), 401, "unauthenticated")


def test_a_refresh_is_never_answered_from_the_cache(client: ApiClient) -> None:
    ada = client.sign_up()
    assert ada.get(ME).status_code == 200
    elsewhere(client, ada)
    refused = client.post("/v1/auth/refresh", json={"refresh_token": ada.refresh_token})
    error_of(refused, 401, "unauthenticated")


def test_staff_are_never_cached(client: ApiClient, seconds: list[float]) -> None:
    olga = member_of_staff(client)
    assert olga.get(ME).json()["role"] == "operator"
    elsewhere(client, olga)
    error_of(olga.get(ME), 401, "unauthenticated")


def test_without_a_cache_every_request_asks_the_database(settings: Settings) -> None:
    with running(settings.model_copy(update={"session_cache_seconds": 0.0})) as client:
        ada = client.sign_up()
        assert ada.get(ME).status_code == 200
        elsewhere(client, ada)
        error_of(ada.get(ME), 401, "unauthenticated")


class SlowDatabase:
    """Answers a look-up when the test lets it, with what was true when it was asked."""

    def __init__(self, found: Identity | None = ADA) -> None:
        self.found = found
        self.asked = 0
        self.release = asyncio.Event()

    async def read(self, _: Any, *, session_id: str) -> Identity | None:
        self.asked += 1
        found = self.found
        await self.release.wait()
        return found


def cache(database: SlowDatabase) -> Identities:
    return Identities(database, 2.0)  # type: ignore[arg-type]


def test_a_read_under_way_does_not_bring_an_ended_session_back() -> None:
    async def scene() -> None:
        database = SlowDatabase()
        identities = cache(database)
        question = asyncio.create_task(identities.of("ses_1"))
        await asyncio.sleep(0)
        identities.forget(["ses_1"])
        database.release.set()
        await question
        assert await identities.of("ses_1") is None
        assert database.asked == 1, "what has ended need not be asked for again"

    asyncio.run(scene())


def test_a_slow_answer_is_as_old_as_its_question(seconds: list[float]) -> None:
    async def scene() -> None:
        database = SlowDatabase()
        identities = cache(database)
        question = asyncio.create_task(identities.of("ses_1"))
        await asyncio.sleep(0)
        database.found = None
        seconds[0] += 2.0
        database.release.set()
        assert await question == ADA
        assert await identities.of("ses_1") is None

    asyncio.run(scene())


@pytest.mark.parametrize(("found", "questions"), [(ADA, 1), (OPERATOR, 2), (None, 2)])
def test_only_a_customers_live_session_is_remembered(
    seconds: list[float], found: Identity | None, questions: int
) -> None:
    async def scene() -> None:
        database = SlowDatabase(found)
        database.release.set()
        identities = cache(database)
        assert [await identities.of("ses_1") for _ in range(2)] == [found, found]
        assert database.asked == questions

    asyncio.run(scene())


def test_the_cache_has_an_end(seconds: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene() -> None:
        database = SlowDatabase()
        database.release.set()
        identities = cache(database)
        for number in range(30):
            await identities.of(f"ses_{number}")
        identities.forget([f"ses_ended_{number}" for number in range(30)])
        assert len(identities._cache) == 10

    monkeypatch.setattr(identity, "_MOST_SESSIONS", 10)
    asyncio.run(scene())
