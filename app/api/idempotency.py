"""POST requests with an Idempotency-Key, on the HTTP side."""

import hashlib
import json
from collections.abc import Callable
from typing import Any, Final, TypeVar

from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import Response

from app.api.deps import Claim
from app.api.direct import ApiRequest
from app.api.etags import etag
from app.api.state import bank_of
from app.core.errors import BankingError
from app.schemas.base import ResponseModel
from app.services import idempotency
from app.services.idempotency import Answer, KeyedRequest

T = TypeVar("T")

REPLAYED: Final = "Idempotent-Replayed"
_in_order: Final = json.JSONEncoder(sort_keys=True).encode


def fingerprint(request: Request) -> bytes:
    """What makes two requests the same: method, path, query and parsed body; null is absent.

    No body is {}, and nothing else is.
    """
    assert isinstance(request, ApiRequest)
    query = sorted(request.query_params.multi_items()) if request.scope["query_string"] else []
    return fingerprint_of(request.method, request.scope["path"], query, request.parsed)


def fingerprint_of(method: str, path: str, query: list[tuple[str, str]], parsed: Any) -> bytes:
    """The fingerprint of a request that is known by its parts."""
    content = [method, path, query, {} if parsed is None else _without_null(parsed)]
    return hashlib.sha256(_in_order(content).encode()).digest()


def _without_null(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_null(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_null(item) for item in value]
    return value


async def create_once(
    request: Request,
    claim: Claim | None,
    act: Callable[[Session], T | BankingError],
    render: Callable[[T], ResponseModel],
    *,
    status: int | Callable[[T], int] = 201,
    location: Callable[[T], str] | None = None,
    version: Callable[[T], int] | None = None,
    shown_once: frozenset[str] = frozenset(),
) -> Response:
    """Runs `act` in one unit of work, at most once for the key, and answers what it made.

    `version` is for the ETag, which a replay does not have: things have gone on since.
    `shown_once` names fields that only the first answer holds: a replay has null there.
    """

    def answer(result: T) -> Answer:
        path = location(result) if location else None
        tag = etag(version(result)) if version else None
        code = status if isinstance(status, int) else status(result)
        return Answer(code, render(result).model_dump_json(), path, etag=tag)

    def keep(full: Answer) -> Answer:
        if not shown_once:
            return full
        fields = json.loads(full.body) | dict.fromkeys(shown_once)
        body = json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
        return Answer(full.status, body, full.location)

    keyed = KeyedRequest(claim.caller, claim.key, fingerprint(request)) if claim else None
    outcome = await bank_of(request).db.write(
        idempotency.run_once, request=keyed, act=act, render=answer, keep=keep
    )
    return _response(outcome)


def _response(answer: Answer) -> Response:
    headers = {}
    if answer.location:
        headers["Location"] = answer.location
    if answer.etag:
        headers["ETag"] = answer.etag
    if answer.replayed:
        headers[REPLAYED] = "true"
    return Response(answer.body, answer.status, headers, media_type="application/json")
