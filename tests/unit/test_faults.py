"""What each failure of a database driver is for the client."""

import psycopg
import pytest
from sqlalchemy import exc

from app.core import errors
from app.db import faults
from app.db.session import sqlite_driver


def from_postgresql(state: str) -> exc.DBAPIError:
    driver_error = psycopg.errors.lookup(state)("host=secret") if state else psycopg.OperationalError("x")
    return wrap(driver_error)


def wrap(driver_error: Exception) -> exc.DBAPIError:
    found = exc.DBAPIError.instance("SELECT 1", {}, driver_error, Exception)
    assert isinstance(found, exc.DBAPIError)
    return found


def from_sqlite(code: int) -> exc.DBAPIError:
    driver_error = sqlite_driver.OperationalError("no")
    driver_error.sqlite_errorcode = code
    return wrap(driver_error)


@pytest.mark.parametrize("state", ["40001", "40P01"])
def test_serialization_failures_and_deadlocks_are_tried_again(state: str) -> None:
    error = from_postgresql(state)
    assert faults.is_retryable(error)
    assert not faults.is_lock_timeout(error)
    assert isinstance(faults.as_unavailable(error), errors.LockTimeout)


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("55P03", errors.LockTimeout),
        ("57014", errors.LockTimeout),
        ("53100", errors.StorageFull),
        ("53200", errors.DatabaseUnavailable),
        ("53300", errors.DatabaseUnavailable),
        ("08006", errors.DatabaseUnavailable),
        ("57P01", errors.DatabaseUnavailable),
        ("57P03", errors.DatabaseUnavailable),
        ("25006", errors.DatabaseUnavailable),
        ("25P03", errors.DatabaseUnavailable),
        ("28P01", errors.DatabaseUnavailable),
        ("3D000", errors.DatabaseUnavailable),
        ("58030", errors.DatabaseUnavailable),
        ("XX001", errors.DatabaseUnavailable),
        ("23505", None),
        ("23514", None),
        ("40003", None),
        ("42P01", errors.NotReady),
        ("42703", errors.NotReady),
        ("42601", None),
        ("22003", None),
    ],
)
def test_a_state_of_postgresql(state: str, expected: type[errors.Unavailable] | None) -> None:
    error = from_postgresql(state)
    assert not faults.is_retryable(error)
    assert type(faults.as_unavailable(error)) is (expected or type(None))


@pytest.mark.parametrize(
    "kind", [psycopg.OperationalError, psycopg.errors.ConnectionTimeout, psycopg.InterfaceError]
)
def test_no_connection_to_postgresql(kind: type[Exception]) -> None:
    assert isinstance(faults.as_unavailable(wrap(kind("no"))), errors.DatabaseUnavailable)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (5, errors.LockTimeout),
        (517, errors.LockTimeout),  # BUSY_SNAPSHOT
        (6, errors.LockTimeout),
        (15, errors.LockTimeout),
        (13, errors.StorageFull),
        (3, errors.DatabaseUnavailable),
        (8, errors.DatabaseUnavailable),
        (1032, errors.DatabaseUnavailable),  # READONLY_DBMOVED
        (10, errors.DatabaseUnavailable),
        (266, errors.DatabaseUnavailable),  # IOERR_READ
        (11, errors.DatabaseUnavailable),
        (14, errors.DatabaseUnavailable),
        (26, errors.DatabaseUnavailable),
        (1, None),
        (19, None),
        (2067, None),  # CONSTRAINT_UNIQUE
    ],
)
def test_a_code_of_sqlite(code: int, expected: type[errors.Unavailable] | None) -> None:
    error = from_sqlite(code)
    assert not faults.is_retryable(error)
    assert type(faults.as_unavailable(error)) is (expected or type(None))


def test_waiting_too_long_for_a_connection_is_overload() -> None:
    assert isinstance(faults.as_unavailable(exc.TimeoutError()), errors.Overloaded)


@pytest.mark.parametrize("bug", [ValueError(), exc.InvalidRequestError(), wrap(psycopg.DataError("x"))])
def test_everything_else_is_a_bug(bug: Exception) -> None:
    assert faults.as_unavailable(bug) is None
    assert not faults.is_retryable(bug)
    assert not faults.is_disconnect(bug)
    assert not faults.is_lock_timeout(bug)
