"""Holds, as JSON."""

from pydantic import Field, StrictBool

from app.db.base import AnyRow
from app.models.transfers import TransferKind, TransferStatus
from app.schemas.base import RequestModel, ResponseModel, Time
from app.schemas.money import Amount, Balance
from app.schemas.transactions import Counterparty, Merchant, counterparty, merchant


class CaptureIn(RequestModel):
    """How much of a hold moves now."""

    amount: Amount | None = Field(None, description="All that is left when not given.")
    final: StrictBool | None = Field(False, description="Lets go of the rest.")


class IncrementIn(RequestModel):
    """How much more is reserved."""

    amount: Amount


class HoldOut(ResponseModel):
    """Money of an account that waits to be captured, and for whom."""

    id: str
    type: TransferKind
    status: TransferStatus
    amount: Amount
    captured_amount: Balance
    remaining_amount: Balance
    currency: str
    description: str | None
    counterparty: Counterparty
    merchant: Merchant | None
    created_at: Time
    expires_at: Time

    @classmethod
    def of_row(cls, row: AnyRow) -> "HoldOut":
        """Off a row of a list."""
        return cls.model_validate(
            {
                "id": row.id,
                "type": row.kind,
                "status": row.status,
                "amount": row.amount,
                "captured_amount": row.captured,
                "remaining_amount": row.remaining,
                "currency": row.currency,
                "description": row.description,
                "counterparty": counterparty(row.other_kind, row.other_name, row.other_number),
                "merchant": merchant(row.kind, row.details),
                "created_at": row.created_at,
                "expires_at": row.expires_at,
            }
        )
