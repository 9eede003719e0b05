"""What statements are made of: seeks in an account's entries, and ranges of them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import BigInteger, Integer, bindparam, case, func, select
from sqlalchemy.orm import Session

from app.db.base import AnyRow
from app.models import Account, AccountHolder, Entry
from app.repositories.transfers import ENTRIES


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
