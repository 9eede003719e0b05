"""Money: whole minor units of a currency, never a fraction of one.

The amount 1050 of EUR is 10.50 euro, of JPY 1,050 yen, of KWD 1.050 dinar. This file alone knows
the exponents.
"""

from dataclasses import dataclass
from typing import Final

from app.core import iso4217

# The largest integer that every JSON reader keeps exactly (RFC 8259, section 6).
MAX_AMOUNT: Final = 2**53 - 1
# The bank's own accounts mirror everybody's, so they reach further; six of them still add up inside
# 63 bits.
MAX_BANK_BALANCE: Final = 2**60


@dataclass(frozen=True, slots=True)
class Currency:
    """A currency: its ISO 4217 code, its name and the number of decimals of its minor unit."""

    code: str
    name: str
    exponent: int

    def format(self, minor_units: int) -> str:
        """Major units as text with all decimals: -1050 EUR -> `-10.50`, 500 JPY -> `500`."""
        sign = "-" if minor_units < 0 else ""
        digits = str(abs(minor_units)).rjust(self.exponent + 1, "0")
        whole = len(digits) - self.exponent
        return f"{sign}{digits[:whole]}" + (f".{digits[whole:]}" if self.exponent else "")


CURRENCIES: Final = {row[0]: Currency(*row) for row in iso4217.rows()}
