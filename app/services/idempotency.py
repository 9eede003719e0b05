"""At most one effect for a key, however often a request comes.

The key is claimed in the transaction of the effect and kept with the answer in the same commit: after
a crash there are both or neither. A refusal gives the key back, so the same key may succeed later.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy.orm import Session

from app.core import errors
from app.repositories.idempotency import IdempotencyKeys

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request is answered: status, JSON text, and the path of what it made."""

    status: int
    body: str
    location: str | None = None
    replayed: bool = False
    # Not kept: a later version may be current when the answer is told again.
    etag: str | None = None


@dataclass(frozen=True, slots=True)
class KeyedRequest:
    """A key in its caller's scope, and a fingerprint of the request it came with."""

    caller: str
    key: str
    fingerprint: bytes


def run_once(
    session: Session,
    *,
    request: KeyedRequest | None,
    act: Callable[[Session], T | errors.BankingError],
    render: Callable[[T], Answer],
    keep: Callable[[Answer], Answer],
) -> Answer | errors.BankingError:
    """Runs `act` and renders its result; with a key, at most once for it.

    An error that `act` returns is returned, so that its trace is committed, without the key.
    `keep` gives what may be stored of the answer: secrets that are shown once are not. Raises
    IdempotencyKeyReused for a key that came with another request.
    """
    if request is None:
        result = act(session)
        return result if isinstance(result, errors.BankingError) else render(result)
    keys = IdempotencyKeys(session)
    if not keys.claim(request.caller, request.key, request.fingerprint):
        return _replay(keys, request)
    result = act(session)
    if isinstance(result, errors.BankingError):
        keys.release(request.caller, request.key)
        return result
    answer = render(result)
    kept = keep(answer)
    keys.answer(
        request.caller,
        request.key,
        status=kept.status,
        body=kept.body,
        location=kept.location,
    )
    return answer


def _replay(keys: IdempotencyKeys, request: KeyedRequest) -> Answer:
    used = keys.get(request.caller, request.key)
    assert used is not None, "a key that could not be claimed is there"
    # Without a body it was a posting's: another request, since postings do not come this way.
    if used.fingerprint != request.fingerprint or used.body is None:
        raise errors.IdempotencyKeyReused()
    return Answer(used.status, used.body, used.location, replayed=True)
