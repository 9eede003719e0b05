"""CSV (RFC 4180): a line an entry, plain numbers in major units, texts that no spreadsheet runs."""

import csv
import io
import unicodedata
from collections.abc import Iterator
from typing import Final

from app.core import clock
from app.statements.statement import Head, Line

COLUMNS: Final = (
    "id",
    "booked_at",
    "value_date",
    "type",
    "description",
    "counterparty_name",
    "counterparty_account",
    "amount",
    "currency",
    "balance_after",
)


def write(head: Head, lines: Iterator[Line]) -> Iterator[str]:
    """The names of the columns, then the entries. Lines end with CR LF."""
    file = io.StringIO(newline="")
    rows = csv.writer(file)
    rows.writerow(COLUMNS)
    for line in lines:
        rows.writerow(
            (
                line.id,
                clock.rfc3339(line.booked_at),
                line.value_date.isoformat(),
                line.kind,
                neutral(line.description or ""),
                neutral(line.other_name),
                line.other_number or "",
                head.money(line.amount),
                head.currency.code,
                head.money(line.balance_after),
            )
        )
        yield file.getvalue()
        file.seek(0)
        file.truncate()
    yield file.getvalue()


def neutral(text: str) -> str:
    """A text that a spreadsheet would take for a formula, with an apostrophe before it.

    Formulas begin with = + - @, also in their wide forms, and programs that read a file may take off
    white space, quotation marks and separators first.
    """
    bare = unicodedata.normalize("NFKC", text).lstrip(" \t\r\n\"';,|")
    return (
        f"'{text}" if bare.startswith(("=", "+", "-", "@")) or text.startswith(("\t", "\r", "\n")) else text
    )
