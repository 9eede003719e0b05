"""JSON: as the API tells it, and in the canonical form that is kept of what has been issued."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from app.core import clock
from app.core.money import CURRENCIES
from app.statements.statement import Head, Line

_plain: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
# RFC 8785: names in order, no white space, characters as they are.
canonical: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode


def write(head: Head, lines: Iterator[Line]) -> Iterator[str]:
    """The object of the API, its entries last."""
    yield _plain(_shown(head))[:-1] + ',"entries":['
    before = ""
    for line in lines:
        yield before + _plain(entry(line))
        before = ","
    yield "]}"


def _shown(head: Head) -> dict[str, Any]:
    return {
        "account_id": head.account_id,
        "account_number": head.account_number,
        "currency": head.currency.code,
        "from": clock.rfc3339(head.start),
        "to": clock.rfc3339(head.end),
        "opening_balance": head.opening,
        "closing_balance": head.closing,
        "total_in": head.total_in,
        "total_out": head.total_out,
        "count": head.count,
    }


def entry(line: Line) -> dict[str, Any]:
    """One entry, with the names of the API."""
    return {
        "id": line.id,
        "booked_at": clock.rfc3339(line.booked_at),
        "value_date": line.value_date.isoformat(),
        "type": line.kind,
        "amount": line.amount,
        "balance_after": line.balance_after,
        "description": line.description,
        "counterparty": {"name": line.other_name, "account_number": line.other_number},
    }


def line_of(told: dict[str, Any]) -> Line:
    """The line that an entry tells of."""
    return Line(
        id=told["id"],
        booked_at=datetime.fromisoformat(told["booked_at"]),
        value_date=date.fromisoformat(told["value_date"]),
        kind=told["type"],
        amount=told["amount"],
        balance_after=told["balance_after"],
        description=told["description"],
        other_name=told["counterparty"]["name"],
        other_number=told["counterparty"]["account_number"],
    )


def kept(head: Head) -> dict[str, Any]:
    """Everything that is kept of an issued statement's head."""
    return _shown(head) | {
        "account_type": head.account_kind,
        "holder_name": head.holder_name,
        "time_zone": str(head.zone),
        "month": head.month,
        "number": head.number,
        "issued_at": clock.rfc3339(head.made_at),
        "issuer": head.issuer,
    }


def head_of(told: dict[str, Any]) -> Head:
    """The head that was kept."""
    return Head(
        account_id=told["account_id"],
        account_number=told["account_number"],
        account_kind=told["account_type"],
        holder_name=told["holder_name"],
        currency=CURRENCIES[told["currency"]],
        zone=ZoneInfo(told["time_zone"]),
        start=datetime.fromisoformat(told["from"]),
        end=datetime.fromisoformat(told["to"]),
        opening=told["opening_balance"],
        closing=told["closing_balance"],
        total_in=told["total_in"],
        total_out=told["total_out"],
        count=told["count"],
        made_at=datetime.fromisoformat(told["issued_at"]),
        month=told["month"],
        number=told["number"],
        issuer=told["issuer"],
    )


def ends_of_canonical(head: Head) -> tuple[str, str]:
    """What stands before and after the entries in the canonical form."""
    names = kept(head)
    first = {name: value for name, value in names.items() if name < "entries"}
    rest = {name: value for name, value in names.items() if name > "entries"}
    return canonical(first)[:-1] + ',"entries":[', "]," + canonical(rest)[1:]


def write_canonical(head: Head, lines: Iterator[Line]) -> Iterator[str]:
    """The canonical form: exactly the characters that the hash of an issued statement is of."""
    begin, end = ends_of_canonical(head)
    yield begin
    before = ""
    for line in lines:
        yield before + canonical(entry(line))
        before = ","
    yield end


def digest(head: Head, parts: Iterable[str]) -> str:
    """SHA-256, in hexadecimal digits, of the canonical form of a head and parts of its entries."""
    begin, end = ends_of_canonical(head)
    hashed, before = hashlib.sha256(begin.encode()), ""
    for part in parts:
        hashed.update(f"{before}{part}".encode())
        before = ","
    hashed.update(end.encode())
    return hashed.hexdigest()


def canonical_entries(lines: Iterable[Line]) -> str:
    """Entries in the canonical form, with commas between."""
    return ",".join(canonical(entry(line)) for line in lines)


def lines_of(entries: str) -> Iterator[Line]:
    """The lines of such entries."""
    return map(line_of, json.loads(f"[{entries}]"))
