"""The journal of the whole ledger, so that another program can check our sums: `bank export`.

Everything is read in one snapshot. A record is an account or a posted transfer.
"""

import csv
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from app.core import clock
from app.core.money import CURRENCIES
from app.db.base import AnyRow
from app.models.accounts import CLASSES, CUSTOMER_KINDS, AccountClass, AccountKind
from app.repositories.journal import Journal
from app.statements.csv_text import neutral

_COLUMNS: Final = (
    *("id", "booked_at", "value_date", "type", "amount", "currency", "description", "external_id"),
    *("reverses_id", "source_id", "source_kind", "source_sequence", "source_balance"),
    *("destination_id", "destination_kind", "destination_sequence", "destination_balance"),
)
_TEXTS: Final = ("description", "external_id")
_ROOTS: Final = {
    AccountClass.ASSET: "Assets",
    AccountClass.LIABILITY: "Liabilities",
    AccountClass.INCOME: "Income",
    AccountClass.EXPENSE: "Expenses",
}


class Interrupted(Exception):
    """The connection was lost in the middle, and what has been written cannot be taken back."""


@dataclass
class Export:
    """One run: writes the journal of a session once, and tells of each record that is done."""

    write_all: Callable[[Journal, ZoneInfo], Iterator[str]]
    zone: ZoneInfo
    write: Callable[[str], Any]
    expect: Callable[[int], Any]
    done: Callable[[int], Any]
    has_begun: bool = False

    def __call__(self, session: Session) -> None:
        """A unit of work; when it is run again, it raises Interrupted."""
        if self.has_begun:
            raise Interrupted
        self.has_begun = True
        journal = Journal(session)
        self.expect(journal.count())
        for record in self.write_all(journal, self.zone):
            self.write(record)
            self.done(1)


def _transfer(row: AnyRow) -> dict[str, Any]:
    values = {name: getattr(row, name, None) for name in _COLUMNS}
    return values | {
        "type": row.kind,
        "booked_at": clock.rfc3339(row.booked_at),
        "value_date": row.value_date.isoformat(),
    }


def as_csv(journal: Journal, _: ZoneInfo) -> Iterator[str]:
    """A line a transfer, amounts and balances in minor units; texts that no spreadsheet runs."""
    file = io.StringIO(newline="")
    rows = csv.DictWriter(file, _COLUMNS)
    rows.writeheader()
    for row in journal.transfers():
        values = _transfer(row)
        rows.writerow(values | {name: neutral(values[name] or "") for name in _TEXTS})
        yield file.getvalue()
        file.seek(0)
        file.truncate()
    yield file.getvalue()


def as_jsonl(journal: Journal, _: ZoneInfo) -> Iterator[str]:
    """A JSON object a line: every account with its balance, then every transfer; minor units."""
    for row in journal.accounts():
        account = {name: getattr(row, name) for name in ("id", "number", "kind", "currency", "balance")}
        yield _json({"record": "account"} | account | {"created_at": clock.rfc3339(row.created_at)})
    for row in journal.transfers():
        yield _json({"record": "transfer"} | _transfer(row))


def _json(record: dict[str, Any]) -> str:
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")) + "\n"


def as_beancount(journal: Journal, zone: ZoneInfo) -> Iterator[str]:
    """A Beancount file: it opens every account, has every transfer, and asserts every balance, exactly.

    What the bank owes is negative there.
    """
    yield 'option "tolerance_multiplier" "0"\n'
    last = date.min
    for row in journal.accounts():
        # Before any entry, whatever the zone.
        opened = _day(row.created_at, zone) - timedelta(days=1)
        yield f"{opened} open {_name(row.kind, row.number, row.currency)} {row.currency}\n"
    for row in journal.transfers():
        day = _day(row.booked_at, zone)
        last = max(last, day)
        yield _entry(row, day)
    for row in journal.accounts():
        # Asserted at the beginning of a day.
        day = max(last, _day(row.created_at, zone)) + timedelta(days=1)
        figure = CURRENCIES[row.currency].format(-row.balance)
        yield f"{day} balance {_name(row.kind, row.number, row.currency)} {figure} {row.currency}\n"


def _entry(row: AnyRow, day: date) -> str:
    amount = CURRENCIES[row.currency].format(row.amount)
    source = _name(row.source_kind, row.source_number, row.currency)
    destination = _name(row.destination_kind, row.destination_number, row.currency)
    return (
        f"{day} * {_quoted(row.kind)} {_quoted(row.description or '')}\n"
        f"  id: {_quoted(row.id)}\n"
        f"  {source} {amount} {row.currency}\n"
        f"  {destination} -{amount} {row.currency}\n"
    )


def _day(instant: datetime, zone: ZoneInfo) -> date:
    return instant.astimezone(zone).date()


def _name(kind: str, number: str | None, currency: str) -> str:
    """`Liabilities:Checking:N123456789012`, or `Assets:Cash:EUR` of the bank's own."""
    which = AccountKind(kind)
    title = kind.title().replace("_", "-")
    return f"{_ROOTS[CLASSES[which]]}:{title}:{f'N{number}' if which in CUSTOMER_KINDS else currency}"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


FORMATS: Final = {"csv": as_csv, "jsonl": as_jsonl, "beancount": as_beancount}
