"""What the ledger is asked to do, as plain values."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from app.core import ids
from app.core.caller import Caller
from app.core.errors import BankingError
from app.models.accounts import AccountKind
from app.models.transfers import TransferKind


@dataclass(frozen=True, slots=True)
class OwnAccount:
    """An account by its id, which the caller must have a right to. `field` is where it was given."""

    id: str
    field: str


@dataclass(frozen=True, slots=True)
class AnyAccount:
    """A customer's account by its number, whoever it belongs to."""

    number: str
    field: str


@dataclass(frozen=True, slots=True)
class BankAccount:
    """The bank's own account of a kind, in the currency of the command."""

    kind: AccountKind


@dataclass(frozen=True, slots=True)
class CardAccount:
    """The account that a card pays out of."""

    card_id: str


AccountRef = OwnAccount | AnyAccount | BankAccount | CardAccount


@dataclass(frozen=True, slots=True)
class Key:
    """An idempotency key, unique for its caller, and a fingerprint of the request it came with."""

    value: str
    fingerprint: bytes


@dataclass(frozen=True, slots=True)
class PostTransfer:
    """Move `amount` minor units of `currency` from one account to another, now.

    Only one of a group can be without a key of its own: the group's protects it.
    """

    caller: Caller
    key: Key | None
    kind: TransferKind
    source: AccountRef
    destination: AccountRef
    amount: int
    currency: str
    description: str | None = None
    external_id: str | None = None
    metadata: dict[str, str] | None = None
    value_date: date | None = None


@dataclass(frozen=True, slots=True)
class HoldTransfer(PostTransfer):
    """Reserve the amount in the source; captures move it. Without an end of its own it has the bank's."""

    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizeCard(HoldTransfer):
    """Reserve the amount for a merchant, if the card may: a question of the card network.

    `merchant` has name, mcc and country. `online` is a payment without the card at hand.
    """

    card_id: str
    merchant: dict[str, str]
    online: bool


@dataclass(frozen=True, slots=True)
class RefundPayment:
    """Give `amount` of what has been captured of a card's authorisation back to its account."""

    caller: Caller
    key: Key
    card_id: str
    authorization_id: str
    amount: int

    @property
    def transfer_id(self) -> str:
        """The hold of the authorisation."""
        return hold_of(self.authorization_id)


@dataclass(frozen=True, slots=True)
class CaptureTransfer:
    """Move what a hold of this kind reserves, or `amount` of it; a `final` capture lets go of the rest.

    `tolerance` is how many percent of the hold's amount may be captured above it; the excess must be
    covered by what is available. A `forced` capture is also done after the hold has expired, once, and
    takes the account below its floor.
    """

    caller: Caller
    key: Key
    transfer_id: str
    amount: int | None = None
    final: bool = False
    kind: TransferKind = TransferKind.TRANSFER
    tolerance: int = 0
    forced: bool = False


@dataclass(frozen=True, slots=True)
class IncrementTransfer:
    """Reserve `amount` more in a hold of this kind, until the hold's own end."""

    caller: Caller
    key: Key
    transfer_id: str
    amount: int
    kind: TransferKind = TransferKind.TRANSFER


@dataclass(frozen=True, slots=True)
class VoidTransfer:
    """Let go of what a hold of this kind still reserves; what has been captured stays so."""

    caller: Caller
    key: Key
    transfer_id: str
    kind: TransferKind = TransferKind.TRANSFER


@dataclass(frozen=True, slots=True)
class ReverseTransfer:
    """Move a posted transfer back, whole, once."""

    caller: Caller
    key: Key
    transfer_id: str


@dataclass(frozen=True, slots=True)
class PostGroup:
    """Transfers of one request: one chunk of a bulk, from its place `first` on.

    An `atomic` one is posted whole or not at all. The key is the request's, the same for all its chunks.
    """

    caller: Caller
    key: Key
    first: int
    transfers: Sequence[PostTransfer]
    atomic: bool


# What is done to a hold that is there.
HoldCommand = CaptureTransfer | IncrementTransfer | VoidTransfer
Single = PostTransfer | ReverseTransfer | HoldCommand | RefundPayment
Command = Single | PostGroup


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a posted transfer, as the entry that records it. `amount` is signed."""

    account_key: int
    account_id: str
    entry_id: str
    sequence: int
    amount: int
    balance_after: int
    value_date: date


@dataclass(frozen=True, slots=True)
class Posted:
    """A transfer that has been posted: `row` is its record, `sides` are source and destination."""

    row: dict[str, Any]
    sides: tuple[Side, Side]
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Held:
    """A hold as it was right after something was done to it: `row` is its record as of then.

    `sequence` is the place of that in the history of the hold, from 1 on.
    """

    row: dict[str, Any]
    sequence: int
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Authorized:
    """An authorisation as it was right after something was done to it: `row` is its record.

    A declined one has no hold. `refunded` is what had been given back by then.
    """

    row: dict[str, Any]
    hold: Held | None
    refunded: int
    replayed: bool = False


# What a single command comes to, where it is not refused.
Made = Posted | Held | Authorized


@dataclass(frozen=True, slots=True)
class GroupPosted:
    """What each transfer of a group came to, in order."""

    outcomes: Sequence[Posted | BankingError]
    replayed: bool = False


def hold_of(authorization_id: str) -> str:
    """The id of the hold that an approved authorisation is; no id where this is none of one."""
    return ids.twin(ids.TRANSFER, authorization_id, of=ids.AUTHORIZATION)


def authorization_of(hold_id: str) -> str:
    """The id of the authorisation of a card payment's hold; the inverse of `hold_of`."""
    return ids.twin(ids.AUTHORIZATION, hold_id, of=ids.TRANSFER)
