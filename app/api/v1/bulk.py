"""Bulk transfers: many in one request, through the same ledger as single ones."""

from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

from fastapi import APIRouter
from fastapi.responses import Response
from starlette.requests import Request
from starlette.routing import Match
from starlette.types import Scope

from app.api.deps import Claim, Clerk, Here, IdempotencyKey
from app.api.direct import ApiRequest
from app.api.idempotency import REPLAYED, fingerprint_of
from app.api.posting import key_of, post_group
from app.api.routing import ApiRoute
from app.api.state import Bank
from app.api.v1.transfers import command_of
from app.core.caller import Caller
from app.ledger.commands import GroupPosted, Key, Posted, PostGroup, PostTransfer
from app.schemas.bulk import BulkIn, BulkItem, BulkOut, results_json

# Between two chunks, whoever waits for a single transfer has their turn. A chunk that has been posted is
# found by its place, so another size would need the old one for the keys that are there.
_CHUNK: Final = 250


class BulkRoute(ApiRoute):
    """As every route, with room for ten thousand transfers."""

    largest_body = 8 * 1024 * 1024

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """With any method: or `bulk` would be taken for the id of a transfer."""
        match, child = super().matches(scope)
        return (Match.FULL if match is Match.PARTIAL else match), child


router = APIRouter(prefix="/v1/transfers", tags=["transfers"], route_class=BulkRoute)


@router.post("/bulk", response_model=BulkOut, responses={404: {}, 409: {}})
async def bulk_transfers(
    request: Request, body: BulkIn, user: Clerk, key: IdempotencyKey, bank: Here
) -> Response:
    """Posts many transfers: all or none of them when `atomic`, else each for itself.

    Where it is not atomic it is committed in chunks; after an interruption the same request with the
    same key continues where it stopped.
    """
    assert isinstance(request, ApiRequest)
    size = len(body.transfers) if body.atomic else _CHUNK
    pieces, succeeded, replayed = [], 0, True
    async for first, done in _chunks(request, body, user, key, bank, size):
        succeeded += sum(isinstance(outcome, Posted) for outcome in done.outcomes)
        replayed &= done.replayed
        pieces.append(await request.off_the_loop(results_json, first, done.outcomes))
    failed = len(body.transfers) - succeeded
    content = b'{"succeeded":%d,"failed":%d,"results":[%b]}' % (succeeded, failed, b",".join(pieces))
    headers = {REPLAYED: "true"} if replayed else {}
    return Response(content, headers=headers, media_type="application/json")


async def _chunks(
    request: ApiRequest, body: BulkIn, caller: Caller, claim: Claim, bank: Bank, size: int
) -> AsyncIterator[tuple[int, GroupPosted]]:
    """Posts chunk after chunk: where each begins, and what it came to."""
    key = await request.off_the_loop(key_of, request, claim)
    pairs = list(zip(request.parsed["transfers"], body.transfers, strict=True))
    for first in range(0, len(pairs), size):
        transfers = await request.off_the_loop(_items, caller, pairs[first : first + size])
        yield first, await post_group(bank, PostGroup(caller, key, first, transfers, body.atomic))


def _items(caller: Caller, pairs: Sequence[tuple[dict[str, Any], BulkItem]]) -> list[PostTransfer]:
    return [_item(caller, parsed, read) for parsed, read in pairs]


def _item(caller: Caller, parsed: dict[str, Any], read: BulkItem) -> PostTransfer:
    """One transfer. With a key of its own it is the same request as a single one with that key."""
    if read.idempotency_key is None:
        return command_of(read, caller, None)
    alone = {name: value for name, value in parsed.items() if name != "idempotency_key"}
    key = Key(read.idempotency_key, fingerprint_of("POST", "/v1/transfers", [], alone))
    return command_of(read, caller, key)
