"""What people ask of the bank and what it answers, in the words of the model: things have names here."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

MOST = 2**53 - 1
# How far the bank's own accounts reach, which mirror everybody's.
MOST_OF_THE_BANK = 2**60
CUSTOMER, TELLER, OPERATOR, AUDITOR = "customer", "teller", "operator", "auditor"


@dataclass(frozen=True)
class Person:
    """`role` is None for a holder who has no login here."""

    role: str | None
    is_holder: bool = False


@dataclass(frozen=True)
class Open:
    roles: ClassVar = {CUSTOMER, TELLER}
    needs_key: ClassVar = False
    currency: str
    holder: str | None = None


@dataclass(frozen=True)
class Close:
    roles: ClassVar = {CUSTOMER, TELLER}
    needs_key: ClassVar = False
    account: str


@dataclass(frozen=True)
class Fund:
    """A deposit or a withdrawal, as `kind` says."""

    roles: ClassVar = {CUSTOMER, TELLER}
    needs_key: ClassVar = True
    account: str
    kind: str
    amount: int
    currency: str


@dataclass(frozen=True)
class Pay:
    """A transfer to an account of one's own by "id", or to anybody's by "number"."""

    roles: ClassVar = {CUSTOMER, TELLER}
    needs_key: ClassVar = True
    source: str
    destination: str
    by: str
    amount: int
    currency: str


@dataclass(frozen=True)
class Reserve(Pay):
    """The same, pending. With an end of its own it lasts an hour, else for days."""

    expires_at: str | None = None


@dataclass(frozen=True)
class Capture:
    """A part of a hold, or all that is left."""

    roles: ClassVar = {CUSTOMER, TELLER, OPERATOR}
    needs_key: ClassVar = True
    hold: str
    amount: int | None
    final: bool


@dataclass(frozen=True)
class Increment:
    roles: ClassVar = {CUSTOMER, TELLER, OPERATOR}
    needs_key: ClassVar = True
    hold: str
    amount: int


@dataclass(frozen=True)
class Void:
    roles: ClassVar = {CUSTOMER, TELLER, OPERATOR}
    needs_key: ClassVar = True
    hold: str


@dataclass(frozen=True)
class Reverse:
    roles: ClassVar = {TELLER, OPERATOR}
    needs_key: ClassVar = True
    transfer: str


@dataclass(frozen=True)
class Item:
    """One transfer of a bulk; its key is that of the same transfer alone."""

    pay: Pay
    key: str | None = None


@dataclass(frozen=True)
class Bulk:
    """All of its transfers or none when `atomic`, else each for itself."""

    roles: ClassVar = {CUSTOMER, TELLER}
    needs_key: ClassVar = True
    atomic: bool
    items: tuple[Item, ...]


Request = Open | Close | Fund | Pay | Capture | Increment | Void | Reverse | Bulk


@dataclass(frozen=True)
class Answer:
    """A status and what is told; of a refusal its code and, where something is not found, the field.

    Of the refusal of a bulk as a whole, at which of its transfers: "transfers[1]", with a field of that
    where something is not found.
    """

    status: int
    code: str | None = None
    at: str | None = None
    told: dict[str, Any] = field(default_factory=dict)
    replayed: bool = False
    # The names of the account or the transfers that came of it.
    made: tuple[str, ...] = field(default=(), compare=False)


class Refused(Exception):
    def __init__(self, status: int, code: str, at: str | None = None) -> None:
        super().__init__(code)
        self.answer = Answer(status, code, at)

    def in_bulk(self, place: int) -> "Refused":
        """The refusal of a whole bulk, for this one of its transfers."""
        where = f"transfers[{place}]"
        told = self.answer
        return Refused(told.status, told.code or "", f"{where}.{told.at}" if told.at else where)
