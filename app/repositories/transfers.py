"""Transfers and entries as lists: SQL in, rows out.

A list over several accounts is a union of one index range for each, so a page costs the same however
much history the accounts have.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from sqlalchemy import ColumnElement, case, select, tuple_, union_all
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from app.core import ids
from app.db.base import AnyRow, AnySelect
from app.models import Account, AccountHolder, Entry, Transfer

_payer = aliased(Account, name="payer")
_payee = aliased(Account, name="payee")
_original = aliased(Transfer)
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


class Transfers:
    """The tables `transfers` and `entries`, for reading."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def account_keys(self, owner_id: str) -> Sequence[int]:
        """The keys of a user's accounts."""
        return self._session.scalars(select(Account.key).where(Account.owner_id == owner_id)).all()

    def by_id(self, transfer_id: str) -> AnyRow | None:
        """A transfer with its two accounts and what reverses it."""
        return self._session.execute(_transfers().where(Transfer.id == transfer_id)).one_or_none()

    def page(
        self,
        wanted: TransferFilter,
        *,
        account_keys: Sequence[int] | None,
        before_key: int | None,
        limit: int,
    ) -> Sequence[AnyRow]:
        """Transfers from or to these accounts (any, for None), newest first."""
        before = ids.AFTER_EVERY_KEY if before_key is None else before_key
        conditions = _transfer_conditions(wanted)
        query = _transfers()
        if account_keys is None:
            query = query.where(Transfer.key < before, *conditions)
        else:
            ranges = [
                _newest_transfers(side, key, before, limit, conditions)
                for key in account_keys
                for side in (Transfer.source_key, Transfer.destination_key)
            ]
            if not ranges:
                return []
            query = query.where(Transfer.key.in_(_newest_keys(_merged(ranges), limit)))
        return self._session.execute(query.order_by(Transfer.key.desc()).limit(limit)).all()

    def entry_by_id(self, entry_id: str) -> AnyRow | None:
        """An entry with its transfer, its account and the other side's holder."""
        return self._session.execute(_entries().where(Entry.id == entry_id)).one_or_none()

    def entries_page(
        self,
        wanted: EntryFilter,
        *,
        account_keys: Sequence[int],
        before: tuple[datetime, str] | None,
        limit: int,
    ) -> Sequence[AnyRow]:
        """Entries of these accounts, newest first; `before` is (booked_at, id) of the last one shown."""
        conditions = _entry_conditions(wanted, before)
        lines = select(Entry.id, Entry.booked_at).where(*conditions)
        if wanted.kind is not None:
            lines = lines.join(Transfer, Transfer.key == Entry.transfer_key)
        ranges = [_newest_entries(lines, key, limit) for key in account_keys]
        if not ranges:
            return []
        query = _entries().where(Entry.id.in_(_newest_ids(_merged(ranges), limit)))
        order = (Entry.booked_at.desc(), Entry.id.desc())
        return self._session.execute(query.order_by(*order).limit(limit)).all()


def _merged(ranges: list[AnySelect]) -> AnySelect:
    """The rows of all ranges. SQLite takes 500 terms a union, so many are nested."""
    while len(ranges) > 1:
        groups = [ranges[i : i + _TERMS] for i in range(0, len(ranges), _TERMS)]
        ranges = [select(union_all(*group).subquery()) for group in groups]
    return select(ranges[0].subquery())


def _transfers() -> AnySelect:
    return (
        select(
            Transfer, _payer, _payee, _original.id.label("reverses_id"), _reversal.id.label("reversed_by_id")
        )
        .join(_payer, _payer.key == Transfer.source_key)
        .join(_payee, _payee.key == Transfer.destination_key)
        .outerjoin(_original, _original.key == Transfer.reverses_key)
        .outerjoin(_reversal, _reversal.reverses_key == Transfer.key)
    )


def _newest_transfers(
    side: InstrumentedAttribute[int],
    account_key: int,
    before: int,
    limit: int,
    conditions: Sequence[ColumnElement[bool]],
) -> AnySelect:
    """The newest transfers on one side of an account: a range of the index (side, key).

    `side = account_key ORDER BY key` would be the same, but leaves a planner free to walk through
    everybody's transfers by key until it has found enough of this account's.
    """
    inner = (
        select(Transfer.key)
        .where(side >= account_key, tuple_(side, Transfer.key) < (account_key, before), *conditions)
        .order_by(side.desc(), Transfer.key.desc())
        .limit(limit)
        .subquery()
    )
    return select(inner.c.key)


def _newest_keys(keys: AnySelect, limit: int) -> AnySelect:
    """The largest of them, each once: a transfer between two of the accounts is in both's ranges."""
    column = keys.subquery().c[0]
    return select(column).distinct().order_by(column.desc()).limit(limit)


def _transfer_conditions(wanted: TransferFilter) -> list[ColumnElement[bool]]:
    exact = {
        Transfer.kind: wanted.kind,
        Transfer.status: wanted.status,
        Transfer.external_id: wanted.external_id,
    }
    conditions = [column == value for column, value in exact.items() if value is not None]
    if wanted.payer_owner_id is not None:
        own = select(Account.key).where(Account.owner_id == wanted.payer_owner_id)
        conditions.append(Transfer.source_key.in_(own))
    if wanted.created_from is not None:
        conditions.append(Transfer.created_at >= wanted.created_from)
    if wanted.created_before is not None:
        conditions.append(Transfer.created_at < wanted.created_before)
    return conditions


def _entries() -> AnySelect:
    """Entries with what a statement line shows; the other side is the transfer's other account."""
    own, other = aliased(Account), aliased(Account)
    holder = aliased(AccountHolder)
    is_payer = Entry.account_key == Transfer.source_key
    is_other = other.key == case((is_payer, Transfer.destination_key), else_=Transfer.source_key)
    return (
        select(
            Entry,
            Transfer,
            own.id.label("account_id"),
            own.owner_id,
            own.currency,
            other.number.label("other_number"),
            other.kind.label("other_kind"),
            holder.full_name.label("other_name"),
        )
        .join(Transfer, Transfer.key == Entry.transfer_key)
        .join(own, own.key == Entry.account_key)
        .join(other, is_other)
        .outerjoin(holder, holder.id == other.holder_id)
    )


def _newest_entries(lines: AnySelect, account_key: int, limit: int) -> AnySelect:
    inner = (
        lines.where(Entry.account_key == account_key).order_by(Entry.booked_at.desc()).limit(limit).subquery()
    )
    return select(inner.c.id, inner.c.booked_at)


def _newest_ids(lines: AnySelect, limit: int) -> AnySelect:
    """The ids of the newest of them, before the rest of each is looked up."""
    columns = lines.subquery().c
    return select(columns.id).order_by(columns.booked_at.desc(), columns.id.desc()).limit(limit)


def _entry_conditions(wanted: EntryFilter, before: tuple[datetime, str] | None) -> list[ColumnElement[bool]]:
    ends = (
        (Entry.booked_at, wanted.booked_from, wanted.booked_before),
        (Entry.value_date, wanted.value_from, wanted.value_before),
    )
    conditions: list[ColumnElement[bool]] = []
    for column, begin, end in ends:
        if begin is not None:
            conditions.append(column >= begin)
        if end is not None:
            conditions.append(column < end)
    if wanted.kind is not None:
        conditions.append(Transfer.kind == wanted.kind)
    if before is not None:
        conditions.append(tuple_(Entry.booked_at, Entry.id) < before)
        # Said twice for the planner: this one is the range of the index.
        conditions.append(Entry.booked_at <= before[0])
    return conditions
