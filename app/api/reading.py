"""Reads on behalf of a caller: staff leave a trace of what they looked at."""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from app.core import ids
from app.core.caller import Caller
from app.db.unit_of_work import Database
from app.services import audit

T = TypeVar("T")


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
