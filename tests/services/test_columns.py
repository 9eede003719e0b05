"""What the tables store, and that it reads back as it was."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import Float, Integer, Numeric, inspect
from sqlalchemy.exc import StatementError
from sqlalchemy.orm import Session

from app.core import ids
from app.core.caller import Role
from app.db.base import Base
from app.db.unit_of_work import Database
from app.models import User

INSTANTS = [
    datetime(1970, 1, 1, tzinfo=UTC),
    datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    datetime(2026, 2, 1, 9, 30, 0, 1, tzinfo=UTC),
    datetime(2026, 7, 1, 1, 0, tzinfo=timezone(timedelta(hours=2))),
    datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
]


def user(created_at: datetime, email: str = "ada@example.com") -> User:
    return User(
        id=ids.new_id(ids.USER),
        email=email,
        password_hash="x",
        role=Role.CUSTOMER,
        is_active=True,
        created_at=created_at,
    )


def test_instants_read_back_exact_and_aware(db: Database) -> None:
    def write(session: Session) -> list[str]:
        people = [user(at, f"{number}@example.com") for number, at in enumerate(INSTANTS)]
        session.add_all(people)
        return [person.id for person in people]

    written = db.run_write(write)

    def read(session: Session) -> list[datetime]:
        return [session.get_one(User, user_id).created_at for user_id in written]

    found = db.run_read(read)
    assert found == INSTANTS
    assert {at.tzinfo for at in found} == {UTC}


def test_a_time_without_a_zone_is_refused(db: Database) -> None:
    with pytest.raises(StatementError):
        db.run_write(lambda session: session.add(user(datetime(2026, 1, 1))))


def test_no_column_can_round(db: Database) -> None:
    found = inspect(db.engines.reader)
    kinds = [column["type"] for table in found.get_table_names() for column in found.get_columns(table)]
    kinds += [column.type for table in Base.metadata.tables.values() for column in table.columns]
    assert any(isinstance(kind, Integer) for kind in kinds)
    assert not [kind for kind in kinds if isinstance(kind, Numeric | Float)]


def test_every_foreign_key_is_indexed(db: Database) -> None:
    found = inspect(db.engines.reader)
    for table in found.get_table_names():
        indexed = [index["column_names"] for index in found.get_indexes(table)]
        # A unique constraint is an index of its own, which SQLite does not list as one.
        indexed += [unique["column_names"] for unique in found.get_unique_constraints(table)]
        indexed.append(found.get_pk_constraint(table)["constrained_columns"])
        for key in found.get_foreign_keys(table):
            wanted = key["constrained_columns"]
            assert any(columns[: len(wanted)] == wanted for columns in indexed), (table, wanted)
