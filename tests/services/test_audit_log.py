"""The audit log is append-only: the database itself refuses anything else."""

import pytest
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from app.core.caller import Origin
from app.db.unit_of_work import Database
from app.models import AuditRecord
from app.repositories.audit import AuditLog
from tests import scratch

ORIGIN = Origin("192.0.2.1", "req_1")
CHANGES = [
    "UPDATE audit_log SET outcome = 'other'",
    "UPDATE audit_log SET id = 'other'",
    "DELETE FROM audit_log",
    "DELETE FROM audit_log WHERE actor = 'usr_1'",
]
_COLUMNS = "id, at, actor, action, outcome"
_FORGED = "id, 1, 'usr_2', 'forged', 'success' FROM audit_log"
SQLITE_CHANGES = [
    f"INSERT OR REPLACE INTO audit_log ({_COLUMNS}) SELECT {_FORGED}",
    f"INSERT OR REPLACE INTO audit_log (rowid, {_COLUMNS}) SELECT rowid, 'new' || {_FORGED}",
    f"INSERT INTO audit_log ({_COLUMNS}) SELECT {_FORGED} WHERE true "
    "ON CONFLICT DO UPDATE SET actor = 'usr_2'",
]
POSTGRESQL_CHANGES = [
    "TRUNCATE audit_log",
    f"INSERT INTO audit_log ({_COLUMNS}) SELECT {_FORGED} ON CONFLICT (id) DO UPDATE SET actor = 'usr_2'",
]


def record(session: Session) -> None:
    AuditLog(session).record("user.create", actor="usr_1", origin=ORIGIN, object_id="usr_1", reason="new")


def records(db: Database) -> list[tuple[str, ...]]:
    columns = (AuditRecord.actor, AuditRecord.action, AuditRecord.object_id, AuditRecord.outcome)
    more = (AuditRecord.reason, AuditRecord.address, AuditRecord.request_id)
    return db.run_read(lambda session: [tuple(row) for row in session.execute(select(*columns, *more))])


def assert_refused(db: Database, change: str) -> None:
    db.run_write(record)
    before = records(db)
    with pytest.raises(DBAPIError, match="audit_log is append-only"):
        scratch.execute(db, change)
    assert records(db) == before
    db.run_write(record)
    assert len(records(db)) == 2


def test_a_record_keeps_who_what_where_and_how_it_ended(db: Database) -> None:
    db.run_write(record)
    assert records(db) == [("usr_1", "user.create", "usr_1", "success", "new", "192.0.2.1", "req_1")]


def test_a_record_goes_with_its_act(db: Database) -> None:
    def fail(session: Session) -> None:
        record(session)
        session.flush()
        raise ValueError

    with pytest.raises(ValueError):
        db.run_write(fail)
    assert records(db) == []


@pytest.mark.parametrize("change", CHANGES)
def test_records_are_neither_changed_nor_deleted(db: Database, change: str) -> None:
    assert_refused(db, change)


@scratch.ONLY_SQLITE
@pytest.mark.parametrize("change", SQLITE_CHANGES)
def test_records_are_not_replaced_on_sqlite(db: Database, change: str) -> None:
    assert_refused(db, change)


@scratch.ONLY_POSTGRESQL
@pytest.mark.parametrize("change", POSTGRESQL_CHANGES)
def test_records_are_not_replaced_on_postgresql(db: Database, change: str) -> None:
    assert_refused(db, change)
