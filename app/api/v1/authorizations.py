"""What the card network asks of cards, and what comes of it."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response
from starlette.requests import Request

from app.api.deps import CurrentUser, Db, Here, IdempotencyKey, Network
from app.api.filters import CreatedWithin
from app.api.paging import Page
from app.api.posting import changed, created, key_of, make
from app.api.reading import look
from app.api.routing import ApiRoute
from app.api.state import Bank
from app.core.config import ForcedPost
from app.ledger.commands import (
    AuthorizeCard,
    Authorized,
    BankAccount,
    CaptureTransfer,
    CardAccount,
    HoldCommand,
    IncrementTransfer,
    RefundPayment,
    VoidTransfer,
    hold_of,
)
from app.models.accounts import AccountKind
from app.models.transfers import TransferKind
from app.schemas.authorizations import AuthorizationCapture, AuthorizationIn, AuthorizationOut, RefundIn
from app.schemas.base import PageOf
from app.schemas.holds import IncrementIn
from app.schemas.transfers import TransferOut
from app.services import authorizations

router = APIRouter(prefix="/v1", tags=["card payments"], route_class=ApiRoute)


@router.post("/cards/{card_id}/authorizations", status_code=201, response_model=AuthorizationOut)
async def authorize(
    card_id: str, request: Request, body: AuthorizationIn, user: Network, key: IdempotencyKey, bank: Here
) -> Response:
    """Asks a card for an amount. Yes reserves it; no is an answer as well, with its reason."""
    merchant = {"name": body.merchant.name, "mcc": body.merchant.mcc, "country": body.merchant.country}
    command = AuthorizeCard(
        caller=user,
        key=key_of(request, key),
        kind=TransferKind.CARD_PAYMENT,
        source=CardAccount(card_id),
        destination=BankAccount(AccountKind.CARD_SETTLEMENT),
        amount=body.amount,
        currency=body.currency,
        description=merchant["name"],
        metadata=merchant,
        card_id=card_id,
        merchant=merchant,
        online=body.online,
    )
    answer = await make(bank, command)
    assert isinstance(answer, Authorized)
    made = AuthorizationOut.of_made(answer)
    return created(made, f"/v1/authorizations/{made.id}", answer)


@router.get("/authorizations", response_model=PageOf[AuthorizationOut], responses={404: {}})
async def list_authorizations(
    user: CurrentUser,
    db: Db,
    page: Page,
    within: CreatedWithin,
    card_id: Annotated[str | None, Query(description="Only of this card.")] = None,
) -> Response:
    """What was asked of the caller's cards, newest first; of everybody's, for staff."""
    rows = await look(
        db,
        user,
        "authorization.list",
        authorizations.list_authorizations,
        object_id=card_id,
        card_id=card_id,
        created_from=within.begin,
        created_before=within.end,
        after=page.position,
        limit=page.limit + 1,
    )
    return page.answer(rows, lambda row: [row.key], AuthorizationOut.of_row)


@router.get("/authorizations/{authorization_id}")
async def get_authorization(authorization_id: str, user: CurrentUser, db: Db) -> AuthorizationOut:
    """One answer of a card, and what has come of it."""
    row = await look(
        db,
        user,
        "authorization.read",
        authorizations.get_authorization,
        object_id=authorization_id,
        authorization_id=authorization_id,
    )
    return AuthorizationOut.of_row(row)


@router.post(
    "/authorizations/{authorization_id}/capture", response_model=AuthorizationOut, responses={409: {}}
)
async def capture(
    authorization_id: str,
    request: Request,
    body: AuthorizationCapture,
    user: Network,
    key: IdempotencyKey,
    bank: Here,
) -> Response:
    """Moves some of what was approved, maybe a little more; the rest stays reserved unless `final`."""
    settings = bank.settings
    command = CaptureTransfer(
        user,
        key_of(request, key),
        hold_of(authorization_id),
        body.amount,
        bool(body.final),
        TransferKind.CARD_PAYMENT,
        settings.card_capture_tolerance,
        forced=settings.card_forced_post is ForcedPost.OVERDRAW,
    )
    return await _act(bank, command)


@router.post(
    "/authorizations/{authorization_id}/increment", response_model=AuthorizationOut, responses={409: {}}
)
async def increment(
    authorization_id: str,
    request: Request,
    body: IncrementIn,
    user: Network,
    key: IdempotencyKey,
    bank: Here,
) -> Response:
    """Asks for more on top of what was approved."""
    kind = TransferKind.CARD_PAYMENT
    command = IncrementTransfer(user, key_of(request, key), hold_of(authorization_id), body.amount, kind)
    return await _act(bank, command)


@router.post("/authorizations/{authorization_id}/void", response_model=AuthorizationOut, responses={409: {}})
async def void(
    authorization_id: str, request: Request, user: Network, key: IdempotencyKey, bank: Here
) -> Response:
    """Lets go of what is still reserved; what was captured stays captured."""
    kind = TransferKind.CARD_PAYMENT
    return await _act(bank, VoidTransfer(user, key_of(request, key), hold_of(authorization_id), kind))


@router.post("/cards/{card_id}/refunds", status_code=201, response_model=TransferOut, responses={409: {}})
async def refund(
    card_id: str, request: Request, body: RefundIn, user: Network, key: IdempotencyKey, bank: Here
) -> Response:
    """Gives back some of what was captured: all refunds together are never more than that."""
    command = RefundPayment(user, key_of(request, key), card_id, body.authorization_id, body.amount)
    posted = await make(bank, command)
    made = TransferOut.of_posting(posted, sees_source=False)
    return created(made, f"/v1/transfers/{made.id}", posted)


async def _act(bank: Bank, command: HoldCommand) -> Response:
    made = await make(bank, command)
    assert isinstance(made, Authorized)
    return changed(AuthorizationOut.of_made(made), made)
