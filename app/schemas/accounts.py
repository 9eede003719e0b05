"""Accounts and balances, as JSON."""

import enum
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from pydantic import Field

from app.core import clock
from app.db.base import AnyRow
from app.models import Account
from app.models.accounts import AccountStatus
from app.models.transfers import TransferKind
from app.schemas.base import Id, PlainText, RequestModel, ResponseModel, Time
from app.schemas.money import Balance, CurrencyCode


class AccountType(enum.StrEnum):
    """The kinds of account that customers have."""

    CHECKING = "checking"
    SAVINGS = "savings"


Nickname = Annotated[PlainText, Field(max_length=50)]


class AccountIn(RequestModel):
    """An account to open, for the caller or, by staff, for the holder they name."""

    type: AccountType
    currency: CurrencyCode
    nickname: Nickname | None = None
    account_holder_id: Id | None = Field(None, description="For staff: whose account it is.")


class AccountChange(RequestModel):
    """null takes the nickname away."""

    nickname: Nickname | None


class AccountOut(ResponseModel):
    """`available` is what can go out: balance - held + overdraft_limit."""

    id: str
    number: str
    type: AccountType
    currency: str
    status: AccountStatus
    balance: Balance
    held: Balance
    available: Balance
    overdraft_limit: Balance
    nickname: str | None
    account_holder_id: str
    created_at: Time

    @classmethod
    def of(cls, account: Account | AnyRow) -> "AccountOut":
        assert account.number is not None
        assert account.holder_id is not None
        return cls(
            id=account.id,
            number=account.number,
            type=AccountType(account.kind),
            currency=account.currency,
            status=AccountStatus(account.status),
            balance=account.balance,
            held=account.held,
            available=account.available,
            overdraft_limit=account.overdraft_limit,
            nickname=account.nickname,
            account_holder_id=account.holder_id,
            created_at=account.created_at,
        )


class BalanceOut(ResponseModel):
    """`held` and `available` are null for an instant in the past: they are not history."""

    account_id: str
    currency: str
    balance: Balance
    held: Balance | None
    available: Balance | None
    at: Time

    @classmethod
    def now(cls, account: AnyRow) -> "BalanceOut":
        return cls(
            account_id=account.id,
            currency=account.currency,
            balance=account.balance,
            held=account.held,
            available=account.available,
            at=clock.now(),
        )

    @classmethod
    def then(cls, account_id: str, currency: str, balance: int, at: datetime) -> "BalanceOut":
        return cls(
            account_id=account_id, currency=currency, balance=balance, held=None, available=None, at=at
        )


class ExplainedHold(ResponseModel):
    """Money that is reserved: what is left of it, until when (null: until it is captured or voided)."""

    transfer_id: str
    type: TransferKind
    amount: Balance
    description: str | None
    created_at: Time
    expires_at: Time | None
    link: str


class DailyLimitOut(ResponseModel):
    """What may leave the account on a day of the bank, and what has left it today."""

    limit: Balance
    spent: Balance
    left: Balance


class ExplanationOut(ResponseModel):
    """available = balance - held + overdraft_limit. Of many holds the first hundred are listed."""

    account_id: str
    currency: str
    status: AccountStatus
    balance: Balance
    held: Balance
    overdraft_limit: Balance
    available: Balance
    at: Time
    holds: list[ExplainedHold]
    daily_limit: DailyLimitOut | None
    links: dict[str, str]

    @classmethod
    def of(cls, account: AnyRow, holds: Sequence[AnyRow], today: tuple[int, int] | None) -> "ExplanationOut":
        path = f"/v1/accounts/{account.id}"
        return cls(
            account_id=account.id,
            currency=account.currency,
            status=AccountStatus(account.status),
            balance=account.balance,
            held=account.held,
            overdraft_limit=account.overdraft_limit,
            available=account.available,
            at=clock.now(),
            holds=[_hold(one) for one in holds],
            daily_limit=None if today is None else _limit(*today),
            links={"account": path, "transactions": f"{path}/transactions", "balance": f"{path}/balance"},
        )


def _hold(row: AnyRow) -> ExplainedHold:
    return ExplainedHold(
        transfer_id=row.id,
        type=TransferKind(row.kind),
        amount=row.remaining,
        description=row.description,
        created_at=row.created_at,
        expires_at=row.expires_at,
        link=f"/v1/transfers/{row.id}",
    )


def _limit(limit: int, spent: int) -> DailyLimitOut:
    return DailyLimitOut(limit=limit, spent=spent, left=max(0, limit - spent))
