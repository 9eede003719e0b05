"""CSV (RFC 4180): a line an entry, plain numbers in major units, texts that no spreadsheet runs."""

import csv
import io
import re
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
    white space, what cannot be seen, quotation marks and separators first. One that takes another
    separator than the comma sees several cells, so what begins a formula in one of them is marked too.
    """
    first, *others = _SEPARATOR.split(text)
    marked = first + "".join(f"'{part}" if _is_formula(part) else part for part in others)
    return f"'{marked}" if _is_formula(text) or text.startswith(("\t", "\r", "\n")) else marked


# What it splits by is kept in what it gives.
_SEPARATOR: Final = re.compile(r"([;,|\t])")
_UNSEEN: Final = frozenset({"Cc", "Cf", "Mn", "Zs", "Zl", "Zp"})


def _is_formula(text: str) -> bool:
    seen = (one for one in unicodedata.normalize("NFKC", text) if unicodedata.category(one) not in _UNSEEN)
    return "".join(seen).lstrip("\"';,|").startswith(("=", "+", "-", "@"))
