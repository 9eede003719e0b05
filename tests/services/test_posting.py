"""What posting does: entries, balances, times, and the trace; on both databases."""

from datetime import UTC, date, datetime, timedelta

import pytest

from app.core.money import MAX_AMOUNT
from app.db.unit_of_work import Database
from app.models.transfers import TransferKind
from tests.books import CASH, Books, deposit, move, pay, set_clock, told, withdraw


def test_a_transfer_is_two_entries_that_mirror_each_other(db: Database) -> None:
    books = Books(db)
    ada, ben = books.person(), books.person()
    one, two = books.account(ada, money=1000), books.account(ben, money=50)
    posted = books.did(pay(ada, one, two, 300, description="rent", external_id="r-1", metadata={"a": "b"}))
    source, destination = posted.sides
    assert (source.account_id, source.amount, source.balance_after, source.sequence) == (one.id, -300, 700, 2)
    assert (destination.account_id, destination.amount) == (two.id, 300)
    assert (destination.balance_after, destination.sequence) == (350, 2)
    rows = books.rows(
        "SELECT e.account_key, e.sequence, e.amount, e.balance_after, e.id, e.booked_at = t.booked_at "
        "FROM entries e JOIN transfers t ON t.key = e.transfer_key WHERE t.id = :id ORDER BY e.amount",
        id=posted.row["id"],
    )
    assert [tuple(row) for row in rows] == [
        (one.key, 2, -300, 700, source.entry_id, True),
        (two.key, 2, 300, 350, destination.entry_id, True),
    ]
    assert (books.balance(one), books.balance(two)) == (700, 350)
    assert (posted.row["source_balance"], posted.row["source_available"]) == (700, 700)
    assert [posted.row[name] for name in ("description", "external_id", "metadata")] == [
        "rent",
        "r-1",
        {"a": "b"},
    ]
    books.assert_right()


def test_a_key_is_kept_with_where_its_transfer_is_and_without_an_answer(db: Database) -> None:
    books = Books(db)
    ada = books.person()
    one, two = books.account(ada, money=100), books.account()
    command = pay(ada, one, two, 100)
    posted = books.did(command)
    rows = books.rows(
        "SELECT key, fingerprint, status, body, location FROM idempotency_keys WHERE caller = :id", id=ada.id
    )
    location = f"/v1/transfers/{posted.row['id']}"
    assert [tuple(row) for row in rows] == [(command.key.value, command.key.fingerprint, 201, None, location)]


def test_cash_is_the_other_side_of_deposits_and_withdrawals(db: Database) -> None:
    books = Books(db)
    ada = books.person()
    account = books.account(ada)
    assert books.system("cash") == 0
    books.did(deposit(ada, account, 1000))
    books.did(withdraw(ada, account, 400))
    assert (books.balance(account), books.system("cash")) == (600, -600)
    assert books.system("suspense") == 0
    books.assert_right()


def test_available_money_is_what_is_booked_and_not_held_and_the_overdraft(db: Database) -> None:
    books = Books(db)
    ada = books.person()
    other = books.account()
    account = books.account(ada, money=100, held=30, overdraft_limit=50)
    books.refused(pay(ada, account, other, 121), "insufficient_funds")
    posted = books.did(pay(ada, account, other, 120))
    assert books.balance(account) == -20
    told_balances = [posted.row[f"source_{name}"] for name in ("balance", "held", "available")]
    assert told_balances == [-20, 30, 0]
    books.refused(pay(ada, account, other, 1), "insufficient_funds")


def test_a_credit_pays_back_first_what_a_forced_posting_took(db: Database) -> None:
    books = Books(db)
    ada = books.person()
    account = books.account(ada)
    books.run(
        "UPDATE accounts SET balance = -100, overdraft_limit = 20, unarranged = 80 WHERE key = :key",
        key=account.key,
    )
    for amount, left in ((50, 30), (29, 1), (11, 0)):
        books.did(deposit(ada, account, amount))
        found = books.rows("SELECT unarranged FROM accounts WHERE key = :key", key=account.key)
        assert found[0][0] == left
    books.did(withdraw(ada, account, 10))
    books.refused(withdraw(ada, account, 1), "insufficient_funds")


def test_every_transfer_has_its_own_instant_in_the_order_of_posting(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_clock(monkeypatch, "2026-01-15T12:00:00Z")
    books = Books(db)
    ada, ben = books.person(), books.person()
    one, two = books.account(ada, money=1000), books.account(ben, money=1000)
    books.post(pay(ada, one, two), pay(ada, one, two), pay(ben, two, one))
    set_clock(monkeypatch, "2026-01-15T11:00:00Z")
    books.post(pay(ada, one, two), pay(ben, two, one))
    for account in (one, two):
        rows = books.rows(
            "SELECT booked_at, sequence FROM entries WHERE account_key = :key ORDER BY sequence",
            key=account.key,
        )
        times = [row.booked_at for row in rows]
        assert times == sorted(set(times))
        assert [row.sequence for row in rows] == [1, 2, 3, 4, 5, 6]
    books.assert_right()


@pytest.mark.parametrize(
    ("zone", "day"),
    [("UTC", date(2026, 1, 31)), ("Asia/Tokyo", date(2026, 2, 1)), ("America/New_York", date(2026, 1, 31))],
)
def test_the_value_date_is_the_day_of_the_bank(
    db: Database, monkeypatch: pytest.MonkeyPatch, zone: str, day: date
) -> None:
    set_clock(monkeypatch, "2026-01-31T15:30:00Z")
    books = Books(db, zone=zone)
    ada = books.person()
    account = books.account(ada)
    posted = books.did(deposit(ada, account))
    assert [side.value_date for side in posted.sides] == [day, day]
    assert posted.row["booked_at"] == datetime(2026, 1, 31, 15, 30, tzinfo=UTC) + timedelta(microseconds=1)
    other_day = books.did(deposit(books.teller, account, value_date=date(2026, 1, 2)))
    assert other_day.sides[0].value_date == date(2026, 1, 2)
    stored = books.rows("SELECT DISTINCT value_date FROM entries ORDER BY value_date")
    assert [str(row[0]) for row in stored] == ["2026-01-02", str(day)]


def test_a_posting_leaves_one_trace_and_so_does_a_refusal(db: Database) -> None:
    books = Books(db)
    ada = books.person()
    one, two = books.account(ada, money=100), books.account()
    posted = books.did(pay(ada, one, two, 100))
    books.refused(pay(ada, one, two, 1), "insufficient_funds")
    rows = books.rows(
        "SELECT actor, action, object_id, outcome, address, request_id FROM audit_log "
        "WHERE action = 'transfer.create' ORDER BY id"
    )
    who = (ada.id, "transfer.create")
    where = ("192.0.2.1", "req_1")
    assert [tuple(row) for row in rows] == [
        (*who, posted.row["id"], "success", *where),
        (*who, None, "insufficient_funds", *where),
    ]


@pytest.mark.parametrize("amount", [1, 29, 57, 115, 10_001, MAX_AMOUNT])
def test_money_comes_and_goes_to_the_last_minor_unit(db: Database, amount: int) -> None:
    books = Books(db)
    ada = books.person()
    account = books.account(ada, money=amount)
    assert (books.balance(account), books.system()) == (amount, -amount)
    books.did(withdraw(ada, account, amount))
    assert (books.balance(account), books.system()) == (0, 0)


def test_balances_end_where_every_reader_still_keeps_them(db: Database) -> None:
    books = Books(db)
    ada, ben = books.person(), books.person()
    full, small = books.account(ada, money=MAX_AMOUNT - 5), books.account(ada, money=5)
    bens = books.account(ben)
    books.did(pay(ada, small, full, 5))
    books.refused(deposit(ada, full, 1), "balance_limit")
    books.did(pay(ada, full, bens, 1))
    books.did(pay(ben, bens, full, 1))
    books.refused(pay(ada, full, full, 1), "same_account")
    assert books.balance(full) == -books.system() == MAX_AMOUNT
    books.assert_right()


def test_one_full_account_does_not_keep_the_others_from_filling(db: Database) -> None:
    books = Books(db)
    for _ in range(3):
        books.account(books.person(), money=MAX_AMOUNT)
    assert books.system() == -3 * MAX_AMOUNT
    books.assert_right()


def test_nobody_finds_out_a_strangers_balance_by_amounts_they_do_not_have(db: Database) -> None:
    books = Books(db)
    rich, poor = books.person(), books.person()
    theirs, mine = books.account(rich, money=123_456), books.account(poor)
    for amount in (1, MAX_AMOUNT - 123_456, MAX_AMOUNT - 123_455, MAX_AMOUNT):
        books.refused(pay(poor, mine, theirs, amount), "insufficient_funds")


def test_the_bank_has_one_account_of_each_kind_in_a_currency_and_others_are_refused(db: Database) -> None:
    books = Books(db)
    ada = books.person()
    account = books.account(ada)
    found = books.rows("SELECT kind, currency FROM accounts WHERE holder_id IS NULL ORDER BY kind")
    assert [tuple(row) for row in found] == [
        (kind, "EUR") for kind in ("card_settlement", "cash", "fees", "fx_position", "interest", "suspense")
    ]
    outcomes = books.post(deposit(ada, account, currency="USD"), withdraw(ada, account, currency="USD"))
    assert [told(outcome) for outcome in outcomes] == ["currency_mismatch"] * 2
    books.account(ada, currency="USD")
    books.refused(deposit(ada, account, currency="USD"), "currency_mismatch", "currency")
    assert books.count("accounts") == 14


def test_nobody_names_an_account_of_the_bank(db: Database) -> None:
    books = Books(db)
    ada = books.person()
    account = books.account(ada, money=100)
    cash = books.rows("SELECT id FROM accounts WHERE kind = 'cash'")[0][0]
    own = type(account.own)(cash, "account")
    for caller in (ada, books.teller):
        books.refused(move(caller, own, account.any, 1), "not_found", "account")
        books.refused(move(caller, own, CASH, 1, kind=TransferKind.WITHDRAWAL), "not_found", "account")
