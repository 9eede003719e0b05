"""Cards: SQL in, rows out."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, cast

from sqlalchemy import ColumnElement, Table, and_, func, or_, select, update
from sqlalchemy.orm import Session, aliased

from app.db.base import AnyRow
from app.db.statements import insert_or_ignore
from app.models import Account, Card
from app.models.cards import CardStatus

_cards = cast(Table, Card.__table__)
_older = aliased(Card)
_newer = aliased(Card)


@dataclass(frozen=True, slots=True)
class CardFilter:
    """What a list of cards is narrowed to; None means any. `day` tells which cards have expired."""

    day: date
    owner_id: str | None = None
    account_key: int | None = None
    status: str | None = None
    created_from: datetime | None = None
    created_before: datetime | None = None


class Cards:
    """The table `cards`. A card is read as a row of its columns, its account's and its links' ids."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, values: dict[str, Any]) -> bool:
        """Inserts a card; False when its number is another's."""
        return insert_or_ignore(self._session, Card, values)

    def account_id_of(self, card_id: str) -> str | None:
        """Which account a card belongs to. That never changes, so it may be asked without a lock."""
        query = select(Account.id).join(Card, Card.account_key == Account.key).where(Card.id == card_id)
        return self._session.scalar(query)

    def by_id(self, card_id: str) -> AnyRow | None:
        return self._session.execute(_SHOWN.where(Card.id == card_id)).one_or_none()

    def page(self, wanted: CardFilter, *, before_key: int | None, limit: int) -> Sequence[AnyRow]:
        """Cards, newest first."""
        query = _SHOWN
        if wanted.owner_id is not None:
            query = query.where(Account.owner_id == wanted.owner_id)
        if wanted.account_key is not None:
            query = query.where(Card.account_key == wanted.account_key)
        if wanted.status is not None:
            query = query.where(_has_status(wanted.status, wanted.day))
        if wanted.created_from is not None:
            query = query.where(Card.created_at >= wanted.created_from)
        if wanted.created_before is not None:
            query = query.where(Card.created_at < wanted.created_before)
        if before_key is not None:
            query = query.where(Card.key < before_key)
        # One's own are sorted: else a planner may walk through everybody's until it has found enough.
        order = Card.key if wanted.owner_id is None else Card.key + 0
        return self._session.execute(query.order_by(order.desc()).limit(limit)).all()

    def live_count(self, account_key: int, day: date) -> int:
        """How many cards of an account are neither cancelled nor expired."""
        query = (
            select(func.count())
            .select_from(Card)
            .where(
                Card.account_key == account_key,
                Card.status != CardStatus.CANCELLED,
                Card.expires_on >= day,
            )
        )
        return self._session.scalar(query) or 0

    def set(self, key: int, **values: object) -> None:
        """Changes a card, whose account is locked, and its version."""
        self._session.execute(
            update(Card).where(Card.key == key).values(version=Card.version + 1, **values),
            execution_options={"synchronize_session": False},
        )


def _has_status(status: str, day: date) -> ColumnElement[bool]:
    if status == CardStatus.EXPIRED:
        return and_(Card.status != CardStatus.CANCELLED, Card.expires_on < day)
    return and_(Card.status == status, or_(Card.status == CardStatus.CANCELLED, Card.expires_on >= day))


_SHOWN: Final = (
    select(
        *_cards.columns,
        Account.id.label("account_id"),
        Account.owner_id,
        _older.id.label("replaces_id"),
        _newer.id.label("replaced_by_id"),
    )
    .join(Account, Account.key == Card.account_key)
    .outerjoin(_older, _older.key == Card.replaces_key)
    .outerjoin(_newer, _newer.replaces_key == Card.key)
)
