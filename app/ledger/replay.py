"""What a key came to the first time, told again from the records.

A posting's answer is not stored: entries never change, and the transfer's row keeps the balances that
its first answer told. So the replay is made from them, as of then. A hold does change; what was done
to it is told again from its events, which do not.
"""

from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import replace
from typing import Any, Final

from sqlalchemy.orm import Session

from app.core import errors
from app.core.errors import BankingError
from app.ledger.commands import GroupPosted, Held, Made, Posted, Side
from app.models.transfers import TransferStatus
from app.repositories import ledger as sql

# Where a key's posting is kept: the path of its transfer, and for a hold the event after a `#`.
TRANSFERS: Final = "/v1/transfers/"


def of(made: Made) -> Made:
    """What was made, marked as told again."""
    return replace(made, replayed=True)


def location_of(made: Made) -> str:
    """What is kept with a key."""
    event = f"#{made.sequence}" if isinstance(made, Held) else ""
    return f"{TRANSFERS}{made.row['id']}{event}"


def named_by(location: str | None) -> str | None:
    """What a key's location names: the id of a transfer, maybe with an event; None for another thing."""
    if location is None or not location.startswith(TRANSFERS):
        return None
    return location.removeprefix(TRANSFERS)


def load(session: Session, names: Set[str]) -> Mapping[str | None, Made]:
    """What was made, by what names it; there is nothing of None."""
    acts = {name for name in names if "#" in name}
    return _postings(session, names - acts) | _acts(session, acts)


def _postings(session: Session, transfer_ids: Collection[str]) -> dict[str | None, Made]:
    rows: dict[str | None, list[Any]] = {}
    for row in sql.transfers_with_entries(session, transfer_ids) if transfer_ids else ():
        rows.setdefault(row.id, []).append(row)
    return {transfer_id: _posted(*pair) for transfer_id, pair in rows.items()}


def _acts(session: Session, names: Collection[str]) -> dict[str | None, Made]:
    if not names:
        return {}
    pairs = [name.split("#") for name in names]
    rows = sql.acts_on_holds(session, {one for one, _ in pairs}, {int(number) for _, number in pairs})
    return {f"{row.id}#{row.event_sequence}": _held(row) for row in rows}


def kept(outcomes: Sequence[Posted | BankingError]) -> list[dict[str, Any]]:
    """What is stored of the outcomes of a group: ids of transfers, codes and details of refusals."""
    return [_kept(outcome) for outcome in outcomes]


def _kept(outcome: Posted | BankingError) -> dict[str, Any]:
    if isinstance(outcome, Posted):
        return {"id": outcome.row["id"]}
    details = [[detail.field, detail.code, detail.message] for detail in outcome.details]
    return {"code": outcome.code, "details": details}


def of_group(outcomes: Sequence[dict[str, Any]], postings: Mapping[str | None, Made]) -> GroupPosted:
    """What a group came to, from what was stored of it."""

    def outcome(kept: dict[str, Any]) -> Posted | BankingError:
        if "id" not in kept:
            return errors.restored(kept["code"], kept["details"])
        posted = postings[kept["id"]]
        assert isinstance(posted, Posted)
        return posted

    return GroupPosted([outcome(one) for one in outcomes])


def _posted(source: Any, destination: Any) -> Posted:
    transfer = dict(source._mapping) | {
        "source_id": source.entry_account_id,
        "destination_id": destination.entry_account_id,
    }
    return Posted(transfer, (_side(source), _side(destination)))


def _held(row: Any) -> Held:
    """The hold as it was right after the event: what never changes of it, and what the event tells."""
    posted = row.event_status_after == TransferStatus.POSTED
    then = {
        "status": row.event_status_after,
        "amount": row.event_amount_after,
        "remaining": row.event_remaining_after,
        "captured": row.event_captured_after,
        "booked_at": row.booked_at if posted else None,
        "reverses_id": None,
        "pending_id": None,
        "source_balance": row.event_source_balance,
        "source_held": row.event_source_held,
        "source_available": row.event_source_available,
    }
    return Held(dict(row._mapping) | then, row.event_sequence)


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
