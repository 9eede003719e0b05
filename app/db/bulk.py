"""Many rows in one statement: what the object mapper and Core spend on each value is a transfer's half.

SQLite runs one prepared statement for row after row; PostgreSQL takes each column as an array. Values
are what the columns' types take, except that instants are microseconds since 1970 already.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Column, CursorResult, LargeBinary, String, Table
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import Session
from sqlalchemy.types import JSON, Date, TypeEngine

from app.db.base import Instant

Rows = Sequence[Mapping[str, Any]]


class BulkInsert:
    """INSERT of rows that name every column of a table."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._columns = list(table.columns)

    def __call__(self, session: Session, rows: Rows) -> None:
        """Inserts the rows; none is nothing."""
        if not rows:
            return
        connection = session.connection()
        names = ", ".join(connection.dialect.identifier_preparer.quote(one.name) for one in self._columns)
        into = f"INSERT INTO {self._table.name} ({names})"
        columns = _by_column(self._columns, rows, connection.dialect)
        if connection.dialect.name == "sqlite":
            marks = ", ".join("?" * len(columns))
            connection.exec_driver_sql(f"{into} VALUES ({marks})", list(zip(*columns, strict=True)))
        else:
            connection.exec_driver_sql(f"{into} SELECT * FROM {_arrays(self._columns)}", tuple(columns))


class BulkUpdate:
    """UPDATE of rows found by some columns: each is set where all of these are as they were read.

    A row has `column` for what is found by and `new_column` for what is set.
    """

    def __init__(self, table: Table, *, found_by: Sequence[str], sets: Sequence[str]) -> None:
        self._table = table
        self._found_by = [table.c[name] for name in found_by]
        self._sets = [table.c[name] for name in sets]

    def __call__(self, session: Session, rows: Rows) -> int:
        """How many rows were still as they were read, and are changed now."""
        connection = session.connection()
        values = _by_column(self._sets, rows, connection.dialect, prefix="new_")
        values += _by_column(self._found_by, rows, connection.dialect)
        result: CursorResult[Any]
        if connection.dialect.name == "sqlite":
            sets = ", ".join(f"{one.name} = ?" for one in self._sets)
            found = " AND ".join(f"{one.name} = ?" for one in self._found_by)
            statement = f"UPDATE {self._table.name} SET {sets} WHERE {found}"
            result = connection.exec_driver_sql(statement, list(zip(*values, strict=True)))
        else:
            result = connection.exec_driver_sql(self._from_arrays(), tuple(values))
        return result.rowcount

    def _from_arrays(self) -> str:
        table, columns = self._table.name, [*self._sets, *self._found_by]
        sets = ", ".join(f"{one.name} = c{place}" for place, one in enumerate(self._sets))
        begin = len(self._sets)
        found = " AND ".join(
            f"{table}.{one.name} = c{place}" for place, one in enumerate(self._found_by, begin)
        )
        return f"UPDATE {table} SET {sets} FROM {_arrays(columns)} WHERE {found}"


def _by_column(
    columns: Sequence[Column[Any]], rows: Rows, dialect: Dialect, prefix: str = ""
) -> list[list[Any]]:
    """The rows turned on their side, with the values as the driver takes them."""
    return [_column(one, [row[prefix + one.name] for row in rows], dialect) for one in columns]


def _column(column: Column[Any], values: list[Any], dialect: Dialect) -> list[Any]:
    if isinstance(column.type, Instant):
        return values
    process: Callable[[Any], Any] | None = column.type.dialect_impl(dialect).bind_processor(dialect)
    if process is None:
        return values
    return [None if value is None else process(value) for value in values]


def _arrays(columns: Sequence[Column[Any]]) -> str:
    marks = ", ".join(f"%s::{_element(one)}[]" for one in columns)
    names = ", ".join(f"c{place}" for place in range(len(columns)))
    return f"unnest({marks}) AS given ({names})"


def _element(column: Column[Any]) -> str:
    """The type of the array. Texts without their length: a cast would cut what is too long."""
    names: Sequence[tuple[type[TypeEngine[Any]], str]] = (
        (String, "text"),
        (JSON, "json"),
        (LargeBinary, "bytea"),
        (Date, "date"),
    )
    return next((name for kind, name in names if isinstance(column.type, kind)), "bigint")
