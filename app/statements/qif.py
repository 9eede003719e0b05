"""QIF, which older programs for personal finance import: lines with a letter before each.

ASCII; days as month/day/year. It has a closing balance (with the account) and no opening one.
"""

from collections.abc import Iterator
from datetime import date

from app.statements.latin import to_ascii
from app.statements.statement import Head, Line


def write(head: Head, lines: Iterator[Line]) -> Iterator[str]:
    """The account, then its entries."""
    yield _record(
        "!Account",
        f"N{head.account_number}",
        "TBank",
        f"/{_day(head.last_day)}",
        f"${head.money(head.closing)}",
    )
    yield "!Type:Bank\r\n"
    for line in lines:
        yield _record(
            f"D{_day(head.day_of(line.booked_at))}",
            f"T{head.money(line.amount)}",
            "P" + to_ascii(" ".join(part for part in (line.other_name, line.other_number) if part)),
            "M" + to_ascii(line.description or line.kind),
        )


def _record(*fields: str) -> str:
    return "".join(f"{field}\r\n" for field in (*fields, "^"))


def _day(day: date) -> str:
    return f"{day.month:02}/{day.day:02}/{day.year:04}"
