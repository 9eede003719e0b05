"""`verify` finds nothing in books that are right, and the row in books that are not."""

import threading
from typing import Any

from sqlalchemy import event
from sqlalchemy.orm import Session

from app.db.unit_of_work import Database
from app.repositories.integrity import CHECKS
from app.services import integrity
from tests.books import Books, pay
from tests.damage import DAMAGES, damage, drop_guards, history


def test_a_busy_history_is_right(db: Database) -> None:
    history(db)
    report = db.run_read(integrity.verify)
    assert (report.rules, report.findings) == (len(CHECKS) + 1, [])


def test_an_empty_bank_is_right(db: Database) -> None:
    assert db.run_read(integrity.verify).findings == []


def test_each_broken_rule_is_found_with_its_row_and_nothing_else(db: Database) -> None:
    past = history(db)
    names = past.names()
    drop_guards(db)
    for statement, expected in DAMAGES:
        with Session(db.engines.writer) as session:
            damage(session, statement, past)
            findings = integrity.verify(session).findings
        found = {(finding.rule, finding.row) for finding in findings}
        assert found == {(rule, names.get(row, row)) for rule, row in expected}, statement
    assert {rule for _, expected in DAMAGES for rule, _ in expected} == {check.rule for check in CHECKS}
    assert db.run_read(integrity.verify).findings == []


def test_a_finding_says_what_is_and_what_should_be(db: Database) -> None:
    past = history(db)
    drop_guards(db)
    past.books.set(past.two, unarranged=5)
    (finding,) = db.run_read(integrity.verify).findings
    assert (finding.row, finding.actual, finding.expected) == (past.two.id, "5", "0")


def test_all_rules_see_one_state_of_the_ledger(db: Database) -> None:
    past = history(db)
    drop_guards(db)
    pending = [statement for statement, _ in DAMAGES[:10]]

    def interfere(_: Any, __: Any, statement: str, *___: Any) -> None:
        # SQLite's snapshot is taken by the first statement that reads.
        while pending and "SELECT" in statement:
            db.run_write(damage, pending.pop(), past)

    event.listen(db.engines.reader, "after_cursor_execute", interfere)
    first = db.run_read(integrity.verify)
    event.remove(db.engines.reader, "after_cursor_execute", interfere)
    assert pending == []
    assert first.findings == []
    assert len(db.run_read(integrity.verify).findings) > 10


def test_it_is_right_at_every_moment_while_money_moves(db: Database) -> None:
    books = Books(db)
    people = [books.person() for _ in range(2)]
    accounts = [books.account(person, money=1000) for person in people]
    stop = threading.Event()
    rounds: list[int] = []

    def write() -> None:
        while not stop.is_set():
            books.post(
                pay(people[0], accounts[0], accounts[1], 7), pay(people[1], accounts[1], accounts[0], 5)
            )
            rounds.append(1)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        reports = []
        while len(rounds) < 20:
            reports.append(db.run_read(integrity.verify))
    finally:
        stop.set()
        writer.join()
    assert len(reports) > 1
    assert [report.findings for report in reports] == [[]] * len(reports)
