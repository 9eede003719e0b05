"""Transactions, which is what the API calls the posted entries of an account."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from app.core import errors, ids
from app.core.access import READERS, may_read
from app.core.caller import Caller
from app.core.errors import Detail
from app.repositories.accounts import Accounts
from app.repositories.transfers import EntryFilter, EntryLine, Transfers


def get_transaction(session: Session, *, caller: Caller, transaction_id: str) -> EntryLine:
    """One entry of an account that the caller may see; NotFound for everybody else."""
    known = ids.is_id(ids.ENTRY, transaction_id)
    row = Transfers(session).entry_by_id(transaction_id) if known else None
    if row is None or not may_read(caller, row.owner_id):
        raise errors.NotFound.at("transaction_id")
    return row


def list_transactions(
    session: Session,
    *,
    caller: Caller,
    account_id: str | None,
    wanted: EntryFilter,
    after: list[Any] | None,
    limit: int,
) -> Sequence[EntryLine]:
    """Entries of one account or of all the caller's, newest first. Staff name the account."""
    owner_id = None if caller.role in READERS else caller.id
    transfers = Transfers(session)
    if account_id is not None:
        known = ids.is_id(ids.ACCOUNT, account_id)
        key = Accounts(session).key_of(account_id, owner_id=owner_id) if known else None
        if key is None:
            raise errors.NotFound.at("account_id")
        keys: Sequence[int] = [key]
    elif owner_id is None:
        raise errors.ValidationFailed([Detail("account_id", "required", "Staff name an account.")])
    else:
        keys = transfers.account_keys(owner_id)
    before = (int(after[0]), str(after[1])) if after else None
    return transfers.entries_page(wanted, account_keys=keys, before=before, limit=limit)
