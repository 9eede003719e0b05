"""Routes of the tests' own, for what no route of the service does yet (or should ever do)."""

import logging
from typing import Annotated

from fastapi import APIRouter, Security
from pydantic import Field
from sqlalchemy import text
from starlette.requests import Request

from app.api.deps import Authenticated, Db, Here, IdempotencyKey
from app.api.routing import ApiRoute, Guard
from app.core import errors
from app.core.caller import Caller, Origin, Role
from app.schemas.base import RequestModel
from app.services import auth
from tests.client import PASSWORD, ApiClient, Person

router = APIRouter(prefix="/v1/probe", route_class=ApiRoute)
Admin = Annotated[Caller, Security(Authenticated({Role.ADMIN}))]


class Brake(Guard):
    """Stands for a rate limit: the header asks for the refusal."""

    async def identify(self, request: Request) -> None:
        if "x-brake" in request.headers:
            raise errors.RateLimited(retry_after=7)

    def find(self, request: Request) -> None:
        """Finds nothing."""


class Thing(RequestModel):
    amount: Annotated[int, Field(ge=1)]
    name: str | None = None


@router.post("/things/{thing_id}")
async def change_thing(
    thing_id: str, body: Thing, user: Admin, brake: Annotated[None, Security(Brake())], key: IdempotencyKey
) -> None:
    """Asks for all that a route can ask for, and then finds no such thing."""
    raise errors.NotFound.at("thing_id")


@router.post("/act", status_code=204)
async def act() -> None:
    """An action without a body."""


@router.post("/crash/{kind}")
async def crash(kind: str, body: Thing, bank: Here, db: Db) -> None:
    """Fails as no route should."""
    if kind == "sql":
        await db.read(lambda session: session.execute(text("SELECT :x FROM WHERE canary"), {"x": body.name}))
    if kind == "recursion":
        return await crash(kind, body, bank, db)
    logging.getLogger("app.probe").error("about to fail")
    raise ZeroDivisionError("canary in an exception")


@router.get("/error/{code}")
async def refuse(code: str) -> None:
    """Any error of the catalogue."""
    raise next(error for error in errors.catalogue() if error.code == code)()


def add_probes(client: ApiClient) -> ApiClient:
    client.app.router.routes.extend(router.routes)
    return client


def admin_of(client: ApiClient, email: str = "root@example.com") -> Person:
    """An administrator, logged in."""
    client.db.run_write(
        auth.create_user,
        email=email,
        password_hash=client.app.state.bank.hasher.hash_now(PASSWORD),
        role=Role.ADMIN,
        origin=Origin(None, None),
    )
    return client.log_in(email)
