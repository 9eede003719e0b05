"""How the service uses SQLite."""

import asyncio
import stat
import time
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError

from app.core.config import Settings
from app.db import migrations
from app.db.session import sqlite_driver, sqlite_has_wal_fault
from app.db.unit_of_work import Database
from tests import scratch
from tests.conftest import settings_for

pytestmark = scratch.ONLY_SQLITE


def pragmas(engine: Engine, *names: str) -> list[object]:
    with engine.connect() as connection:
        return [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in names]


def test_the_writer_is_durable_and_checks_foreign_keys(db: Database) -> None:
    names = ("journal_mode", "synchronous", "foreign_keys", "mmap_size", "query_only")
    assert pragmas(db.engines.writer, *names) == ["wal", 2, 1, 0, 0]


def test_only_the_writer_checkpoints(db: Database) -> None:
    assert pragmas(db.engines.writer, "wal_autocheckpoint") != [0]
    names = ("wal_autocheckpoint", "query_only", "foreign_keys", "mmap_size")
    assert pragmas(db.engines.reader, *names) == [0, 1, 1, 0]


def test_what_was_written_is_in_the_file_when_nothing_has_been_written_for_a_while(
    db: Database, settings: Settings, tmp_path: Path
) -> None:
    asyncio.run(db.write(lambda session: session.execute(text("UPDATE users SET role = role"))))
    asyncio.run(db.write(lambda session: session.execute(text("CREATE TABLE kept (x)"))))
    copy = tmp_path / "copy.db"
    for _ in range(200):
        # The file alone, without its log.
        copy.write_bytes(settings.sqlite_path.read_bytes())
        found = sqlite_driver.connect(copy).execute("SELECT 1 FROM sqlite_master WHERE name = 'kept'")
        if found.fetchone():
            return
        time.sleep(0.1)
    pytest.fail("it is still in the log alone")


def test_a_checkpoint_that_fails_is_left_to_the_next_write(db: Database, settings: Settings) -> None:
    settings.sqlite_path.rename(settings.sqlite_path.with_suffix(".away"))
    db.engines.dispose()
    assert db.engines.when_idle is not None
    db.engines.when_idle()
    settings.sqlite_path.with_suffix(".away").rename(settings.sqlite_path)
    assert asyncio.run(db.write(lambda session: 1)) == 1


def test_every_pooled_connection_is_prepared(db: Database) -> None:
    connections = [db.engines.reader.connect() for _ in range(4)]
    found = [one.exec_driver_sql("PRAGMA query_only").scalar() for one in connections]
    for one in connections:
        one.close()
    assert found == [1, 1, 1, 1]


def test_a_row_without_its_parent_is_refused(db: Database) -> None:
    insert = "INSERT INTO refresh_tokens VALUES ('digest', 'ses_none', 1, NULL)"
    for _ in range(2):
        with pytest.raises(IntegrityError, match="FOREIGN KEY"):
            scratch.execute(db, insert)
        db.engines.dispose()


def test_a_write_takes_the_lock_before_it_reads(db: Database, settings: Settings) -> None:
    def work(session: scratch.Session) -> str:
        session.connection()
        connection = sqlite_driver.connect(settings.sqlite_path, timeout=0, isolation_level=None)
        with pytest.raises(sqlite_driver.OperationalError, match="locked"):
            connection.execute("BEGIN IMMEDIATE")
        connection.close()
        return "locked"

    assert db.run_write(work) == "locked"


def test_closing_leaves_one_whole_file(db: Database, settings: Settings) -> None:
    scratch.create(db)
    db.run_write(scratch.add, 1)
    assert scratch.notes(db) == [1]
    assert Path(f"{settings.sqlite_path}-wal").exists()
    db.close()
    assert not Path(f"{settings.sqlite_path}-wal").exists()
    assert scratch.integrity(settings.sqlite_path) == "ok"


def test_nobody_else_can_read_the_files(tmp_path: Path, database_url: str) -> None:
    path = tmp_path / "new" / "bank.db"
    settings = settings_for(f"sqlite:///{path}")
    migrations.upgrade(settings)
    db = Database(settings)
    scratch.create(db)
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    db.close()
    assert modes == {"bank.db": 0o600, "bank.db-wal": 0o600, "bank.db-shm": 0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_path_may_hold_any_character(tmp_path: Path, database_url: str) -> None:
    settings = settings_for(f"sqlite:///{tmp_path}/a b%23c%2541é/bänk.db")
    migrations.upgrade(settings)
    assert (tmp_path / "a b#c%41é" / "bänk.db").exists()


@pytest.mark.parametrize(
    ("version", "faulty"),
    [
        ((3, 40, 1), True),
        ((3, 44, 5), True),
        ((3, 44, 6), False),
        ((3, 45, 0), True),
        ((3, 50, 6), True),
        ((3, 50, 7), False),
        ((3, 51, 2), True),
        ((3, 51, 3), False),
        ((3, 52, 0), False),
        ((4, 0, 0), False),
    ],
)
def test_releases_with_the_wal_fault_are_recognised(
    version: tuple[int, ...], faulty: bool, database_url: str
) -> None:
    assert sqlite_has_wal_fault(version) is faulty


def test_a_command_beside_the_service_never_checkpoints(settings: Settings) -> None:
    beside = Database(settings, beside_service=True)
    assert pragmas(beside.engines.writer, "wal_autocheckpoint") == [0]
    beside.close()
