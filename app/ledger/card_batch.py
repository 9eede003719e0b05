"""The cards and authorisations that the commands of a batch speak of, read once accounts are locked."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy.orm import Session

from app.core import dates, ids
from app.ledger.batch import Batch
from app.ledger.commands import (
    AuthorizeCard,
    CaptureTransfer,
    Command,
    HoldCommand,
    IncrementTransfer,
    RefundPayment,
    authorization_of,
)
from app.ledger.policy import Policy
from app.ledger.states import AuthorizationState, CardState
from app.models.transfers import TransferKind
from app.repositories import card_payments as sql


@dataclass(frozen=True, slots=True)
class CardBatch:
    """Cards and authorisations by their ids, and when this day and month of the bank began."""

    day: date
    since_day: datetime
    since_month: datetime
    cards: Mapping[str, CardState]
    authorizations: Mapping[str, AuthorizationState]

    def count(self, card: CardState, amount: int, made: datetime) -> None:
        """Counts an amount towards the limits of a card, by when its authorisation was made."""
        card.this_day += amount if made >= self.since_day else 0
        card.this_month += amount if made >= self.since_month else 0


def is_on_card(command: Command) -> bool:
    """Whether a command acts on the hold of a card payment."""
    return isinstance(command, HoldCommand) and command.kind is TransferKind.CARD_PAYMENT


def load(session: Session, policy: Policy, batch: Batch, commands: Sequence[Command]) -> CardBatch:
    """At most three statements; none where no command is about a card."""
    day = batch.now.astimezone(policy.zone).date()
    since_day = dates.start_of_day(day, policy.zone)
    since_month = dates.start_of_day(day.replace(day=1), policy.zone)
    rows = _authorizations(session, commands)
    paying = {one.card_id for one in commands if isinstance(one, AuthorizeCard)}
    cards = _cards(session, paying | {row.card_id for row in rows})
    more = {one.transfer_id for one in commands if isinstance(one, IncrementTransfer | CaptureTransfer)}
    paying |= {row.card_id for row in rows if ids.twin(ids.TRANSFER, row.id, of=ids.AUTHORIZATION) in more}
    limited = {card.key: card for card in cards.values() if card.id in paying and card.has_sums}
    if limited:
        used = sql.used_since(session, limited, day=since_day, month=since_month, now=batch.now)
        for key, sums in used.items():
            limited[key].this_day, limited[key].this_month = sums
    authorizations = {
        row.id: AuthorizationState(dict(row._mapping), cards[row.card_id], int(row.refunded)) for row in rows
    }
    return CardBatch(day, since_day, since_month, cards, authorizations)


def _authorizations(session: Session, commands: Sequence[Command]) -> Sequence[Any]:
    named = {
        authorization_of(command.transfer_id)
        for command in commands
        if isinstance(command, RefundPayment | HoldCommand)
        if isinstance(command, RefundPayment) or is_on_card(command)
    } - {""}
    return sql.find_authorizations(session, named) if named else []


def _cards(session: Session, card_ids: Collection[str]) -> dict[str, CardState]:
    known = [one for one in card_ids if ids.is_id(ids.CARD, one)]
    states = [CardState(*row) for row in sql.find_cards(session, known)] if known else []
    return {state.id: state for state in states}
