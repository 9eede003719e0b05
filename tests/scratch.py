"""A table of the tests' own, and real ways to make a database fail."""

import asyncio
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import psycopg
import pytest
from sqlalchemy import ForeignKey, func, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from app.core.config import Settings
from app.core.errors import EmailTaken
from app.db.locks import locked
from app.db.unit_of_work import Database

T = TypeVar("T")

# For what only one of the databases can do.
ONLY_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
ONLY_POSTGRESQL = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


class Base(DeclarativeBase):
    """Not the service's metadata."""


class Note(Base):
    __tablename__ = "notes"

    id: Mapped[int] = mapped_column(primary_key=True)
    count: Mapped[int]


class Reply(Base):
    """Refers to a note, which the database only checks at COMMIT."""

    __tablename__ = "replies"

    id: Mapped[int] = mapped_column(primary_key=True)
    note_id: Mapped[int] = mapped_column(ForeignKey("notes.id", deferrable=True, initially="DEFERRED"))


def create(db: Database) -> None:
    Base.metadata.create_all(db.engines.writer)


def add(session: Session, number: int) -> int:
    session.add(Note(id=number, count=0))
    session.flush()
    return number


def add_orphan(session: Session) -> None:
    """Everything goes well until COMMIT, which fails."""
    session.add(Reply(id=1, note_id=999))


def increment(session: Session, number: int) -> None:
    """Reads, then writes: loses updates wherever the unit of work or the lock lets it."""
    note = session.scalars(locked(select(Note).where(Note.id == number))).one()
    session.execute(text("UPDATE notes SET count = :n WHERE id = :id"), {"n": note.count + 1, "id": number})


def count(session: Session, number: int) -> int:
    return session.scalars(select(Note.count).where(Note.id == number)).one()


def total(session: Session) -> int:
    return session.scalar(select(func.count()).select_from(Note)) or 0


def post(session: Session, numbers: Sequence[int]) -> list[int | EmailTaken]:
    """A batch: negative numbers are refused, 13 is more than it can stand."""
    assert 13 not in numbers, "unlucky"
    session.add_all(Note(id=number, count=len(numbers)) for number in numbers if number >= 0)
    return [number if number >= 0 else EmailTaken() for number in numbers]


def notes(db: Database) -> list[int]:
    """Which notes have been committed."""
    return db.run_read(lambda session: list(session.scalars(select(Note.id).order_by(Note.id))))


def run(work: Callable[[], Awaitable[T]]) -> T:
    """On a loop of its own; a caller who is forgotten does not hang the tests."""

    async def main() -> T:
        return await asyncio.wait_for(work(), 60)

    return asyncio.run(main())


def execute(db: Database, *statements: str) -> None:
    with db.engines.writer.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def fail_on_insert(
    db: Database, action: str, *, times: int = 1000, at_commit: bool = False, table: str = "notes"
) -> None:
    """PostgreSQL: an insert, or the COMMIT after it, fails so many times; `action` is PL/pgSQL."""
    when = "INITIALLY DEFERRED" if at_commit else "INITIALLY IMMEDIATE"
    execute(
        db,
        "CREATE SEQUENCE failures",
        "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF nextval('failures') <= {times} THEN {action}; END IF; RETURN NULL; END $$",
        f"CREATE CONSTRAINT TRIGGER fail AFTER INSERT ON {table} DEFERRABLE {when} "
        "FOR EACH ROW EXECUTE FUNCTION fail()",
    )


# The server ends the connection while it works for it; sleeping gives it the occasion.
CUT = "PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(5)"


def fail_commits_after(db: Database, table: str) -> None:
    """On both databases: whatever inserts into the table cannot be committed."""
    create(db)
    if db.engines.writer.dialect.name == "sqlite":
        execute(
            db,
            f"CREATE TRIGGER fail AFTER INSERT ON {table} "
            "BEGIN INSERT INTO replies (note_id) VALUES (999); END",
        )
    else:
        fail_on_insert(db, "RAISE EXCEPTION 'no'", at_commit=True, table=table)


def succeed_again(db: Database, table: str) -> None:
    """Takes back what `fail_commits_after` or `fail_on_insert` did."""
    is_sqlite = db.engines.writer.dialect.name == "sqlite"
    execute(db, "DROP TRIGGER fail" if is_sqlite else f"DROP TRIGGER fail ON {table}")


@dataclass
class HeldCommit:
    """A COMMIT that has been reached and waits."""

    _reached: threading.Event = field(default_factory=threading.Event)
    _gate: threading.Event = field(default_factory=threading.Event)

    def await_it(self) -> None:
        assert self._reached.wait(30), "nothing was to be committed"

    def release(self) -> None:
        self._gate.set()


@contextmanager
def held_commit(db: Database) -> Iterator[HeldCommit]:
    """The next COMMIT of a write waits until it is released, at the latest by the end of the block."""
    dialect = db.engines.writer.dialect
    held, commit = HeldCommit(), dialect.do_commit

    def wait_and_commit(connection: Any) -> None:
        if not held._reached.is_set():
            held._reached.set()
            held._gate.wait(30)
        commit(connection)

    dialect.do_commit = wait_and_commit  # type: ignore[method-assign]
    try:
        yield held
    finally:
        held.release()
        dialect.do_commit = commit  # type: ignore[method-assign]


def cut_all_connections(settings: Settings) -> None:
    with psycopg.connect(psycopg_url(settings), autocommit=True) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
            "WHERE pid <> pg_backend_pid() AND datname = current_database()"
        )


@contextmanager
def missing(settings: Settings) -> Iterator[None]:
    """The database is not where the settings say."""
    if settings.is_sqlite:
        away = settings.sqlite_path.with_suffix(".away")
        settings.sqlite_path.rename(away)
        yield
        away.rename(settings.sqlite_path)
        return
    name = settings.url.database
    maintenance = make_url(psycopg_url(settings)).set(database="postgres")
    with psycopg.connect(maintenance.render_as_string(hide_password=False), autocommit=True) as admin:
        cut_all_connections(settings)
        admin.execute(f"ALTER DATABASE {name} RENAME TO {name}_away")
        yield
        admin.execute(f"ALTER DATABASE {name}_away RENAME TO {name}")


# PostgreSQL: how many sessions wait for a lock that another one holds.
WAITING = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


def psycopg_url(settings: Settings) -> str:
    return settings.database_url.replace("+psycopg", "")


@contextmanager
def other_writer(settings: Settings, lock: str = "LOCK TABLE notes IN EXCLUSIVE MODE") -> Iterator[None]:
    """Another process holds what a write needs: the SQLite file, or the locked rows."""
    if settings.is_sqlite:
        with _process_with_lock(settings.sqlite_path):
            yield
    else:
        with psycopg.connect(psycopg_url(settings)) as connection:
            connection.execute(lock)
            yield
            connection.rollback()


_HOLD = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
connection.execute("ROLLBACK")
"""


@contextmanager
def _process_with_lock(path: Path) -> Iterator[None]:
    command = [sys.executable, "-c", _HOLD, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield
        process.communicate()


def pragma(connection: Any, name: str) -> Any:
    return connection.exec_driver_sql(f"PRAGMA {name}").scalar()


def integrity(path: Path) -> str:
    with sqlite3.connect(path) as connection:
        answer: str = connection.execute("PRAGMA integrity_check").fetchone()[0]
    connection.close()
    return answer
