"""Many rows in one statement: what the object mapper and Core spend on each value is half a transfer.

SQLite runs one prepared statement for row after row; PostgreSQL takes each column as an array. Values
are what the columns' types take, except that instants are microseconds since 1970 already, and that a
text is a plain `str`: a driver asks around what to do with a member of an enumeration.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Boolean, Column, CursorResult, LargeBinary, String, Table
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import Session
from sqlalchemy.types import JSON, Date, TypeEngine

from app.db.base import Instant

Rows = Sequence[Mapping[str, Any]]
_Process = Callable[[Any], Any] | None


class _Bulk:
    """A statement over rows, composed once for each database; `fields` name the values of a row."""

    def __init__(self, columns: Sequence[Column[Any]], fields: Sequence[str]) -> None:
        self._columns = columns
        self._fields = fields
        self._composed: dict[str, tuple[str, list[_Process]]] = {}

    def __call__(self, session: Session, rows: Rows) -> int:
        """Runs it; how many rows were there to be inserted or changed."""
        if not rows:
            return 0
        connection = session.connection()
        dialect = connection.dialect
        composed = self._composed.get(dialect.name)
        if composed is None:
            composed = (self._compose(dialect), [_processor(one, dialect) for one in self._columns])
            self._composed[dialect.name] = composed
        statement, processes = composed
        by_column = [
            _column([row[name] for row in rows], process)
            for name, process in zip(self._fields, processes, strict=True)
        ]
        given = list(zip(*by_column, strict=True)) if dialect.name == "sqlite" else tuple(by_column)
        result: CursorResult[Any] = connection.exec_driver_sql(statement, given)
        return result.rowcount

    def _compose(self, dialect: Dialect) -> str:
        raise AssertionError("each kind of statement has its own")


class BulkInsert(_Bulk):
    """INSERT of rows that name every column of a table."""

    def __init__(self, table: Table) -> None:
        self._table = table
        super().__init__(list(table.columns), [one.name for one in table.columns])

    def _compose(self, dialect: Dialect) -> str:
        names = ", ".join(dialect.identifier_preparer.quote(one.name) for one in self._columns)
        into = f"INSERT INTO {self._table.name} ({names})"
        if dialect.name == "sqlite":
            return f"{into} VALUES ({', '.join('?' * len(self._columns))})"
        return f"{into} SELECT * FROM {_arrays(self._columns)}"


class BulkUpdate(_Bulk):
    """UPDATE of rows found by some columns: each is set where all of these are as they were read.

    A row has `column` for what is found by and `new_column` for what is set.
    """

    def __init__(self, table: Table, *, found_by: Sequence[str], sets: Sequence[str]) -> None:
        self._table = table
        self._found_by = found_by
        self._sets = sets
        super().__init__(
            [table.c[name] for name in (*sets, *found_by)], [f"new_{name}" for name in sets] + [*found_by]
        )

    def _compose(self, dialect: Dialect) -> str:
        table, on_sqlite = self._table.name, dialect.name == "sqlite"
        values = ["?" if on_sqlite else f"c{place}" for place in range(len(self._columns))]
        sets = ", ".join(f"{name} = {value}" for name, value in zip(self._sets, values, strict=False))
        found = " AND ".join(
            f"{table}.{name} = {value}"
            for name, value in zip(self._found_by, values[len(self._sets) :], strict=True)
        )
        source = "" if on_sqlite else f"FROM {_arrays(self._columns)}"
        return f"UPDATE {table} SET {sets} {source} WHERE {found}"


def _processor(column: Column[Any], dialect: Dialect) -> _Process:
    if isinstance(column.type, Instant):
        return None
    return column.type.dialect_impl(dialect).bind_processor(dialect)


def _column(values: list[Any], process: _Process) -> list[Any]:
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
        (Boolean, "boolean"),
        (Date, "date"),
    )
    return next((name for kind, name in names if isinstance(column.type, kind)), "bigint")
