"""What a key came to the first time, told again from the records.

A posting's answer is not stored: entries never change, and the transfer's row keeps the balances that
its first answer told. So the replay is made from them, as of then. A hold does change; what was done
to it is told again from its events, which do not.
"""

from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import replace
from typing import Any, Final

from sqlalchemy.orm import Session

from app.core import errors, ids
from app.core.errors import BankingError
from app.ledger.commands import Authorized, GroupPosted, Held, Made, Posted, Side, hold_of
from app.models.transfers import TransferStatus
from app.repositories import card_payments
from app.repositories import ledger as sql

# Where a key's posting is kept: the path of what was made, and for a hold the event after a `#`.
TRANSFERS: Final = "/v1/transfers/"
AUTHORIZATIONS: Final = "/v1/authorizations/"


def of(made: Made) -> Made:
    """What was made, marked as told again."""
    return replace(made, replayed=True)


def location_of(made: Made) -> str:
    """What is kept with a key."""
    held = made.hold if isinstance(made, Authorized) else made
    event = f"#{held.sequence}" if isinstance(held, Held) else ""
    return f"{AUTHORIZATIONS if isinstance(made, Authorized) else TRANSFERS}{made.row['id']}{event}"


def named_by(location: str | None) -> str | None:
    """What a key's location names: an id, maybe with an event; None for what is no posting."""
    for path in (TRANSFERS, AUTHORIZATIONS):
        if location is not None and location.startswith(path):
            return location.removeprefix(path)
    return None


def load(session: Session, names: Set[str]) -> Mapping[str | None, Made]:
    """What was made, by what names it; there is nothing of None."""
    answers = {name for name in names if name.startswith(ids.AUTHORIZATION)}
    acts = {name for name in names - answers if "#" in name}
    return _postings(session, names - answers - acts) | _acts(session, acts) | _answers(session, answers)


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


def _answers(session: Session, names: Collection[str]) -> dict[str | None, Made]:
    """Authorisations as they were after the events that are named; a declined one has no event."""
    if not names:
        return {}
    pairs = {name: name.partition("#")[::2] for name in names}
    rows = {
        row.id: row for row in card_payments.find_authorizations(session, {one for one, _ in pairs.values()})
    }
    acts = _acts(session, {f"{hold_of(one)}#{event}" for one, event in pairs.values() if event})
    refunds = card_payments.find_refunds(session, [row.key for row in rows.values()]) if acts else ()
    made: dict[str | None, Made] = {}
    for name, (one, event) in pairs.items():
        hold = acts.get(f"{hold_of(one)}#{event}")
        before = [
            refund.amount
            for refund in refunds
            if event and refund.authorization_key == rows[one].key and refund.after_event < int(event)
        ]
        assert hold is None or isinstance(hold, Held)
        made[name] = Authorized(dict(rows[one]._mapping), hold, sum(before))
    return made


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
