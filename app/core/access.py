"""Who may look at and look after what belongs to customers."""

from typing import Final

from app.core.caller import Caller, Role

# Staff whose work is with customers; the network role only knows cards.
READERS: Final = frozenset({Role.TELLER, Role.OPERATOR, Role.AUDITOR, Role.ADMIN})


def may_read(caller: Caller, owner_id: str | None) -> bool:
    """Whether the caller may see what belongs to this user: their own, or as a reading role."""
    return caller.role in READERS or (owner_id is not None and owner_id == caller.id)
