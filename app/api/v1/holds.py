"""Holds: what is done to a pending transfer, and what is open on an account."""

from typing import Annotated, Final

from fastapi import APIRouter, Query
from fastapi.responses import Response
from starlette.requests import Request

from app.api.deps import CurrentUser, Db, Here, HoldKeeper, IdempotencyKey
from app.api.paging import Page
from app.api.posting import changed, key_of, make
from app.api.reading import look
from app.api.routing import ApiRoute
from app.ledger.commands import CaptureTransfer, IncrementTransfer, VoidTransfer
from app.models.transfers import TransferStatus
from app.schemas.base import PageOf
from app.schemas.holds import CaptureIn, HoldOut, IncrementIn
from app.schemas.transfers import TransferOut
from app.services import holds

router = APIRouter(prefix="/v1", tags=["holds"], route_class=ApiRoute)
_EVERYTHING: Final = CaptureIn()


@router.post("/transfers/{transfer_id}/capture", response_model=TransferOut, responses={409: {}})
async def capture_transfer(
    transfer_id: str,
    request: Request,
    user: HoldKeeper,
    key: IdempotencyKey,
    bank: Here,
    body: CaptureIn = _EVERYTHING,
) -> Response:
    """Moves what a pending transfer reserves, or a part of it; the rest stays reserved unless `final`."""
    command = CaptureTransfer(user, key_of(request, key), transfer_id, body.amount, bool(body.final))
    held = await make(bank, command)
    return changed(TransferOut.of_posting(held), held)


@router.post("/transfers/{transfer_id}/increment", response_model=TransferOut, responses={409: {}})
async def increment_transfer(
    transfer_id: str,
    request: Request,
    body: IncrementIn,
    user: HoldKeeper,
    key: IdempotencyKey,
    bank: Here,
) -> Response:
    """Reserves more in a pending transfer; its end stays."""
    held = await make(bank, IncrementTransfer(user, key_of(request, key), transfer_id, body.amount))
    return changed(TransferOut.of_posting(held), held)


@router.post("/transfers/{transfer_id}/void", response_model=TransferOut, responses={409: {}})
async def void_transfer(
    transfer_id: str, request: Request, user: HoldKeeper, key: IdempotencyKey, bank: Here
) -> Response:
    """Lets go of what a pending transfer still reserves; what was captured stays captured."""
    held = await make(bank, VoidTransfer(user, key_of(request, key), transfer_id))
    return changed(TransferOut.of_posting(held), held)


@router.get("/accounts/{account_id}/holds", response_model=PageOf[HoldOut])
async def list_holds(
    account_id: str,
    user: CurrentUser,
    db: Db,
    page: Page,
    status: Annotated[TransferStatus, Query(description="The open ones when not given.")] = (
        TransferStatus.PENDING
    ),
) -> Response:
    """What is reserved on an account, or was: its holds of one status, newest first."""
    rows = await look(
        db,
        user,
        "hold.list",
        holds.list_holds,
        object_id=account_id,
        account_id=account_id,
        status=status,
        after=page.position,
        limit=page.limit + 1,
    )
    return page.answer(rows, lambda row: [row.key], HoldOut.of_row)
