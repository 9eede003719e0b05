"""Cards: what pays out of an account when a merchant asks."""

import enum
from datetime import date, datetime
from typing import Final

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Date,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.core.money import MAX_AMOUNT
from app.db.base import Base


class CardType(enum.StrEnum):
    """A virtual card is only a number, and active from birth; a physical one travels first."""

    VIRTUAL = "virtual"
    PHYSICAL = "physical"


class CardStatus(enum.StrEnum):
    """Only an active card pays. Cancelled is final. Expired is never stored: it follows from the date."""

    INACTIVE = "inactive"
    ACTIVE = "active"
    FROZEN = "frozen"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class CancelReason(enum.StrEnum):
    """Why a card came to its end; who ended it stands in the audit log."""

    LOST = "lost"
    STOLEN = "stolen"
    DAMAGED = "damaged"
    REQUESTED = "requested"


STORED_STATUSES: Final = tuple(status for status in CardStatus if status is not CardStatus.EXPIRED)
LIMITS: Final = ("per_payment", "per_day", "per_month")


def status_on(status: str, expires_on: date, day: date) -> CardStatus:
    """What a stored status comes to on a day of the bank: a card is good until the end of its last day."""
    if status != CardStatus.CANCELLED and expires_on < day:
        return CardStatus.EXPIRED
    return CardStatus(status)


def _in(values: tuple[str, ...]) -> str:
    return ", ".join(f"'{value}'" for value in values)


class Card(Base):
    """A card of an account, without its number: `fingerprint` and `last4` are all that is kept of that.

    Limits are whole minor units of the account's currency; None is no limit. Whoever changes a card holds
    the lock of its account, as whoever pays with it does.
    """

    __tablename__ = "cards"
    __table_args__ = (
        CheckConstraint(f"type IN ({_in(tuple(CardType))})", name="type"),
        CheckConstraint(f"status IN ({_in(STORED_STATUSES)})", name="status"),
        CheckConstraint("(status = 'cancelled') = (cancel_reason IS NOT NULL)", name="cancelled"),
        CheckConstraint(f"cancel_reason IN ({_in(tuple(CancelReason))})", name="cancel_reason"),
        CheckConstraint("length(last4) = 4", name="last4"),
        *(CheckConstraint(f"{name} BETWEEN 1 AND {MAX_AMOUNT}", name=name) for name in LIMITS),
        UniqueConstraint("fingerprint"),
        # A card is replaced once.
        UniqueConstraint("replaces_key"),
        Index(None, "account_key", "key"),
    )

    key: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    id: Mapped[str] = mapped_column(String(30), unique=True)
    account_key: Mapped[int] = mapped_column(ForeignKey("accounts.key"))
    type: Mapped[str] = mapped_column(String(8))
    status: Mapped[str] = mapped_column(String(9))
    cancel_reason: Mapped[str | None] = mapped_column(String(9))
    brand: Mapped[str] = mapped_column(String(10))
    last4: Mapped[str] = mapped_column(String(4))
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary(32))
    # The last day on which it pays: the end of a month.
    expires_on: Mapped[date] = mapped_column(Date())
    per_payment: Mapped[int | None] = mapped_column(BigInteger)
    per_day: Mapped[int | None] = mapped_column(BigInteger)
    per_month: Mapped[int | None] = mapped_column(BigInteger)
    online: Mapped[bool]
    blocked_mccs: Mapped[list[str]] = mapped_column(JSON)
    blocked_countries: Mapped[list[str]] = mapped_column(JSON)
    replaces_key: Mapped[int | None] = mapped_column(ForeignKey("cards.key"))
    version: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime]
