"""Accounts: customers' and the bank's own."""

import enum
from datetime import datetime
from typing import Final

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from app.core.money import MAX_AMOUNT, MAX_BANK_BALANCE
from app.db.base import Base


class AccountKind(enum.StrEnum):
    """What an account is for. Customers' kinds first; the others are the bank's, one a currency."""

    CHECKING = "checking"
    SAVINGS = "savings"
    CASH = "cash"
    CARD_SETTLEMENT = "card_settlement"
    FEES = "fees"
    INTEREST = "interest"
    FX_POSITION = "fx_position"
    SUSPENSE = "suspense"


CUSTOMER_KINDS: Final = frozenset({AccountKind.CHECKING, AccountKind.SAVINGS})
SYSTEM_KINDS: Final = tuple(kind for kind in AccountKind if kind not in CUSTOMER_KINDS)


class AccountClass(enum.StrEnum):
    """What an account is to the bank: on which side of its trial balance it stands."""

    ASSET = "asset"
    LIABILITY = "liability"
    INCOME = "income"
    EXPENSE = "expense"


CLASSES: Final = {
    # What the bank owes its customers.
    AccountKind.CHECKING: AccountClass.LIABILITY,
    AccountKind.SAVINGS: AccountClass.LIABILITY,
    AccountKind.CASH: AccountClass.ASSET,
    AccountKind.CARD_SETTLEMENT: AccountClass.LIABILITY,
    AccountKind.FEES: AccountClass.INCOME,
    AccountKind.INTEREST: AccountClass.EXPENSE,
    AccountKind.FX_POSITION: AccountClass.ASSET,
    AccountKind.SUSPENSE: AccountClass.LIABILITY,
}


def shown_to_others(kind: str, name: str | None, number: str | None) -> tuple[str, str | None]:
    """How the other side of a movement sees an account: (name, number).

    Of a customer's, the initials (`Ada King Lovelace` is `A. K. L.`) and the last four digits; the
    bank's own are named by their kind.
    """
    if kind not in CUSTOMER_KINDS or number is None:
        return kind, None
    return " ".join(f"{part[0]}." for part in (name or "").split()), f"****{number[-4:]}"


class AccountStatus(enum.StrEnum):
    """Frozen refuses what goes out; closed refuses everything and is final."""

    ACTIVE = "active"
    FROZEN = "frozen"
    CLOSED = "closed"


def _in(values: type[enum.StrEnum]) -> str:
    return ", ".join(f"'{value}'" for value in values)


class Account(Base):
    """A balance in one currency, in whole minor units.

    `available` = balance - held + overdraft_limit. A customer's balance is what the bank owes them;
    the bank's own accounts carry the mirror, so the balances of a currency sum to zero. Only the
    ledger (`app/ledger`) changes a balance. `key` is for joins inside; `id` is for everybody.
    """

    __tablename__ = "accounts"
    __table_args__ = (
        CheckConstraint(f"kind IN ({_in(AccountKind)})", name="kind"),
        CheckConstraint(f"status IN ({_in(AccountStatus)})", name="status"),
        CheckConstraint("length(currency) = 3", name="currency"),
        CheckConstraint("(holder_id IS NULL) = (number IS NULL)", name="customer"),
        CheckConstraint("held >= 0 AND overdraft_limit >= 0 AND unarranged >= 0", name="not_negative"),
        CheckConstraint(
            "holder_id IS NULL OR balance - held + overdraft_limit + unarranged >= 0", name="floor"
        ),
        CheckConstraint(
            f"balance BETWEEN -{MAX_BANK_BALANCE} AND {MAX_BANK_BALANCE} AND "
            f"(holder_id IS NULL OR balance BETWEEN -{MAX_AMOUNT} AND {MAX_AMOUNT})",
            name="balance",
        ),
        CheckConstraint("status <> 'closed' OR (balance = 0 AND held = 0)", name="closed"),
        Index(
            "uq_accounts_system",
            "kind",
            "currency",
            unique=True,
            sqlite_where=text("holder_id IS NULL"),
            postgresql_where=text("holder_id IS NULL"),
        ),
        Index(None, "owner_id", "key"),
    )

    key: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    id: Mapped[str] = mapped_column(String(30), unique=True)
    number: Mapped[str | None] = mapped_column(String(12), unique=True)
    holder_id: Mapped[str | None] = mapped_column(ForeignKey("account_holders.id"), index=True)
    # The holder's user_id, so that every statement can ask "whose is it?" without a join.
    owner_id: Mapped[str | None] = mapped_column(ForeignKey("users.id"))
    kind: Mapped[str] = mapped_column(String(16))
    currency: Mapped[str] = mapped_column(String(3))
    status: Mapped[str] = mapped_column(String(8))
    balance: Mapped[int] = mapped_column(BigInteger)
    held: Mapped[int] = mapped_column(BigInteger)
    overdraft_limit: Mapped[int] = mapped_column(BigInteger)
    # How far a forced posting has gone below the arranged floor; every credit lowers it first.
    unarranged: Mapped[int] = mapped_column(BigInteger)
    last_sequence: Mapped[int] = mapped_column(BigInteger)
    last_booked_at: Mapped[datetime]
    nickname: Mapped[str | None] = mapped_column(String(50))
    version: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime]

    @property
    def available(self) -> int:
        return self.balance - self.held + self.overdraft_limit
