"""The ledger's SQL for cards: one statement for a whole batch, in each function."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final, cast

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Table,
    bindparam,
    case,
    func,
    literal_column,
    select,
    union_all,
)
from sqlalchemy.orm import Session

from app.core import ids
from app.db.arrays import among
from app.db.base import AnyRow, Instant
from app.db.bulk import BulkInsert
from app.models import Account, Authorization, Card, CardRefund, HoldEvent, Transfer

_cards = cast(Table, Card.__table__)
_authorizations = cast(Table, Authorization.__table__)
_refunds = cast(Table, CardRefund.__table__)

_ACCOUNTS: Final = select(Card.id, Card.account_key).where(among(_cards.c.id, "ids"))


def find_accounts(session: Session, card_ids: Collection[str]) -> dict[str, int]:
    """The key of each card's account. That never changes."""
    rows = session.connection().execute(_ACCOUNTS, {"ids": list(card_ids)})
    return {row.id: row.account_key for row in rows}


# In the order of `CardState`.
_STATE: Final = select(
    *(
        _cards.c[name]
        for name in (
            "key",
            "id",
            "account_key",
            "status",
            "expires_on",
            "per_payment",
            "per_day",
            "per_month",
            "online",
            "blocked_mccs",
            "blocked_countries",
        )
    )
).where(among(_cards.c.id, "ids"))


def find_cards(session: Session, card_ids: Collection[str]) -> Sequence[AnyRow]:
    """Cards as they are. Their accounts must have been locked."""
    return session.connection().execute(_STATE, {"ids": list(card_ids)}).all()


_refunded = (
    select(func.coalesce(func.sum(CardRefund.amount), 0))
    .where(CardRefund.authorization_key == Authorization.key)
    .correlate(Authorization)
    .scalar_subquery()
)
_AUTHORIZATIONS: Final = (
    select(
        *_authorizations.columns,
        Card.id.label("card_id"),
        Account.owner_id,
        _refunded.label("refunded"),
    )
    .join(Card, Card.key == Authorization.card_key)
    .join(Account, Account.key == Card.account_key)
    .where(among(_authorizations.c.id, "ids"))
)


def find_authorizations(session: Session, authorization_ids: Collection[str]) -> Sequence[AnyRow]:
    """Authorisations with their cards' ids and owners, and what has been given back of them."""
    return session.connection().execute(_AUTHORIZATIONS, {"ids": list(authorization_ids)}).all()


_REFUNDS: Final = select(CardRefund.authorization_key, CardRefund.amount, CardRefund.after_event).where(
    among(_refunds.c.authorization_key, "keys")
)


def find_refunds(session: Session, authorization_keys: Collection[int]) -> Sequence[AnyRow]:
    """(authorization_key, amount, after_event) of all that was given back of these."""
    return session.connection().execute(_REFUNDS, {"keys": list(authorization_keys)}).all()


_DAY: Final = bindparam("day", type_=Instant())
_MONTH: Final = bindparam("month", type_=Instant())
_NOW: Final = bindparam("now", type_=Instant())
_STILL_RESERVED: Final = case((Transfer.expires_at <= _NOW, 0), else_=Transfer.remaining)
_APPROVED: Final = Transfer.captured + _STILL_RESERVED
_INCREMENT: Final = HoldEvent.amount


def _where(condition: ColumnElement[bool], amount: Any) -> Any:
    return case((condition, amount), else_=0)


_MADE: Final = (
    select(
        Authorization.card_key.label("card"),
        _where(Authorization.created_at >= _DAY, _APPROVED).label("day"),
        _APPROVED.label("month"),
    )
    .join(Transfer, Transfer.key == Authorization.hold_key)
    .where(
        among(_authorizations.c.card_key, "keys"),
        # Keys sort by time: the index ends the search at the beginning of the month.
        Authorization.key >= bindparam("first", type_=BigInteger()),
        Authorization.created_at >= _MONTH,
    )
)
# An increment counts when it is made, if its authorisation does not count with all it has, and as long
# as anything of that stands.
_ADDED: Final = (
    select(
        Authorization.card_key,
        _where((HoldEvent.at >= _DAY) & (Authorization.created_at < _DAY), _INCREMENT),
        _where(Authorization.created_at < _MONTH, _INCREMENT),
    )
    .join(Authorization, Authorization.hold_key == HoldEvent.transfer_key)
    .join(Transfer, Transfer.key == HoldEvent.transfer_key)
    .join(Card, Card.key == Authorization.card_key)
    .where(
        _APPROVED > 0,
        among(_authorizations.c.card_key, "keys"),
        HoldEvent.account_key == Card.account_key,
        HoldEvent.act == literal_column("'incremented'"),
        HoldEvent.at >= _MONTH,
    )
)
_both = union_all(_MADE, _ADDED).subquery()
_USED: Final = select(_both.c.card, func.sum(_both.c.day), func.sum(_both.c.month)).group_by(_both.c.card)


def used_since(
    session: Session, card_keys: Collection[int], *, day: datetime, month: datetime, now: datetime
) -> dict[int, tuple[int, int]]:
    """What cards have been approved for since the beginnings of a day and of its month, in minor units.

    What a voided or expired authorisation has captured counts, and nothing else of it.
    """
    given = {
        "keys": list(card_keys),
        "day": day,
        "month": month,
        "now": now,
        "first": ids.first_key_at(month),
    }
    rows = session.execute(_USED, given).all()
    return {card: (int(this_day), int(this_month)) for card, this_day, this_month in rows}


insert_authorizations: Final = BulkInsert(_authorizations)
insert_refunds: Final = BulkInsert(_refunds)
