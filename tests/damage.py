"""Books that are wrong on purpose: each rule of the ledger broken, past the database's guards."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import inspect, text
from sqlalchemy.orm import Session

from app.core import clock
from app.db.base import Base
from app.db.unit_of_work import Database
from app.ledger.commands import GroupPosted, Held, Posted
from tests import scratch
from tests.books import (
    Acct,
    Books,
    bulk,
    capture,
    deposit,
    hold,
    increment,
    pay,
    reverse,
    void,
    withdraw,
)
from tests.damage_cards import CARD_DAMAGES, pay_by_card

_TABLES: Final = (
    "accounts",
    "cards",
    "transfers",
    "entries",
    "hold_events",
    "authorizations",
    "card_refunds",
    "idempotency_keys",
    "bulk_chunks",
)


@dataclass(frozen=True)
class History:
    """What has happened on two accounts: all kinds of movements and refusals, holds open and ended."""

    books: Books
    one: Acct
    two: Acct
    paid: Posted
    undone: Posted
    back: Posted
    reserved: Held
    gone: Held
    part: str
    last: str
    payer: str
    grouped: str
    cards: dict[str, str]

    def names(self) -> dict[str, str]:
        """What the statements and findings below call by name."""
        return {
            "one": self.one.id,
            "two": self.two.id,
            "paid": self.paid.row["id"],
            "paid_out": self.paid.sides[0].entry_id,
            "paid_in": self.paid.sides[1].entry_id,
            "undone": self.undone.row["id"],
            "undoes": self.undone.row["reverses_key"],
            "back": self.back.row["id"],
            "back_in": self.back.sides[1].entry_id,
            "reserved": self.reserved.row["id"],
            "let_go": self.gone.row["id"],
            "part": self.part,
            "acted": f"/v1/transfers/{self.reserved.row['id']}#2",
            "gone_made": f"/v1/transfers/{self.gone.row['id']}#1",
            "gone_void": f"/v1/transfers/{self.gone.row['id']}#2",
            "raised": f"/v1/transfers/{self.reserved.row['id']}#3",
            "never": f"/v1/transfers/{self.reserved.row['id']}#9",
            "last": self.last,
            "payer": self.payer,
            "grouped": self.grouped,
            "elsewhere": f"/v1/somewhere/{self.paid.row['id']}",
            **self.cards,
        }


def history(db: Database) -> History:
    books = Books(db)
    ada, ben = books.person(), books.person()
    one, two = books.account(ada, money=1000, overdraft_limit=50), books.account(ben, money=1000)
    first = books.did(pay(ada, one, two, 100))
    undone = books.did(reverse(books.teller, first))
    paid, back, *_ = books.post(
        pay(ada, one, two, 300),
        pay(ben, two, one, 100),
        pay(ada, one, two, 10**9),
        deposit(ada, one, 7),
        withdraw(ben, two, 7),
    )
    assert isinstance(paid, Posted)
    assert isinstance(back, Posted)
    much = pay(ada, one, two, 10**9)
    group, _ = books.post(
        bulk(ada, pay(ada, one, two, 1), much, key="bulk"), bulk(ada, much, key="bulk", first=2)
    )
    assert isinstance(group, GroupPosted)
    grouped = group.outcomes[0]
    assert isinstance(grouped, Posted)
    reserved = books.held(hold(ada, one, two, 30))
    books.post(capture(ada, reserved, 10), increment(ada, reserved, 20))
    gone = books.held(hold(ada, one, two, 5, expires_at=clock.now() + timedelta(days=1)))
    books.held(void(ada, gone))
    (part,) = books.rows("SELECT id FROM transfers WHERE pending_key IS NOT NULL")
    cards = pay_by_card(books, one)
    (last,) = books.rows(f"SELECT id FROM entries {_HIS} ORDER BY sequence DESC LIMIT 1", one=one.id)
    return History(
        books,
        one,
        two,
        paid,
        undone,
        back,
        reserved,
        gone,
        part.id,
        last.id,
        ada.id,
        grouped.row["id"],
        cards,
    )


_ONE, _TWO = "WHERE id = :one", "WHERE id = :two"
_HIS: Final = "WHERE account_key = (SELECT key FROM accounts WHERE id = :one)"
_BALANCE: Final = "an account's balance is the sum of its entries"
_LAST: Final = "an account's last entry has its balance, sequence and time"
_TELLS: Final = "a transfer tells the time and the balance of its source's entry"
_LINE: Final = "each entry continues the one before: sequence, balance, time"
_PAIR: Final = "a posted transfer has exactly its two entries, of its amount"
_COUNT: Final = "an account has as many entries as its last sequence says"
_BELONGS: Final = "an entry belongs to a posted transfer"
_HELD: Final = "what is held is the sum of open holds"
_UNARRANGED: Final = "unarranged is how far a customer's account is below its arranged floor"
_REVERSAL: Final = "a reversal mirrors what it reverses, once"
_OUTCOME: Final = "an outcome in a bulk is a refusal or names a transfer of its caller"
_CHUNKS: Final = "a chunk of a bulk begins where the one before ends"
_KEY: Final = "a key of a posting names a transfer or an act on a hold, or has chunks of a bulk"
_CAPTURED: Final = "a hold has captured the sum of its captures"
_CAPTURE: Final = "a capture is of a hold, between its accounts and of its kind, by an act on it"
_LEFT: Final = "a hold is as its last event left it"
_STORY: Final = "each event of a hold continues the one before"
_EVENT: Final = "WHERE transfer_key = (SELECT key FROM transfers WHERE id = :reserved) AND sequence ="

# A change, and everything that is then wrong: (rule, name of the row).
DAMAGES: Final[list[tuple[str, set[tuple[str, str]]]]] = [
    (
        f"UPDATE accounts SET balance = balance + 1 {_ONE}",
        {("balances of a currency sum to zero", "EUR"), (_BALANCE, "one"), (_LAST, "one")},
    ),
    (
        "UPDATE entries SET amount = amount + 1 WHERE id = :paid_in",
        {
            ("entries of a currency sum to zero", "EUR"),
            (_PAIR, "paid"),
            (_BALANCE, "two"),
            (_LINE, "paid_in"),
        },
    ),
    ("UPDATE transfers SET amount = amount + 1 WHERE id = :paid", {(_PAIR, "paid")}),
    (
        "UPDATE transfers SET status = 'voided', booked_at = NULL WHERE id = :paid",
        {(_BELONGS, "paid_out"), (_BELONGS, "paid_in")},
    ),
    (
        "UPDATE transfers SET currency = 'USD' WHERE id = :paid",
        {("both accounts of a transfer are of its currency", "paid")},
    ),
    (
        "UPDATE accounts SET balance = balance + CASE id WHEN :one THEN 1 ELSE -1 END "
        "WHERE id IN (:one, :two)",
        {(_BALANCE, "one"), (_BALANCE, "two"), (_LAST, "one"), (_LAST, "two")},
    ),
    (f"UPDATE accounts SET last_booked_at = last_booked_at + 1 {_ONE}", {(_LAST, "one")}),
    (
        f"UPDATE accounts SET last_sequence = last_sequence + 1 {_ONE}",
        {(_LAST, "one"), (_COUNT, "one")},
    ),
    (f"UPDATE accounts SET last_sequence = 0 {_ONE}", {(_COUNT, "one")}),
    (
        "UPDATE entries SET balance_after = balance_after + 1 WHERE id = :paid_out",
        {(_LINE, "paid_out"), (_LINE, "back_in"), (_TELLS, "paid")},
    ),
    (
        "UPDATE entries SET booked_at = booked_at + 1000000000 WHERE id = :paid_out",
        {(_LINE, "back_in"), (_TELLS, "paid")},
    ),
    ("UPDATE transfers SET source_balance = source_balance + 1 WHERE id = :paid", {(_TELLS, "paid")}),
    (f"UPDATE accounts SET owner_id = NULL {_ONE}", {("an account is its holder's", "one")}),
    (
        f"UPDATE entries SET sequence = sequence + 1 {_HIS} AND sequence = "
        f"(SELECT max(sequence) FROM entries {_HIS})",
        {(_LINE, "last"), (_LAST, "one")},
    ),
    (f"UPDATE accounts SET held = held - 1 {_ONE}", {(_HELD, "one")}),
    (
        "UPDATE transfers SET remaining = remaining + 1 WHERE id = :reserved",
        {(_HELD, "one"), (_LEFT, "reserved")},
    ),
    ("UPDATE transfers SET amount = amount + 1 WHERE id = :reserved", {(_LEFT, "reserved")}),
    ("UPDATE transfers SET status = 'expired' WHERE id = :let_go", {(_LEFT, "let_go")}),
    (
        "UPDATE transfers SET captured = captured + 1 WHERE id = :reserved",
        {(_CAPTURED, "reserved"), (_LEFT, "reserved")},
    ),
    ("UPDATE transfers SET kind = 'fee' WHERE id = :part", {(_CAPTURE, "part")}),
    ("UPDATE transfers SET initiated_by = '-' WHERE id = :part", {(_CAPTURE, "part")}),
    (
        "UPDATE transfers SET pending_key = (SELECT key FROM transfers WHERE id = :let_go) WHERE id = :part",
        {(_CAPTURED, "reserved"), (_CAPTURED, "let_go"), (_CAPTURE, "part")},
    ),
    (
        "UPDATE transfers SET pending_key = NULL WHERE id = :part",
        {(_CAPTURED, "reserved")},
    ),
    (
        f"UPDATE hold_events SET amount = amount + 1 {_EVENT} 2",
        {(_CAPTURE, "part"), (_STORY, "reserved")},
    ),
    (f"UPDATE hold_events SET remaining_after = remaining_after - 1 {_EVENT} 1", {(_STORY, "reserved")}),
    (f"UPDATE hold_events SET sequence = 4 {_EVENT} 3", {(_STORY, "reserved"), (_KEY, "raised")}),
    (f"UPDATE hold_events SET act = 'captured' {_EVENT} 3", {(_STORY, "reserved")}),
    (f"UPDATE hold_events SET account_key = 1 {_EVENT} 3", {(_LEFT, "reserved")}),
    (f"UPDATE hold_events SET status_after = 'posted' {_EVENT} 1", {(_STORY, "reserved")}),
    (
        "DELETE FROM hold_events WHERE transfer_key = (SELECT key FROM transfers WHERE id = :let_go)",
        {(_LEFT, "let_go"), (_KEY, "gone_made"), (_KEY, "gone_void")},
    ),
    ("UPDATE idempotency_keys SET location = :never WHERE location = :acted", {(_KEY, "never")}),
    (f"UPDATE hold_events SET actor = '-' {_EVENT} 2", {(_CAPTURE, "part"), (_KEY, "acted")}),
    (f"UPDATE accounts SET unarranged = 1 {_TWO}", {(_UNARRANGED, "two")}),
    (
        f"UPDATE accounts SET held = balance + overdraft_limit + 1 {_TWO}",
        {(_HELD, "two"), (_UNARRANGED, "two"), ("no customer's account is below its floor", "two")},
    ),
    (f"UPDATE accounts SET status = 'closed' {_TWO}", {("a closed account is empty", "two")}),
    ("UPDATE transfers SET reverses_key = NULL WHERE id = :undone", {(_REVERSAL, "undone")}),
    ("UPDATE transfers SET kind = 'transfer' WHERE id = :undone", {(_REVERSAL, "undone")}),
    (
        "UPDATE transfers SET kind = 'reversal', reverses_key = :undoes WHERE id = :back",
        {(_REVERSAL, "back")},
    ),
    (
        "UPDATE transfers SET kind = 'reversal', reverses_key = :undoes WHERE id = :paid",
        {(_REVERSAL, "paid")},
    ),
    (
        "UPDATE idempotency_keys SET location = '/v1/transfers/gone' "
        "WHERE location = '/v1/transfers/' || :paid",
        {(_KEY, "/v1/transfers/gone")},
    ),
    (
        "UPDATE idempotency_keys SET location = '/v1/somewhere/' || :paid "
        "WHERE location = '/v1/transfers/' || :paid",
        {(_KEY, "elsewhere")},
    ),
    ("DELETE FROM bulk_chunks", {(_KEY, "payer")}),
    ("DELETE FROM bulk_chunks WHERE first = 0", {(_CHUNKS, "payer")}),
    ('UPDATE bulk_chunks SET outcomes = \'[{"code": "not_found"}]\' WHERE first = 0', {(_CHUNKS, "payer")}),
    ('UPDATE bulk_chunks SET outcomes = \'[{"id": "gone"}]\' WHERE first = 2', {(_OUTCOME, "gone")}),
    ("UPDATE bulk_chunks SET outcomes = '[{}]' WHERE first = 2", {(_OUTCOME, "payer")}),
    ("UPDATE transfers SET initiated_by = '-' WHERE id = :grouped", {(_OUTCOME, "grouped")}),
    *CARD_DAMAGES,
]


def damage(session: Session, statement: str, past: History) -> None:
    """Runs one of the changes above, which changes something."""
    names = past.names()
    used = {name: names[name] for name in re.findall(r":([a-z_]+)", statement)}
    found: Any = session.execute(text(statement), used)
    assert found.rowcount > 0, statement


def drop_guards(db: Database) -> None:
    """The database of this test believes everything from now on."""
    if db.engines.writer.dialect.name == "sqlite":
        connection = db.engines.writer.raw_connection()
        connection.cursor().execute("PRAGMA ignore_check_constraints = ON")
        connection.cursor().execute("PRAGMA foreign_keys = OFF")
        connection.close()
        for table in ("entries", "hold_events", "authorizations", "card_refunds"):
            scratch.execute(db, f"DROP TRIGGER {table}_no_update", f"DROP TRIGGER {table}_no_delete")
    else:
        for table in _TABLES:
            checks = inspect(db.engines.writer).get_check_constraints(table)
            scratch.execute(
                db,
                f"ALTER TABLE {table} DISABLE TRIGGER ALL",
                *(f"ALTER TABLE {table} DROP CONSTRAINT {check['name']}" for check in checks),
            )
    scratch.execute(db, "DROP INDEX uq_transfers_reverses_key")


@contextmanager
def damaged(db: Database, statement: str, past: History) -> Iterator[None]:
    """The database without guards, damaged; afterwards as it was."""
    tables = [Base.metadata.tables[name] for name in _TABLES]
    with db.engines.writer.begin() as connection:
        saved = [[dict(row._mapping) for row in connection.execute(table.select())] for table in tables]
    db.run_write(damage, statement, past)
    yield
    with db.engines.writer.begin() as connection:
        for table, rows in zip(tables, saved, strict=True):
            connection.execute(table.delete())
            connection.execute(table.insert(), rows)
