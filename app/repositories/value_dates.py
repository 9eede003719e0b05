"""An account by value date: the booked view, corrected by the few entries that count from another day."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from sqlalchemy import BigInteger, ColumnElement, Date, Integer, and_, bindparam, case, func, select, tuple_
from sqlalchemy.orm import Session

from app.db.base import AnyRow, Instant
from app.models import Account, Entry, ValueDate
from app.repositories.transfers import ENTRIES


@dataclass(frozen=True, slots=True)
class Days:
    """From one day (in) to another (out), and their first instants; of entries up to a sequence."""

    account_key: int
    first: date
    end: date
    first_at: datetime
    end_at: datetime
    last: int


@dataclass(frozen=True, slots=True)
class Correction:
    """What value dates change, in minor units and entries: added to what the booked view says."""

    opening: int
    closing: int
    total_in: int
    count: int


class ValueDates:
    """The table `value_dates`, with its entries."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def last_sequence(self, account_key: int) -> int:
        """How far the account has come."""
        return self._session.scalars(select(Account.last_sequence).where(Account.key == account_key)).one()

    def first_day(self, account_key: int) -> date | None:
        """The earliest of these value dates."""
        query = select(func.min(Entry.value_date)).join(ValueDate, _IS_MARKED)
        return self._session.scalar(query.where(ValueDate.account_key == account_key))

    def correction(self, days: Days) -> Correction:
        """One sum over the account's marked entries, which are few."""
        return Correction(*map(int, self._session.execute(_CORRECTION, _values(days)).one()))

    def plain(self, account_key: int, *, after: int, last: int, limit: int) -> Sequence[AnyRow]:
        """Entries that count from the day they were booked on, after one sequence and up to another."""
        values = {"account": account_key, "after": after, "last": last, "limit": limit}
        return self._session.execute(_PLAIN, values).all()

    def marked(self, days: Days, *, after: tuple[date, int], limit: int) -> Sequence[AnyRow]:
        """Marked entries that count from these days, in the order of (value date, sequence)."""
        values = _values(days) | {"after_day": after[0], "after": after[1], "limit": limit}
        return self._session.execute(_MARKED, values).all()


def _values(days: Days) -> dict[str, object]:
    return {
        "account": days.account_key,
        "first": days.first,
        "end": days.end,
        "first_at": days.first_at,
        "end_at": days.end_at,
        "last": days.last,
    }


_ACCOUNT: Final = bindparam("account", type_=BigInteger())
_FIRST, _END = bindparam("first", type_=Date()), bindparam("end", type_=Date())
_FIRST_AT, _END_AT = bindparam("first_at", type_=Instant()), bindparam("end_at", type_=Instant())
_LAST, _AFTER = bindparam("last", type_=BigInteger()), bindparam("after", type_=BigInteger())
_LIMIT: Final = bindparam("limit", type_=Integer())
_IS_MARKED: Final = and_(Entry.account_key == ValueDate.account_key, Entry.sequence == ValueDate.sequence)
_COUNTS: Final = and_(Entry.value_date >= _FIRST, Entry.value_date < _END)
_BOOKED: Final = and_(Entry.booked_at >= _FIRST_AT, Entry.booked_at < _END_AT)


def _moved(
    to: ColumnElement[bool], away: ColumnElement[bool], what: ColumnElement[int]
) -> ColumnElement[int]:
    """The sum of what comes to a place by its value date, less what was booked there."""
    return func.coalesce(func.sum(case((to, what), else_=0) - case((away, what), else_=0)), 0)


_CAME_IN: Final = case((Entry.amount > 0, Entry.amount), else_=0)
_CORRECTION: Final = (
    select(
        _moved(Entry.value_date < _FIRST, Entry.booked_at < _FIRST_AT, Entry.__table__.c.amount),
        _moved(Entry.value_date < _END, Entry.booked_at < _END_AT, Entry.__table__.c.amount),
        _moved(_COUNTS, _BOOKED, _CAME_IN),
        func.coalesce(func.sum(case((_COUNTS, 1), else_=0) - case((_BOOKED, 1), else_=0)), 0),
    )
    .join(ValueDate, _IS_MARKED)
    .where(ValueDate.account_key == _ACCOUNT, ValueDate.sequence <= _LAST)
)
_PLAIN: Final = (
    ENTRIES.add_columns(Entry.sequence)
    .outerjoin(ValueDate, _IS_MARKED)
    .where(
        Entry.account_key == _ACCOUNT,
        Entry.sequence > _AFTER,
        Entry.sequence <= _LAST,
        ValueDate.sequence.is_(None),
    )
    .order_by(Entry.sequence)
    .limit(_LIMIT)
)
_MARKED: Final = (
    ENTRIES.add_columns(Entry.sequence)
    .join(ValueDate, _IS_MARKED)
    .where(
        ValueDate.account_key == _ACCOUNT,
        ValueDate.sequence <= _LAST,
        _COUNTS,
        tuple_(Entry.value_date, Entry.sequence) > tuple_(bindparam("after_day", type_=Date()), _AFTER),
    )
    .order_by(Entry.value_date, Entry.sequence)
    .limit(_LIMIT)
)
