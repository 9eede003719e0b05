"""What the ledger is asked to do, as plain values."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

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


AccountRef = OwnAccount | AnyAccount | BankAccount


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


Command = PostTransfer | ReverseTransfer | PostGroup


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
class GroupPosted:
    """What each transfer of a group came to, in order."""

    outcomes: Sequence[Posted | BankingError]
    replayed: bool = False
