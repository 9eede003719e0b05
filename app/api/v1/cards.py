"""Cards."""

from collections.abc import Callable
from datetime import date
from functools import partial
from typing import Any, Final

from fastapi import APIRouter
from fastapi.responses import Response
from starlette.requests import Request

from app.api.deps import Claim, Clerk, CurrentUser, Here, OptionalKey
from app.api.etags import IfMatch, tagged
from app.api.filters import AccountId, CardsWanted
from app.api.idempotency import create_once
from app.api.paging import Page
from app.api.reading import look
from app.api.routing import ApiRoute
from app.api.state import Bank
from app.core import dates
from app.core.caller import Caller
from app.models.cards import CancelReason
from app.schemas.base import PageOf
from app.schemas.cards import CardEnd, CardIn, CardOut, CardSettings, NewCardOut
from app.services import cards
from app.services.cards import CardPolicy, Issued

router = APIRouter(prefix="/v1/cards", tags=["cards"], route_class=ApiRoute)

# What a card ends for where the request says nothing: these actions can do without a body.
_REQUESTED: Final = CardEnd()


@router.post("", status_code=201, response_model=NewCardOut, responses={404: {}, 409: {}})
async def issue_card(request: Request, body: CardIn, user: Clerk, key: OptionalKey, bank: Here) -> Response:
    """Issues a card. Its number is in this answer and nowhere else, ever."""
    act = partial(cards.issue_card, caller=user, account_id=body.account_id, kind=body.type)
    return await _create(request, key, bank, act)


@router.get("", response_model=PageOf[CardOut], responses={404: {}})
async def list_cards(
    user: CurrentUser, bank: Here, page: Page, wanted: CardsWanted, account_id: AccountId = None
) -> Response:
    """The caller's cards, newest first; everybody's for staff."""
    rows = await look(
        bank.db,
        user,
        "card.list",
        cards.list_cards,
        object_id=account_id,
        account_id=account_id,
        wanted=wanted,
        after=page.position,
        limit=page.limit + 1,
    )
    return page.answer(rows, lambda row: [row.key], lambda row: CardOut.of(row, wanted.day))


@router.get("/{card_id}", response_model=CardOut)
async def get_card(card_id: str, user: CurrentUser, bank: Here) -> Response:
    """One card."""
    card = await look(bank.db, user, "card.read", cards.get_card, object_id=card_id, card_id=card_id)
    return tagged(CardOut.of(card, _today(bank)), card.version)


@router.post("/{card_id}/activate", response_model=CardOut, responses={409: {}, 412: {}})
async def activate_card(
    card_id: str, request: Request, user: Clerk, key: OptionalKey, bank: Here, versions: IfMatch
) -> Response:
    """Lets a card that has arrived pay."""
    return await _switch("activate", card_id, request, user, key, bank, versions)


@router.post("/{card_id}/freeze", response_model=CardOut, responses={409: {}, 412: {}})
async def freeze_card(
    card_id: str, request: Request, user: Clerk, key: OptionalKey, bank: Here, versions: IfMatch
) -> Response:
    """Stops a card for a while. What it was approved for is still captured."""
    return await _switch("freeze", card_id, request, user, key, bank, versions)


@router.post("/{card_id}/unfreeze", response_model=CardOut, responses={409: {}, 412: {}})
async def unfreeze_card(
    card_id: str, request: Request, user: Clerk, key: OptionalKey, bank: Here, versions: IfMatch
) -> Response:
    """Lets a frozen card pay again."""
    return await _switch("unfreeze", card_id, request, user, key, bank, versions)


async def _switch(
    switch: str,
    card_id: str,
    request: Request,
    user: Caller,
    key: Claim | None,
    bank: Bank,
    versions: frozenset[int] | None,
) -> Response:
    day = _today(bank)
    act = partial(cards.switch_card, caller=user, card_id=card_id, switch=switch, day=day, versions=versions)
    return await _change(request, key, bank, act)


@router.post("/{card_id}/cancel", response_model=CardOut, responses={412: {}})
async def cancel_card(
    card_id: str,
    request: Request,
    user: Clerk,
    key: OptionalKey,
    bank: Here,
    versions: IfMatch,
    body: CardEnd = _REQUESTED,
) -> Response:
    """Ends a card for ever."""
    reason = body.reason or CancelReason.REQUESTED
    act = partial(cards.cancel_card, caller=user, card_id=card_id, reason=reason, versions=versions)
    return await _change(request, key, bank, act)


@router.post("/{card_id}/replace", status_code=201, response_model=NewCardOut, responses={409: {}, 412: {}})
async def replace_card(
    card_id: str,
    request: Request,
    user: Clerk,
    key: OptionalKey,
    bank: Here,
    versions: IfMatch,
    body: CardEnd = _REQUESTED,
) -> Response:
    """Ends a card and issues another with its settings: a new number, a new expiry."""
    reason = body.reason or CancelReason.REQUESTED
    act = partial(cards.replace_card, caller=user, card_id=card_id, reason=reason, versions=versions)
    return await _create(request, key, bank, act)


@router.patch("/{card_id}/limits", response_model=CardOut, responses={409: {}, 412: {}})
async def limit_card(
    card_id: str, body: CardSettings, user: Clerk, bank: Here, versions: IfMatch
) -> Response:
    """Sets limits and blocks; what is left out stays."""
    card = await bank.db.write(
        cards.limit_card, caller=user, card_id=card_id, changes=body.changes(), versions=versions
    )
    return tagged(CardOut.of(card, _today(bank)), card.version)


async def _create(request: Request, key: Claim | None, bank: Bank, act: Callable[..., Issued]) -> Response:
    settings, day = bank.settings, _today(bank)
    policy = CardPolicy(settings.card_iin, bank.card_key, settings.cards_per_account, day)
    return await create_once(
        request,
        key,
        partial(act, policy=policy),
        lambda issued: NewCardOut.with_number(issued.card, issued.number, day),
        location=lambda issued: f"/v1/cards/{issued.card.id}",
        version=lambda issued: issued.card.version,
        shown_once=frozenset({"number"}),
    )


async def _change(request: Request, key: Claim | None, bank: Bank, act: Callable[..., Any]) -> Response:
    day = _today(bank)
    return await create_once(
        request,
        key,
        act,
        lambda card: CardOut.of(card, day),
        status=200,
        version=lambda card: card.version,
    )


def _today(bank: Bank) -> date:
    return dates.today(bank.settings.bank_timezone)
