"""Transfers, as JSON."""

from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field, StrictBool, ValidationInfo, field_validator

from app.db.base import AnyRow
from app.ledger.commands import Made
from app.models.transfers import TransferKind, TransferStatus
from app.schemas.base import Id, PlainText, RequestModel, ResponseModel, Time, TimeIn, plain_text, refusal
from app.schemas.money import Amount, Balance, CurrencyCode
from app.schemas.transactions import Description

ExternalId = Annotated[PlainText, Field(max_length=100)]
MetadataKey = Annotated[PlainText, Field(max_length=40)]
MetadataText = Annotated[str, Field(max_length=500), AfterValidator(plain_text)]


class DirectTransferIn(RequestModel):
    """From an account of one's own, to one's own by id or to anybody's by number; at once."""

    source_account_id: Id
    destination_account_id: Id | None = None
    destination_account_number: Annotated[str, Field(max_length=64)] | None = Field(
        None, validate_default=True
    )
    amount: Amount
    currency: CurrencyCode
    description: Description | None = None
    external_id: ExternalId | None = None
    metadata: Annotated[dict[MetadataKey, MetadataText], Field(max_length=20)] | None = None

    @field_validator("destination_account_number")
    @classmethod
    def _one_destination(cls, number: str | None, info: ValidationInfo) -> str | None:
        if (number is None) == (info.data.get("destination_account_id", ...) is None):
            raise refusal("one_destination", "Give destination_account_id or destination_account_number.")
        return number


class TransferIn(DirectTransferIn):
    """The same, or only reserved: a hold, to be captured later."""

    pending: StrictBool | None = Field(False, description="Reserves the amount instead of moving it.")
    expires_at: TimeIn | None = Field(None, description="For a pending one: at most 30 days from now.")

    @field_validator("expires_at")
    @classmethod
    def _only_pending(cls, expires_at: datetime | None, info: ValidationInfo) -> datetime | None:
        if expires_at is not None and not info.data.get("pending", True):
            raise refusal("not_allowed", "Only what is pending expires.")
        return expires_at


class SourceBalances(ResponseModel):
    """The source's balances right after the transfer."""

    balance: Balance
    held: Balance
    available: Balance


_OF_SOURCE: Final = ("source_account_id", "external_id", "metadata", "source_balances")


class TransferOut(ResponseModel):
    """What the recipient is not told is null: source, balances, external_id and metadata.

    Of a hold `captured_amount` and `remaining_amount` say how much has moved, by transfers of their own
    whose `pending_id` it is, and how much is still reserved; of other transfers they are null.
    """

    id: str
    status: TransferStatus
    kind: TransferKind
    source_account_id: str | None
    destination_account_id: str | None
    amount: Amount
    currency: str
    description: str | None
    external_id: str | None
    metadata: dict[str, str] | None
    created_at: Time
    booked_at: Time | None
    expires_at: Time | None
    captured_amount: Balance | None
    remaining_amount: Balance | None
    pending_id: str | None
    reverses_id: str | None
    reversed_by_id: str | None
    source_balances: SourceBalances | None

    @classmethod
    def of_posting(cls, posted: Made, *, sees_source: bool = True) -> "TransferOut":
        """As its first answer told it, to whoever made it."""
        hidden = () if sees_source else _OF_SOURCE
        return cls.model_validate(fields_of_posting(posted) | dict.fromkeys(hidden))

    @classmethod
    def of_row(cls, row: AnyRow, *, sees_source: bool) -> "TransferOut":
        """As it is now, to somebody who may see the source's side or only the recipient's."""
        transfer, payer, payee = row.Transfer, row.payer, row.payee
        balances = SourceBalances(
            balance=transfer.source_balance,
            held=transfer.source_held,
            available=transfer.source_available,
        )
        return cls(
            id=transfer.id,
            status=row.status,
            kind=transfer.kind,
            source_account_id=payer.id if sees_source else None,
            destination_account_id=payee.id,
            amount=transfer.amount,
            currency=transfer.currency,
            description=transfer.description,
            external_id=transfer.external_id if sees_source else None,
            metadata=transfer.details if sees_source else None,
            created_at=transfer.created_at,
            booked_at=transfer.booked_at,
            expires_at=transfer.expires_at,
            captured_amount=transfer.captured,
            remaining_amount=None if transfer.captured is None else row.remaining,
            pending_id=row.pending_id,
            reverses_id=row.reverses_id,
            reversed_by_id=row.reversed_by_id,
            source_balances=balances if sees_source else None,
        )


def fields_of_posting(posted: Made) -> dict[str, Any]:
    """The fields of a TransferOut, off what the ledger has posted."""
    row = posted.row
    return {
        "id": row["id"],
        "status": row["status"],
        "kind": row["kind"],
        "source_account_id": row["source_id"],
        "destination_account_id": row["destination_id"],
        "amount": row["amount"],
        "currency": row["currency"],
        "description": row["description"],
        "external_id": row["external_id"],
        "metadata": row["metadata"],
        "created_at": row["created_at"],
        "booked_at": row["booked_at"],
        "expires_at": row["expires_at"],
        "captured_amount": row["captured"],
        "remaining_amount": None if row["captured"] is None else row["remaining"],
        "pending_id": row["pending_id"],
        "reverses_id": row["reverses_id"],
        "reversed_by_id": None,
        "source_balances": {
            "balance": row["source_balance"],
            "held": row["source_held"],
            "available": row["source_available"],
        },
    }
