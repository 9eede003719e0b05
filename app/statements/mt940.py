"""SWIFT MT940, the customer statement message, as a file: its text block alone.

Amounts have a decimal comma and as many decimals as the currency. The standard bounds them to 15
characters; a larger balance is written in full. Texts are in the character set X.
"""

from collections.abc import Iterator
from datetime import date
from typing import Final

from app.statements.latin import to_swift
from app.statements.statement import Head, Line

# Field 61, subfield 6: why money moved. What has no code of its own is miscellaneous.
_CODES: Final = {"transfer": "TRF", "fee": "CHG", "interest": "INT"}
_LONGEST_LINE: Final = 65
_MOST_LINES: Final = 6


def write(head: Head, lines: Iterator[Line]) -> Iterator[str]:
    """One message; lines end with CR LF."""
    yield _field("20", head.reference.replace("-", "")[-16:])
    yield _field("25", head.account_number)
    yield _field("28C", f"{(head.number or 1) % 100_000:05}/00001")
    yield _field("60F", _balance(head, head.opening, head.first_day))
    for line in lines:
        yield _field("61", _entry(head, line)) + _field("86", "\r\n".join(_about(line)))
    yield _field("62F", _balance(head, head.closing, head.last_day))
    yield "-\r\n"


def _field(tag: str, content: str) -> str:
    return f":{tag}:{content}\r\n"


def _day(day: date) -> str:
    return f"{day.year % 100:02}{day.month:02}{day.day:02}"


def _amount(head: Head, amount: int) -> str:
    figure = head.money(abs(amount)).replace(".", ",")
    return figure if "," in figure else f"{figure},"


def _balance(head: Head, amount: int, day: date) -> str:
    direction = "D" if amount < 0 else "C"
    return f"{direction}{_day(day)}{head.currency.code}{_amount(head, amount)}"


def _entry(head: Head, line: Line) -> str:
    """Value date, booking day, direction, amount, code, no reference of the customer's, and ours."""
    booked = _day(head.day_of(line.booked_at))[2:]
    direction = "D" if line.amount < 0 else "C"
    code = _CODES.get(line.kind, "MSC")
    # Sixteen characters: the end of an id is what tells it from others.
    reference = f"NONREF//{line.id[-16:]}"
    return f"{_day(line.value_date)}{booked}{direction}{_amount(head, line.amount)}N{code}{reference}"


def _about(line: Line) -> Iterator[str]:
    """What the entry is about, in lines that no reader takes for a field or for the end."""
    parts = (line.kind, line.other_name, line.other_number, line.description)
    rest = to_swift(" ".join(part for part in parts if part))
    for _ in range(_MOST_LINES):
        yield rest[:_LONGEST_LINE]
        rest = rest[_LONGEST_LINE:].lstrip(" :-")
        if not rest:
            return
