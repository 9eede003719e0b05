"""Transfers between accounts."""

from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response
from starlette.requests import Request

from app.api.deps import Clerk, CurrentUser, Db, Here, IdempotencyKey, Reverser
from app.api.filters import AccountId, TransfersWanted
from app.api.paging import Page
from app.api.posting import created, key_of, make, post
from app.api.reading import look
from app.api.routing import ApiRoute
from app.core.access import may_read
from app.core.caller import Caller
from app.db.base import AnyRow
from app.ledger.commands import (
    AccountRef,
    AnyAccount,
    HoldTransfer,
    Key,
    OwnAccount,
    PostTransfer,
    ReverseTransfer,
)
from app.models.transfers import TransferKind
from app.schemas.base import PageOf
from app.schemas.transfers import DirectTransferIn, TransferIn, TransferOut
from app.services import transfers

router = APIRouter(prefix="/v1/transfers", tags=["transfers"], route_class=ApiRoute)


@router.post("", status_code=201, response_model=TransferOut, responses={404: {}, 409: {}})
async def create_transfer(
    request: Request, body: TransferIn, user: Clerk, key: IdempotencyKey, bank: Here
) -> Response:
    """Moves money from an account of one's own: at once and for good, or, `pending`, when captured."""
    asked = _asked(body, user, key_of(request, key))
    command = HoldTransfer(**asked, expires_at=body.expires_at) if body.pending else PostTransfer(**asked)
    posted = await make(bank, command)
    made = TransferOut.of_posting(posted)
    return created(made, f"/v1/transfers/{made.id}", posted)


def command_of(body: DirectTransferIn, caller: Caller, key: Key | None) -> PostTransfer:
    """What a transfer in JSON asks the ledger for."""
    return PostTransfer(**_asked(body, caller, key))


def _asked(body: DirectTransferIn, caller: Caller, key: Key | None) -> dict[str, Any]:
    return {
        "caller": caller,
        "key": key,
        "kind": TransferKind.TRANSFER,
        "source": OwnAccount(body.source_account_id, "source_account_id"),
        "destination": _destination(body),
        "amount": body.amount,
        "currency": body.currency,
        "description": body.description,
        "external_id": body.external_id,
        "metadata": body.metadata,
    }


def _destination(body: DirectTransferIn) -> AccountRef:
    if body.destination_account_id is not None:
        return OwnAccount(body.destination_account_id, "destination_account_id")
    assert body.destination_account_number is not None, "the schema asks for one of the two"
    return AnyAccount(body.destination_account_number, "destination_account_number")


@router.post("/{transfer_id}/reverse", status_code=201, response_model=TransferOut, responses={409: {}})
async def reverse_transfer(
    transfer_id: str, request: Request, user: Reverser, key: IdempotencyKey, bank: Here
) -> Response:
    """Moves a posted transfer back: whole, once, by staff, never below the recipient's floor."""
    posted = await post(bank, ReverseTransfer(user, key_of(request, key), transfer_id))
    made = TransferOut.of_posting(posted)
    return created(made, f"/v1/transfers/{made.id}", posted)


@router.get("", response_model=PageOf[TransferOut], responses={404: {}})
async def list_transfers(
    user: CurrentUser, db: Db, page: Page, wanted: TransfersWanted, account_id: AccountId = None
) -> Response:
    """Transfers from or to the caller's accounts, newest first; everybody's for staff."""
    rows = await look(
        db,
        user,
        "transfer.list",
        transfers.list_transfers,
        object_id=account_id,
        account_id=account_id,
        wanted=wanted,
        after=page.position,
        limit=page.limit + 1,
    )
    return page.answer(rows, lambda row: [row.Transfer.key], lambda row: _seen_by(user, row))


@router.get("/{transfer_id}")
async def get_transfer(transfer_id: str, user: CurrentUser, db: Db) -> TransferOut:
    """One transfer, for either party."""
    row = await look(
        db,
        user,
        "transfer.read",
        transfers.get_transfer,
        object_id=transfer_id,
        transfer_id=transfer_id,
    )
    return _seen_by(user, row)


def _seen_by(user: Caller, row: AnyRow) -> TransferOut:
    return TransferOut.of_row(row, sees_source=may_read(user, row.payer.owner_id))
