"""Transfers and entries as lists: SQL in, rows out.

A list over several accounts is a union of one index range for each, so a page costs the same however
much history the accounts have.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, fields
from datetime import date, datetime
from functools import lru_cache
from itertools import starmap
from typing import Any, Final, NamedTuple, cast

from sqlalchemy import (
    BigInteger,
    BindParameter,
    ColumnElement,
    FromClause,
    Integer,
    String,
    Table,
    bindparam,
    case,
    select,
    tuple_,
    type_coerce,
    union_all,
)
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from app.core import ids
from app.db.base import AnyRow, AnySelect
from app.models import Account, AccountHolder, Entry, Transfer
from app.repositories.holds import REMAINING, STATUS

_payer = aliased(Account, name="payer")
_payee = aliased(Account, name="payee")
_hold, _original = aliased(Transfer), aliased(Transfer)
_reversal = aliased(Transfer)
_TERMS: Final = 200


@dataclass(frozen=True, slots=True)
class TransferFilter:
    """What a list of transfers is narrowed to; None means any."""

    kind: str | None = None
    status: str | None = None
    external_id: str | None = None
    payer_owner_id: str | None = None
    created_from: datetime | None = None
    created_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class EntryFilter:
    """What a list of entries is narrowed to; None means any. Ranges are half-open."""

    kind: str | None = None
    booked_from: datetime | None = None
    booked_before: datetime | None = None
    value_from: date | None = None
    value_before: date | None = None


class EntryLine(NamedTuple):
    """An entry as it is shown: with its transfer, and who is on the other side.

    `amount` and `balance_after` are signed minor units, `booked_at` is microseconds since 1970.
    """

    id: str
    amount: int
    balance_after: int
    booked_at: int
    value_date: date
    transfer_id: str
    kind: str
    description: str | None
    details: dict[str, str] | None
    account_id: str
    owner_id: str | None
    currency: str
    other_number: str | None
    other_kind: str
    other_name: str | None


class Transfers:
    """The tables `transfers` and `entries`, for reading."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def account_keys(self, owner_id: str) -> Sequence[int]:
        """The keys of a user's accounts."""
        return self._session.scalars(select(Account.key).where(Account.owner_id == owner_id)).all()

    def by_id(self, transfer_id: str, now: datetime) -> AnyRow | None:
        """A transfer with its two accounts, what reverses it, and what it is now that it is `now`."""
        query = _TRANSFERS.where(Transfer.id == transfer_id)
        return self._session.execute(query, {"now": now}).one_or_none()

    def page(
        self,
        wanted: TransferFilter,
        *,
        account_keys: Sequence[int] | None,
        now: datetime,
        before_key: int | None,
        limit: int,
    ) -> Sequence[AnyRow]:
        """Transfers from or to these accounts (any, for None), newest first."""
        if account_keys is not None and not account_keys:
            return []
        given = _given(wanted) | {
            "now": now,
            "before": ids.AFTER_EVERY_KEY if before_key is None else before_key,
            "limit": limit,
        }
        number = None if account_keys is None else len(account_keys)
        query = _transfers_page(frozenset(given), number)
        return self._session.execute(query, given | _named(account_keys or ())).all()

    def entry_by_id(self, entry_id: str) -> EntryLine | None:
        """An entry with its transfer, its account and the other side's holder."""
        wanted = _RAW.where(_entries.c.id == entry_id).subquery()
        row = self._session.execute(_lines(wanted)).one_or_none()
        return None if row is None else EntryLine(*row)

    def entries_page(
        self,
        wanted: EntryFilter,
        *,
        account_keys: Sequence[int],
        before: tuple[int, str] | None,
        limit: int,
    ) -> list[EntryLine]:
        """Entries of these accounts, newest first; `before` is (booked_at, id) of the last one shown."""
        if not account_keys:
            return []
        given = _given(wanted) | {"limit": limit}
        if before is not None:
            given |= {"before_at": before[0], "before_id": before[1]}
        query = _entries_page(frozenset(given), len(account_keys))
        # Without the object mapper, which takes as long for a page as the database does.
        rows = self._session.connection().execute(query, given | _named(account_keys)).all()
        return list(starmap(EntryLine, rows))


# A statement of this size takes longer to compose than to run, so each shape is composed once: the
# filters that are given, and how many accounts there are.
_SHAPES: Final = 256


def _given(wanted: TransferFilter | EntryFilter) -> dict[str, Any]:
    """The fields that narrow."""
    values = {one.name: getattr(wanted, one.name) for one in fields(wanted)}
    return {name: value for name, value in values.items() if value is not None}


def _named(account_keys: Sequence[int]) -> dict[str, int]:
    return {f"account_{place}": key for place, key in enumerate(account_keys)}


def _accounts(number: int) -> list[BindParameter[int]]:
    return [bindparam(f"account_{place}", type_=BigInteger()) for place in range(number)]


@lru_cache(maxsize=_SHAPES)
def _transfers_page(given: Set[str], accounts: int | None) -> AnySelect:
    conditions, query = _conditions(_OF_TRANSFERS, given), _TRANSFERS
    if accounts is None:
        query = query.where(Transfer.key < _BEFORE, *conditions)
    else:
        ranges = [
            _newest_transfers(side, account, conditions)
            for account in _accounts(accounts)
            for side in (Transfer.source_key, Transfer.destination_key)
        ]
        query = query.where(Transfer.key.in_(_newest_keys(_merged(ranges))))
    return query.order_by(Transfer.key.desc()).limit(_LIMIT)


@lru_cache(maxsize=_SHAPES)
def _entries_page(given: Set[str], accounts: int) -> AnySelect:
    entries = _RAW.where(*_conditions(_OF_ENTRIES, given))
    if "kind" in given:
        entries = entries.join(Transfer, Transfer.key == _entries.c.transfer_key)
    ranges = [_newest_entries(entries, account) for account in _accounts(accounts)]
    page = _newest_of_all(_merged(ranges)).subquery()
    return _lines(page).order_by(page.c.booked_at.desc(), page.c.id.desc())


def _conditions(known: Mapping[str, ColumnElement[bool]], given: Set[str]) -> list[ColumnElement[bool]]:
    return [condition for name, condition in known.items() if name in given]


def _merged(ranges: list[AnySelect]) -> AnySelect:
    """The rows of all ranges. SQLite takes 500 terms a union, so many are nested."""
    while len(ranges) > 1:
        groups = [ranges[i : i + _TERMS] for i in range(0, len(ranges), _TERMS)]
        ranges = [select(union_all(*group).subquery()) for group in groups]
    return ranges[0]


_TRANSFERS: Final = (
    select(
        Transfer,
        _payer,
        _payee,
        STATUS.label("status"),
        REMAINING.label("remaining"),
        _hold.id.label("pending_id"),
        _original.id.label("reverses_id"),
        _reversal.id.label("reversed_by_id"),
    )
    .join(_payer, _payer.key == Transfer.source_key)
    .join(_payee, _payee.key == Transfer.destination_key)
    .outerjoin(_hold, _hold.key == Transfer.pending_key)
    .outerjoin(_original, _original.key == Transfer.reverses_key)
    .outerjoin(_reversal, _reversal.reverses_key == Transfer.key)
)
_LIMIT: Final = bindparam("limit", type_=Integer())
_BEFORE: Final = bindparam("before", type_=BigInteger())


def _newest_transfers(
    side: InstrumentedAttribute[int],
    account: BindParameter[int],
    conditions: Sequence[ColumnElement[bool]],
) -> AnySelect:
    """The newest transfers on one side of an account: a range of the index (side, key).

    `side = account ORDER BY key` would be the same, but leaves a planner free to walk through
    everybody's transfers by key until it has found enough of this account's.
    """
    inner = (
        select(Transfer.key)
        .where(side >= account, tuple_(side, Transfer.key) < tuple_(account, _BEFORE), *conditions)
        .order_by(side.desc(), Transfer.key.desc())
        .limit(_LIMIT)
        .subquery()
    )
    return select(inner.c.key)


def _newest_keys(keys: AnySelect) -> AnySelect:
    """The largest of them, each once: a transfer between two of the accounts is in both's ranges."""
    column = keys.subquery().c[0]
    return select(column).distinct().order_by(column.desc()).limit(_LIMIT)


_OF_TRANSFERS: Final[Mapping[str, ColumnElement[bool]]] = {
    "kind": Transfer.kind == bindparam("kind"),
    "status": bindparam("status") == STATUS,
    "external_id": Transfer.external_id == bindparam("external_id"),
    "payer_owner_id": Transfer.source_key.in_(
        select(Account.key).where(Account.owner_id == bindparam("payer_owner_id"))
    ),
    "created_from": Transfer.created_at >= bindparam("created_from"),
    "created_before": Transfer.created_at < bindparam("created_before"),
}


_entries: Final = cast(Table, Entry.__table__)
_own, _other, _holder = aliased(Account), aliased(Account), aliased(AccountHolder)
# Entries as they are kept: of the instant only its microseconds.
_RAW: Final = select(
    *(column for column in _entries.columns if column.key != "booked_at"),
    type_coerce(_entries.c.booked_at, BigInteger).label("booked_at"),
)


def _lines(entries: FromClause) -> AnySelect:
    """The columns of `EntryLine`. The other side is the transfer's other account."""
    is_payer = entries.c.account_key == Transfer.source_key
    return (
        select(
            entries.c.id,
            entries.c.amount,
            entries.c.balance_after,
            entries.c.booked_at,
            entries.c.value_date,
            Transfer.id.label("transfer_id"),
            Transfer.kind,
            Transfer.description,
            Transfer.details,
            _own.id.label("account_id"),
            _own.owner_id,
            _own.currency,
            _other.number.label("other_number"),
            _other.kind.label("other_kind"),
            _holder.full_name.label("other_name"),
        )
        .select_from(entries)
        .join(Transfer, Transfer.key == entries.c.transfer_key)
        .join(_own, _own.key == entries.c.account_key)
        .join(_other, _other.key == case((is_payer, Transfer.destination_key), else_=Transfer.source_key))
        .outerjoin(_holder, _holder.id == _other.holder_id)
    )


# The same with its instant, for statements: of the table itself.
ENTRIES: Final = _lines(_entries)


def _newest_entries(entries: AnySelect, account: BindParameter[int]) -> AnySelect:
    newest = entries.where(_entries.c.account_key == account).order_by(_entries.c.booked_at.desc())
    # A range with an order of its own is a table for SQLite, or it takes no part in a union.
    return select(newest.limit(_LIMIT).subquery())


def _newest_of_all(entries: AnySelect) -> AnySelect:
    """The newest of them, before the rest of each is looked up."""
    columns = entries.subquery().c
    return select(*columns).order_by(columns.booked_at.desc(), columns.id.desc()).limit(_LIMIT)


_BEFORE_AT: Final = bindparam("before_at", type_=BigInteger())
_OF_ENTRIES: Final[Mapping[str, ColumnElement[bool]]] = {
    "kind": Transfer.kind == bindparam("kind"),
    "booked_from": Entry.booked_at >= bindparam("booked_from"),
    "booked_before": Entry.booked_at < bindparam("booked_before"),
    "value_from": Entry.value_date >= bindparam("value_from"),
    "value_before": Entry.value_date < bindparam("value_before"),
    "before_id": tuple_(Entry.booked_at, Entry.id)
    < tuple_(_BEFORE_AT, bindparam("before_id", type_=String())),
    # Said twice for the planner: this one is the range of the index.
    "before_at": type_coerce(Entry.booked_at, BigInteger) <= _BEFORE_AT,
}
