"""What a batch costs: statements, plans and commits are counted, since a clock would measure the machine."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, event, text

from app.core import ids
from app.core.errors import NotFound
from app.db.unit_of_work import Database
from app.services import accounts
from tests import scratch
from tests.books import Books, capture, hold, increment, pay, statements, void


@contextmanager
def sent_to(engine: Engine) -> Iterator[list[str]]:
    """What is sent to the database meanwhile, without the beginnings of transactions."""
    sent: list[str] = []

    def listen(*given: Any) -> None:
        if not given[2].startswith("BEGIN"):
            sent.append(given[2])

    event.listen(engine, "before_cursor_execute", listen)
    yield sent
    event.remove(engine, "before_cursor_execute", listen)


def test_accounts_that_are_asked_for_together_are_read_in_one_statement(db: Database) -> None:
    books = Books(db)
    ada, ben = books.person(), books.person()
    own = [books.account(ada, money=number) for number in range(1, 20)]
    asked = [(ada, account.id) for account in own]
    asked += [(ben, own[0].id), (ada, ids.new_id(ids.ACCOUNT)), (ada, "acc_no")]

    async def scenario() -> list[Any]:
        calls = [db.read_batched(accounts.find_accounts, one) for one in asked]
        return await asyncio.gather(*calls, return_exceptions=True)

    with sent_to(db.engines.reader) as sent:
        found = asyncio.run(scenario())
    assert len(sent) == 1
    assert [row.balance for row in found[:19]] == list(range(1, 20))
    assert [type(one) for one in found[19:]] == [NotFound] * 3


def test_a_read_that_fails_unexpectedly_fails_alone(db: Database) -> None:
    def find(_: Any, numbers: list[int]) -> list[int]:
        return [10 // number for number in numbers]

    async def scenario() -> list[Any]:
        return await asyncio.gather(
            *(db.read_batched(find, number) for number in (1, 0, 5)), return_exceptions=True
        )

    found = asyncio.run(scenario())
    assert (found[0], found[2]) == (10, 2)
    assert found[1].code == "internal_error"


@scratch.ONLY_SQLITE
def test_no_statement_of_a_batch_reads_a_whole_table(db: Database) -> None:
    books = Books(db)
    ada = books.person()
    one, two = books.account(ada, money=100), books.account(ada)
    plans: list[str] = []
    with statements(db) as sent:
        books.did(pay(ada, one, two, 1, key="once"))
        books.did(pay(ada, one, two, 1, key="once"))
        held = books.held(hold(ada, one, two, 9, key="hold"))
        for command in (capture(ada, held, 1, key="part"), increment(ada, held, 1), void(ada, held, "end")):
            books.held(command)
        books.held(hold(ada, one, two, 9, key="hold"))
        books.held(void(ada, held, "end"))
    with sent_to(db.engines.reader) as read:
        db.run_read(accounts.find_accounts, [(ada, one.id)])
    sent += read
    for statement in sent:
        if statement.startswith("SELECT"):
            values = ["[]"] * statement.count("?")
            plans += [row[-1] for row in books.db.run_read(_explain(statement, values))]
    assert plans
    assert [plan for plan in plans if plan.startswith("SCAN") and "json_each" not in plan] == []


def _explain(statement: str, values: list[str]) -> Any:
    def work(session: Any) -> list[Any]:
        found = session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", tuple(values))
        return list(found)

    return work


def test_a_batch_is_one_commit(db: Database) -> None:
    books = Books(db)
    ada = books.person()
    one, two = books.account(ada, money=1000), books.account(ada)
    commits: list[int] = []
    event.listen(db.engines.writer, "commit", lambda _: commits.append(1))
    books.post(*(pay(ada, one, two, 1, key=str(number)) for number in range(100)))
    assert len(commits) == 1
    assert books.balance(one) == 900


@scratch.ONLY_SQLITE
def test_the_log_of_sqlite_goes_into_the_file_at_sixteen_mebibytes(db: Database) -> None:
    pages = db.run_write(lambda session: session.scalar(text("PRAGMA wal_autocheckpoint")))
    size = db.run_write(lambda session: session.scalar(text("PRAGMA page_size")))
    assert pages * size == 16_384_000
