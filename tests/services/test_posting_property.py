"""A command comes to the same, alone or in a batch of many: random commands, on both databases."""

import asyncio
import random
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.core.caller import Caller
from app.core.errors import BankingError
from app.db.unit_of_work import Database
from app.ledger.commands import Command, Posted
from app.ledger.posting import Outcome
from tests import scratch
from tests.books import Acct, Books, deposit, pay, reverse, told, withdraw

CURRENCIES = ("EUR", "EUR", "EUR", "USD")
EARLIER = 4
numbers = st.integers(0, len(CURRENCIES) - 1)
amounts = st.sampled_from([1, 7, 50, 120, 400])
keys = st.one_of(st.none(), st.integers(0, 3))
plans = st.one_of(
    st.tuples(st.just("pay"), numbers, numbers, amounts, keys),
    st.tuples(st.just("deposit"), numbers, numbers, amounts, keys),
    st.tuples(st.just("withdraw"), numbers, numbers, amounts, keys),
    st.tuples(st.just("reverse"), st.integers(0, EARLIER - 1), numbers, amounts, keys),
    st.tuples(st.just("stranger"), numbers, numbers, amounts, keys),
    st.tuples(st.just("dead"), numbers, numbers, amounts, keys),
)
Plan = tuple[str, int, int, int, int | None]


@dataclass
class World:
    """Some accounts with a history; worlds are alike but for the names of everything."""

    books: Books
    ada: Caller
    ben: Caller
    accounts: list[Acct]
    earlier: list[Posted]

    def commands(self, plan: list[Plan]) -> list[Command]:
        return [self._command(number, *one) for number, one in enumerate(plan)]

    def _command(
        self, number: int, what: str, one: int, other: int, amount: int, slot: int | None
    ) -> Command:
        key = f"{self.ada.id}-{number}" if slot is None else f"{self.ada.id}-slot-{slot}"
        source, currency = self.accounts[one], CURRENCIES[one % len(CURRENCIES)]
        if what == "reverse":
            return reverse(self.books.teller, self.earlier[one], key=key)
        if what == "deposit":
            return deposit(self.ada, source, amount, currency=currency, key=key)
        if what == "withdraw":
            return withdraw(self.ada, source, amount, currency=currency, key=key)
        caller = {
            "pay": self.ada,
            "stranger": self.ben,
            "dead": replace(self.ada, session_id="ses_ended"),
        }[what]
        return pay(caller, source, self.accounts[other], amount, currency=currency, key=key)

    def told(self, outcomes: list[Outcome]) -> list[Any]:
        """The outcomes without names: postings by their sides, replays by what they repeat."""
        names = {account.id: number for number, account in enumerate(self.accounts)}
        seen: dict[str, int] = {}
        words: list[Any] = []
        for number, outcome in enumerate(outcomes):
            if isinstance(outcome, BankingError):
                words.append((outcome.code, outcome.details))
                continue
            first = seen.setdefault(outcome.row["id"], number)
            row = outcome.row
            sides = [
                (names[side.account_id], side.sequence, side.amount, side.balance_after, side.value_date)
                for side in outcome.sides
                if side.account_id in names
            ]
            balances = (row["source_balance"], row["source_available"]) if row["source_id"] in names else ()
            words.append((told(outcome), first, row["kind"], row["status"], row["amount"], sides, balances))
        return words

    def state(self) -> list[Any]:
        found = []
        for account in self.accounts:
            query = "SELECT {} FROM {} WHERE {} = :key ORDER BY 1"
            columns = "balance, held, unarranged, last_sequence, version > 1"
            found.append(self.books.rows(query.format(columns, "accounts", "key"), key=account.key))
            lines = "sequence, amount, balance_after, value_date"
            found.append(self.books.rows(query.format(lines, "entries", "account_key"), key=account.key))
        return [[tuple(row) for row in rows] for rows in found]


def world(books: Books) -> World:
    ada, ben = books.person(), books.person()
    accounts = [books.account(ada, currency=currency) for currency in CURRENCIES]
    books.post(
        *(
            deposit(ada, account, 300, currency=currency)
            for account, currency in zip(accounts, CURRENCIES, strict=True)
        )
    )
    earlier = books.post(
        pay(ada, accounts[0], accounts[1], 100),
        pay(ada, accounts[1], accounts[2], 250),
        deposit(ada, accounts[0], 200),
        withdraw(ada, accounts[2], 10),
    )
    return World(books, ada, ben, accounts, [one for one in earlier if isinstance(one, Posted)])


def lane(books: Books, commands: list[Command]) -> list[Any]:
    """All at once through the fast lane, which makes one batch of them."""

    async def all_at_once() -> list[Any]:
        calls = (books.db.write_batched(books.ledger.post, command) for command in commands)
        return await asyncio.gather(*calls, return_exceptions=True)

    return scratch.run(all_at_once)


def assert_batching_changes_nothing(db: Database, plan: list[Plan]) -> set[str]:
    books = Books(db, limits={"EUR": 900})
    one_by_one, together = world(books), world(books)
    alone = [outcome for command in one_by_one.commands(plan) for outcome in books.post(command)]
    at_once = lane(books, together.commands(plan))
    assert together.told(at_once) == one_by_one.told(alone)
    assert together.state() == one_by_one.state()
    return {told(outcome) for outcome in at_once}


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None
)
@given(plan=st.lists(plans, max_size=40))
def test_a_batch_of_many_comes_to_what_its_commands_come_to_alone(
    db: Database, plan: list[Plan], caplog: pytest.LogCaptureFixture
) -> None:
    assert_batching_changes_nothing(db, plan)
    assert caplog.records == []
    Books(db).assert_right()


def test_a_batch_of_two_hundred_with_every_kind_of_outcome(
    db: Database, caplog: pytest.LogCaptureFixture
) -> None:
    chance = random.Random(5)
    whats = ("pay", "pay", "pay", "deposit", "withdraw", "reverse", "stranger", "dead")
    plan: list[Plan] = [
        (
            chance.choice(whats),
            chance.randrange(4),
            chance.randrange(4),
            chance.choice((1, 50, 120, 400)),
            chance.choice((None, None, 0, 1)),
        )
        for _ in range(100)
    ]
    plan += plan
    assert assert_batching_changes_nothing(db, plan) == {
        "posted",
        "replayed",
        "idempotency_key_reused",
        "unauthenticated",
        "not_found",
        "already_reversed",
        "same_account",
        "currency_mismatch",
        "insufficient_funds",
        "limit_exceeded",
    }
    # The batch did not fail, to be run command by command.
    assert caplog.records == []
    Books(db).assert_right()
