"""Somebody with money who reserves it for somebody else."""

from typing import Any

from app.db.unit_of_work import Database
from app.ledger.commands import Held
from tests.books import Acct, Books, hold


class World:
    """Ada, who has 1,000 and pays; Ben, who is paid."""

    def __init__(self, db: Database, **options: Any) -> None:
        self.books = Books(db, **options)
        self.ada, self.ben = self.books.person(), self.books.person()
        self.one, self.two = self.books.account(self.ada, money=1000), self.books.account(self.ben)

    def hold(self, amount: int = 600, **more: Any) -> Held:
        return self.books.held(hold(self.ada, self.one, self.two, amount, **more))

    def money(self, account: Acct | None = None) -> tuple[int, int, int]:
        """Balance, held and unarranged of an account, of Ada's when none is given."""
        query = "SELECT balance, held, unarranged FROM accounts WHERE key = :key"
        balance, held, unarranged = self.books.rows(query, key=(account or self.one).key)[0]
        return balance, held, unarranged


def now_of(held: Held) -> tuple[Any, ...]:
    """What a hold says of itself: status, amount, captured, remaining."""
    row = held.row
    return row["status"], row["amount"], row["captured"], row["remaining"]


def history(books: Books, held: Held) -> list[tuple[Any, ...]]:
    """(act, amount, remaining after) of a hold, in order."""
    query = "SELECT act, amount, remaining_after FROM hold_events WHERE transfer_key = :key ORDER BY sequence"
    return [tuple(row) for row in books.rows(query, key=held.row["key"])]
