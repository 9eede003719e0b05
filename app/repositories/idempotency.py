"""Idempotency keys: SQL in, rows out."""

from typing import Any

from sqlalchemy import delete, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from app.core import clock, errors
from app.db import faults
from app.db.statements import insert_or_ignore
from app.models import IdempotencyKey

# A key between its claim and the answer, inside one transaction; never committed.
_UNANSWERED = 0


class IdempotencyKeys:
    """The table `idempotency_keys`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def claim(self, caller: str, key: str, fingerprint: bytes) -> bool:
        """Takes the key for this transaction; False when it has been used.

        A second claim at the same moment waits here for the first one's commit or rollback; when
        that takes longer than a lock may, IdempotencyInProgress.
        """
        values: dict[str, Any] = {
            "caller": caller,
            "key": key,
            "fingerprint": fingerprint,
            "status": _UNANSWERED,
            "body": "",
            "location": None,
            "created_at": clock.now(),
        }
        try:
            return insert_or_ignore(self._session, IdempotencyKey, values)
        except DBAPIError as error:
            if faults.is_lock_timeout(error):
                raise errors.IdempotencyInProgress(retry_after=1) from None
            raise

    def release(self, caller: str, key: str) -> None:
        """Gives a claimed key back, where a refusal is committed with its trace."""
        self._session.execute(
            delete(IdempotencyKey).where(IdempotencyKey.caller == caller, IdempotencyKey.key == key)
        )

    def get(self, caller: str, key: str) -> IdempotencyKey | None:
        return self._session.get(IdempotencyKey, (caller, key))

    def answer(self, caller: str, key: str, *, status: int, body: str, location: str | None) -> None:
        """Keeps what was answered, in the commit of the effect."""
        self._session.execute(
            update(IdempotencyKey)
            .where(IdempotencyKey.caller == caller, IdempotencyKey.key == key)
            .values(status=status, body=body, location=location)
        )
