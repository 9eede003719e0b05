"""The few statements that SQLite and PostgreSQL spell differently."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import CursorResult, Update, literal
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import DeclarativeBase, Session


def insert_or_ignore(session: Session, table: type[DeclarativeBase], values: Mapping[str, Any]) -> bool:
    """Inserts one row unless a unique key forbids it; whether it did.

    On PostgreSQL a second writer of the same key waits for the first to commit or roll back, so the
    answer is final; the transaction goes on either way.
    """
    insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    statement = insert(table).values(values).on_conflict_do_nothing().returning(literal(1))
    return session.execute(statement).first() is not None


def rows_changed(session: Session, statement: Update) -> bool:
    """Runs an UPDATE; whether it changed a row. The database decides races, not what was read."""
    result = session.execute(statement, execution_options={"synchronize_session": False})
    assert isinstance(result, CursorResult)
    return result.rowcount > 0
