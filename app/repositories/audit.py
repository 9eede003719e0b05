"""The audit log: rows in, never changed."""

from sqlalchemy.orm import Session

from app.core import clock, ids
from app.core.caller import Origin
from app.models import AuditRecord

SYSTEM = "system"
ANYBODY = "anybody"
SUCCESS = "success"


class AuditLog:
    """The table `audit_log`. A record is part of the commit of its act."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def record(
        self,
        action: str,
        *,
        actor: str,
        origin: Origin,
        object_id: str | None = None,
        outcome: str = SUCCESS,
        reason: str | None = None,
    ) -> None:
        """Writes one act. `outcome` is `success` or the code of the refusal."""
        self._session.add(
            AuditRecord(
                id=ids.new_id(ids.AUDIT),
                at=clock.now(),
                actor=actor,
                action=action,
                object_id=object_id,
                outcome=outcome,
                reason=reason,
                address=origin.address,
                request_id=origin.request_id,
            )
        )
