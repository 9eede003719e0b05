"""Statements: what an account came to in a period, and the entries that brought it there.

Entries never change and their sequence has no gaps. So the ends of a statement are found once, in one
snapshot, and its lines can then be read in chunks, each in a unit of work of its own: what they come
to is what the head says, whatever is booked meanwhile.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from app.core import clock, errors, ids
from app.core.access import may_read
from app.core.caller import Caller
from app.core.money import CURRENCIES
from app.db.base import AnyRow
from app.models.accounts import shown_to_others
from app.repositories.statements import Statements
from app.statements.statement import Head, Line

_CHUNK: Final = 1_000


@dataclass(frozen=True, slots=True)
class Period:
    """From `start` (in) to `end` (out), in a zone; None is the opening of the account, and now."""

    start: datetime | None
    end: datetime | None
    zone: ZoneInfo
    month: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A statement's head, and where its entries are: after one sequence, up to another."""

    head: Head
    account_key: int
    after: int
    last: int


def find_statement(session: Session, *, caller: Caller, account_id: str, period: Period) -> Found:
    """The head of a statement. NotFound for an account that the caller may not see."""
    known = ids.is_id(ids.ACCOUNT, account_id)
    account = Statements(session).account(account_id) if known else None
    if account is None or not may_read(caller, account.owner_id):
        raise errors.NotFound.at("account_id")
    return _found(session, account, period)


def _found(session: Session, account: AnyRow, period: Period) -> Found:
    now = clock.now()
    end = now if period.end is None else period.end
    start = min(account.created_at, end) if period.start is None else period.start
    statements = Statements(session)
    after, opening = statements.before(account.key, start)
    last, closing = statements.before(account.key, end)
    total_in = statements.total_in(account.key, after, last)
    head = Head(
        account_id=account.id,
        account_number=account.number,
        account_kind=account.kind,
        holder_name=account.full_name,
        currency=CURRENCIES[account.currency],
        zone=period.zone,
        start=start,
        end=end,
        opening=opening,
        closing=closing,
        total_in=total_in,
        total_out=opening + total_in - closing,
        count=last - after,
        made_at=now,
        month=period.month,
    )
    return Found(head, account.key, after, last)


def read_lines(read: Callable[..., Any], found: Found) -> Iterator[Line]:
    """The lines of a statement, chunk by chunk; `read` is `Database.run_read`, asked as they are needed."""
    after = found.after
    while after < found.last:
        rows = read(_lines, found, after)
        yield from map(_line, rows)
        after = rows[-1].sequence


def _lines(session: Session, found: Found, after: int) -> Any:
    return Statements(session).lines(found.account_key, after=after, last=found.last, limit=_CHUNK)


def _line(row: AnyRow) -> Line:
    name, number = shown_to_others(row.other_kind, row.other_name, row.other_number)
    return Line(
        id=row.id,
        booked_at=row.booked_at,
        value_date=row.value_date,
        kind=row.kind,
        amount=row.amount,
        balance_after=row.balance_after,
        description=row.description,
        other_name=name,
        other_number=number,
    )
