"""What the card network asks for, as JSON."""

from typing import Annotated

from pydantic import Field, StrictBool

from app.db.base import AnyRow
from app.ledger.commands import Authorized
from app.models.authorizations import AuthorizationStatus, DeclineReason, status_of
from app.schemas.base import Id, PlainText, RequestModel, ResponseModel, Time
from app.schemas.cards import Country, Mcc
from app.schemas.money import Amount, Balance, CurrencyCode
from app.schemas.transactions import Merchant


class MerchantIn(RequestModel):
    """Who asks for the money: a name, a category (ISO 18245) and a country (ISO 3166-1)."""

    name: Annotated[PlainText, Field(max_length=100)]
    mcc: Mcc
    country: Country


class AuthorizationIn(RequestModel):
    """May this card pay so much? `online` is a payment without the card at hand."""

    amount: Amount
    currency: CurrencyCode
    merchant: MerchantIn
    online: StrictBool


class AuthorizationCapture(RequestModel):
    """How much of what was approved moves now."""

    amount: Amount
    final: StrictBool | None = Field(False, description="Lets go of the rest.")


class RefundIn(RequestModel):
    """How much of a captured authorisation of this card is given back."""

    authorization_id: Id
    amount: Amount


class AuthorizationOut(ResponseModel):
    """An answer of a card, and what has come of it. `held_amount` is what is still reserved."""

    id: str
    card_id: str
    status: AuthorizationStatus
    decline_reason: DeclineReason | None
    amount: Amount
    currency: str
    captured_amount: Balance
    held_amount: Balance
    refunded_amount: Balance
    merchant: Merchant
    online: bool
    expires_at: Time | None
    created_at: Time

    @classmethod
    def of_made(cls, made: Authorized) -> "AuthorizationOut":
        """As it was right after something was done to it."""
        row, hold = made.row, made.hold.row if made.hold else None
        return cls(
            id=row["id"],
            card_id=row["card_id"],
            status=status_of(hold["status"] if hold else None),
            decline_reason=row["decline_reason"],
            amount=hold["amount"] if hold else row["amount"],
            currency=row["currency"],
            captured_amount=hold["captured"] if hold else 0,
            held_amount=hold["remaining"] if hold else 0,
            refunded_amount=made.refunded,
            merchant=row["merchant"],
            online=row["online"],
            expires_at=hold["expires_at"] if hold else None,
            created_at=row["created_at"],
        )

    @classmethod
    def of_row(cls, row: AnyRow) -> "AuthorizationOut":
        """As it is now."""
        return cls(
            id=row.id,
            card_id=row.card_id,
            status=status_of(row.hold_status),
            decline_reason=row.decline_reason,
            amount=row.hold_amount or row.amount,
            currency=row.currency,
            captured_amount=row.captured or 0,
            held_amount=row.remaining or 0,
            refunded_amount=row.refunded,
            merchant=row.merchant,
            online=row.online,
            expires_at=row.expires_at,
            created_at=row.created_at,
        )
