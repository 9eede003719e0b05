"""Bulk transfers, as JSON."""

from collections.abc import Sequence
from typing import Annotated, Any, Final

from pydantic import Field, StrictBool, TypeAdapter, ValidationInfo, field_validator

from app.core.errors import BankingError
from app.ledger.commands import Posted
from app.schemas.base import RequestModel, ResponseModel, refusal
from app.schemas.transfers import DirectTransferIn, TransferOut, fields_of_posting

LARGEST_ATOMIC: Final = 1_000
LARGEST_BULK: Final = 10_000


class BulkItem(DirectTransferIn):
    """One transfer of a bulk. Its key is the same key as that of a single transfer."""

    idempotency_key: Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[ -~]+$")] | None = None


class BulkIn(RequestModel):
    """`atomic`: all of them or none, at most 1,000. Otherwise each for itself, at most 10,000."""

    atomic: StrictBool = False
    transfers: Annotated[list[BulkItem], Field(min_length=1, max_length=LARGEST_BULK)]

    @field_validator("transfers")
    @classmethod
    def _not_too_many_at_once(cls, items: list[BulkItem], info: ValidationInfo) -> list[BulkItem]:
        if info.data.get("atomic") and len(items) > LARGEST_ATOMIC:
            raise refusal("too_long", "At most 1000 items when atomic.")
        return items


class ItemDetail(ResponseModel):
    """One thing that is wrong with one field."""

    field: str
    code: str
    message: str


class ItemError(ResponseModel):
    """Why one transfer was refused."""

    code: str
    message: str
    details: list[ItemDetail]


class ItemPosted(ResponseModel):
    """A transfer that was posted, at its place in the request."""

    index: int
    status: int
    transfer: TransferOut


class ItemRefused(ResponseModel):
    """A transfer that was refused, with the status that it would have had alone."""

    index: int
    status: int
    error: ItemError


class BulkOut(ResponseModel):
    """How many were posted and refused, and each at its place."""

    succeeded: int
    failed: int
    results: list[ItemPosted | ItemRefused]


_RESULTS: Final = TypeAdapter(list[ItemPosted | ItemRefused])


def results_json(first: int, outcomes: Sequence[Posted | BankingError]) -> bytes:
    """The results of a chunk, as the inside of a JSON array: a large answer is written piece by piece."""
    items = [_result(index, outcome) for index, outcome in enumerate(outcomes, first)]
    return _RESULTS.dump_json(_RESULTS.validate_python(items))[1:-1]


def _result(index: int, outcome: Posted | BankingError) -> dict[str, Any]:
    if isinstance(outcome, Posted):
        return {"index": index, "status": 201, "transfer": fields_of_posting(outcome)}
    details = [{"field": one.field, "code": one.code, "message": one.message} for one in outcome.details]
    error = {"code": outcome.code, "message": outcome.message, "details": details}
    return {"index": index, "status": outcome.status, "error": error}
