"""Transactions (entries of an account), as JSON."""

import enum
from datetime import date, timedelta
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field

from app.core import clock
from app.ledger.commands import Posted
from app.models.accounts import shown_to_others
from app.models.transfers import TransferKind
from app.repositories.transfers import EntryLine
from app.schemas.base import Id, PlainText, RequestModel, ResponseModel, Time, refusal
from app.schemas.holders import DateOut, read_date
from app.schemas.money import Amount, Balance, CurrencyCode

_OF_CARDS: Final = frozenset({TransferKind.CARD_PAYMENT, TransferKind.CARD_REFUND})
_FURTHEST: Final = timedelta(days=366)
Description = Annotated[PlainText, Field(max_length=140)]


def _near(value: Any) -> Any:
    day = read_date(value)
    # Nobody means a day further away; many mistype a year.
    if abs(day - clock.now().date()) > _FURTHEST:
        raise refusal("out_of_range", "This must be within a year of today.")
    return day


ValueDate = Annotated[
    date, BeforeValidator(_near), Field(json_schema_extra={"format": "date", "type": "string"})
]


class FundingType(enum.StrEnum):
    """Money that comes into an account over the counter, or goes out."""

    DEPOSIT = "deposit"
    WITHDRAWAL = "withdrawal"


class TransactionIn(RequestModel):
    """Cash that is paid into an account, or out of it."""

    account_id: Id
    type: FundingType
    amount: Amount
    currency: CurrencyCode
    description: Description | None = None
    value_date: ValueDate | None = Field(
        None, description="For staff: the day it counts from, within a year of today."
    )


class Counterparty(ResponseModel):
    """The other side: initials and the last four digits, or the bank's account."""

    name: str
    account_number: str | None


class Merchant(ResponseModel):
    """Whom a card has paid: a name, a category (ISO 18245) and a country (ISO 3166-1)."""

    name: str
    mcc: str
    country: str


class TransactionOut(ResponseModel):
    """`amount` is signed: negative went out. `balance_after` is the balance right after it."""

    id: str
    account_id: str
    transfer_id: str
    type: TransferKind
    amount: Balance
    currency: str
    balance_after: Balance
    description: str | None
    counterparty: Counterparty
    merchant: Merchant | None
    booked_at: Time
    value_date: DateOut

    @classmethod
    def of_posting(cls, posted: Posted, *, is_deposit: bool) -> "TransactionOut":
        """The customer's side of a deposit or withdrawal."""
        side = posted.sides[1 if is_deposit else 0]
        return cls.model_validate(
            {
                "id": side.entry_id,
                "account_id": side.account_id,
                "transfer_id": posted.row["id"],
                "type": posted.row["kind"],
                "amount": side.amount,
                "currency": posted.row["currency"],
                "balance_after": side.balance_after,
                "description": posted.row["description"],
                "counterparty": counterparty("cash", None, None),
                "merchant": None,
                "booked_at": posted.row["booked_at"],
                "value_date": side.value_date,
            }
        )


def fields_of(line: EntryLine) -> dict[str, Any]:
    """The fields of a TransactionOut as JSON has them."""
    return {
        "id": line.id,
        "account_id": line.account_id,
        "transfer_id": line.transfer_id,
        "type": line.kind,
        "amount": line.amount,
        "currency": line.currency,
        "balance_after": line.balance_after,
        "description": line.description,
        "counterparty": counterparty(line.other_kind, line.other_name, line.other_number),
        "merchant": merchant(line.kind, line.details),
        "booked_at": clock.rfc3339_of_micros(line.booked_at),
        "value_date": line.value_date,
    }


def merchant(kind: str, details: dict[str, str] | None) -> dict[str, str] | None:
    """Whom a card has paid, off the details of a payment, of its hold or of a refund."""
    return details if kind in _OF_CARDS else None


def counterparty(kind: str, name: str | None, number: str | None) -> dict[str, str | None]:
    """The other side as anybody may see it: of a customer the initials and the last four digits."""
    shown, digits = shown_to_others(kind, name, number)
    return {"name": shown, "account_number": digits}
