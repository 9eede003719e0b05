import asyncio
import os
import signal
from collections.abc import Iterator
from types import FrameType

import httpx
import pytest

from app import __version__
from app.core.config import Settings
from app.db.session import create_sqlite_file
from app.main import create_app
from tests import scratch
from tests.client import PASSWORD, ApiClient, error_of, running
from tests.conftest import settings_for


def test_a_healthy_service_says_what_it_is(client: ApiClient) -> None:
    assert client.get("/v1/health").json() == {
        "status": "ok",
        "service": "banking-service",
        "version": __version__,
        "database": "ok",
    }
    assert client.get("/v1/health/live").json() == {"status": "ok"}
    assert client.get("/v1/health/ready").json() == {"status": "ok"}


def test_without_its_database_the_service_lives_but_is_not_ready_until_it_is_back(
    client: ApiClient, settings: Settings
) -> None:
    with scratch.missing(settings):
        assert client.get("/v1/health/live").status_code == 200
        for path in ("/v1/health", "/v1/health/ready"):
            answer = client.get(path)
            error_of(answer, 503, "database_unavailable")
            assert answer.headers["retry-after"]
            assert str(settings.url.database) not in answer.text
    assert client.get("/v1/health/ready").status_code == 200


def test_nobody_listens_where_the_database_should_be() -> None:
    with running(settings_for("postgresql://nobody:secret@127.0.0.1:9/none")) as client:
        assert client.get("/v1/health/live").status_code == 200
        error_of(client.get("/v1/health/ready"), 503, "database_unavailable")


def test_an_unmigrated_database_answers_but_the_service_is_not_ready(empty_database_url: str) -> None:
    settings = settings_for(empty_database_url)
    if settings.is_sqlite:
        settings.sqlite_path.parent.mkdir()
        settings.sqlite_path.touch()
    with running(settings) as client:
        assert client.get("/v1/health/live").status_code == 200
        assert client.get("/v1/health").status_code == 200
        error_of(client.get("/v1/health/ready"), 503, "not_ready")


@pytest.fixture
def signals() -> Iterator[list[int]]:
    """SIGTERM reaches a handler of the test's, as a server's does in production."""
    received: list[int] = []

    def handle(number: int, frame: FrameType | None) -> None:
        received.append(number)

    before = signal.signal(signal.SIGTERM, handle)
    yield received
    signal.signal(signal.SIGTERM, before)


def test_from_sigterm_on_the_service_is_not_ready_and_the_server_is_told(
    settings: Settings, signals: list[int]
) -> None:
    async def main() -> list[int]:
        app = create_app(settings)
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://bank.test") as client,
        ):
            before = await client.get("/v1/health/ready")
            os.kill(os.getpid(), signal.SIGTERM)
            after = await client.get("/v1/health/ready")
            error_of(after, 503, "not_ready")
            live = await client.get("/v1/health/live")
            return [before.status_code, live.status_code]

    assert asyncio.run(main()) == [200, 200]
    assert signals == [signal.SIGTERM]


@pytest.mark.parametrize("path", ["/v1/health", "/v1/health/live", "/v1/health/ready"])
def test_health_takes_no_parameters(client: ApiClient, path: str) -> None:
    error_of(client.get(f"{path}?verbose=1"), 422, "validation_failed")


def test_before_its_migration_the_service_answers_that_it_is_not_ready(empty_database_url: str) -> None:
    settings = settings_for(empty_database_url)
    if settings.is_sqlite:
        create_sqlite_file(settings.sqlite_path)
    with running(settings) as client:
        assert client.get("/v1/health").status_code == 200
        error_of(client.get("/v1/health/ready"), 503, "not_ready")
        login = {"email": "ada@example.com", "password": PASSWORD}
        error_of(client.post("/v1/auth/signup", json=login), 503, "not_ready")
        error_of(client.post("/v1/auth/login", json=login), 503, "not_ready")
