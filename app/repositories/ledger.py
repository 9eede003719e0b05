"""The ledger's SQL: one statement for a whole batch, in each function."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, cast

from sqlalchemy import (
    BigInteger,
    Table,
    and_,
    bindparam,
    case,
    func,
    literal_column,
    select,
    type_coerce,
    union_all,
)
from sqlalchemy.orm import Session, aliased

from app.core import ids
from app.db.arrays import among, pair_among
from app.db.base import AnyRow, Instant
from app.db.bulk import BulkInsert, BulkUpdate, Rows
from app.db.locks import locked
from app.models import (
    Account,
    AuditRecord,
    BulkChunk,
    Entry,
    HoldEvent,
    IdempotencyKey,
    LoginSession,
    Transfer,
    User,
    ValueDate,
)
from app.repositories.holds import NOW, PENDING

_accounts = cast(Table, Account.__table__)
_transfers = cast(Table, Transfer.__table__)
_entries = cast(Table, Entry.__table__)
_keys = cast(Table, IdempotencyKey.__table__)
_chunks = cast(Table, BulkChunk.__table__)
_audit = cast(Table, AuditRecord.__table__)
_events = cast(Table, HoldEvent.__table__)


@dataclass(frozen=True, slots=True)
class Addresses:
    """Accounts as commands name them: by id, by number, or the bank's by (kind, currency)."""

    ids: frozenset[str]
    numbers: frozenset[str]
    system: frozenset[tuple[str, str]]


_WHERE_IS: Final = select(Account.key, Account.id, Account.number, Account.kind, Account.currency)
_BY_ID: Final = _WHERE_IS.where(among(_accounts.c.id, "wanted"))
_BY_NUMBER: Final = _WHERE_IS.where(among(_accounts.c.number, "wanted"))
_THE_BANKS: Final = _WHERE_IS.where(
    Account.holder_id.is_(None), pair_among(_accounts.c.kind, _accounts.c.currency, "wanted")
)


def find_accounts(session: Session, wanted: Addresses) -> list[AnyRow]:
    """(key, id, number, kind, currency) of the accounts that are there. What is read never changes."""
    asked = ((_BY_ID, wanted.ids), (_BY_NUMBER, wanted.numbers), (_THE_BANKS, wanted.system))
    return [
        row
        for query, values in asked
        if values
        for row in session.execute(query, {"wanted": list(values)}).all()
    ]


def find_transfers(session: Session, transfer_ids: Collection[str]) -> Sequence[AnyRow]:
    """Transfers by id; read before any lock, so what can change of them is not to be trusted."""
    if not transfer_ids:
        return []
    return session.execute(select(*_transfers.columns).where(Transfer.id.in_(transfer_ids))).all()


# In the order of `AccountState`. Of the instant, only its microseconds.
_STATE: Final = (
    select(
        _accounts.c.key,
        _accounts.c.id,
        _accounts.c.number,
        _accounts.c.owner_id,
        _accounts.c.holder_id,
        _accounts.c.kind,
        _accounts.c.currency,
        _accounts.c.status,
        _accounts.c.balance,
        _accounts.c.held,
        _accounts.c.overdraft_limit,
        _accounts.c.unarranged,
        _accounts.c.last_sequence,
        type_coerce(_accounts.c.last_booked_at, BigInteger),
        _accounts.c.version,
    )
    .where(among(_accounts.c.key, "keys"))
    .order_by(_accounts.c.key)
)


_LOCKED_STATE: Final = locked(_STATE)


def lock_accounts(session: Session, keys: Collection[int]) -> Sequence[AnyRow]:
    """The accounts' rows, held until the commit. In the order of keys, so that nobody waits in a ring."""
    return session.connection().execute(_LOCKED_STATE, {"keys": keys}).all()


_USED_KEYS: Final = select(_keys.c.caller, _keys.c.key, _keys.c.fingerprint, _keys.c.location).where(
    pair_among(_keys.c.caller, _keys.c.key, "pairs")
)


def find_keys(session: Session, pairs: Collection[tuple[str, str]]) -> Sequence[AnyRow]:
    """(caller, key, fingerprint, location) of those idempotency keys that have been used."""
    return session.connection().execute(_USED_KEYS, {"pairs": list(pairs)}).all()


_CHUNKS: Final = select(_chunks.c.caller, _chunks.c.key, _chunks.c.first, _chunks.c.outcomes).where(
    pair_among(_chunks.c.caller, _chunks.c.key, "pairs"), among(_chunks.c.first, "firsts")
)


def find_chunks(
    session: Session, pairs: Collection[tuple[str, str]], firsts: Collection[int]
) -> Sequence[AnyRow]:
    """(caller, key, first, outcomes) of chunks of bulks that have been posted."""
    return session.execute(_CHUNKS, {"pairs": list(pairs), "firsts": firsts}).all()


_LIVE: Final = (
    select(LoginSession.id)
    .join(User, User.id == LoginSession.user_id)
    .where(
        among(LoginSession.__table__.c.id, "sessions"),
        LoginSession.ended_at.is_(None),
        LoginSession.expires_at > bindparam("now", type_=Instant()),
        User.is_active,
    )
)


def live_sessions(session: Session, session_ids: Collection[str], now: datetime) -> frozenset[str]:
    """Which of these sessions can still be used, by active users."""
    return frozenset(session.connection().scalars(_LIVE, {"sessions": session_ids, "now": now}))


def reversed_transfers(session: Session, keys: Collection[int]) -> frozenset[int]:
    """Which of these transfers have been reversed."""
    statement = select(Transfer.reverses_key).where(Transfer.reverses_key.in_(keys))
    return frozenset(key for key in session.scalars(statement) if key is not None)


_last_event: Final = (
    select(func.max(HoldEvent.sequence))
    .where(HoldEvent.transfer_key == Transfer.key)
    .correlate(Transfer)
    .scalar_subquery()
)
_HOLDS: Final = select(*_transfers.columns, _last_event.label("last_event"))
_THESE_HOLDS: Final = _HOLDS.where(among(_transfers.c.key, "keys"))
_DUE_HOLDS: Final = _HOLDS.where(
    among(_transfers.c.source_key, "keys"), PENDING, Transfer.expires_at <= NOW
).order_by(Transfer.source_key, Transfer.expires_at, Transfer.key)


def find_holds(session: Session, keys: Collection[int]) -> Sequence[AnyRow]:
    """Holds as they are, with the sequence of their last event. Their sources must have been locked."""
    return session.execute(_THESE_HOLDS, {"keys": keys}).all()


def due_holds(session: Session, account_keys: Collection[int], now: datetime) -> Sequence[AnyRow]:
    """The open holds of these accounts whose time is over, in the order of their ends; as `find_holds`."""
    return session.execute(_DUE_HOLDS, {"keys": account_keys, "now": now}).all()


def spent_since(
    session: Session, keys: Collection[int], since: datetime, now: datetime, kinds: Collection[str]
) -> dict[int, int]:
    """What has gone out of each account since an instant, posted or still reserved.

    A hold counts when it was made, with what it has captured and still reserves; an increment of one
    from before counts when it was made. A capture is not counted again.
    """
    still_reserved = case((Transfer.expires_at <= now, 0), else_=Transfer.remaining)
    made = select(
        Transfer.source_key.label("account"),
        case((Transfer.captured.is_(None), Transfer.amount), else_=Transfer.captured + still_reserved).label(
            "amount"
        ),
    ).where(
        Transfer.source_key.in_(keys),
        # Keys sort by time: the index ends the search at the beginning of the day.
        Transfer.key >= ids.first_key_at(since),
        Transfer.created_at >= since,
        Transfer.pending_key.is_(None),
        Transfer.kind.in_(kinds),
    )
    added = (
        select(HoldEvent.account_key, HoldEvent.amount)
        .join(Transfer, and_(Transfer.key == HoldEvent.transfer_key, Transfer.created_at < since))
        .where(
            HoldEvent.account_key.in_(keys),
            HoldEvent.act == literal_column("'incremented'"),
            HoldEvent.at >= since,
            Transfer.kind.in_(kinds),
        )
    )
    spent = union_all(made, added).subquery()
    statement = select(spent.c.account, func.sum(spent.c.amount)).group_by(spent.c.account)
    return {key: int(total) for key, total in session.execute(statement)}


def transfers_with_entries(session: Session, transfer_ids: Collection[str]) -> Sequence[AnyRow]:
    """Transfers by id, a row an entry, with the entry's account: what a replay is made from."""
    original, hold = aliased(Transfer), aliased(Transfer)
    statement = (
        select(
            *_transfers.columns,
            original.id.label("reverses_id"),
            hold.id.label("pending_id"),
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
        .outerjoin(hold, hold.key == Transfer.pending_key)
        .where(Transfer.id.in_(transfer_ids))
        # The source's entry is the negative one.
        .order_by(Entry.amount)
    )
    return session.execute(statement).all()


_payer, _payee = aliased(Account), aliased(Account)
_ACTS: Final = (
    select(
        Transfer.__table__,
        _payer.id.label("source_id"),
        _payee.id.label("destination_id"),
        *(column.label(f"event_{column.name}") for column in _events.columns),
    )
    .join(Transfer, Transfer.key == HoldEvent.transfer_key)
    .join(_payer, _payer.key == Transfer.source_key)
    .join(_payee, _payee.key == Transfer.destination_key)
    .where(among(_transfers.c.id, "ids"), among(_events.c.sequence, "sequences"))
)


def acts_on_holds(
    session: Session, transfer_ids: Collection[str], sequences: Collection[int]
) -> Sequence[AnyRow]:
    """Holds with those events that have one of the sequences: what a replay of an act is made from."""
    return session.execute(_ACTS, {"ids": list(transfer_ids), "sequences": list(sequences)}).all()


_insert_transfers: Final = BulkInsert(_transfers)
_insert_entries: Final = BulkInsert(_entries)
_insert_keys: Final = BulkInsert(_keys)
_insert_audit: Final = BulkInsert(_audit)
_insert_chunks: Final = BulkInsert(_chunks)
_insert_events: Final = BulkInsert(_events)
update_holds: Final = BulkUpdate(
    _transfers,
    found_by=("key", "status"),
    sets=("status", "amount", "remaining", "captured", "booked_at"),
)
_insert_value_dates: Final = BulkInsert(cast(Table, ValueDate.__table__))
update_accounts: Final = BulkUpdate(
    _accounts,
    found_by=("key", "version"),
    sets=("balance", "held", "unarranged", "last_sequence", "last_booked_at", "version"),
)


def insert_batch(
    session: Session,
    *,
    transfers: Rows,
    entries: Rows,
    events: Rows,
    value_dates: Rows,
    keys: Rows,
    chunks: Rows,
    audit: Rows,
) -> None:
    """The records of a batch, a statement a table. Instants are microseconds since 1970."""
    _insert_transfers(session, transfers)
    _insert_entries(session, entries)
    _insert_events(session, events)
    _insert_value_dates(session, value_dates)
    _insert_keys(session, keys)
    _insert_chunks(session, chunks)
    _insert_audit(session, audit)
