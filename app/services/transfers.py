"""Transfers and entries, to look at. Moving money is the ledger's."""

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy.orm import Session

from app.core import clock, errors, ids
from app.core.access import READERS, may_read
from app.core.caller import Caller
from app.db.base import AnyRow
from app.repositories.accounts import Accounts
from app.repositories.transfers import TransferFilter, Transfers


def get_transfer(session: Session, *, caller: Caller, transfer_id: str) -> AnyRow:
    """One transfer, for either party and for staff; NotFound for everybody else."""
    known = ids.is_id(ids.TRANSFER, transfer_id)
    row = Transfers(session).by_id(transfer_id, clock.now()) if known else None
    if row is None or not (may_read(caller, row.payer.owner_id) or may_read(caller, row.payee.owner_id)):
        raise errors.NotFound.at("transfer_id")
    return row


def list_transfers(
    session: Session,
    *,
    caller: Caller,
    account_id: str | None,
    wanted: TransferFilter,
    after: list[int] | None,
    limit: int,
) -> Sequence[AnyRow]:
    """Transfers from or to the caller's accounts (everybody's, for staff), newest first."""
    owner_id = None if caller.role in READERS else caller.id
    transfers = Transfers(session)
    if account_id is not None:
        known = ids.is_id(ids.ACCOUNT, account_id)
        key = Accounts(session).key_of(account_id, owner_id=owner_id) if known else None
        if key is None:
            raise errors.NotFound.at("account_id")
        keys: Sequence[int] | None = [key]
    else:
        keys = None if owner_id is None else transfers.account_keys(owner_id)
    if wanted.external_id is not None:
        # A recipient is not told the payer's reference, so they do not find a transfer by it either.
        wanted = replace(wanted, payer_owner_id=owner_id)
    return transfers.page(
        wanted,
        account_keys=keys,
        now=clock.now(),
        before_key=after[0] if after else None,
        limit=limit,
    )
