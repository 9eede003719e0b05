"""What a page of a list costs does not grow with the history behind it: the plans of the databases."""

import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Table, event, insert, select, text
from sqlalchemy.orm import Session

from app.core import clock, ids
from app.core.caller import Caller, Origin, Role
from app.db.unit_of_work import Database
from app.models import Account, AccountHolder, Entry, Transfer, User
from app.repositories.statements import Statements
from app.repositories.transfers import EntryFilter, TransferFilter
from app.services import holds, statements, transactions, transfers

ACCOUNTS = 40
EVERYBODYS = "transfers of everybody"
TELLER = Caller(ids.new_id(ids.USER), Role.TELLER, "ses_y", Origin(None, None))
# Steps that read the long tables, and those among them that may read a whole one.
_LONG = re.compile(r"(Scan.* on|SEARCH|SCAN) (entries|transfers)\b")
_WALK = re.compile(r"\b(SCAN (entries|transfers)|Seq Scan|Backward using pk_transfers)\b")


class History:
    """One customer with 20 accounts, another with the others, and transfers from each to the next."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.caller = Caller(ids.new_id(ids.USER), Role.CUSTOMER, "ses_x", Origin(None, None))
        self._start = clock.now() - timedelta(days=100)
        self._keys = [ids.new_key() for _ in range(ACCOUNTS)]
        self._counts = dict.fromkeys(self._keys, 0)
        self._made = 0
        db.run_write(self._people)

    def _people(self, session: Session) -> None:
        for number, user in enumerate((self.caller.id, TELLER.id)):
            common = {"created_at": self._start}
            _insert(
                session,
                User,
                [
                    common
                    | {
                        "id": user,
                        "email": f"{number}@example.com",
                        "password_hash": "-",
                        "role": "customer",
                        "is_active": True,
                    }
                ],
            )
            holder = common | {
                "id": ids.new_id(ids.HOLDER),
                "user_id": user,
                "full_name": "A B",
                "version": 1,
            }
            _insert(session, AccountHolder, [holder | {"date_of_birth": self._start.date()}])
            half = self._keys[number * ACCOUNTS // 2 : (number + 1) * ACCOUNTS // 2]
            _insert(session, Account, [self._account(key, holder["id"], user) for key in half])

    def _account(self, key: int, holder: str, user: str) -> dict[str, Any]:
        money = dict.fromkeys(("balance", "held", "overdraft_limit", "unarranged", "last_sequence"), 0)
        return money | {
            "key": key,
            "id": ids.new_id(ids.ACCOUNT),
            "number": str(key)[-12:],
            "holder_id": holder,
            "owner_id": user,
            "kind": "checking",
            "currency": "EUR",
            "status": "active",
            "last_booked_at": self._start,
            "version": 1,
            "created_at": self._start,
        }

    @property
    def account_id(self) -> str:
        """The first of the customer's accounts."""
        query = text("SELECT id FROM accounts WHERE key = :key")
        return str(self.db.run_read(lambda session: session.scalar(query, {"key": self._keys[0]})))

    @property
    def middle(self) -> tuple[int, int]:
        """When the 1500th transfer was booked, in microseconds, and its key."""
        query = select(Transfer).order_by(Transfer.key).offset(1499).limit(1)
        one = self.db.run_read(lambda session: session.scalars(query).one())
        return clock.to_micros(one.created_at), one.key

    def day(self, number: int) -> datetime:
        """An instant so many days after the beginning."""
        return self._start + timedelta(days=number)

    def grow(self, entries: int) -> None:
        """More transfers, until there are so many entries; the database takes stock."""
        moved = [self._transfer() for _ in range(self._made, entries // 2)]
        lines = [line for transfer in moved for line in self._entries(transfer)]
        # The oldest are the ones that are open.
        is_first = len(moved) == self._made
        kinds = [True] * 60 * is_first + [False] * (entries // 20)
        moved += [self._hold(is_open=is_open) for is_open in kinds]

        def write(session: Session) -> None:
            _insert(session, Transfer, moved)
            _insert(session, Entry, lines)

        self.db.run_write(write)
        with self.db.engines.writer.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql("ANALYZE")

    def _transfer(self) -> dict[str, Any]:
        self._made += 1
        at = self._start + timedelta(seconds=self._made)
        source = self._made % ACCOUNTS
        nothing = dict.fromkeys(("remaining", "source_balance", "source_held", "source_available"), 0)
        return nothing | {
            "key": ids.new_key(),
            "id": ids.new_id(ids.TRANSFER),
            "kind": "transfer",
            "status": "posted",
            "source_key": self._keys[source],
            "destination_key": self._keys[(source + 1) % ACCOUNTS],
            "amount": 1,
            "currency": "EUR",
            "initiated_by": self.caller.id,
            "created_at": at,
            "booked_at": at,
            "captured": None,
            "expires_at": None,
        }

    def _hold(self, *, is_open: bool) -> dict[str, Any]:
        """One on the customer's first account: open, or let go of."""
        made = self._transfer()
        end = {"captured": 0, "booked_at": None, "expires_at": clock.now() + timedelta(days=1)}
        status = {"status": "pending", "remaining": 1} if is_open else {"status": "voided"}
        return made | end | status | {"source_key": self._keys[0], "destination_key": self._keys[1]}

    def _entries(self, transfer: dict[str, Any]) -> Iterator[dict[str, Any]]:
        for side, amount in (("source_key", -1), ("destination_key", 1)):
            account = transfer[side]
            self._counts[account] += 1
            yield {
                "account_key": account,
                "sequence": self._counts[account],
                "id": ids.new_id(ids.ENTRY),
                "transfer_key": transfer["key"],
                "amount": amount,
                "balance_after": amount,
                "booked_at": transfer["booked_at"],
                "value_date": transfer["booked_at"].date(),
            }


def _insert(session: Session, model: Any, rows: list[dict[str, Any]]) -> None:
    table = model.__table__
    assert isinstance(table, Table)
    session.connection().execute(insert(table), rows)


def plans(db: Database, read: Callable[[Session], Any]) -> list[list[str]]:
    """How the database goes about each statement of a read: the steps, without their costs."""
    sent: list[tuple[str, Any]] = []

    def listen(*given: Any) -> None:
        sent.append((given[2], given[3]))

    event.listen(db.engines.reader, "before_cursor_execute", listen)
    try:
        assert len(db.run_read(read)) == 51
    finally:
        event.remove(db.engines.reader, "before_cursor_execute", listen)
    queries = [(statement, values) for statement, values in sent if statement.startswith(("SELECT", "WITH"))]
    return [_plan(db, statement, values) for statement, values in queries]


def _plan(db: Database, statement: str, values: Any) -> list[str]:
    is_sqlite = db.engines.reader.dialect.name == "sqlite"
    explain = "EXPLAIN QUERY PLAN " if is_sqlite else "EXPLAIN (COSTS OFF) "
    with db.engines.reader.connect() as connection:
        found = connection.exec_driver_sql(explain + statement, values).all()
    return [str(row[-1]).strip() for row in found]


@pytest.fixture
def history(db: Database) -> History:
    return History(db)


def reads(history: History) -> dict[str, Callable[[Session], Any]]:
    """A page of fifty of each list: a row more is read, to know of a next page."""

    def entries(session: Session, account_id: str | None, after: list[Any] | None = None) -> Any:
        return transactions.list_transactions(
            session,
            caller=history.caller,
            account_id=account_id,
            wanted=EntryFilter(),
            after=after,
            limit=51,
        )

    def moved(
        session: Session, account_id: str | None, after: list[Any] | None = None, caller: Caller | None = None
    ) -> Any:
        return transfers.list_transfers(
            session,
            caller=caller or history.caller,
            account_id=account_id,
            wanted=TransferFilter(),
            after=after,
            limit=51,
        )

    def held(session: Session, status: str, after: list[int] | None) -> Any:
        return holds.list_holds(
            session,
            caller=history.caller,
            account_id=history.account_id,
            status=status,
            after=after,
            limit=51,
        )

    made: dict[str, Callable[[Session], Any]] = {EVERYBODYS: partial(moved, account_id=None, caller=TELLER)}
    for status in ("pending", "voided"):
        made[f"holds that are {status}"] = partial(held, status=status, after=None)
        made[f"holds that are {status}, next page"] = partial(held, status=status, after=[ids.new_key()])
    for account in (history.account_id, None):
        for after in (False, True):
            name = f"{'one account' if account else 'all accounts'}, {'second' if after else 'first'} page"
            booked, key = history.middle
            made[f"entries of {name}"] = partial(
                entries, account_id=account, after=[booked, "txn_z"] if after else None
            )
            made[f"transfers of {name}"] = partial(moved, account_id=account, after=[key] if after else None)
    return made


def test_a_page_costs_the_same_index_seeks_after_a_long_history(history: History) -> None:
    # PostgreSQL reads a short table as a whole, and is right.
    is_sqlite = history.db.engines.reader.dialect.name == "sqlite"
    history.grow(4000 if is_sqlite else 20_000)
    wanted = reads(history)
    short = {name: plans(history.db, read) for name, read in wanted.items()}
    history.grow(50_000)
    for name, read in wanted.items():
        long = plans(history.db, read)
        assert _on_long_tables(long) == _on_long_tables(short[name]), name
        walks = [step for step in _on_long_tables(long) if _WALK.search(step)]
        if name == EVERYBODYS:
            # In the order that is asked for, so it ends with the page.
            assert not [step for steps in long for step in steps if re.search(r"Sort|ORDER BY|Seq", step)]
        else:
            assert walks == [], name


def test_a_statement_costs_the_same_index_seeks_after_a_long_history(history: History) -> None:
    def read(session: Session) -> Any:
        period = statements.Period(history.day(20), history.day(80), ZoneInfo("UTC"))
        found = statements.find_statement(
            session, caller=history.caller, account_id=history.account_id, period=period
        )
        lines = Statements(session).lines(found.account_key, after=found.after, last=found.last, limit=51)
        return [*lines, *[None] * (51 - len(lines))]

    history.grow(20_000)
    short = plans(history.db, read)
    history.grow(50_000)
    long = plans(history.db, read)
    assert _on_long_tables(long) == _on_long_tables(short)
    assert [step for step in _on_long_tables(long) if _WALK.search(step)] == []


def _on_long_tables(plan: list[list[str]]) -> list[str]:
    return [step for steps in plan for step in steps if _LONG.search(step)]


def test_a_page_over_many_accounts_is_the_newest_of_all(history: History) -> None:
    history.grow(4000)
    own = "(SELECT key FROM accounts WHERE owner_id = :user)"
    ways = {
        "transfers of": f"SELECT id FROM transfers WHERE (source_key IN {own} OR destination_key IN {own}) "
        "AND (:key = 0 OR key < :key) ORDER BY key DESC LIMIT 51",
        "entries of": f"SELECT id FROM entries WHERE account_key IN {own} "
        "AND (:booked = 0 OR transfer_key <= :booked_key) ORDER BY booked_at DESC, id DESC LIMIT 51",
    }
    booked, key = history.middle
    for name, read in reads(history).items():
        query = next((query for kind, query in ways.items() if name.startswith(kind)), None)
        if query is None or "all accounts" not in name:
            continue
        later = "second" in name
        values = {"user": history.caller.id, "key": key * later, "booked": booked * later, "booked_key": key}
        used = {name: value for name, value in values.items() if f":{name}" in query}
        right = history.db.run_read(
            lambda session, query=query, used=used: session.scalars(text(query), used).all()
        )
        rows = history.db.run_read(lambda session, read=read: [_id(row) for row in read(session)])
        assert rows == right, name


def _id(row: Any) -> str:
    found: str = row.Transfer.id if hasattr(row, "Transfer") else row.id
    return found
