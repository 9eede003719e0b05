"""Statements: what an account came to in a period, and the entries that brought it there.

Entries never change and their sequence has no gaps. So the ends of a statement are found once, in one
snapshot, and its lines can then be read in chunks, each in a unit of work of its own: what they come
to is what the head says, whatever is booked meanwhile.
"""

import hashlib
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import partial
from heapq import merge
from itertools import islice
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from app.core import clock, dates, errors, ids
from app.core.access import may_read
from app.core.caller import Caller
from app.core.errors import Detail
from app.core.money import CURRENCIES
from app.db.base import AnyRow
from app.models import IssuedStatement
from app.models.accounts import shown_to_others
from app.repositories.accounts import Accounts
from app.repositories.audit import AuditLog
from app.repositories.statements import Statements
from app.repositories.value_dates import Days, ValueDates
from app.statements import json_text
from app.statements.statement import Head, Line

_CHUNK: Final = 1_000
_LONGEST_NUMBER: Final = 9


@dataclass(frozen=True, slots=True)
class Period:
    """From `start` (in) to `end` (out), in a zone; None is the opening of the account, and now."""

    start: datetime | None
    end: datetime | None
    zone: ZoneInfo
    month: str | None = None
    # By the days that entries count from, instead of when they were booked; it begins and ends with days.
    by_value: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """A statement's head, and where its entries are: after one sequence, up to another.

    By value date, entries that are marked are found by their `days` instead.
    """

    head: Head
    account_key: int
    after: int
    last: int
    days: Days | None = None


def find_statement(session: Session, *, caller: Caller, account_id: str, period: Period) -> Found:
    """The head of a statement. NotFound for an account that the caller may not see."""
    account = _visible(session, caller, account_id)
    find = _found_by_value if period.by_value else _found
    return find(session, account, period)


def _visible(session: Session, caller: Caller, account_id: str) -> AnyRow:
    known = ids.is_id(ids.ACCOUNT, account_id)
    account = Statements(session).account(account_id) if known else None
    if account is None or not may_read(caller, account.owner_id):
        raise errors.NotFound.at("account_id")
    return account


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


def _found_by_value(session: Session, account: AnyRow, period: Period) -> Found:
    """The booked view of the same days, corrected by the entries that count from others."""
    zone, values = period.zone, ValueDates(session)
    earliest = min(dates.day_in(account.created_at, zone), values.first_day(account.key) or date.max)
    today = dates.day_in(clock.now(), zone)
    start = period.start or dates.start_of_day(min(earliest, today), zone)
    end = period.end or dates.start_of_day(today + timedelta(days=1), zone)
    booked = _found(session, account, replace(period, start=min(start, end), end=end))
    days = Days(
        account_key=account.key,
        first=dates.day_in(booked.head.start, zone),
        end=dates.day_in(end, zone),
        first_at=booked.head.start,
        end_at=end,
        last=values.last_sequence(account.key),
    )
    change = values.correction(days)
    opening, closing = booked.head.opening + change.opening, booked.head.closing + change.closing
    total_in = booked.head.total_in + change.total_in
    head = replace(
        booked.head,
        opening=opening,
        closing=closing,
        total_in=total_in,
        total_out=opening + total_in - closing,
        count=booked.head.count + change.count,
        by_value=True,
    )
    return replace(booked, head=head, days=days)


def read_lines(read: Callable[..., Any], found: Found) -> Iterator[Line]:
    """The lines of a statement, chunk by chunk; `read` is `Database.run_read`, asked as they are needed."""
    if found.days is not None:
        yield from _lines_by_value(read, found, found.days)
        return
    after = found.after
    while after < found.last:
        rows = read(_lines, found, after)
        yield from map(_line, rows)
        after = rows[-1].sequence


def _lines_by_value(read: Callable[..., Any], found: Found, days: Days) -> Iterator[Line]:
    """In the order of value dates, with the balances that this order gives."""
    balance = found.head.opening
    rows = merge(_plain(read, found), _marked(read, days), key=lambda row: (row.value_date, row.sequence))
    for row in rows:
        balance += row.amount
        yield replace(_line(row), balance_after=balance)


def _plain(read: Callable[..., Any], found: Found) -> Iterator[AnyRow]:
    after = found.after
    while rows := read(_plain_rows, found, after):
        yield from rows
        after = rows[-1].sequence


def _plain_rows(session: Session, found: Found, after: int) -> Sequence[AnyRow]:
    return ValueDates(session).plain(found.account_key, after=after, last=found.last, limit=_CHUNK)


def _marked(read: Callable[..., Any], days: Days) -> Iterator[AnyRow]:
    after = (days.first, 0)
    while rows := read(_marked_rows, days, after):
        yield from rows
        after = (rows[-1].value_date, rows[-1].sequence)


def _marked_rows(session: Session, days: Days, after: tuple[date, int]) -> Sequence[AnyRow]:
    return ValueDates(session).marked(days, after=after, limit=_CHUNK)


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


@dataclass(frozen=True, slots=True)
class Draft:
    """A statement that can be issued: its entries in their kept form, and a hash of all but its end."""

    found: Found
    parts: Sequence[bytes]
    hashed: "hashlib._Hash"


@dataclass(frozen=True, slots=True)
class Issued:
    """An issued statement, and whether this is when it was."""

    statement: IssuedStatement
    is_new: bool


def find_unissued(session: Session, *, caller: Caller, account_id: str, period: Period) -> Found | None:
    """What there is to be drafted; None where there is nothing to issue, whatever the reason."""
    assert period.month is not None
    try:
        account = _visible(session, caller, account_id)
    except errors.NotFound:
        return None
    issued = Statements(session).issued(account.key, month=period.month)
    return _found(session, account, period) if issued is None else None


def draft(read: Callable[..., Any], found: Found) -> Iterator[Draft]:
    """Reads the entries: yields the draft after each chunk, and it is whole at the end."""
    hashed = hashlib.sha256(json_text.ends_of_canonical(found.head)[0].encode())
    parts: list[bytes] = []
    drafted = Draft(found, parts, hashed)
    lines = read_lines(read, found)
    while chunk := list(islice(lines, _CHUNK)):
        text = json_text.canonical_entries(chunk).encode()
        hashed.update(b"," + text if parts else text)
        parts.append(zlib.compress(text))
        yield drafted
    yield drafted


def issue(
    session: Session,
    *,
    caller: Caller,
    account_id: str,
    period: Period,
    drafted: Draft | None,
    issuer: str,
) -> Issued:
    """Issues the statement of a month that is over, or finds the one that has been issued.

    Numbers count the statements of an account in the order in which they were issued. What was drafted
    is used if nothing has been booked in the month since, and made again, under the lock, if something
    has. `issuer` is the name of the bank. ValidationFailed for a month before the account.
    """
    account = _visible(session, caller, account_id)
    # Whoever posts to this account has either committed by now, or waits and books later.
    Accounts(session).lock(account_id)
    statements = Statements(session)
    known = statements.issued(account.key, month=period.month)
    if known is not None:
        return Issued(known, is_new=False)
    if account.created_at >= _month_of(period)[1]:
        raise errors.ValidationFailed([Detail("month", "before_opening", "There was no account yet.")])
    found = _found(session, account, period)
    if drafted is None or drafted.found.last != found.last:
        *_, drafted = draft(partial(_run, session), found)
    last = statements.issued_page(account.key, before_number=None, limit=1)
    statement = _statement(caller, drafted, issuer, number=last[0].number + 1 if last else 1)
    statements.add(statement, drafted.parts)
    AuditLog(session).record("statement.issue", actor=caller.id, origin=caller.origin, object_id=account_id)
    return Issued(statement, is_new=True)


def _run(session: Session, work: Callable[..., Any], *args: Any) -> Any:
    return work(session, *args)


def _statement(caller: Caller, drafted: Draft, issuer: str, *, number: int) -> IssuedStatement:
    now = clock.now()
    head = replace(drafted.found.head, number=number, made_at=now, issuer=issuer)
    hashed = drafted.hashed.copy()
    hashed.update(json_text.ends_of_canonical(head)[1].encode())
    return IssuedStatement(
        key=ids.new_key(),
        id=ids.new_id(ids.STATEMENT),
        account_key=drafted.found.account_key,
        number=number,
        month=head.month,
        head=json_text.kept(head),
        parts=len(drafted.parts),
        sha256=hashed.hexdigest(),
        issued_by=caller.id,
        issued_at=now,
    )


def list_issued(
    session: Session, *, caller: Caller, account_id: str, after: list[int] | None, limit: int
) -> Sequence[IssuedStatement]:
    """The issued statements of an account, the last one first."""
    account = _visible(session, caller, account_id)
    return Statements(session).issued_page(
        account.key, before_number=after[0] if after else None, limit=limit
    )


def find_issued(session: Session, *, caller: Caller, account_id: str, number: str) -> IssuedStatement:
    """An issued statement. NotFound for a number that none has."""
    account = _visible(session, caller, account_id)
    is_number = number.isascii() and number.isdecimal() and len(number) <= _LONGEST_NUMBER
    found = Statements(session).issued(account.key, number=int(number)) if is_number else None
    # One number has one spelling.
    if found is None or str(found.number) != number:
        raise errors.NotFound.at("number")
    return found


def read_issued(read: Callable[..., Any], statement: IssuedStatement) -> Iterator[Line]:
    """The lines of an issued statement, as they were kept."""
    for part in range(statement.parts):
        content = read(_part, statement.key, part)
        yield from json_text.lines_of(zlib.decompress(content).decode())


def _part(session: Session, statement_key: int, part: int) -> bytes:
    return Statements(session).part(statement_key, part)


def find_unissued_accounts(session: Session, period: Period, *, after: int, limit: int) -> Sequence[AnyRow]:
    """(key, id) of accounts whose statement of a month has not been issued, in the order of keys."""
    return Statements(session).unissued(*_month_of(period), after=after, limit=limit)


def count_unissued_accounts(session: Session, period: Period) -> int:
    """How many accounts have no statement of a month yet."""
    return Statements(session).count_unissued(*_month_of(period))


def _month_of(period: Period) -> tuple[str, datetime]:
    assert period.month is not None
    assert period.end is not None
    return period.month, period.end
