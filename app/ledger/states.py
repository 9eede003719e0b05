"""Accounts in memory while a batch is judged."""

from dataclasses import dataclass

from app.core.money import MAX_AMOUNT, MAX_BANK_BALANCE
from app.models.accounts import CUSTOMER_KINDS, AccountStatus


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

    def post(self, change: int, booked_at: int) -> None:
        """Books a signed amount: the next entry of this account."""
        self.balance += change
        self.last_sequence += 1
        self.last_booked_at = booked_at
        if self.is_customers:
            # A credit pays back what a forced posting took before it adds to what is available.
            self.unarranged = min(self.unarranged, max(0, -self.available))
        self.touched = True
