"""Reads on behalf of a caller: staff leave a trace of what they looked at."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from sqlalchemy.orm import Session

from app.core import ids
from app.core.caller import Caller
from app.core.errors import BankingError
from app.db.unit_of_work import Database
from app.services import audit

T = TypeVar("T")


async def look_up(
    db: Database,
    caller: Caller,
    action: str,
    find: Callable[[Session, Sequence[tuple[Caller, str]]], Sequence[T | BankingError]],
    object_id: str,
) -> T:
    """Finds one thing by its id; what customers ask for at the same moment is read together."""
    if not caller.is_staff:
        return await db.read_batched(find, (caller, object_id))
    return await look(db, caller, action, partial(_one, find, object_id), object_id=object_id)


def _one(
    find: Callable[[Session, Sequence[tuple[Caller, str]]], Sequence[T | BankingError]],
    object_id: str,
    session: Session,
    *,
    caller: Caller,
) -> T:
    [found] = find(session, [(caller, object_id)])
    if isinstance(found, BankingError):
        raise found
    return found


async def look(
    db: Database,
    caller: Caller,
    action: str,
    read: Callable[..., T],
    *,
    object_id: str | None = None,
    **wanted: Any,
) -> T:
    """Runs `read(session, caller=..., **wanted)`; for staff together with an audit record of `action`."""
    work = partial(read, caller=caller, **wanted)
    if not caller.is_staff:
        return await db.read(work)
    # What was named in the request goes into the log only in the form of an id.
    named = object_id if object_id and ids.is_any_id(object_id) else None
    return await db.write(audit.audited_read, caller=caller, action=action, object_id=named, read=work)
