"""What a text field may hold, and how an e-mail address is compared."""

import unicodedata
from typing import Final

import email_validator
from email_validator import EmailNotValidError, validate_email

# Self-hosted services live on networks with names of their own; whether an address can be reached
# is for the mail that is sent to it, not for this check. (The library documents this list as one to
# change.)
email_validator.SPECIAL_USE_DOMAIN_NAMES.clear()

_BIDI_CONTROLS: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_INVISIBLE: Final = frozenset("\ufeff\u200b\u2060\u180e")
# Control, surrogate, line and paragraph separator.
_REFUSED_CATEGORIES: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})


def is_plain_text(value: str) -> bool:
    """Whether every character may stand in a name or description.

    Controls, NUL, lone surrogates, line separators and direction overrides may not: they change what
    is shown around them. Joiners inside emoji and scripts may.
    """
    if value.isascii():
        return value.isprintable()
    return not any(
        character in _BIDI_CONTROLS
        or character in _INVISIBLE
        or unicodedata.category(character) in _REFUSED_CATEGORIES
        # U+xxFFFE and U+xxFFFF are no characters; XML cannot carry the first two.
        or ord(character) & 0xFFFE == 0xFFFE
        for character in value
    )


def normalize_email(value: str) -> str:
    """The one form in which an address is stored and compared; ValueError when it is not one.

    The part before the @ is printable ASCII, the domain IDNA 2008 in its ASCII form, everything in
    lower case. So no Unicode case mapping can turn one address into another.
    """
    try:
        parts = validate_email(
            value,
            # The part before the @ has 64 characters at most (RFC 5321, section 4.5.3.1.1).
            strict=True,
            allow_smtputf8=False,
            check_deliverability=False,
            globally_deliverable=False,
        )
    except EmailNotValidError:
        # The library's message quotes the address.
        raise ValueError("not an e-mail address") from None
    return f"{parts.local_part}@{parts.ascii_domain}".lower()
