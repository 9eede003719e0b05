"""What statements are made of: seeks in an account's entries, and ranges of them."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import BigInteger, ColumnElement, Integer, bindparam, case, func, select
from sqlalchemy.orm import Session

from app.db.base import AnyRow
from app.models import Account, AccountHolder, Entry, IssuedPart, IssuedStatement
from app.repositories.transfers import ENTRIES

_CHUNK: Final = 500


class Statements:
    """The tables `accounts` and `entries`, as statements read them."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def account(self, account_id: str) -> AnyRow | None:
        """A customer's account with its holder's name."""
        return self._session.execute(_ACCOUNT, {"wanted": account_id}).one_or_none()

    def before(self, account_key: int, instant: datetime) -> tuple[int, int]:
        """(sequence, balance) of the last entry before an instant, by one seek; (0, 0) without one."""
        query = (
            select(Entry.sequence, Entry.balance_after)
            .where(Entry.account_key == account_key, Entry.booked_at < instant)
            .order_by(Entry.booked_at.desc())
            .limit(1)
        )
        found = self._session.execute(query).one_or_none()
        return (found[0], found[1]) if found else (0, 0)

    def total_in(self, account_key: int, after: int, last: int) -> int:
        """What came in with the entries after one sequence, up to another: a sum over those alone."""
        query = select(func.sum(case((Entry.amount > 0, Entry.amount), else_=0))).where(
            Entry.account_key == account_key, Entry.sequence > after, Entry.sequence <= last
        )
        return int(self._session.scalar(query) or 0)

    def unissued(self, month: str, end: datetime, *, after: int, limit: int) -> Sequence[AnyRow]:
        """Customers' accounts that were there in a month and have no statement of it, by their keys."""
        query = select(Account.key, Account.id).where(Account.key > after, *_is_unissued(month, end))
        return self._session.execute(query.order_by(Account.key).limit(limit)).all()

    def count_unissued(self, month: str, end: datetime) -> int:
        """How many there are of those."""
        query = select(func.count()).select_from(Account).where(*_is_unissued(month, end))
        return self._session.scalar(query) or 0

    def issued(
        self, account_key: int, *, number: int | None = None, month: str | None = None
    ) -> IssuedStatement | None:
        """An issued statement of an account, by its number or its month."""
        query = select(IssuedStatement).where(IssuedStatement.account_key == account_key)
        wanted = IssuedStatement.month == month if number is None else IssuedStatement.number == number
        return self._session.scalar(query.where(wanted))

    def issued_page(
        self, account_key: int, *, before_number: int | None, limit: int
    ) -> Sequence[IssuedStatement]:
        """The issued statements of an account, the last one first."""
        query = select(IssuedStatement).where(IssuedStatement.account_key == account_key)
        if before_number is not None:
            query = query.where(IssuedStatement.number < before_number)
        return self._session.scalars(query.order_by(IssuedStatement.number.desc()).limit(limit)).all()

    def all_issued(self) -> Iterator[IssuedStatement]:
        """Every issued statement, in the order of keys."""
        after = 0
        query = select(IssuedStatement).order_by(IssuedStatement.key).limit(_CHUNK)
        while rows := self._session.scalars(query.where(IssuedStatement.key > after)).all():
            yield from rows
            after = rows[-1].key

    def add(self, statement: IssuedStatement, parts: Sequence[bytes]) -> None:
        """Keeps an issued statement with its entries."""
        self._session.add(statement)
        self._session.flush()
        self._session.add_all(
            IssuedPart(statement_key=statement.key, part=place, content=content)
            for place, content in enumerate(parts)
        )

    def part(self, statement_key: int, part: int) -> bytes:
        """Some of the entries of an issued statement."""
        query = select(IssuedPart.content).where(
            IssuedPart.statement_key == statement_key, IssuedPart.part == part
        )
        return self._session.scalars(query).one()

    def lines(self, account_key: int, *, after: int, last: int, limit: int) -> Sequence[AnyRow]:
        """Entries after one sequence, up to another, oldest first: at most `limit`."""
        values = {"account": account_key, "after": after, "last": last, "limit": limit}
        return self._session.execute(_LINES, values).all()


_ACCOUNT: Final = (
    select(
        Account.key,
        Account.id,
        Account.number,
        Account.owner_id,
        Account.kind,
        Account.currency,
        Account.created_at,
        AccountHolder.full_name,
    )
    .join(AccountHolder, AccountHolder.id == Account.holder_id)
    .where(Account.id == bindparam("wanted"))
)
_LINES: Final = (
    ENTRIES.add_columns(Entry.sequence)
    .where(
        Entry.account_key == bindparam("account", type_=BigInteger()),
        Entry.sequence > bindparam("after", type_=BigInteger()),
        Entry.sequence <= bindparam("last", type_=BigInteger()),
    )
    .order_by(Entry.sequence)
    .limit(bindparam("limit", type_=Integer()))
)


def _is_unissued(month: str, end: datetime) -> Sequence[ColumnElement[bool]]:
    issued = select(IssuedStatement.key).where(
        IssuedStatement.account_key == Account.key, IssuedStatement.month == month
    )
    return Account.holder_id.is_not(None), Account.created_at < end, ~issued.exists()
