"""What a failure of the database means: try again, tell the client to, or a bug of ours."""

from typing import Final

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.core import errors

# SQLSTATE (PostgreSQL, appendix A); 40003 is "statement completion unknown" and not among them.
_RETRYABLE_STATES: Final = frozenset({"40001", "40P01"})

# What states that begin so are for a client; the first that fits.
_STATES: Final = (
    (("55P03", "57014"), errors.LockTimeout),
    (("53100",), errors.StorageFull),
    # A table or a column that is not there: the schema is not this code's.
    (("42P01", "42703"), errors.NotReady),
    # Connection exceptions, operator intervention, out of memory or connections, read-only fail-over
    # targets, idle time-out, no such database, refused login, system errors, corrupt data or index.
    (
        ("08", "57P", "532", "533", "25006", "25P03", "3D000", "28", "58", "XX001", "XX002"),
        errors.DatabaseUnavailable,
    ),
)
_SQLITE_UNMIGRATED: Final = ("no such table", "no such column")

# Primary result codes of SQLite.
_SQLITE: Final = {
    3: errors.DatabaseUnavailable,  # PERM
    5: errors.LockTimeout,  # BUSY
    6: errors.LockTimeout,  # LOCKED
    8: errors.DatabaseUnavailable,  # READONLY
    10: errors.DatabaseUnavailable,  # IOERR
    11: errors.DatabaseUnavailable,  # CORRUPT
    13: errors.StorageFull,
    14: errors.DatabaseUnavailable,  # CANTOPEN
    15: errors.LockTimeout,  # PROTOCOL: lost a race for the WAL's locks too often
    26: errors.DatabaseUnavailable,  # NOTADB
}


def is_retryable(error: BaseException) -> bool:
    """Whether the database rolled the transaction back and asks for it again."""
    return _sqlstate(error) in _RETRYABLE_STATES


def is_disconnect(error: BaseException) -> bool:
    """Whether the connection is gone: before COMMIT nothing happened, at COMMIT nobody knows."""
    return isinstance(error, DBAPIError) and error.connection_invalidated


def is_lock_timeout(error: BaseException) -> bool:
    """Whether a wait for another writer's lock was given up; a deadlock is tried again instead."""
    return not is_retryable(error) and isinstance(as_unavailable(error), errors.LockTimeout)


def as_unavailable(error: BaseException) -> errors.Unavailable | None:
    """The 503 that this failure is for a client, or None when it is a bug."""
    if isinstance(error, PoolTimeout):
        return errors.Overloaded()
    if is_retryable(error):
        return errors.LockTimeout()
    if isinstance(error, DBAPIError):
        return _from_driver(error)
    return None


def _from_driver(error: DBAPIError) -> errors.Unavailable | None:
    code = getattr(error.orig, "sqlite_errorcode", None)
    kind = _of_state(error) if code is None else _of_sqlite(code, str(error.orig))
    return kind() if kind else None


def _of_sqlite(code: int, message: str) -> type[errors.Unavailable] | None:
    return errors.NotReady if message.startswith(_SQLITE_UNMIGRATED) else _SQLITE.get(code & 0xFF)


def _of_state(error: DBAPIError) -> type[errors.Unavailable] | None:
    state = _sqlstate(error)
    if state is None:
        # The server did not speak: the connection could not be made, or was cut.
        was_cut = is_disconnect(error) or isinstance(error, OperationalError | InterfaceError)
        return errors.DatabaseUnavailable if was_cut else None
    return next((kind for begins, kind in _STATES if state.startswith(begins)), None)


def _sqlstate(error: BaseException) -> str | None:
    return getattr(getattr(error, "orig", None), "sqlstate", None)
