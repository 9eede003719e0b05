"""What the bank has decided."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final
from zoneinfo import ZoneInfo

from app.core.config import Settings

# The longest that a hold may reserve money. Card networks let authorisations stand for up to 30 days.
LONGEST_HOLD: Final = timedelta(days=30)


@dataclass(frozen=True)
class Policy:
    """Its time zone, how much may leave an account in a day, and how long a hold lives by itself.

    `daily_limits` has minor units by currency; a currency without an entry has no limit.
    """

    zone: ZoneInfo
    daily_limits: dict[str, int] = field(default_factory=dict)
    hold_life: timedelta = timedelta(days=7)

    @classmethod
    def of(cls, settings: Settings) -> "Policy":
        """What the operator has chosen."""
        return cls(settings.bank_timezone, settings.daily_limits, timedelta(days=settings.hold_days))
