"""Health: for load balancers, orchestrators and people."""

import asyncio
from collections.abc import Callable
from typing import Final, TypeVar

from fastapi import APIRouter
from sqlalchemy.orm import Session

from app import __version__
from app.api.deps import Here
from app.api.routing import ApiRoute
from app.api.state import Bank
from app.core import errors
from app.schemas.reference import Health, Status
from app.services import health

router = APIRouter(prefix="/v1/health", tags=["health"], route_class=ApiRoute)

T = TypeVar("T")
# An answer that comes later than this is as good as none to whoever routes traffic by it.
_PATIENCE: Final = 1.5


@router.get("")
async def get_health(bank: Here) -> Health:
    """The service, its version and its database; 503 when the database does not answer."""
    await _ask(bank, health.ping)
    return Health(status="ok", service="banking-service", version=__version__, database="ok")


@router.get("/live")
async def get_live() -> Status:
    """The process runs. Never touches the database."""
    return Status(status="ok")


@router.get("/ready")
async def get_ready(bank: Here) -> Status:
    """Requests are welcome: the database answers, its schema is current, no shutdown is under way."""
    if bank.draining or not await _ask(bank, health.is_migrated):
        raise errors.NotReady()
    return Status(status="ok")


async def _ask(bank: Bank, question: Callable[[Session], T]) -> T:
    try:
        return await asyncio.wait_for(bank.db.read(question), _PATIENCE)
    except TimeoutError:
        raise errors.DatabaseUnavailable() from None
