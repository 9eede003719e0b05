"""What a failure of the database means: try again, tell the client to, or a bug of ours."""

from typing import Final

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.core import errors

# SQLSTATE (PostgreSQL, appendix A); 40003 is "statement completion unknown" and not among them.
_RETRYABLE_STATES: Final = frozenset({"40001", "40P01"})
_LOCK_STATES: Final = frozenset({"55P03", "57014"})
_FULL_STATES: Final = frozenset({"53100"})
# Connection exceptions, operator intervention, out of memory or connections, read-only fail-over
# targets, idle time-out, no such database, refused login, system errors, corrupt data or index.
_DOWN_CLASSES: Final = ("08", "57P", "532", "533", "25006", "25P03", "3D000", "28", "58", "XX001", "XX002")

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
    if code is not None:
        known = _SQLITE.get(code & 0xFF)
        return known() if known else None
    state = _sqlstate(error)
    if state in _LOCK_STATES:
        return errors.LockTimeout()
    if state in _FULL_STATES:
        return errors.StorageFull()
    # Without a state the server did not speak: the connection could not be made, or was cut.
    if state is None and isinstance(error, OperationalError | InterfaceError):
        return errors.DatabaseUnavailable()
    if state is not None and state.startswith(_DOWN_CLASSES):
        return errors.DatabaseUnavailable()
    return None


def _sqlstate(error: BaseException) -> str | None:
    return getattr(getattr(error, "orig", None), "sqlstate", None)
