"""What the database refuses by itself, so that a bug above it cannot do it; straight through SQL."""

from typing import Any

import pytest
from sqlalchemy import insert
from sqlalchemy.exc import DBAPIError, IntegrityError

from app.core import ids
from app.core.money import MAX_AMOUNT, MAX_BANK_BALANCE
from app.db.unit_of_work import Database
from app.models import Account, Entry, HoldEvent, IdempotencyKey, Transfer
from tests import scratch
from tests.books import Acct, Books, hold, pay, reverse


class World:
    """Two accounts of customers, a transfer between them, and its reversal."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.books = Books(db)
        ada = self.payer = self.books.person()
        self.one, self.two = self.books.account(ada, money=500), self.books.account(money=500)
        self.posted = self.books.did(pay(ada, self.one, self.two, 100))
        self.books.did(reverse(self.books.teller, self.posted))
        self.open = self.books.did(pay(ada, self.one, self.two, 100))
        self.add(Transfer, self.row(Transfer, self.open.row["key"]))

    def row(self, table: Any, key: int) -> dict[str, Any]:
        """A new row of a table, copied from one that is right."""
        column = {Account: "key", Transfer: "key", Entry: "transfer_key"}[table]
        statement = table.__table__.select().where(table.__table__.c[column] == key)
        found = self.db.run_read(lambda session: dict(session.execute(statement).first()._mapping))
        return found | {"id": ids.new_id("xyz")} | ({"key": ids.new_key()} if "key" in found else {})

    def add(self, table: Any, values: dict[str, Any]) -> None:
        self.db.run_write(lambda session: session.execute(insert(table.__table__), [values]) and None)

    def refuses(self, table: Any, values: dict[str, Any], match: str) -> None:
        before = self.books.state()
        with pytest.raises(IntegrityError, match=match):
            self.add(table, values)
        assert self.books.state() == before


@pytest.fixture
def world(db: Database) -> World:
    return World(db)


def test_a_transfer_is_of_a_positive_amount_between_two_accounts_that_exist(world: World) -> None:
    good = world.row(Transfer, world.open.row["key"])
    held = {"captured": 0, "expires_at": good["created_at"]}
    for bad, match in (
        ({"amount": 0}, "ck_transfers_amount"),
        ({"amount": -1}, "ck_transfers_amount"),
        ({"amount": MAX_AMOUNT + 1}, "ck_transfers_amount"),
        ({"destination_key": good["source_key"]}, "ck_transfers_sides"),
        ({"kind": "gift"}, "ck_transfers_kind"),
        ({"status": "done", "booked_at": None, **held}, "ck_transfers_status"),
        ({"booked_at": None}, "ck_transfers_booked"),
        ({"status": "pending", **held}, "ck_transfers_booked"),
        ({"remaining": 1}, "ck_transfers_reserved"),
        ({"status": "pending", "booked_at": None, **held, "remaining": 101}, "ck_transfers_remaining"),
        ({"status": "pending", "booked_at": None, **held, "remaining": -1}, "ck_transfers_remaining"),
        ({"status": "pending", "booked_at": None, "remaining": 1}, "ck_transfers_hold"),
        ({"expires_at": good["created_at"]}, "ck_transfers_hold"),
        ({"captured": 1}, "ck_transfers_hold"),
        ({**held, "captured": -1}, "ck_transfers_hold"),
        ({**held, "pending_key": good["key"]}, "ck_transfers_hold"),
        ({**held, "reverses_key": good["key"]}, "ck_transfers_hold"),
        ({"source_key": 1}, FOREIGN),
        ({"destination_key": 1}, FOREIGN),
        ({"reverses_key": 1}, FOREIGN),
        ({"pending_key": 1}, FOREIGN),
        ({"reverses_key": world.posted.row["key"]}, "uq_transfers_reverses_key|transfers.reverses_key"),
        ({"id": world.open.row["id"]}, "uq_transfers_id|transfers.id"),
    ):
        world.refuses(Transfer, good | bad, match)
    world.add(Transfer, good)


FOREIGN = "FOREIGN KEY|foreign key"


def test_an_entry_has_its_own_place_and_time_on_an_account(world: World) -> None:
    taken = world.row(Entry, world.open.row["key"])
    transfer = world.row(Transfer, world.open.row["key"])
    world.add(Transfer, transfer)
    later = {"booked_at": taken["booked_at"].replace(microsecond=0, year=2031)}
    good = taken | later | {"transfer_key": transfer["key"], "sequence": taken["sequence"] + 1}
    for bad, match in (
        ({"amount": 0}, "ck_entries_amount"),
        ({"sequence": 0}, "ck_entries_sequence"),
        ({"sequence": taken["sequence"]}, "pk_entries|entries.account_key, entries.sequence"),
        ({"booked_at": taken["booked_at"]}, "uq_entries_booked_at|entries.account_key, entries.booked_at"),
        ({"transfer_key": taken["transfer_key"]}, "uq_entries_transfer_key|entries.transfer_key"),
        ({"id": world.open.sides[0].entry_id}, "uq_entries_id|entries.id"),
        ({"transfer_key": 1}, FOREIGN),
        ({"account_key": 1}, FOREIGN),
    ):
        world.refuses(Entry, good | bad, match)
    world.add(Entry, good)


def test_an_account_keeps_its_floor_its_bounds_and_its_words(world: World) -> None:
    good = world.row(Account, world.one.key) | {"number": "000000000000"}
    mine = {"holder_id": None, "owner_id": None, "number": None}
    cash = {**mine, "kind": "cash", "currency": "USD"}
    for bad, match in (
        ({"balance": -1}, "ck_accounts_floor"),
        ({"balance": 9, "held": 10}, "ck_accounts_floor"),
        ({"balance": -11, "overdraft_limit": 6, "unarranged": 4}, "ck_accounts_floor"),
        ({"balance": MAX_AMOUNT + 1}, "ck_accounts_balance"),
        ({**cash, "balance": -MAX_BANK_BALANCE - 1}, "ck_accounts_balance"),
        ({"held": -1}, "ck_accounts_not_negative"),
        ({"overdraft_limit": -1}, "ck_accounts_not_negative"),
        ({"unarranged": -1}, "ck_accounts_not_negative"),
        ({"status": "gone"}, "ck_accounts_status"),
        ({"kind": "purse"}, "ck_accounts_kind"),
        ({"currency": "EU"}, "ck_accounts_currency"),
        ({"status": "closed"}, "ck_accounts_closed"),
        ({"status": "closed", "balance": 0, "held": 1, "overdraft_limit": 1}, "ck_accounts_closed"),
        ({"number": None}, "ck_accounts_customer"),
        ({"holder_id": None}, "ck_accounts_customer"),
        ({"number": world.one.number}, "uq_accounts_number|accounts.number"),
        ({**cash, "currency": "EUR"}, "uq_accounts_system|accounts.kind, accounts.currency"),
        ({"holder_id": "hdr_none"}, FOREIGN),
        ({"owner_id": "usr_none"}, FOREIGN),
        ({"id": world.one.id}, "uq_accounts_id|accounts.id"),
    ):
        world.refuses(Account, good | bad, match)
    world.add(Account, good)
    world.add(Account, good | cash | {"key": 7, "id": "acc_cash", "balance": -10})


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ("balance = -1", "ck_accounts_floor"),
        ("balance = held - overdraft_limit - unarranged - 1", "ck_accounts_floor"),
        (f"balance = {MAX_AMOUNT + 1}", "ck_accounts_balance"),
        ("status = 'closed'", "ck_accounts_closed"),
    ],
)
def test_no_update_gets_past_the_guards_either(world: World, change: str, match: str) -> None:
    before = world.books.state()
    with pytest.raises(IntegrityError, match=match):
        scratch.execute(world.db, f"UPDATE accounts SET {change} WHERE key = {world.one.key}")
    assert world.books.state() == before


def test_a_key_is_used_once_by_its_caller(world: World) -> None:
    caller, key = world.books.rows("SELECT caller, key FROM idempotency_keys")[0]
    values = {"caller": caller, "key": key, "fingerprint": b"", "status": 201, "created_at": None}
    values |= {"created_at": world.posted.row["created_at"]}
    world.refuses(IdempotencyKey, values, "pk_idempotency_keys|idempotency_keys.caller, idempotency_keys.key")
    world.add(IdempotencyKey, values | {"caller": "usr_other"})


def test_an_event_of_a_hold_has_its_own_place_and_says_what_happened(world: World) -> None:
    held = world.books.held(hold(world.payer, world.one, world.two, 100))
    capture_key = world.open.row["key"]
    statement = HoldEvent.__table__.select()
    found = world.db.run_read(lambda session: session.execute(statement).first())
    good = dict(found._mapping) | {"sequence": 2}
    captured = {"act": "captured", "capture_key": capture_key}
    world.add(HoldEvent, good | captured)
    good["sequence"] = 3
    for bad, match in (
        ({"sequence": 1}, "pk_hold_events|hold_events.transfer_key, hold_events.sequence"),
        ({"sequence": 0}, "ck_hold_events_sequence"),
        ({"act": "lost"}, "ck_hold_events_act"),
        ({"act": "captured"}, "ck_hold_events_capture"),
        ({"capture_key": capture_key}, "ck_hold_events_capture"),
        (captured, "uq_hold_events_capture_key|hold_events.capture_key"),
        ({"act": "expired"}, "ck_hold_events_actor"),
        ({"actor": None}, "ck_hold_events_actor"),
        ({"transfer_key": 1}, FOREIGN),
        ({"act": "captured", "capture_key": 1}, FOREIGN),
    ):
        world.refuses(HoldEvent, good | bad, match)
    world.add(HoldEvent, good)
    assert held.row["key"] == good["transfer_key"]


@pytest.mark.parametrize(
    "change", ["UPDATE hold_events SET amount = amount", "DELETE FROM hold_events WHERE sequence = 1"]
)
def test_events_of_holds_are_neither_changed_nor_deleted(world: World, change: str) -> None:
    world.books.held(hold(world.payer, world.one, world.two, 100))
    before = world.books.state()
    with pytest.raises(DBAPIError, match="hold_events is append-only"):
        scratch.execute(world.db, change)
    assert world.books.state() == before


@pytest.mark.parametrize("table", ["accounts", "transfers", "account_holders", "users"])
def test_nothing_with_history_is_deleted(world: World, table: str) -> None:
    before = world.books.state()
    with pytest.raises(DBAPIError, match=FOREIGN):
        scratch.execute(world.db, f"DELETE FROM {table}")
    assert world.books.state() == before


COLUMNS = "account_key, sequence, id, transfer_key, amount, balance_after, booked_at, value_date"
TAKEN = "SELECT {} FROM entries WHERE sequence = 2"
ENTRY_CHANGES = [
    "UPDATE entries SET amount = amount",
    "UPDATE entries SET balance_after = 1 WHERE sequence = 1",
    "UPDATE entries SET value_date = '2020-01-01'",
    "DELETE FROM entries",
    "DELETE FROM entries WHERE sequence = 3",
]
# Replaces the oldest entry by what it meets on one of its unique keys.
_REPLACE = (
    "INSERT OR REPLACE INTO entries (rowid, account_key, sequence, id, transfer_key, amount, "
    "balance_after, booked_at, value_date) SELECT {}, 7, 7, {}, value_date FROM entries "
    "WHERE id = (SELECT min(id) FROM entries)"
)
_UNUSED = "(SELECT max(key) FROM transfers)"
SQLITE_CHANGES = [
    _REPLACE.format(f"rowid, account_key, 99, 'new', {_UNUSED}", "1"),
    _REPLACE.format(f"99, account_key, sequence, 'new', {_UNUSED}", "1"),
    _REPLACE.format(f"99, account_key, 99, id, {_UNUSED}", "1"),
    _REPLACE.format("99, account_key, 99, 'new', transfer_key", "1"),
    _REPLACE.format(f"99, account_key, 99, 'new', {_UNUSED}", "booked_at"),
    "INSERT INTO entries SELECT * FROM entries WHERE true ON CONFLICT DO UPDATE SET amount = 7",
]
POSTGRESQL_CHANGES = [
    "TRUNCATE entries CASCADE",
    "TRUNCATE accounts CASCADE",
    "INSERT INTO entries SELECT * FROM entries ON CONFLICT (id) DO UPDATE SET amount = 7",
]


def assert_entries_stay(world: World, change: str) -> None:
    before = world.books.state()
    with pytest.raises(DBAPIError, match="entries is append-only"):
        scratch.execute(world.db, change)
    assert world.books.state() == before


@pytest.mark.parametrize("change", ENTRY_CHANGES)
def test_entries_are_neither_changed_nor_deleted(world: World, change: str) -> None:
    assert_entries_stay(world, change)


@scratch.ONLY_SQLITE
@pytest.mark.parametrize("change", SQLITE_CHANGES)
def test_entries_are_not_replaced_on_sqlite(world: World, change: str) -> None:
    assert_entries_stay(world, change)


@scratch.ONLY_POSTGRESQL
@pytest.mark.parametrize("change", POSTGRESQL_CHANGES)
def test_entries_are_not_replaced_on_postgresql(world: World, change: str) -> None:
    assert_entries_stay(world, change)


def test_an_accounts_number_that_is_taken_is_drawn_again(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    books = Books(db)
    one = books.account()
    drawn = iter([one.number, one.number, "000000000018", one.number, "000000000026"])
    monkeypatch.setattr("app.services.accounts.new_number", lambda: next(drawn))
    made: list[Acct] = [books.account(), books.account()]
    assert [account.number for account in made] == ["000000000018", "000000000026"]
