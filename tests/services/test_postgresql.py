"""How the service uses PostgreSQL."""

import pytest
from sqlalchemy import Engine, event
from sqlalchemy.orm import Session

from app.core.config import Settings
from app.db import migrations
from app.db.unit_of_work import Database
from tests import scratch
from tests.client import running
from tests.conftest import settings_for

pytestmark = scratch.ONLY_POSTGRESQL


def show(engine: Engine, *names: str) -> list[object]:
    with engine.connect() as connection:
        return [connection.exec_driver_sql(f"SHOW {name}").scalar() for name in names]


def test_waits_are_bounded_and_times_are_utc(settings: Settings) -> None:
    db = Database(settings.model_copy(update={"lock_timeout_seconds": 0.25}))
    names = ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout", "TimeZone")
    for engine in (db.engines.writer, db.engines.reader):
        assert show(engine, *names) == ["250ms", "30s", "30s", "UTC"]
    db.close()


def test_reads_are_read_only_snapshots_and_writes_are_not(db: Database) -> None:
    names = ("transaction_read_only", "transaction_isolation")
    assert show(db.engines.reader, *names) == ["on", "repeatable read"]
    assert show(db.engines.writer, *names) == ["off", "read committed"]


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_spelling_of_the_url_connects(database_url: str, scheme: str) -> None:
    settings = settings_for(database_url.replace("postgresql", scheme, 1))
    db = Database(settings)
    assert db.run_read(migrations.is_at_head)
    assert db.run_write(driver) == "psycopg"
    db.close()


def driver(session: Session) -> str:
    return session.get_bind().dialect.driver


def test_no_statement_of_sqlite_is_sent(settings: Settings) -> None:
    statements: list[str] = []
    with running(settings) as client:
        for engine in (client.db.engines.writer, client.db.engines.reader):
            event.listen(engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
        client.sign_up()
        assert client.get("/v1/health/ready").status_code == 200
    assert statements
    assert not [one for one in statements if "PRAGMA" in one.upper() or "IMMEDIATE" in one.upper()]


def test_connections_do_not_exceed_the_settings(settings: Settings) -> None:
    db = Database(settings.model_copy(update={"write_workers": 2, "write_queue": 100}))
    scratch.create(db)

    async def many() -> None:
        await scratch.asyncio.gather(*(db.write(scratch.add, number) for number in range(50)))

    scratch.run(many)
    pool = db.engines.writer.pool
    assert pool.status().startswith("Pool size: 2  Connections in pool: 2")
    assert scratch.notes(db) == list(range(50))
    db.close()
