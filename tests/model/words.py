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


Request = Open | Close | Fund | Pay | Capture | Increment | Void | Reverse


@dataclass(frozen=True)
class Answer:
    """A status and what is told; of a refusal its code and, where something is not found, the field."""

    status: int
    code: str | None = None
    at: str | None = None
    told: dict[str, Any] = field(default_factory=dict)
    replayed: bool = False
    # The name of the account or transfer that came of it.
    made: str | None = field(default=None, compare=False)


class Refused(Exception):
    def __init__(self, status: int, code: str, at: str | None = None) -> None:
        super().__init__(code)
        self.answer = Answer(status, code, at)
