"""Account holders."""

from functools import partial

from fastapi import APIRouter
from fastapi.responses import Response
from starlette.requests import Request

from app.api.deps import Clerk, CurrentUser, Db, OptionalKey
from app.api.etags import IfMatch, tagged
from app.api.idempotency import create_once
from app.api.paging import Page
from app.api.reading import look
from app.api.routing import ApiRoute
from app.schemas.base import PageOf
from app.schemas.holders import HolderChange, HolderIn, HolderOut
from app.services import holders
from app.services.holders import Profile

router = APIRouter(prefix="/v1/account-holders", tags=["account holders"], route_class=ApiRoute)


@router.post("", status_code=201, response_model=HolderOut, responses={409: {}})
async def create_holder(request: Request, body: HolderIn, user: Clerk, key: OptionalKey) -> Response:
    """Makes the caller an account holder; staff make holders of people without a login here."""
    profile = Profile(body.full_name, body.date_of_birth, body.address, body.phone)
    return await create_once(
        request,
        key,
        partial(holders.create_holder, caller=user, profile=profile),
        HolderOut.model_validate,
        location=lambda holder: f"/v1/account-holders/{holder.id}",
        version=lambda holder: holder.version,
    )


@router.get("", response_model=PageOf[HolderOut])
async def list_holders(user: CurrentUser, db: Db, page: Page) -> Response:
    """The caller's own holder, or every holder for staff."""
    rows = await look(
        db, user, "holder.list", holders.list_holders, after=page.position, limit=page.limit + 1
    )
    return page.answer(rows, lambda row: [row.id], HolderOut.model_validate)


@router.get("/{holder_id}", response_model=HolderOut)
async def get_holder(holder_id: str, user: CurrentUser, db: Db) -> Response:
    """One holder; `me` is the caller's own."""
    holder = await look(db, user, "holder.read", holders.get_holder, object_id=holder_id, holder_id=holder_id)
    return tagged(HolderOut.model_validate(holder), holder.version)


@router.patch("/{holder_id}", response_model=HolderOut, responses={412: {}})
async def change_holder(
    holder_id: str, body: HolderChange, user: Clerk, db: Db, versions: IfMatch
) -> Response:
    """Customers change their address and phone; staff everything."""
    holder = await db.write(
        holders.change_holder,
        caller=user,
        holder_id=holder_id,
        changes=body.changes(),
        versions=versions,
    )
    return tagged(HolderOut.model_validate(holder), holder.version)
