"""Texts for formats whose character sets are older than Unicode."""

import re
from typing import Final

from anyascii import anyascii

# The characters of SWIFT's set X, but for the end of a line.
_NOT_X: Final = re.compile(r"[^A-Za-z0-9/\-?:().,'+ ]")
_SPELLED: Final = {"&": "+", "_": "-", ";": ",", '"': "'", "*": ".", "@": "(at)", "=": "-", "%": "pct"}


def to_ascii(text: str) -> str:
    """The text in printable ASCII: other scripts are transliterated (`Łukasz Żółć` is `Lukasz Zolc`)."""
    return "".join(one if one.isprintable() else " " for one in anyascii(text))


def to_swift(text: str) -> str:
    """The text in the character set X of SWIFT; what it lacks is spelled, or else a full stop."""
    return _NOT_X.sub(lambda found: _SPELLED.get(found[0], "."), to_ascii(text))
