"""What is on a statement, whatever it is written as. Amounts are signed whole minor units."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from app.core.dates import day_in
from app.core.money import Currency


@dataclass(frozen=True, slots=True)
class Line:
    """One entry. `other_*` is the other side, as it is shown to this one."""

    id: str
    booked_at: datetime
    value_date: date
    kind: str
    amount: int
    balance_after: int
    description: str | None
    other_name: str
    other_number: str | None


@dataclass(frozen=True, slots=True)
class Head:
    """What a statement says before and after its lines.

    It is about the time from `start` (in) to `end` (out): `opening` is the balance before the one,
    `closing` the balance before the other, and `opening + total_in - total_out == closing`. A monthly
    statement that has been issued has its `number`; `made_at` is when a statement was made.
    """

    account_id: str
    account_number: str
    account_kind: str
    holder_name: str
    currency: Currency
    zone: ZoneInfo
    start: datetime
    end: datetime
    opening: int
    closing: int
    total_in: int
    total_out: int
    count: int
    made_at: datetime
    month: str | None = None
    number: int | None = None
    by_value: bool = False
    # The bank's name; nothing where it has not said it.
    issuer: str = ""

    @property
    def first_day(self) -> date:
        """The day of the bank on which it begins."""
        return self.day_of(self.start)

    @property
    def last_day(self) -> date:
        """The last day of the bank that it speaks of; never before the first."""
        if self.end <= self.start:
            return self.first_day
        return self.day_of(self.end - timedelta(microseconds=1))

    @property
    def period(self) -> str:
        """`2026-02`, or `2026-02-01_2026-02-14`; the view by value date says so."""
        days = self.month or f"{self.first_day}_{self.last_day}"
        return f"{days}-by-value-date" if self.by_value else days

    @property
    def reference(self) -> str:
        """At most 30 characters that name the account and the period: `123456789012-2026-02`."""
        if self.month is not None:
            return f"{self.account_number}-{self.month}"
        return f"{self.account_number}-{self.first_day:%Y%m%d}-{self.last_day:%Y%m%d}"

    def day_of(self, instant: datetime) -> date:
        """The bank's day of an instant."""
        return day_in(instant, self.zone)

    def money(self, amount: int) -> str:
        """Major units with all decimals: -1050 EUR is `-10.50`."""
        return self.currency.format(amount)
