"""Transfers and their entries: the record of every movement of money."""

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
    PrimaryKeyConstraint,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.core.money import MAX_AMOUNT
from app.db.base import Base


class TransferKind(enum.StrEnum):
    """Why money moved."""

    TRANSFER = "transfer"
    DEPOSIT = "deposit"
    WITHDRAWAL = "withdrawal"
    REVERSAL = "reversal"
    FEE = "fee"
    INTEREST = "interest"
    CARD_PAYMENT = "card_payment"
    CARD_REFUND = "card_refund"


class TransferStatus(enum.StrEnum):
    """Posted has entries; pending reserves; voided and expired have let go."""

    POSTED = "posted"
    PENDING = "pending"
    VOIDED = "voided"
    EXPIRED = "expired"


def _in(values: type[enum.StrEnum]) -> str:
    return ", ".join(f"'{value}'" for value in values)


# What is a hold has an end and is no capture itself; what is none was posted at once.
HOLD: Final = (
    "CASE WHEN captured IS NULL THEN status = 'posted' AND expires_at IS NULL "
    "ELSE captured >= 0 AND expires_at IS NOT NULL AND pending_key IS NULL AND reverses_key IS NULL END"
)


class Transfer(Base):
    """One movement: both sides and an unsigned amount, so an unbalanced one cannot be written down.

    A hold is a movement that is yet to come: it has no entries, and its captures are transfers of their
    own that name it. `source_*` are the source's balances right after it, as its first answer told them.
    """

    __tablename__ = "transfers"
    __table_args__ = (
        CheckConstraint(f"kind IN ({_in(TransferKind)})", name="kind"),
        CheckConstraint(f"status IN ({_in(TransferStatus)})", name="status"),
        CheckConstraint(f"amount BETWEEN 1 AND {MAX_AMOUNT}", name="amount"),
        CheckConstraint("remaining BETWEEN 0 AND amount", name="remaining"),
        CheckConstraint("status = 'pending' OR remaining = 0", name="reserved"),
        CheckConstraint("source_key <> destination_key", name="sides"),
        CheckConstraint("(status = 'posted') = (booked_at IS NOT NULL)", name="booked"),
        CheckConstraint(HOLD, name="hold"),
        Index(None, "source_key", "key"),
        Index(None, "destination_key", "key"),
        Index(
            "ix_transfers_external_id",
            "external_id",
            "key",
            sqlite_where=text("external_id IS NOT NULL"),
            postgresql_where=text("external_id IS NOT NULL"),
        ),
        # One reversal a transfer, whatever the code above does.
        Index(
            "uq_transfers_reverses_key",
            "reverses_key",
            unique=True,
            sqlite_where=text("reverses_key IS NOT NULL"),
            postgresql_where=text("reverses_key IS NOT NULL"),
        ),
        Index(
            "ix_transfers_holds",
            "source_key",
            "key",
            sqlite_where=text("captured IS NOT NULL"),
            postgresql_where=text("captured IS NOT NULL"),
        ),
        Index(
            "ix_transfers_due",
            "source_key",
            "expires_at",
            sqlite_where=text("status = 'pending'"),
            postgresql_where=text("status = 'pending'"),
        ),
    )

    key: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    id: Mapped[str] = mapped_column(String(30), unique=True)
    kind: Mapped[str] = mapped_column(String(16))
    status: Mapped[str] = mapped_column(String(8))
    source_key: Mapped[int] = mapped_column(ForeignKey("accounts.key"))
    destination_key: Mapped[int] = mapped_column(ForeignKey("accounts.key"))
    amount: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(String(3))
    description: Mapped[str | None] = mapped_column(String(140))
    external_id: Mapped[str | None] = mapped_column(String(100))
    details: Mapped[dict[str, str] | None] = mapped_column("metadata", JSON(none_as_null=True))
    initiated_by: Mapped[str] = mapped_column(String(30))
    created_at: Mapped[datetime]
    booked_at: Mapped[datetime | None]
    # What a pending transfer still reserves, and until when.
    remaining: Mapped[int] = mapped_column(BigInteger)
    expires_at: Mapped[datetime | None]
    reverses_key: Mapped[int | None] = mapped_column(ForeignKey("transfers.key"))
    pending_key: Mapped[int | None] = mapped_column(ForeignKey("transfers.key"), index=True)
    group_id: Mapped[str | None] = mapped_column(String(30))
    source_balance: Mapped[int] = mapped_column(BigInteger)
    source_held: Mapped[int] = mapped_column(BigInteger)
    source_available: Mapped[int] = mapped_column(BigInteger)
    # What has been captured of a hold so far. None: it is no hold, and was posted at once.
    captured: Mapped[int | None] = mapped_column(BigInteger)


class HoldAct(enum.StrEnum):
    """What happens to a hold."""

    CREATED = "created"
    INCREMENTED = "incremented"
    CAPTURED = "captured"
    VOIDED = "voided"
    EXPIRED = "expired"


class HoldEvent(Base):
    """One act on a hold: a line of its history. Never changed, never deleted.

    `amount` is what the act was about: reserved, moved, or let go of. The other numbers are the hold's
    and its source's right after it, so that what the act was answered can be told again.
    """

    __tablename__ = "hold_events"
    __table_args__ = (
        PrimaryKeyConstraint("transfer_key", "sequence"),
        CheckConstraint(f"act IN ({_in(HoldAct)})", name="act"),
        CheckConstraint("sequence > 0", name="sequence"),
        CheckConstraint("(act = 'captured') = (capture_key IS NOT NULL)", name="capture"),
        CheckConstraint("(act = 'expired') = (actor IS NULL)", name="actor"),
        # A capture is of one act, whatever the code above does.
        Index(
            "uq_hold_events_capture_key",
            "capture_key",
            unique=True,
            sqlite_where=text("capture_key IS NOT NULL"),
            postgresql_where=text("capture_key IS NOT NULL"),
        ),
        Index(
            "ix_hold_events_incremented",
            "account_key",
            "at",
            sqlite_where=text("act = 'incremented'"),
            postgresql_where=text("act = 'incremented'"),
        ),
    )

    transfer_key: Mapped[int] = mapped_column(ForeignKey("transfers.key"))
    sequence: Mapped[int] = mapped_column(BigInteger)
    # The hold's source.
    account_key: Mapped[int] = mapped_column(BigInteger)
    act: Mapped[str] = mapped_column(String(11))
    amount: Mapped[int] = mapped_column(BigInteger)
    status_after: Mapped[str] = mapped_column(String(8))
    amount_after: Mapped[int] = mapped_column(BigInteger)
    remaining_after: Mapped[int] = mapped_column(BigInteger)
    captured_after: Mapped[int] = mapped_column(BigInteger)
    source_balance: Mapped[int] = mapped_column(BigInteger)
    source_held: Mapped[int] = mapped_column(BigInteger)
    source_available: Mapped[int] = mapped_column(BigInteger)
    capture_key: Mapped[int | None] = mapped_column(ForeignKey("transfers.key"))
    at: Mapped[datetime]
    # The user who asked for it; None for time, which makes a hold expire.
    actor: Mapped[str | None] = mapped_column(String(30))


class Entry(Base):
    """One side of a posted transfer: a line of a statement. Never changed, never deleted.

    `amount` is signed; `balance_after` is the account's balance right after it; `sequence` counts the
    account's entries without gaps; `booked_at` rises strictly within an account.
    """

    __tablename__ = "entries"
    __table_args__ = (
        PrimaryKeyConstraint("account_key", "sequence"),
        CheckConstraint("amount <> 0", name="amount"),
        CheckConstraint("sequence > 0", name="sequence"),
        UniqueConstraint("transfer_key", "account_key", name="uq_entries_transfer_key"),
        Index("uq_entries_booked_at", "account_key", "booked_at", unique=True),
    )

    account_key: Mapped[int] = mapped_column(ForeignKey("accounts.key"))
    sequence: Mapped[int] = mapped_column(BigInteger)
    id: Mapped[str] = mapped_column(String(30), unique=True)
    transfer_key: Mapped[int] = mapped_column(ForeignKey("transfers.key"))
    amount: Mapped[int] = mapped_column(BigInteger)
    balance_after: Mapped[int] = mapped_column(BigInteger)
    booked_at: Mapped[datetime]
    value_date: Mapped[date] = mapped_column(Date())
