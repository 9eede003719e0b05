"""Accounts, holds and cards in memory while a batch is judged."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from app.core.money import MAX_AMOUNT, MAX_BANK_BALANCE
from app.models.accounts import CUSTOMER_KINDS, AccountStatus
from app.models.cards import CardStatus, status_on
from app.models.transfers import TransferStatus


@dataclass(slots=True)
class AccountState:
    """An account's row, locked; amounts in minor units, instants in microseconds.

    Only `post` changes it, and only after every rule has agreed.
    """

    key: int
    id: str
    number: str | None
    owner_id: str | None
    holder_id: str | None
    kind: str
    currency: str
    status: str
    balance: int
    held: int
    overdraft_limit: int
    unarranged: int
    last_sequence: int
    last_booked_at: int
    version: int
    touched: bool = False

    @property
    def is_customers(self) -> bool:
        return self.kind in CUSTOMER_KINDS

    @property
    def available(self) -> int:
        return self.balance - self.held + self.overdraft_limit

    @property
    def is_closed(self) -> bool:
        return self.status == AccountStatus.CLOSED

    @property
    def is_frozen(self) -> bool:
        return self.status == AccountStatus.FROZEN

    def covers(self, amount: int) -> bool:
        """Whether the amount may go out. The bank's own accounts have no floor."""
        return not self.is_customers or self.available >= amount

    def has_room_for(self, change: int) -> bool:
        """Whether the balance stays in its bounds; those of the bank's own accounts are wider."""
        most = MAX_AMOUNT if self.is_customers else MAX_BANK_BALANCE
        return -most <= self.balance + change <= most

    def post(self, change: int, booked_at: int, *, released: int = 0, forced: bool = False) -> None:
        """Books a signed amount: the next entry of this account.

        What was `released` for it is not held any more. What is forced may pass the floor.
        """
        self.balance += change
        self.held -= released
        self.last_sequence += 1
        self.last_booked_at = booked_at
        self._settle(forced=forced)

    def hold(self, change: int) -> None:
        """Reserves more, or less."""
        self.held += change
        self._settle()

    def _settle(self, *, forced: bool = False) -> None:
        if self.is_customers:
            below = max(0, -self.available)
            # A credit pays back what a forced posting took before it adds to what is available.
            self.unarranged = below if forced else min(self.unarranged, below)
        self.touched = True


@dataclass(slots=True)
class HoldState:
    """A hold's row, its source locked; amounts in minor units, instants in microseconds.

    `record` is the row as it was read, with instants as such; what can change of it is beside it.
    `last_event` is the place of the last act in its history.
    """

    record: dict[str, Any]
    key: int
    status: str
    amount: int
    remaining: int
    captured: int
    booked_at: int | None
    last_event: int

    @property
    def is_open(self) -> bool:
        return self.status == TransferStatus.PENDING

    @property
    def approved(self) -> int:
        """What it comes to by now: what has been captured, and what it still reserves."""
        return self.captured + self.remaining


@dataclass(slots=True)
class CardState:
    """A card's row, its account locked. Limits and sums are minor units of the account's currency.

    Only of a card with such a limit is it known what it has been approved for, this day and this month.
    """

    key: int
    id: str
    account_key: int
    status: str
    expires_on: date
    per_payment: int | None
    per_day: int | None
    per_month: int | None
    online: bool
    blocked_mccs: list[str]
    blocked_countries: list[str]
    this_day: int = 0
    this_month: int = 0

    @property
    def has_sums(self) -> bool:
        """Whether a limit is over more than one payment."""
        return self.per_day is not None or self.per_month is not None

    def status_on(self, day: date) -> CardStatus:
        return status_on(self.status, self.expires_on, day)

    def passes_limit(self, payment: int, more: int) -> bool:
        """Whether a payment of this amount would be too much, `more` of which has not been counted."""
        amounts = (payment, self.this_day + more, self.this_month + more)
        limits = (self.per_payment, self.per_day, self.per_month)
        return any(limit is not None and one > limit for one, limit in zip(amounts, limits, strict=True))


@dataclass(slots=True)
class AuthorizationState:
    """An authorisation's row, its card, and what has been given back of it so far."""

    record: dict[str, Any]
    card: CardState
    refunded: int

    @property
    def id(self) -> str:
        return str(self.record["id"])

    @property
    def owner_id(self) -> str | None:
        found: str | None = self.record["owner_id"]
        return found

    @property
    def created_at(self) -> datetime:
        found: datetime = self.record["created_at"]
        return found
