"""May this be done to a hold? Pure functions over states, asked in a fixed order, as in `rules`."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from app.core import errors
from app.core.access import may_read
from app.core.caller import Role
from app.core.errors import BankingError, Detail
from app.core.money import MAX_AMOUNT
from app.ledger.commands import CaptureTransfer, HoldCommand, IncrementTransfer
from app.ledger.policy import LONGEST_HOLD
from app.ledger.records import Row
from app.ledger.rules import may_know
from app.ledger.states import AccountState, HoldState
from app.models.transfers import TransferKind, TransferStatus

# Who acts on holds, beside the one who pays: who takes transfers back, and for cards their network.
_ACTORS: Final[Mapping[TransferKind, frozenset[Role]]] = {
    TransferKind.TRANSFER: frozenset({Role.TELLER, Role.OPERATOR}),
    TransferKind.CARD_PAYMENT: frozenset({Role.NETWORK}),
}


@dataclass(frozen=True, slots=True)
class Sides:
    """The accounts of a hold, as they are now."""

    source: AccountState
    destination: AccountState


def judge_end(expires_at: datetime, now: datetime) -> BankingError | None:
    """Whether a hold may last until then: it is yet to come, and at most `LONGEST_HOLD` away."""
    if expires_at <= now:
        return _wrong("expires_at", "in_the_past", "A hold ends in the future.")
    if expires_at > now + LONGEST_HOLD:
        return _wrong("expires_at", "too_late", f"A hold lasts {LONGEST_HOLD.days} days at most.")
    return None


def judge_actor(command: HoldCommand, transfer: Row | None, sides: Sides | None) -> BankingError | None:
    """Whether the caller may act on this transfer as on a hold of that kind.

    The recipient may see it, so they are told that it is not theirs to act on.
    """
    if transfer is None or sides is None or not _may_see(command, sides):
        return errors.NotFound.at("transfer_id")
    if not _may_act(command, sides.source):
        return errors.Forbidden()
    if transfer["captured"] is None:
        return errors.HoldNotActive()
    # Each kind has its own way: a card payment is not the cardholder's to let go of.
    return None if transfer["kind"] == command.kind else errors.Forbidden()


def _may_see(command: HoldCommand, sides: Sides) -> bool:
    return _may_act(command, sides.source) or any(
        may_read(command.caller, account.owner_id) for account in (sides.source, sides.destination)
    )


def _may_act(command: HoldCommand, source: AccountState) -> bool:
    owns = source.owner_id is not None and source.owner_id == command.caller.id
    return owns or command.caller.role in _ACTORS[command.kind]


def judge_increment(
    command: IncrementTransfer, hold: HoldState, sides: Sides, *, passes_limit: bool
) -> BankingError | None:
    """May a hold reserve so much more? As for a payment, which it is going to be."""
    if not hold.is_open:
        return errors.HoldNotActive()
    if sides.source.is_frozen:
        return errors.AccountFrozen()
    total = hold.amount + command.amount
    refused = errors.BalanceLimit() if total > MAX_AMOUNT else _refuse_destination(command, sides, total)
    if refused is not None:
        return refused
    if passes_limit:
        return errors.LimitExceeded()
    return None if sides.source.covers(command.amount) else errors.InsufficientFunds()


def judge_capture(
    command: CaptureTransfer, hold: HoldState, amount: int, sides: Sides, *, passes_limit: bool
) -> BankingError | None:
    """May so much of a hold move now?

    What was reserved before was promised, so a frozen source stops nobody but its owner, who has promised
    it to themselves. A limit was asked when the money was reserved. What is above the hold is a new
    payment: `passes_limit` says that it would be too much.
    """
    late = command.forced and hold.status == TransferStatus.EXPIRED
    if not (hold.is_open or late):
        return errors.HoldNotActive()
    if amount > most_of(command, hold):
        return _wrong("amount", "too_large", "This is more than the hold has left.")
    if sides.source.is_closed:
        return errors.AccountClosed()
    refused = _refuse_destination(command, sides, amount)
    if refused is not None:
        return refused
    if not sides.source.has_room_for(-amount):
        return errors.BalanceLimit()
    return _refuse_source(command, sides.source, excess_of(hold, amount), passes_limit=passes_limit)


def _refuse_source(
    command: CaptureTransfer, source: AccountState, excess: int, *, passes_limit: bool
) -> BankingError | None:
    is_owners = source.owner_id is not None and source.owner_id == command.caller.id
    if source.is_frozen and (excess > 0 or (is_owners and command.kind is TransferKind.TRANSFER)):
        return errors.AccountFrozen()
    if passes_limit:
        return errors.LimitExceeded()
    return None if excess == 0 or source.covers(excess) else errors.InsufficientFunds()


def most_of(command: CaptureTransfer, hold: HoldState) -> int:
    """The most that may be captured now."""
    return hold.amount - hold.captured + hold.amount * command.tolerance // 100


def excess_of(hold: HoldState, amount: int) -> int:
    """How much of a capture is above what the hold reserves; of a late one nothing counts as such."""
    return max(0, amount - hold.remaining) if hold.is_open else 0


def _refuse_destination(command: HoldCommand, sides: Sides, amount: int) -> BankingError | None:
    account = sides.destination
    if not account.is_closed and account.has_room_for(amount):
        return None
    if not may_know(command.caller, account, command.kind):
        return errors.DestinationUnavailable()
    return errors.AccountClosed() if account.is_closed else errors.BalanceLimit()


def _wrong(field: str, code: str, message: str) -> BankingError:
    return errors.ValidationFailed([Detail(field, code, message)])
