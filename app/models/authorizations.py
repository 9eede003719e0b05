"""What the card network asks for, and what merchants give back."""

import enum
from datetime import datetime
from typing import Final

from sqlalchemy import JSON, BigInteger, CheckConstraint, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.core.money import MAX_AMOUNT
from app.db.base import Base
from app.models.transfers import TransferStatus


class DeclineReason(enum.StrEnum):
    """Why a card does not pay, in the order in which it is asked: the first that holds is told."""

    CARD_CANCELLED = "card_cancelled"
    CARD_EXPIRED = "card_expired"
    CARD_INACTIVE = "card_inactive"
    CARD_FROZEN = "card_frozen"
    ACCOUNT_FROZEN = "account_frozen"
    CURRENCY_NOT_SUPPORTED = "currency_not_supported"
    ONLINE_DISABLED = "online_disabled"
    MCC_BLOCKED = "mcc_blocked"
    COUNTRY_BLOCKED = "country_blocked"
    LIMIT_EXCEEDED = "limit_exceeded"
    INSUFFICIENT_FUNDS = "insufficient_funds"


class AuthorizationStatus(enum.StrEnum):
    """What has become of an authorisation; `approved` as long as some of it is reserved."""

    APPROVED = "approved"
    DECLINED = "declined"
    CAPTURED = "captured"
    VOIDED = "voided"
    EXPIRED = "expired"


_OF_HOLD: Final = {
    TransferStatus.PENDING: AuthorizationStatus.APPROVED,
    TransferStatus.POSTED: AuthorizationStatus.CAPTURED,
    TransferStatus.VOIDED: AuthorizationStatus.VOIDED,
    TransferStatus.EXPIRED: AuthorizationStatus.EXPIRED,
}


def status_of(hold: str | None) -> AuthorizationStatus:
    """The status of an authorisation by that of its hold; a declined one has none."""
    return AuthorizationStatus.DECLINED if hold is None else _OF_HOLD[TransferStatus(hold)]


_REASONS = ", ".join(f"'{reason}'" for reason in DeclineReason)


class Authorization(Base):
    """A question of the card network and its answer. Never changed.

    An approved one is a hold, which has its key and the rest of its id; what comes of it stands there. A
    declined one is this row and nothing else. `merchant` has name, mcc and country.
    """

    __tablename__ = "authorizations"
    __table_args__ = (
        CheckConstraint(f"amount BETWEEN 1 AND {MAX_AMOUNT}", name="amount"),
        CheckConstraint(f"decline_reason IN ({_REASONS})", name="decline_reason"),
        CheckConstraint("(hold_key IS NULL) = (decline_reason IS NOT NULL)", name="declined"),
        CheckConstraint("hold_key = key", name="hold"),
        Index(None, "card_key", "key"),
    )

    key: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    id: Mapped[str] = mapped_column(String(30), unique=True)
    card_key: Mapped[int] = mapped_column(ForeignKey("cards.key"))
    hold_key: Mapped[int | None] = mapped_column(ForeignKey("transfers.key"), unique=True)
    decline_reason: Mapped[str | None] = mapped_column(String(22))
    amount: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(String(3))
    merchant: Mapped[dict[str, str]] = mapped_column(JSON)
    online: Mapped[bool]
    initiated_by: Mapped[str] = mapped_column(String(30))
    created_at: Mapped[datetime]


class CardRefund(Base):
    """Which authorisation a refund gives back from. Never changed.

    `after_event` is the last event of the hold at that moment, so that an earlier act can be told again
    as it was.
    """

    __tablename__ = "card_refunds"
    __table_args__ = (CheckConstraint(f"amount BETWEEN 1 AND {MAX_AMOUNT}", name="amount"),)

    transfer_key: Mapped[int] = mapped_column(
        ForeignKey("transfers.key"), primary_key=True, autoincrement=False
    )
    authorization_key: Mapped[int] = mapped_column(ForeignKey("authorizations.key"), index=True)
    amount: Mapped[int] = mapped_column(BigInteger)
    after_event: Mapped[int] = mapped_column(BigInteger)
