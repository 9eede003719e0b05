"""Who a session belongs to, remembered for a moment so that a read need not ask the database twice.

A cached state is at most SESSION_CACHE_SECONDS old, and staff are never cached. The process that ends
a session forgets it at once. A posting asks the database again (`app/ledger`), so no money moves on a
dead session whatever is cached here.
"""

import math
from collections import OrderedDict
from typing import Final

from app.core import clock
from app.core.caller import Role
from app.db.unit_of_work import Database
from app.services import auth
from app.services.auth import Identity

_MOST_SESSIONS: Final = 50_000


class Identities:
    """Looks up sessions, with a cache of customers' live ones and of ended ones."""

    def __init__(self, db: Database, seconds: float) -> None:
        self._db = db
        self._seconds = seconds
        self._cache: OrderedDict[str, tuple[float, Identity | None]] = OrderedDict()

    async def of(self, session_id: str) -> Identity | None:
        """The user of a live session; None when it has ended or the user is inactive."""
        cached = self._cache.get(session_id)
        if cached is not None and clock.monotonic() < cached[0]:
            return cached[1]
        # The answer is as old as the question: it may have waited for a thread.
        until = clock.monotonic() + self._seconds
        identity = await self._db.read(auth.find_identity, session_id=session_id)
        if identity is not None and identity.role is Role.CUSTOMER:
            self._remember(session_id, until, identity)
        return identity

    def _remember(self, session_id: str, until: float, identity: Identity) -> None:
        known = self._cache.get(session_id)
        # The session may have ended while the database was being asked.
        if known is None or known[1] is not None:
            self._keep(session_id, until, identity)

    def forget(self, session_ids: list[str]) -> None:
        """These sessions have ended, which is for ever."""
        for session_id in session_ids:
            self._keep(session_id, math.inf, None)

    def _keep(self, session_id: str, until: float, identity: Identity | None) -> None:
        self._cache[session_id] = (until, identity)
        self._cache.move_to_end(session_id)
        if len(self._cache) > _MOST_SESSIONS:
            self._cache.popitem(last=False)
