"""What is asked of cards, in the words of the model."""

from dataclasses import dataclass
from typing import ClassVar

from tests.model.words import CUSTOMER, TELLER

NETWORK = "network"
# Owners may play the network where the tests run.
_NETWORK: frozenset[str] = frozenset({CUSTOMER, NETWORK})


@dataclass(frozen=True)
class TakeCard:
    """A virtual card of an account."""

    roles: ClassVar = {CUSTOMER, TELLER}
    needs_key: ClassVar = False
    account: str


@dataclass(frozen=True)
class SwitchCard:
    """Freeze, unfreeze or cancel."""

    roles: ClassVar = {CUSTOMER, TELLER}
    needs_key: ClassVar = False
    card: str
    action: str


@dataclass(frozen=True)
class AskCard:
    roles: ClassVar = _NETWORK
    needs_key: ClassVar = True
    card: str
    amount: int
    currency: str


@dataclass(frozen=True)
class CaptureCard:
    roles: ClassVar = _NETWORK
    needs_key: ClassVar = True
    answer: str
    amount: int
    final: bool


@dataclass(frozen=True)
class RaiseCard:
    roles: ClassVar = _NETWORK
    needs_key: ClassVar = True
    answer: str
    amount: int


@dataclass(frozen=True)
class VoidCard:
    roles: ClassVar = _NETWORK
    needs_key: ClassVar = True
    answer: str


@dataclass(frozen=True)
class Refund:
    roles: ClassVar = _NETWORK
    needs_key: ClassVar = True
    card: str
    answer: str
    amount: int


CardRequest = TakeCard | SwitchCard | AskCard | CaptureCard | RaiseCard | VoidCard | Refund
