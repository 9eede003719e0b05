"""Authorisations, to look at. What is asked of cards is the ledger's."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy.orm import Session

from app.core import clock, errors, ids
from app.core.access import READERS
from app.core.caller import Caller, Role
from app.db.base import AnyRow
from app.repositories.authorizations import AuthorizationFilter, Authorizations
from app.repositories.cards import Cards

# What the network has asked, it may read.
_READERS: Final = READERS | {Role.NETWORK}


def get_authorization(session: Session, *, caller: Caller, authorization_id: str) -> AnyRow:
    """One authorisation of the caller's cards (of anybody's, for staff); NotFound for everybody else."""
    known = ids.is_id(ids.AUTHORIZATION, authorization_id)
    row = Authorizations(session, clock.now()).by_id(authorization_id) if known else None
    if row is None or not _may_see(caller, row.owner_id):
        raise errors.NotFound.at("authorization_id")
    return row


def list_authorizations(
    session: Session,
    *,
    caller: Caller,
    card_id: str | None,
    created_from: datetime | None,
    created_before: datetime | None,
    after: list[int] | None,
    limit: int,
) -> Sequence[AnyRow]:
    """Authorisations of the caller's cards, or of one; everybody's for staff. Newest first."""
    if card_id is not None:
        card = Cards(session).by_id(card_id) if ids.is_id(ids.CARD, card_id) else None
        if card is None or not _may_see(caller, card.owner_id):
            raise errors.NotFound.at("card_id")
    owner_id = None if caller.role in _READERS else caller.id
    wanted = AuthorizationFilter(owner_id, card_id, created_from, created_before)
    return Authorizations(session, clock.now()).page(
        wanted, before_key=after[0] if after else None, limit=limit
    )


def _may_see(caller: Caller, owner_id: str | None) -> bool:
    return caller.role in _READERS or (owner_id is not None and owner_id == caller.id)
