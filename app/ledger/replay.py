"""What a key came to the first time, told again from the records.

A posting's answer is not stored: entries never change, and the transfer's row keeps the balances that
its first answer told. So the replay is made from them, as of then.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from sqlalchemy.orm import Session

from app.core import errors
from app.core.errors import BankingError
from app.ledger.commands import GroupPosted, Posted, Side
from app.repositories import ledger as sql

# Where a key's posting is kept: the path of its transfer.
TRANSFERS: Final = "/v1/transfers/"


def of(posted: Posted) -> Posted:
    """The posting, marked as told again."""
    return replace(posted, replayed=True)


def transfer_at(location: str | None) -> str | None:
    """The id of the transfer that a key's `location` names; None where it names another thing."""
    if location is None or not location.startswith(TRANSFERS):
        return None
    return location.removeprefix(TRANSFERS)


def load(session: Session, transfer_ids: Collection[str]) -> Mapping[str | None, Posted]:
    """Postings by the id of their transfer; there is none of None."""
    rows: dict[str | None, list[Any]] = {}
    for row in sql.transfers_with_entries(session, transfer_ids) if transfer_ids else ():
        rows.setdefault(row.id, []).append(row)
    return {transfer_id: _posted(*pair) for transfer_id, pair in rows.items()}


def kept(outcomes: Sequence[Posted | BankingError]) -> list[dict[str, Any]]:
    """What is stored of the outcomes of a group: ids of transfers, codes and details of refusals."""
    return [_kept(outcome) for outcome in outcomes]


def _kept(outcome: Posted | BankingError) -> dict[str, Any]:
    if isinstance(outcome, Posted):
        return {"id": outcome.row["id"]}
    details = [[detail.field, detail.code, detail.message] for detail in outcome.details]
    return {"code": outcome.code, "details": details}


def of_group(outcomes: Sequence[dict[str, Any]], postings: Mapping[str | None, Posted]) -> GroupPosted:
    """What a group came to, from what was stored of it."""
    return GroupPosted(
        [
            postings[one["id"]] if "id" in one else errors.restored(one["code"], one["details"])
            for one in outcomes
        ]
    )


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
