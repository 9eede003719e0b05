"""The rows that a posting writes, as plain dictionaries. Instants are microseconds since 1970."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from app.core import ids
from app.core.caller import Caller
from app.core.errors import BankingError
from app.ledger import replay
from app.ledger.commands import (
    AuthorizeCard,
    Authorized,
    CaptureTransfer,
    Command,
    Held,
    HoldTransfer,
    IncrementTransfer,
    Key,
    Made,
    Posted,
    PostGroup,
    PostTransfer,
    RefundPayment,
    ReverseTransfer,
    Side,
    VoidTransfer,
    authorization_of,
)
from app.ledger.states import AccountState, AuthorizationState, HoldState
from app.models.authorizations import DeclineReason
from app.models.transfers import HoldAct, TransferKind, TransferStatus
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
    # The hold that this captures.
    pending: Row | None = None
    group_id: str | None = None

    @property
    def reverses_id(self) -> str | None:
        return self.reverses["id"] if self.reverses else None

    @property
    def pending_id(self) -> str | None:
        return self.pending["id"] if self.pending else None

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
            "pending_key": self.pending["key"] if self.pending else None,
            "group_id": self.group_id,
            "source_balance": source.balance,
            "source_held": source.held,
            "source_available": source.available,
            "captured": None,
        }

    @classmethod
    def capturing(cls, hold: Row, amount: int) -> "Movement":
        """A part of a hold, as the hold says what it is for."""
        return cls(
            TransferKind(hold["kind"]),
            amount,
            description=hold["description"],
            external_id=hold["external_id"],
            metadata=hold["metadata"],
            pending=hold,
        )

    def reserve(
        self, caller: Caller, source: AccountState, destination: AccountState, now: int, expires_at: int
    ) -> Row:
        """The row of a hold, after its source has reserved the amount."""
        return self.record(caller, source, destination, now) | {
            "status": TransferStatus.PENDING.value,
            "booked_at": None,
            "remaining": self.amount,
            "expires_at": expires_at,
            "captured": 0,
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


def event(
    hold: HoldState,
    source: AccountState,
    act: HoldAct,
    amount: int,
    *,
    at: int,
    actor: str | None,
    capture: Row | None = None,
) -> Row:
    """The next line in the history of a hold, after both states have changed."""
    return {
        "transfer_key": hold.key,
        "sequence": hold.last_event,
        "account_key": source.key,
        "act": act.value,
        "amount": amount,
        "status_after": hold.status,
        "amount_after": hold.amount,
        "remaining_after": hold.remaining,
        "captured_after": hold.captured,
        "source_balance": source.balance,
        "source_held": source.held,
        "source_available": source.available,
        "capture_key": capture["key"] if capture else None,
        "at": at,
        "actor": actor,
    }


def authorization(
    command: AuthorizeCard, card_key: int, hold: Held | None, reason: DeclineReason | None, now: int
) -> Row:
    """A card's answer. What it has approved is a hold with the same key and the same end of its id."""
    return {
        "key": hold.row["key"] if hold else ids.new_key(),
        "id": authorization_of(hold.row["id"]) if hold else ids.new_id(ids.AUTHORIZATION),
        "card_key": card_key,
        "hold_key": hold.row["key"] if hold else None,
        "decline_reason": reason.value if reason else None,
        "amount": command.amount,
        "currency": command.currency,
        "merchant": command.merchant,
        "online": command.online,
        "initiated_by": command.caller.id,
        "created_at": now,
    }


def refund(transfer_key: int, of: AuthorizationState, hold: HoldState, amount: int) -> Row:
    """Which authorisation a transfer gives back from."""
    return {
        "transfer_key": transfer_key,
        "authorization_key": of.record["key"],
        "amount": amount,
        "after_event": hold.last_event,
    }


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


def trace(command: Command, object_id: str | None, outcome: Made | BankingError | None, now: int) -> Row:
    """What was asked and what it came to, without the amounts, which the record has.

    `object_id` is what has been made, if anything has.
    """
    if not isinstance(command, PostTransfer | PostGroup):
        # What is no id is nobody's, and may be more than a column takes.
        known = ids.is_id(ids.TRANSFER, command.transfer_id)
        object_id = object_id or (command.transfer_id if known else None)
    return {
        "id": ids.new_id(ids.AUDIT),
        "at": now,
        "actor": command.caller.id,
        "action": _action(command),
        "object_id": object_id,
        "outcome": _outcome(outcome),
        "reason": None,
        "address": command.caller.origin.address,
        "request_id": command.caller.origin.request_id,
    }


def _outcome(outcome: Made | BankingError | None) -> str:
    if isinstance(outcome, BankingError):
        return outcome.code
    reason: str | None = outcome.row["decline_reason"] if isinstance(outcome, Authorized) else None
    return reason or SUCCESS


_VERBS: Final[Mapping[type[Command], str]] = {
    PostTransfer: "create",
    HoldTransfer: "hold",
    AuthorizeCard: "authorize",
    RefundPayment: "refund",
    CaptureTransfer: "capture",
    IncrementTransfer: "increment",
    VoidTransfer: "void",
    ReverseTransfer: "reverse",
    PostGroup: "bulk",
}


def _action(command: Command) -> str:
    if isinstance(command, RefundPayment):
        about = TransferKind.CARD_PAYMENT.value
    else:
        about = "transfer" if isinstance(command, ReverseTransfer | PostGroup) else command.kind
    return f"{about}.{_VERBS[type(command)]}"


def change(state: AccountState) -> Row:
    """A touched account, to be written where it is still the version that was read."""
    return {
        "key": state.key,
        "version": state.version,
        "new_balance": state.balance,
        "new_held": state.held,
        "new_unarranged": state.unarranged,
        "new_last_sequence": state.last_sequence,
        "new_last_booked_at": state.last_booked_at,
        "new_version": state.version + 1,
    }


def hold_change(hold: HoldState) -> Row:
    """A hold that something was done to, to be written where it still has the status that was read."""
    return {
        "key": hold.key,
        "status": hold.record["status"],
        "new_status": hold.status,
        "new_amount": hold.amount,
        "new_remaining": hold.remaining,
        "new_captured": hold.captured,
        "new_booked_at": hold.booked_at,
    }
