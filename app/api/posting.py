"""Requests that move money: from the key on the request to the answer, through the fast lane."""

from starlette.requests import Request
from starlette.responses import Response

from app.api.deps import Claim
from app.api.idempotency import REPLAYED, fingerprint
from app.api.state import Bank
from app.ledger.commands import (
    Authorized,
    GroupPosted,
    Held,
    Key,
    Made,
    Posted,
    PostGroup,
    PostTransfer,
    ReverseTransfer,
    Single,
)
from app.schemas.base import ResponseModel


def key_of(request: Request, claim: Claim) -> Key:
    """The request's idempotency key, as the ledger takes it."""
    return Key(claim.key, fingerprint(request))


async def make(bank: Bank, command: Single) -> Made:
    """Does what one command asks for, together with whatever else is waiting; raises what is refused."""
    made = await bank.db.write_batched(bank.ledger.post, command)
    assert isinstance(made, Posted | Held | Authorized)
    return made


async def post(bank: Bank, command: PostTransfer | ReverseTransfer) -> Posted:
    """As `make`, of a command that is no hold."""
    posted = await make(bank, command)
    assert isinstance(posted, Posted)
    return posted


async def post_group(bank: Bank, group: PostGroup) -> GroupPosted:
    """Posts the transfers of a group; raises what the ledger refuses of it as a whole."""
    posted = await bank.db.write_batched(bank.ledger.post, group, len(group.transfers))
    assert isinstance(posted, GroupPosted)
    return posted


def created(made: ResponseModel, path: str, posted: Made) -> Response:
    """201 with where the thing is; a replay says that it is one."""
    headers = {"Location": path} | _replayed(posted)
    return Response(made.model_dump_json(), 201, headers, media_type="application/json")


def changed(thing: ResponseModel, held: Made) -> Response:
    """200 with the thing that something was done to; a replay says that it is one."""
    return Response(thing.model_dump_json(), headers=_replayed(held), media_type="application/json")


def _replayed(made: Made) -> dict[str, str]:
    return {REPLAYED: "true"} if made.replayed else {}
