"""The one way to lock rows."""

from typing import Any, TypeVar

from sqlalchemy import Select

S = TypeVar("S", bound=Select[*tuple[Any, ...]])


def locked(statement: S) -> S:
    """The statement, holding its rows until the commit.

    FOR NO KEY UPDATE: other writers of these rows wait, inserts that refer to them do not. SQLite
    drops the clause; there a unit of work has the whole database for itself from its start.
    """
    return statement.with_for_update(key_share=True)
