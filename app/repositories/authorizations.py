"""Authorisations as they are at an instant: SQL in, rows out."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, cast

from sqlalchemy import Table, case, func, select
from sqlalchemy.orm import Session

from app.db.base import AnyRow
from app.models import Account, Authorization, Card, CardRefund, Transfer
from app.repositories.holds import REMAINING, STATUS

_authorizations = cast(Table, Authorization.__table__)
_refunded = (
    select(func.coalesce(func.sum(CardRefund.amount), 0))
    .where(CardRefund.authorization_key == Authorization.key)
    .correlate(Authorization)
    .scalar_subquery()
)
# A declined one has no hold, and so null in the columns of that.
_SHOWN: Final = (
    select(
        *_authorizations.columns,
        Card.id.label("card_id"),
        Account.owner_id,
        case((Transfer.key.is_not(None), STATUS)).label("hold_status"),
        Transfer.amount.label("hold_amount"),
        Transfer.captured,
        case((Transfer.key.is_not(None), REMAINING)).label("remaining"),
        Transfer.expires_at,
        _refunded.label("refunded"),
    )
    .join(Card, Card.key == Authorization.card_key)
    .join(Account, Account.key == Card.account_key)
    .outerjoin(Transfer, Transfer.key == Authorization.hold_key)
)


@dataclass(frozen=True, slots=True)
class AuthorizationFilter:
    """What a list of authorisations is narrowed to; None means any."""

    owner_id: str | None
    card_id: str | None
    created_from: datetime | None = None
    created_before: datetime | None = None


class Authorizations:
    """The table `authorizations`, with cards, holds and refunds, as they count now."""

    def __init__(self, session: Session, now: datetime) -> None:
        self._session = session
        self._now = {"now": now}

    def by_id(self, authorization_id: str) -> AnyRow | None:
        query = _SHOWN.where(Authorization.id == authorization_id)
        return self._session.execute(query, self._now).one_or_none()

    def page(self, wanted: AuthorizationFilter, *, before_key: int | None, limit: int) -> Sequence[AnyRow]:
        """Authorisations, newest first."""
        query = _SHOWN
        if wanted.owner_id is not None:
            query = query.where(Account.owner_id == wanted.owner_id)
        if wanted.card_id is not None:
            query = query.where(Card.id == wanted.card_id)
        if wanted.created_from is not None:
            query = query.where(Authorization.created_at >= wanted.created_from)
        if wanted.created_before is not None:
            query = query.where(Authorization.created_at < wanted.created_before)
        if before_key is not None:
            query = query.where(Authorization.key < before_key)
        # One's own are sorted: else a planner may walk through everybody's until it has found enough.
        order = Authorization.key if wanted.owner_id is None else Authorization.key + 0
        return self._session.execute(query.order_by(order.desc()).limit(limit), self._now).all()
