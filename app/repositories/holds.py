"""Holds as they count at an instant: one whose time is over reserves nothing, ended by a batch or not."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import BigInteger, Integer, bindparam, case, func, literal_column, select
from sqlalchemy.orm import Session, aliased

from app.core import ids
from app.db.base import AnyRow, AnySelect, Instant
from app.models import Account, AccountHolder, Transfer

# The parameter `now` of every statement that has one of the expressions below.
NOW: Final = bindparam("now", type_=Instant())
# As it is written in the indexes: with a parameter no planner could know that they have it.
PENDING: Final = Transfer.status == literal_column("'pending'")
_is_due: Final = PENDING & (Transfer.expires_at <= NOW)
STATUS: Final = case((_is_due, "expired"), else_=Transfer.status)
REMAINING: Final = case((_is_due, 0), else_=Transfer.remaining)

_due: Final = (
    select(func.coalesce(func.sum(Transfer.remaining), 0))
    .where(Transfer.source_key == Account.key, PENDING, Transfer.expires_at <= NOW)
    .correlate(Account)
    .scalar_subquery()
)
# Of most accounts nothing is held, so nothing is looked up.
HELD: Final = case((Account.held == 0, 0), else_=Account.held - _due)

_payee, _holder = aliased(Account), aliased(AccountHolder)
_PAGE: Final = (
    select(
        Transfer.key,
        Transfer.id,
        Transfer.kind,
        STATUS.label("status"),
        Transfer.amount,
        Transfer.captured,
        REMAINING.label("remaining"),
        Transfer.currency,
        Transfer.description,
        Transfer.details,
        Transfer.created_at,
        Transfer.expires_at,
        _payee.number.label("other_number"),
        _payee.kind.label("other_kind"),
        _holder.full_name.label("other_name"),
    )
    .join(_payee, _payee.key == Transfer.destination_key)
    .outerjoin(_holder, _holder.id == _payee.holder_id)
    .where(
        Transfer.source_key == bindparam("account", type_=BigInteger()),
        Transfer.key < bindparam("before", type_=BigInteger()),
    )
    .order_by(Transfer.key.desc())
    .limit(bindparam("limit", type_=Integer()))
)


def _through(query: AnySelect, index: str) -> AnySelect:
    """SQLite would walk through all that has gone out of the account; PostgreSQL knows better."""
    return query.with_hint(Transfer, f"INDEXED BY {index}", "sqlite")


_OPEN: Final = _through(_PAGE.where(PENDING, Transfer.expires_at > NOW), "ix_transfers_due")
_OF_STATUS: Final = _through(
    _PAGE.where(Transfer.captured.is_not(None), bindparam("status") == STATUS), "ix_transfers_holds"
)


def holds_page(
    session: Session,
    *,
    account_key: int,
    status: str,
    now: datetime,
    before_key: int | None,
    limit: int,
) -> Sequence[AnyRow]:
    """The holds on an account that have this status now, with the other side's holder; newest first."""
    given = {
        "account": account_key,
        "now": now,
        "before": ids.AFTER_EVERY_KEY if before_key is None else before_key,
        "limit": limit,
    }
    if status == "pending":
        return session.execute(_OPEN, given).all()
    return session.execute(_OF_STATUS, given | {"status": status}).all()
