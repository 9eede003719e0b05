"""Card numbers (PAN): 16 digits after ISO/IEC 7812-1, made here, shown once and never kept.

What is kept is an HMAC-SHA256 under a key of its own: without the key nobody can try out the few digits
that a number leaves unknown.
"""

import hashlib
import hmac
import secrets
from typing import Final

from app.core import luhn

LENGTH: Final = 16


def new_number(iin: str) -> str:
    """A random number that begins with the issuer's 6 to 8 digits and ends with its check digit."""
    places = LENGTH - 1 - len(iin)
    digits = f"{iin}{secrets.randbelow(10**places):0{places}}"
    return digits + luhn.check_digit(digits)


def fingerprint(number: str, key: str) -> bytes:
    """32 bytes by which a number is known again, and not found out."""
    return hmac.new(key.encode(), number.encode(), hashlib.sha256).digest()


def brand_of(number: str) -> str:
    """The scheme that a number's first digits belong to; `private` for everybody else's."""
    if number.startswith("4"):
        return "visa"
    if "51" <= number[:2] <= "55" or "2221" <= number[:4] <= "2720":
        return "mastercard"
    return "private"
