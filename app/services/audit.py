"""Traces that are not part of another use case."""

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy.orm import Session

from app.core.caller import Caller
from app.repositories.audit import AuditLog

T = TypeVar("T")


def audited_read(
    session: Session, *, caller: Caller, action: str, object_id: str | None, read: Callable[[Session], T]
) -> T:
    """Runs a read for a member of staff and records that they looked."""
    result = read(session)
    AuditLog(session).record(action, actor=caller.id, origin=caller.origin, object_id=object_id)
    return result
