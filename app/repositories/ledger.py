"""The ledger's SQL: one statement for a whole batch, in each function."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import (
    ColumnElement,
    CursorResult,
    Table,
    bindparam,
    func,
    insert,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.orm import Session, aliased

from app.core import ids
from app.db.base import AnyRow
from app.db.locks import locked
from app.models import Account, AuditRecord, Entry, IdempotencyKey, LoginSession, Transfer, User

_accounts = cast(Table, Account.__table__)
_transfers = cast(Table, Transfer.__table__)
_entries = cast(Table, Entry.__table__)
_keys = cast(Table, IdempotencyKey.__table__)
_audit = cast(Table, AuditRecord.__table__)


@dataclass(frozen=True, slots=True)
class Addresses:
    """Accounts as commands name them: by id, by number, or the bank's by (kind, currency)."""

    ids: frozenset[str]
    numbers: frozenset[str]
    system: frozenset[tuple[str, str]]


def find_accounts(session: Session, wanted: Addresses) -> Sequence[AnyRow]:
    """(key, id, number, kind, currency) of the accounts that are there. What is read never changes."""
    conditions: list[ColumnElement[bool]] = []
    if wanted.ids:
        conditions.append(Account.id.in_(wanted.ids))
    if wanted.numbers:
        conditions.append(Account.number.in_(wanted.numbers))
    if wanted.system:
        bank = tuple_(Account.kind, Account.currency).in_(wanted.system)
        conditions.append(Account.holder_id.is_(None) & bank)
    columns = (Account.key, Account.id, Account.number, Account.kind, Account.currency)
    return session.execute(select(*columns).where(or_(*conditions))).all() if conditions else []


def find_transfers(session: Session, transfer_ids: Collection[str]) -> Sequence[AnyRow]:
    """Transfers by id; read before any lock, so what can change of them is not to be trusted."""
    if not transfer_ids:
        return []
    return session.execute(select(*_transfers.columns).where(Transfer.id.in_(transfer_ids))).all()


def lock_accounts(session: Session, keys: Collection[int]) -> Sequence[AnyRow]:
    """The accounts' rows, held until the commit. In the order of keys, so that nobody waits in a ring."""
    statement = (
        select(
            Account.key,
            Account.id,
            Account.number,
            Account.owner_id,
            Account.holder_id,
            Account.kind,
            Account.currency,
            Account.status,
            Account.balance,
            Account.held,
            Account.overdraft_limit,
            Account.unarranged,
            Account.last_sequence,
            _accounts.c.last_booked_at,
            Account.version,
        )
        .where(Account.key.in_(keys))
        .order_by(Account.key)
    )
    return session.execute(locked(statement)).all()


def find_keys(session: Session, keys: Collection[tuple[str, str]]) -> Sequence[IdempotencyKey]:
    """Idempotency keys, by (caller, key), that have been used."""
    pair = tuple_(IdempotencyKey.caller, IdempotencyKey.key)
    return session.scalars(select(IdempotencyKey).where(pair.in_(keys))).all()


def live_sessions(session: Session, session_ids: Collection[str], now: datetime) -> frozenset[str]:
    """Which of these sessions can still be used, by active users."""
    statement = (
        select(LoginSession.id)
        .join(User, User.id == LoginSession.user_id)
        .where(
            LoginSession.id.in_(session_ids),
            LoginSession.ended_at.is_(None),
            LoginSession.expires_at > now,
            User.is_active,
        )
    )
    return frozenset(session.scalars(statement))


def reversed_transfers(session: Session, keys: Collection[int]) -> frozenset[int]:
    """Which of these transfers have been reversed."""
    statement = select(Transfer.reverses_key).where(Transfer.reverses_key.in_(keys))
    return frozenset(key for key in session.scalars(statement) if key is not None)


def spent_since(
    session: Session, keys: Collection[int], since: datetime, kinds: Collection[str]
) -> dict[int, int]:
    """What has gone out of each account since an instant, posted or still reserved."""
    statement = (
        select(Transfer.source_key, func.sum(Transfer.amount))
        .where(
            Transfer.source_key.in_(keys),
            # Keys sort by time: the index ends the search at the beginning of the day.
            Transfer.key >= ids.first_key_at(since),
            Transfer.created_at >= since,
            Transfer.kind.in_(kinds),
            Transfer.status.in_(("posted", "pending")),
        )
        .group_by(Transfer.source_key)
    )
    return {key: int(total) for key, total in session.execute(statement)}


def transfers_with_entries(session: Session, transfer_ids: Collection[str]) -> Sequence[AnyRow]:
    """Transfers by id, a row an entry, with the entry's account: what a replay is made from."""
    original = aliased(Transfer)
    statement = (
        select(
            *_transfers.columns,
            original.id.label("reverses_id"),
            Entry.account_key.label("entry_account_key"),
            Account.id.label("entry_account_id"),
            Entry.id.label("entry_id"),
            Entry.sequence,
            Entry.amount.label("entry_amount"),
            Entry.balance_after,
            Entry.value_date,
        )
        .join(Entry, Entry.transfer_key == Transfer.key)
        .join(Account, Account.key == Entry.account_key)
        .outerjoin(original, original.key == Transfer.reverses_key)
        .where(Transfer.id.in_(transfer_ids))
        # The source's entry is the negative one.
        .order_by(Entry.amount)
    )
    return session.execute(statement).all()


def insert_batch(
    session: Session,
    *,
    transfers: Sequence[Mapping[str, Any]],
    entries: Sequence[Mapping[str, Any]],
    keys: Sequence[Mapping[str, Any]],
    audit: Sequence[Mapping[str, Any]],
) -> None:
    """The records of a batch, a statement a table."""
    for table, rows in (
        (_transfers, transfers),
        (_entries, entries),
        (_keys, keys),
        (_audit, audit),
    ):
        if rows:
            session.connection().execute(insert(table), rows)


def update_accounts(session: Session, states: Sequence[Mapping[str, Any]]) -> int:
    """Writes balances back, each where its version is still the one that was read; how many were."""
    statement = (
        update(_accounts)
        .where(_accounts.c.key == bindparam("at_key"), _accounts.c.version == bindparam("at_version"))
        .values(
            balance=bindparam("new_balance"),
            unarranged=bindparam("new_unarranged"),
            last_sequence=bindparam("new_sequence"),
            last_booked_at=bindparam("new_booked_at"),
            version=bindparam("at_version") + 1,
        )
    )
    result = session.connection().execute(statement, states)
    assert isinstance(result, CursorResult)
    return result.rowcount
