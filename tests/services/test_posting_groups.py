"""Groups of transfers in a batch: whole or chunk by chunk, and what their neighbours see of them."""

from dataclasses import replace
from typing import Any

import pytest

from app.core import errors, ids
from app.core.caller import Caller
from app.core.errors import Detail
from app.db.unit_of_work import Database
from app.ledger.batch import AddressBook
from app.ledger.commands import GroupPosted, Key, Posted, PostGroup, PostTransfer
from tests.books import Acct, Books, deposit, pay, statements, told

FINGERPRINT = b"f" * 32


def keyless(command: PostTransfer) -> PostTransfer:
    return replace(command, key=None)


def group(
    caller: Caller, *commands: PostTransfer, atomic: bool = False, key: str = "once", first: int = 0
) -> PostGroup:
    return PostGroup(caller, Key(key, FINGERPRINT), first, commands, atomic)


def words(posted: Any) -> list[str]:
    assert isinstance(posted, GroupPosted), told(posted)
    return [told(outcome) for outcome in posted.outcomes]


class World:
    """Ada has 1,000, and Ben an account."""

    def __init__(self, db: Database, **more: Any) -> None:
        self.books = Books(db, **more)
        self.ada, ben = self.books.person(), self.books.person()
        self.one: Acct = self.books.account(self.ada, money=1_000)
        self.two: Acct = self.books.account(ben)

    def pay(self, amount: int, key: str | None = None) -> PostTransfer:
        made = pay(self.ada, self.one, self.two, amount, key=key)
        return made if key else keyless(made)

    @property
    def balances(self) -> tuple[int, int]:
        return self.books.balance(self.one), self.books.balance(self.two)


def test_a_group_and_its_neighbours_are_judged_in_the_order_of_the_batch(db: Database) -> None:
    world = World(db)
    before, middle, after = world.books.post(
        world.pay(500, key="a"),
        group(world.ada, world.pay(400), world.pay(200), world.pay(50)),
        world.pay(60, key="b"),
    )
    assert (told(before), told(after)) == ("posted", "insufficient_funds")
    assert words(middle) == ["posted", "insufficient_funds", "posted"]
    assert world.balances == (50, 950)
    world.books.assert_right()


def test_a_refused_atomic_group_is_as_if_it_had_never_been(db: Database) -> None:
    world = World(db, limits={"EUR": 1_500})
    refused, after = world.books.post(
        group(world.ada, world.pay(600, key="own"), world.pay(600), atomic=True),
        world.pay(1_000, key="own"),
    )
    assert isinstance(refused, errors.InsufficientFunds)
    short = errors.InsufficientFunds
    assert refused.details == (Detail("transfers[1]", short.code, short.message),)
    assert told(after) == "posted"
    assert world.balances == (0, 1_000)
    traces = world.books.rows("SELECT action, outcome FROM audit_log WHERE outcome <> 'success'")
    assert [tuple(row) for row in traces] == [("transfer.bulk", "insufficient_funds")]
    assert world.books.count("bulk_chunks") == 0
    world.books.assert_right()


def test_a_refusal_with_a_field_says_whose_field(db: Database) -> None:
    world = World(db)
    strange = replace(world.pay(1), source=world.two.own)
    (refused,) = world.books.post(group(world.ada, world.pay(1), strange, atomic=True))
    (alone,) = world.books.post(replace(strange, key=Key("x", FINGERPRINT)))
    assert isinstance(refused, errors.NotFound)
    assert isinstance(alone, errors.NotFound)
    [whose], [field] = refused.details, alone.details
    assert whose == Detail(f"transfers[1].{field.field}", field.code, field.message)
    assert field.field == strange.source.field


def test_each_refusal_in_a_group_is_in_the_audit_log_with_its_reason(db: Database) -> None:
    world = World(db)
    strange = replace(world.pay(1), source=world.two.own)
    world.books.post(group(world.ada, world.pay(2_000), world.pay(1), strange))
    traces = world.books.rows(
        "SELECT action, outcome FROM audit_log WHERE action LIKE 'transfer%' ORDER BY id"
    )
    assert [tuple(row) for row in traces] == [
        ("transfer.create", "insufficient_funds"),
        ("transfer.create", "not_found"),
        ("transfer.bulk", "success"),
    ]


def test_an_atomic_refusal_gives_back_what_the_banks_own_account_paid(db: Database) -> None:
    world = World(db)
    cash = world.books.system("cash")
    paid_in = keyless(deposit(world.ada, world.one, 50))
    refused, after = world.books.post(
        group(world.ada, paid_in, world.pay(5_000), atomic=True), deposit(world.ada, world.one, 7)
    )
    assert (told(refused), told(after)) == ("insufficient_funds", "posted")
    assert (world.books.balance(world.one), world.books.system("cash")) == (1_007, cash - 7)
    world.books.assert_right()


def test_the_limit_of_a_day_counts_what_a_group_has_sent(db: Database) -> None:
    world = World(db, limits={"EUR": 500})
    (posted,) = world.books.post(group(world.ada, world.pay(300), world.pay(201), world.pay(200)))
    assert words(posted) == ["posted", "limit_exceeded", "posted"]
    refused, other = world.books.post(
        group(world.ada, world.pay(1), key="more", atomic=True),
        group(world.ada, world.pay(1), key="other"),
    )
    assert isinstance(refused, errors.LimitExceeded)
    assert words(other) == ["limit_exceeded"]


@pytest.mark.parametrize("together", [True, False])
def test_a_group_is_posted_once_and_told_again_as_it_was(db: Database, together: bool) -> None:
    world = World(db)
    once = group(world.ada, world.pay(100), world.pay(5_000), world.pay(200))
    if together:
        first, again = world.books.post(once, once)
    else:
        ((first,), (again,)) = (world.books.post(once), world.books.post(once))
    assert (first.replayed, again.replayed) == (False, True)
    assert words(first) == words(again) == ["posted", "insufficient_funds", "posted"]
    for one, other in zip(first.outcomes, again.outcomes, strict=True):
        if isinstance(one, Posted):
            assert other.row["id"] == one.row["id"]
            assert other.row["source_balance"] == one.row["source_balance"]
        else:
            assert (type(other), other.details) == (type(one), one.details)
    assert world.balances == (700, 300)
    world.books.assert_right()


def test_chunks_of_one_request_share_its_key(db: Database) -> None:
    world = World(db)
    chunks = [group(world.ada, world.pay(1), world.pay(2), first=first) for first in (0, 2, 4)]
    assert [words(one) for one in world.books.post(*chunks[:2])] == [["posted"] * 2] * 2
    told_again, new = world.books.post(chunks[1], chunks[2])
    assert (told_again.replayed, new.replayed) == (True, False)
    assert world.balances == (991, 9)
    assert [tuple(row) for row in world.books.rows("SELECT first FROM bulk_chunks ORDER BY first")] == [
        (0,),
        (2,),
        (4,),
    ]
    kept = world.books.rows("SELECT status, location FROM idempotency_keys WHERE key = 'once'")
    assert [tuple(row) for row in kept] == [(200, None)]


@pytest.mark.parametrize("together", [True, False])
def test_a_key_is_of_one_request(db: Database, together: bool) -> None:
    world = World(db)
    once, other = group(world.ada, world.pay(1)), group(world.ada, world.pay(2))
    other = replace(other, key=Key("once", b"g" * 32))
    single = replace(world.pay(3), key=Key("once", FINGERPRINT))
    batches = [(once, other, single)] if together else [(once,), (other,), (single,)]
    outcomes = [outcome for batch in batches for outcome in world.books.post(*batch)]
    assert words(outcomes[0]) == ["posted"]
    assert [type(one) for one in outcomes[1:]] == [errors.IdempotencyKeyReused] * 2
    assert world.balances == (999, 1)


@pytest.mark.parametrize("atomic", [True, False])
def test_a_transfer_of_a_group_cannot_have_its_key(db: Database, atomic: bool) -> None:
    world = World(db)
    (outcome,) = world.books.post(group(world.ada, world.pay(1, "once"), world.pay(2), atomic=atomic))
    if atomic:
        assert told(outcome) == "idempotency_key_reused"
    else:
        assert words(outcome) == ["idempotency_key_reused", "posted"]
    assert world.balances == ((1_000, 0) if atomic else (998, 2))
    kept = world.books.rows("SELECT status, location FROM idempotency_keys WHERE key = 'once'")
    assert [tuple(row) for row in kept] == ([] if atomic else [(200, None)])
    world.books.assert_right()


def test_a_group_belongs_together_in_the_records(db: Database) -> None:
    world = World(db)
    world.books.post(group(world.ada, world.pay(1), world.pay(2)), world.pay(3, key="alone"))
    rows = world.books.rows("SELECT amount, group_id FROM transfers WHERE kind = 'transfer' ORDER BY amount")
    (_, first), (_, second), (_, alone) = [tuple(row) for row in rows]
    assert first == second
    assert ids.is_id(ids.GROUP, first)
    assert alone is None
    traced = world.books.rows("SELECT object_id, outcome FROM audit_log WHERE action = 'transfer.bulk'")
    assert [tuple(row) for row in traced] == [(first, "success")]


def test_no_group_on_a_dead_session(db: Database) -> None:
    world = World(db)
    stranger = replace(world.ada, session_id="ses_" + "0" * 26)
    (refused,) = world.books.post(group(stranger, world.pay(1)))
    assert isinstance(refused, errors.Unauthenticated)
    assert world.balances == (1_000, 0)


def test_a_group_costs_the_same_statements_whatever_its_size(db: Database) -> None:
    world = World(db)

    def cost(size: int) -> int:
        once = group(world.ada, *[world.pay(1)] * size, key=str(size))
        with statements(db) as sent:
            assert words(world.books.post(once)[0]) == ["posted"] * size
        return len(sent)

    # The first one asks where the accounts are.
    cost(1)
    assert cost(2) == cost(3) == cost(200) <= 12


def test_what_an_address_is_is_asked_once_and_forgotten_when_it_is_too_much(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AddressBook, "_MOST", 3)
    world = World(db)
    for number in range(5):
        three = world.books.account(world.ada, money=1)
        assert told(world.books.post(pay(world.ada, three, world.two, 1, key=str(number)))[0]) == "posted"
    assert len(world.books.ledger._book._known) <= 5
    assert world.balances == (1_000, 5)
