"""The framework's ceiling: the same application with two routes that answer without a database.

They are of the style of the routes they stand beside: the same guards, body and response models. What
the service's own routes are slower than these is what the ledger and the database cost.
"""

import sys
from datetime import UTC, datetime
from typing import Any, Final

from fastapi import APIRouter, FastAPI
from fastapi.responses import Response
from starlette.requests import Request

import app.main
from app.api.deps import Clerk, CurrentUser, Here, IdempotencyKey
from app.api.routing import ApiRoute
from app.cli import main as bank
from app.core.config import load_settings
from app.core.logging import configure_logging
from app.schemas.accounts import BalanceOut
from app.schemas.transfers import TransferIn, TransferOut

_NOW: Final = datetime(2026, 1, 1, tzinfo=UTC)
_SOMETHING: Final = "trf_01arz3ndektsv4rrffq69g5fav"
_TRANSFER: Final[dict[str, Any]] = {
    "id": _SOMETHING,
    "status": "posted",
    "kind": "transfer",
    "source_account_id": "acc_01arz3ndektsv4rrffq69g5fav",
    "destination_account_id": "acc_01arz3ndektsv4rrffq69g5faw",
    "amount": 1,
    "currency": "EUR",
    "description": None,
    "external_id": None,
    "metadata": None,
    "created_at": _NOW,
    "booked_at": _NOW,
    "expires_at": None,
    "captured_amount": None,
    "remaining_amount": None,
    "pending_id": None,
    "reverses_id": None,
    "reversed_by_id": None,
    "source_balances": {"balance": 10**10, "held": 0, "available": 10**10},
}

router = APIRouter(route_class=ApiRoute)


@router.post("/v1/nothing", status_code=201, response_model=TransferOut)
async def post_nothing(
    request: Request, body: TransferIn, user: Clerk, key: IdempotencyKey, bank: Here
) -> Response:
    """Answers as a transfer does, and has moved nothing."""
    made = TransferOut(**_TRANSFER)
    return Response(
        made.model_dump_json(), 201, {"Location": f"/v1/transfers/{made.id}"}, media_type="application/json"
    )


@router.get("/v1/nothing/{account_id}/balance")
async def get_nothing(account_id: str, user: CurrentUser, bank: Here) -> BalanceOut:
    """Answers as a balance does, and has read nothing."""
    return BalanceOut(
        account_id=account_id, currency="EUR", balance=10**10, held=0, available=10**10, at=_NOW
    )


def build() -> FastAPI:
    """The service's application; each route is searched for as long as the one it stands for."""
    settings = load_settings()
    configure_logging(settings.log_level)
    application = app.main.create_app(settings)
    routes = application.router.routes
    routes[_place(routes, "/v1/transfers") : 0] = [router.routes[0]]
    routes[_place(routes, "/v1/accounts/{account_id}/balance") : 0] = [router.routes[1]]
    return application


def _place(routes: list[Any], path: str) -> int:
    found = (number for number, route in enumerate(routes) if getattr(route, "path", None) == path)
    return next(found, len(routes))


if __name__ == "__main__":
    # `bank serve` serves whatever this name is.
    app.main.app = build()
    bank(["serve", "--port", sys.argv[1]])
