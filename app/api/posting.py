"""Requests that move money: from the key on the request to the answer, through the fast lane."""

from starlette.requests import Request
from starlette.responses import Response

from app.api.deps import Claim
from app.api.idempotency import REPLAYED, fingerprint
from app.api.state import Bank
from app.ledger.commands import GroupPosted, Key, Posted, PostGroup, PostTransfer, ReverseTransfer
from app.schemas.base import ResponseModel


def key_of(request: Request, claim: Claim) -> Key:
    """The request's idempotency key, as the ledger takes it."""
    return Key(claim.key, fingerprint(request))


async def post(bank: Bank, command: PostTransfer | ReverseTransfer) -> Posted:
    """Posts one command, together with whatever else is waiting; raises what the ledger refuses."""
    posted = await bank.db.write_batched(bank.ledger.post, command)
    assert isinstance(posted, Posted)
    return posted


async def post_group(bank: Bank, group: PostGroup) -> GroupPosted:
    """Posts the transfers of a group; raises what the ledger refuses of it as a whole."""
    posted = await bank.db.write_batched(bank.ledger.post, group, len(group.transfers))
    assert isinstance(posted, GroupPosted)
    return posted


def created(made: ResponseModel, path: str, posted: Posted) -> Response:
    """201 with where the thing is; a replay says that it is one."""
    headers = {"Location": path} | ({REPLAYED: "true"} if posted.replayed else {})
    return Response(made.model_dump_json(), 201, headers, media_type="application/json")
