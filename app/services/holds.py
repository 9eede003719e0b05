"""Holds on an account, to look at. What is done to them is the ledger's."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from app.core import clock, errors, ids
from app.core.access import READERS
from app.core.caller import Caller
from app.db.base import AnyRow
from app.repositories.accounts import Accounts
from app.repositories.holds import holds_page


def list_holds(
    session: Session,
    *,
    caller: Caller,
    account_id: str,
    status: str,
    after: list[int] | None,
    limit: int,
) -> Sequence[AnyRow]:
    """The holds of one status on an account of the caller's (on anybody's, for staff), newest first."""
    owner_id = None if caller.role in READERS else caller.id
    known = ids.is_id(ids.ACCOUNT, account_id)
    key = Accounts(session).key_of(account_id, owner_id=owner_id) if known else None
    if key is None:
        raise errors.NotFound.at("account_id")
    return holds_page(
        session,
        account_key=key,
        status=status,
        now=clock.now(),
        before_key=after[0] if after else None,
        limit=limit,
    )
