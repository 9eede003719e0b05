"""Accounts and balances, as JSON."""

import enum
from datetime import datetime
from typing import Annotated

from pydantic import Field

from app.core import clock
from app.db.base import AnyRow
from app.models import Account
from app.models.accounts import AccountStatus
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
