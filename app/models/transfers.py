"""Transfers and their entries: the record of every movement of money."""

import enum
from datetime import date, datetime

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


class Transfer(Base):
    """One movement: both sides and an unsigned amount, so an unbalanced one cannot be written down.

    `source_*` are the source's balances right after it, as its first answer told them.
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
