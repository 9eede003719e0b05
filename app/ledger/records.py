"""The rows that a posting writes, as plain dictionaries. Instants are microseconds since 1970."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from app.core import ids
from app.core.caller import Caller
from app.core.errors import BankingError
from app.ledger import replay
from app.ledger.commands import Command, Key, Posted, PostGroup, ReverseTransfer, Side
from app.ledger.states import AccountState
from app.models.transfers import TransferKind, TransferStatus
from app.repositories.audit import SUCCESS

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Movement:
    """What is recorded of a movement, beside its two sides."""

    kind: TransferKind
    amount: int
    description: str | None = None
    external_id: str | None = None
    metadata: dict[str, str] | None = None
    value_date: date | None = None
    reverses: Row | None = None
    group_id: str | None = None

    @property
    def reverses_id(self) -> str | None:
        return self.reverses["id"] if self.reverses else None

    def record(self, caller: Caller, source: AccountState, destination: AccountState, booked_at: int) -> Row:
        """The transfer's row, after both states have been posted to."""
        return {
            "key": ids.new_key(),
            "id": ids.new_id(ids.TRANSFER),
            "kind": str(self.kind),
            "status": TransferStatus.POSTED.value,
            "source_key": source.key,
            "destination_key": destination.key,
            "amount": self.amount,
            "currency": source.currency,
            "description": self.description,
            "external_id": self.external_id,
            "metadata": self.metadata,
            "initiated_by": caller.id,
            "created_at": booked_at,
            "booked_at": booked_at,
            "remaining": 0,
            "expires_at": None,
            "reverses_key": self.reverses["key"] if self.reverses else None,
            "pending_key": None,
            "group_id": self.group_id,
            "source_balance": source.balance,
            "source_held": source.held,
            "source_available": source.available,
        }


def entry(transfer: Row, account: AccountState, amount: int, value_date: date) -> tuple[Row, Side]:
    """The next entry of an account that has just been posted to, and the side that tells of it."""
    row: Row = {
        "account_key": account.key,
        "sequence": account.last_sequence,
        "id": ids.new_id(ids.ENTRY),
        "transfer_key": transfer["key"],
        "amount": amount,
        "balance_after": account.balance,
        "booked_at": transfer["booked_at"],
        "value_date": value_date,
    }
    side = Side(
        account_key=account.key,
        account_id=account.id,
        entry_id=row["id"],
        sequence=account.last_sequence,
        amount=amount,
        balance_after=account.balance,
        value_date=value_date,
    )
    return row, side


def value_date(entry: Row) -> Row:
    """The mark of an entry whose value date is another day than it is booked on."""
    return {"account_key": entry["account_key"], "sequence": entry["sequence"]}


def used_key(caller: Caller, key: Key, status: int, location: str | None, now: int) -> Row:
    """A key that has had its effect; its answer is made again from the records."""
    return {
        "caller": caller.id,
        "key": key.value,
        "fingerprint": key.fingerprint,
        "status": status,
        "body": None,
        "location": location,
        "created_at": now,
    }


def chunk(group: PostGroup, outcomes: Sequence[Posted | BankingError], now: int) -> Row:
    """What the transfers of a group came to."""
    return {
        "caller": group.caller.id,
        "key": group.key.value,
        "first": group.first,
        "outcomes": replay.kept(outcomes),
        "created_at": now,
    }


def trace(command: Command, object_id: str | None, refused: BankingError | None, now: int) -> Row:
    """What was asked and what it came to, without the amounts, which the record has.

    `object_id` is what has been made, if anything has.
    """
    if isinstance(command, PostGroup):
        action = "transfer.bulk"
    elif isinstance(command, ReverseTransfer):
        action = "transfer.reverse"
        # What is no id is nobody's, and may be more than a column takes.
        known = ids.is_id(ids.TRANSFER, command.transfer_id)
        object_id = object_id or (command.transfer_id if known else None)
    else:
        action = f"{command.kind}.create"
    return {
        "id": ids.new_id(ids.AUDIT),
        "at": now,
        "actor": command.caller.id,
        "action": action,
        "object_id": object_id,
        "outcome": refused.code if refused else SUCCESS,
        "reason": None,
        "address": command.caller.origin.address,
        "request_id": command.caller.origin.request_id,
    }


def change(state: AccountState) -> Row:
    """A touched account, to be written where it is still the version that was read."""
    return {
        "key": state.key,
        "version": state.version,
        "new_balance": state.balance,
        "new_unarranged": state.unarranged,
        "new_last_sequence": state.last_sequence,
        "new_last_booked_at": state.last_booked_at,
        "new_version": state.version + 1,
    }
