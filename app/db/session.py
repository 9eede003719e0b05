"""Engines: how this service connects to SQLite or PostgreSQL, and with which guarantees.

Two engines for one database: a writer and a reader that cannot write. Everything that differs
between the databases on the way in is here; what differs in SQL is in `app/db/statements.py`.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from psycopg.pq import TransactionStatus
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import Connection, ExceptionContext
from sqlalchemy.exc import DisconnectionError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry, PoolResetState, QueuePool

from app.core.config import Settings
from app.core.files import create_private_file

try:
    # A wheel that carries a current SQLite, where there is one for this platform.
    import pysqlite3.dbapi2 as _sqlite
except ImportError:
    import sqlite3 as _sqlite

sqlite_driver = _sqlite

# SQLite from 3.7.0 on can corrupt a WAL database when two connections write or checkpoint at the
# same instant; these are the first releases of each line without the fault.
_FIXED_SQLITE: Final = ((3, 44, 6), (3, 50, 7), (3, 51, 3))
_SQLITE_READONLY: Final = 8
_EVERY_CONNECTION: Final = (
    "foreign_keys = ON",
    "mmap_size = 0",
    # What INSERT OR REPLACE replaces is deleted, and the triggers against deletion are asked.
    "recursive_triggers = ON",
)
# A commit is on the disk when it returns.
# The log grows to 16 MiB before its pages go into the file, on the thread that writes.
_WRITER: Final = ("journal_mode = WAL", "synchronous = FULL", "wal_autocheckpoint = 4000")
_NO_CHECKPOINTS: Final = "wal_autocheckpoint = 0"
_CONNECT_SECONDS: Final = 3
_STATEMENT_SECONDS: Final = 30
# A server whose machine is gone says nothing: its connections end when probes (after 5 s of silence)
# or what was sent stay unanswered. libpq ignores these on a Unix socket.
_LOST_SERVER: Final = {
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}


def sqlite_has_wal_fault(version: tuple[int, ...]) -> bool:
    """Whether this SQLite release has the WAL fault described above."""
    for fixed in _FIXED_SQLITE:
        if version[:2] == fixed[:2]:
            return version < fixed
    return version < _FIXED_SQLITE[-1]


@dataclass(frozen=True, slots=True)
class Engines:
    """The writer commits; the reader's sessions cannot."""

    writer: Engine
    reader: Engine
    # SQLite takes one writer at a time; more threads would only queue inside SQLite.
    writers: int
    # For a writing thread that has nothing to do.
    when_idle: Callable[[], None] | None = None

    def dispose(self) -> None:
        # The reader first: the last connection to close checkpoints the WAL, and only the writer may.
        self.reader.dispose()
        self.writer.dispose()


def open_engines(settings: Settings, *, for_service: bool = True) -> Engines:
    """Engines for the configured database. Connects to nothing yet.

    Commands beside the service never checkpoint on SQLite (see _FIXED_SQLITE), and on PostgreSQL their
    statements may take as long as the ledger is large.
    """
    if settings.is_sqlite:
        return _sqlite_engines(settings, checkpoints=for_service)
    return _postgresql_engines(settings, _STATEMENT_SECONDS if for_service else 0)


def _sqlite_engines(settings: Settings, *, checkpoints: bool) -> Engines:
    path = settings.sqlite_path
    wait = settings.lock_timeout_seconds
    writer = _WRITER if checkpoints else (*_WRITER, _NO_CHECKPOINTS)
    reader = (_NO_CHECKPOINTS, "query_only = ON")
    writing = _sqlite_engine(path, wait, begin="BEGIN IMMEDIATE", pool_size=1, pragmas=writer)
    engines = Engines(
        writer=writing,
        reader=_sqlite_engine(path, wait, begin="BEGIN", pool_size=settings.read_workers, pragmas=reader),
        writers=1,
        when_idle=partial(_checkpoint, writing) if checkpoints else None,
    )
    _open_again_when_read_only(engines)
    return engines


def _checkpoint(writer: Engine) -> None:
    """Brings what the log has into the file, so that the next batch need not. Where that fails, it does."""
    with suppress(SQLAlchemyError, sqlite_driver.Error):
        connection = writer.raw_connection()
        try:
            connection.cursor().execute("PRAGMA wal_checkpoint(PASSIVE)")
        finally:
            connection.close()


def _open_again_when_read_only(engines: Engines) -> None:
    """Closes every connection when a write is refused because the file is read-only.

    A file that could not be written when it was opened stays so for the whole process, also for new
    connections, until its last connection is closed.
    """

    @event.listens_for(engines.writer, "handle_error")
    def _close(context: ExceptionContext) -> None:
        code = getattr(context.original_exception, "sqlite_errorcode", 0)
        if code & 0xFF == _SQLITE_READONLY:
            engines.dispose()


def _sqlite_engine(path: Path, wait: float, *, begin: str, pool_size: int, pragmas: Sequence[str]) -> Engine:
    engine = create_engine(
        "sqlite://",
        module=sqlite_driver,
        creator=_sqlite_creator(path, wait, (*_EVERY_CONNECTION, *pragmas)),
        poolclass=QueuePool,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=wait,
        # An error that is logged says nothing of the values.
        hide_parameters=True,
    )

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # The driver's own transactions start late and lose updates; this one starts here.
        connection.exec_driver_sql(begin)

    @event.listens_for(engine, "connect")
    def _begin_life(_: Any, record: ConnectionPoolEntry) -> None:
        record.info["pool"] = engine.pool

    @event.listens_for(engine, "checkin")
    def _end(connection: Any, record: ConnectionPoolEntry) -> None:
        # SQLite leaves a transaction open whose COMMIT failed, and keeps its lock; closing ends both.
        # A pool that has been disposed of meanwhile does not live on in what was in use.
        disposed = record.info.get("pool") is not engine.pool
        if connection is not None and (disposed or connection.in_transaction):
            record.invalidate()

    _follow_file(engine, path)
    return engine


def _follow_file(engine: Engine, path: Path) -> None:
    """Drops a connection whose file has been deleted or replaced; its writes would be lost."""

    @event.listens_for(engine, "connect")
    def _remember(_: Any, record: ConnectionPoolEntry) -> None:
        record.info["file"] = _file_id(path)

    @event.listens_for(engine, "checkout")
    def _compare(_: Any, record: ConnectionPoolEntry, __: Any) -> None:
        if record.info["file"] != _file_id(path):
            raise DisconnectionError("the database file is another one")


def _file_id(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _sqlite_creator(path: Path, wait: float, pragmas: Sequence[str]) -> Callable[[], Any]:
    def connect() -> Any:
        connection = sqlite_driver.connect(
            # Never a new file: where the database is missing, an empty one would hide that.
            f"{path.absolute().as_uri()}?mode=rw",
            uri=True,
            timeout=wait,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            for pragma in pragmas:
                connection.execute(f"PRAGMA {pragma}")
        except BaseException:
            connection.close()
            raise
        return connection

    return connect


def create_sqlite_file(path: Path) -> None:
    """Makes an empty database that only this user can read; SQLite's side files inherit that.

    Only migrations do this: a service that finds no database must say so.
    """
    create_private_file(path, _begin_wal)


def _begin_wal(path: Path) -> None:
    """WAL from its birth: connections that switch a database over at the same instant are refused."""
    connection = sqlite_driver.connect(path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.close()


def _postgresql_engines(settings: Settings, statement_seconds: int) -> Engines:
    lock_ms = int(settings.lock_timeout_seconds * 1000)
    options = (
        f"-c lock_timeout={lock_ms} -c statement_timeout={statement_seconds * 1000} "
        f"-c idle_in_transaction_session_timeout={_STATEMENT_SECONDS * 1000} -c timezone=UTC"
    )
    connect = {"connect_timeout": _CONNECT_SECONDS, "options": options, **_LOST_SERVER}

    def engine(pool_size: int, **options: Any) -> Engine:
        made = create_engine(
            settings.url,
            connect_args=connect,
            hide_parameters=True,
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=settings.lock_timeout_seconds,
            **options,
        )
        _undo_what_is_open(made)
        return made

    return Engines(
        # Correctness rests on locks and constraints. Where the server's default is stricter, a wait for
        # a lock would end in a serialization failure instead of the row as it is now.
        writer=engine(settings.write_workers, isolation_level="READ COMMITTED"),
        # One snapshot a unit of work, as SQLite gives: a page and its account agree.
        reader=engine(
            settings.read_workers,
            isolation_level="REPEATABLE READ",
            execution_options={"postgresql_readonly": True},
        ),
        writers=settings.write_workers,
    )


def _undo_what_is_open(engine: Engine) -> None:
    """Rolls back what is still open on a connection that goes back to the pool.

    After a COMMIT that failed before it reached the server, the pool takes the transaction for ended;
    the next unit of work on this connection would commit what another one's client was refused.
    """

    @event.listens_for(engine, "reset")
    def _end(connection: Any, _: ConnectionPoolEntry, state: PoolResetState) -> None:
        if not state.terminate_only and connection.info.transaction_status != TransactionStatus.IDLE:
            connection.rollback()
