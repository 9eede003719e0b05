"""What a key came to the first time, told again from the records.

A posting's answer is not stored: entries never change, and the transfer's row keeps the balances that
its first answer told. So the replay is made from them, as of then.
"""

from collections.abc import Collection
from dataclasses import replace
from typing import Any, Final

from sqlalchemy.orm import Session

from app.ledger.commands import Posted, Side
from app.repositories import ledger as sql

# Where a key's posting is kept: the path of its transfer.
TRANSFERS: Final = "/v1/transfers/"


def of(posted: Posted) -> Posted:
    """The posting, marked as told again."""
    return replace(posted, replayed=True)


def load(session: Session, locations: Collection[str | None]) -> dict[str, Posted]:
    """Postings by the path of their transfer; other paths are left out."""
    ids = {path.removeprefix(TRANSFERS) for path in locations if path and path.startswith(TRANSFERS)}
    rows: dict[str, list[Any]] = {}
    for row in sql.transfers_with_entries(session, ids) if ids else ():
        rows.setdefault(f"{TRANSFERS}{row.id}", []).append(row)
    return {path: _posted(*pair) for path, pair in rows.items()}


def _posted(source: Any, destination: Any) -> Posted:
    transfer = dict(source._mapping) | {
        "source_id": source.entry_account_id,
        "destination_id": destination.entry_account_id,
    }
    return Posted(transfer, (_side(source), _side(destination)))


def _side(row: Any) -> Side:
    return Side(
        row.entry_account_key,
        row.entry_account_id,
        row.entry_id,
        row.sequence,
        row.entry_amount,
        row.balance_after,
        row.value_date,
    )
