"""Traces that are not part of another use case."""

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy.orm import Session

from app.core.caller import Caller
from app.core.errors import BankingError
from app.repositories.audit import SUCCESS, AuditLog

T = TypeVar("T")


def audited_read(
    session: Session, *, caller: Caller, action: str, object_id: str | None, read: Callable[[Session], T]
) -> T | BankingError:
    """Runs a read for a member of staff and records that they looked."""
    result: T | BankingError
    try:
        result, outcome = read(session), SUCCESS
    except BankingError as refused:
        # Returned, so that what was looked for in vain is in the log, too.
        result, outcome = refused, refused.code
    AuditLog(session).record(
        action, actor=caller.id, origin=caller.origin, object_id=object_id, outcome=outcome
    )
    return result
