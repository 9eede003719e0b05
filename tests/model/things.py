"""What the model's ledger remembers: accounts, and the movements between them."""

from dataclasses import dataclass, field
from typing import Any

from tests.model.words import MOST, MOST_OF_THE_BANK


@dataclass
class Account:
    """`holder` is None for the bank's own, which have no floor. `lines`: (transfer, amount, balance)."""

    name: str
    currency: str
    holder: str | None = None
    status: str = "active"
    balance: int = 0
    held: int = 0
    overdraft_limit: int = 0
    lines: list[tuple[str, int, int]] = field(default_factory=list)

    @property
    def available(self) -> int:
        return self.balance - self.held + self.overdraft_limit

    def has_room_for(self, change: int) -> bool:
        most = MOST if self.holder else MOST_OF_THE_BANK
        return -most <= self.balance + change <= most

    @property
    def balances(self) -> dict[str, int]:
        return {"balance": self.balance, "held": self.held, "available": self.available}


@dataclass
class Movement:
    """A transfer. Of a hold `captured` says how much has moved, by movements that name it as their `hold`."""

    name: str
    kind: str
    source: Account
    destination: Account
    amount: int
    reverses: "Movement | None" = None
    reversed_by: "Movement | None" = None
    hold: "Movement | None" = None
    status: str = "posted"
    captured: int | None = None
    remaining: int = 0
    expires_at: str | None = None

    @property
    def whole(self) -> tuple[Any, ...]:
        """Everything there is to know of it."""
        links = [link.name if link else None for link in (self.reverses, self.hold)]
        sides = self.source.name, self.destination.name
        return (self.name, self.kind, self.status, *sides, self.amount, self.captured, self.remaining, *links)
