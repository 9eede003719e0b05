"""Conditions over any number of values, in one statement whose text is always the same.

An IN list is written anew for each number of values, so neither SQLAlchemy nor a database remembers the
statement. Here the values are one parameter: an array for PostgreSQL, a JSON array for SQLite.
"""

from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, String, bindparam
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import JSON, TypeDecorator, TypeEngine, UserDefinedType


class _Opaque(UserDefinedType[Any]):
    """What the driver takes as it is."""

    cache_ok = True

    def get_col_spec(self, **kw: Any) -> str:
        raise AssertionError("no column has this type")


class _Values(TypeDecorator[Collection[Any]]):
    impl = _Opaque
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(JSON() if dialect.name == "sqlite" else _Opaque())

    def process_bind_param(self, value: Collection[Any] | None, dialect: Dialect) -> Any:
        assert value is not None
        return list(value)


# Without the type Boolean, or SQLite is asked for `(...) = 1` and looks at every row.
class _Among(FunctionElement[bool]):
    inherit_cache = True
    name = "among"


class _PairAmong(FunctionElement[bool]):
    inherit_cache = True
    name = "pair_among"


def among(column: ColumnElement[Any], parameter: str) -> ColumnElement[bool]:
    """`column` is one of the values (texts, or whole numbers) that `parameter` will have."""
    return _Among(column, bindparam(parameter, type_=_Values()))


def pair_among(first: ColumnElement[str], second: ColumnElement[str], parameter: str) -> ColumnElement[bool]:
    """(first, second) is one of the pairs of texts that `parameter` will have."""
    return _PairAmong(first, second, bindparam(parameter, type_=JSON()))


@compiles(_Among, "sqlite")
def _among_on_sqlite(element: _Among, compiler: SQLCompiler, **options: Any) -> str:
    column, values = _compiled(element, compiler, options)
    return f"{column} IN (SELECT value FROM json_each({values}))"


@compiles(_Among, "postgresql")
def _among_on_postgresql(element: _Among, compiler: SQLCompiler, **options: Any) -> str:
    column, values = _compiled(element, compiler, options)
    kind = "text" if isinstance(next(iter(element.clauses)).type, String) else "bigint"
    return f"{column} = ANY({values}::{kind}[])"


@compiles(_PairAmong, "sqlite")
def _pairs_on_sqlite(element: _PairAmong, compiler: SQLCompiler, **options: Any) -> str:
    first, second, pairs = _compiled(element, compiler, options)
    return f"({first}, {second}) IN (SELECT value ->> 0, value ->> 1 FROM json_each({pairs}))"


@compiles(_PairAmong, "postgresql")
def _pairs_on_postgresql(element: _PairAmong, compiler: SQLCompiler, **options: Any) -> str:
    first, second, pairs = _compiled(element, compiler, options)
    given = f"json_array_elements({pairs}) AS given"
    return f"({first}, {second}) IN (SELECT given ->> 0, given ->> 1 FROM {given})"


def _compiled(element: FunctionElement[bool], compiler: SQLCompiler, options: dict[str, Any]) -> list[str]:
    return [compiler.process(clause, **options) for clause in element.clauses]
