"""What a batch will write, once its last command has been judged."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from app.core import clock
from app.core.caller import Caller
from app.core.errors import BankingError
from app.ledger import records, replay
from app.ledger.batch import Batch
from app.ledger.commands import Command, GroupPosted, Key, Made, Posted, PostGroup
from app.ledger.records import Movement, Row
from app.ledger.states import AccountState, HoldState
from app.models.transfers import HoldAct
from app.repositories import card_payments
from app.repositories import ledger as sql


class Draft:
    """Rows to be inserted, and the states that have changed. Moves money in memory."""

    def __init__(self, batch: Batch, zone: ZoneInfo) -> None:
        self._batch = batch
        self._zone = zone
        self.now = clock.to_micros(batch.now)
        self._transfers: list[Row] = []
        self._entries: list[Row] = []
        self._value_dates: list[Row] = []
        self._events: list[Row] = []
        self._answers: list[Row] = []
        self._refunds: list[Row] = []
        self._keys: list[Row] = []
        self._chunks: list[Row] = []
        self._audit: list[Row] = []
        self._holds: dict[int, HoldState] = {}

    def post(
        self,
        caller: Caller,
        source: AccountState,
        destination: AccountState,
        movement: Movement,
        *,
        released: int = 0,
        forced: bool = False,
    ) -> Posted:
        """Moves money from one state to the other.

        The source does not hold any more what is `released`, and may pass its floor where it is forced.
        """
        # Strictly after the last entry of either account, also when the clock has stepped back.
        booked = max(self.now, source.last_booked_at + 1, destination.last_booked_at + 1)
        booked_at = clock.from_micros(booked)
        source.post(-movement.amount, booked, released=released, forced=forced)
        destination.post(movement.amount, booked)
        row = movement.record(caller, source, destination, booked)
        booking_day = booked_at.astimezone(self._zone).date()
        value_date = movement.value_date or booking_day
        debit, from_side = records.entry(row, source, -movement.amount, value_date)
        credit, to_side = records.entry(row, destination, movement.amount, value_date)
        self._transfers.append(row)
        self._entries += (debit, credit)
        if value_date != booking_day:
            self._value_dates += (records.value_date(debit), records.value_date(credit))
        told = {
            "source_id": source.id,
            "destination_id": destination.id,
            "reverses_id": movement.reverses_id,
            "pending_id": movement.pending_id,
            "created_at": booked_at,
            "booked_at": booked_at,
        }
        return Posted(row | told, (from_side, to_side))

    def reserve(self, row: Row) -> None:
        """The record of a new hold."""
        self._transfers.append(row)

    def act(
        self,
        hold: HoldState,
        act: HoldAct,
        amount: int,
        source: AccountState,
        *,
        actor: str | None,
        capture: Row | None = None,
    ) -> None:
        """The record of what has just been done to a hold."""
        hold.last_event += 1
        self._events.append(
            records.event(hold, source, act, amount, at=self.now, actor=actor, capture=capture)
        )
        if act is not HoldAct.CREATED:
            self._holds[hold.key] = hold

    def answer(self, row: Row) -> None:
        """The record of what a card has answered."""
        self._answers.append(row)

    def give_back(self, row: Row) -> None:
        """The record of which authorisation a refund is of."""
        self._refunds.append(row)

    def keep_key(self, caller: Caller, key: Key, made: Made | None, *, status: int) -> None:
        """The key has had its effect; None where that is more than one thing."""
        location = replay.location_of(made) if made else None
        self._keys.append(records.used_key(caller, key, status, location, self.now))
        # The next command of this batch may come with it.
        self._batch.used_keys[(caller.id, key.value)] = (key.fingerprint, made)

    def keep_group(self, group: PostGroup, outcomes: Sequence[Posted | BankingError]) -> GroupPosted:
        """What the transfers of a group came to."""
        posted = GroupPosted(outcomes)
        self._chunks.append(records.chunk(group, outcomes, self.now))
        self._batch.chunks[(group.caller.id, group.key.value, group.first)] = posted
        return posted

    def trace(self, command: Command, outcome: Made | BankingError | None, object_id: str | None) -> None:
        """A line of the audit log."""
        self._audit.append(records.trace(command, object_id, outcome, self.now))

    def undo(self, group: PostGroup) -> Callable[[], None]:
        """What takes back all that happens from now on to the accounts of a group."""
        batch = self._batch
        named = [
            batch.account(ref, command.currency)
            for command in group.transfers
            for ref in (command.source, command.destination)
        ]
        states = {state.key: replace(state) for state in named if state is not None}
        used_keys = dict(batch.used_keys)
        made = (self._transfers, self._entries, self._value_dates, self._keys, self._audit)
        ends = [(rows, len(rows)) for rows in made]

        def undo() -> None:
            batch.accounts.update(states)
            batch.used_keys = used_keys
            for rows, end in ends:
                del rows[end:]

        return undo

    def write(self, session: Session) -> None:
        """The records, then what has changed. A state that is not the one we read is a bug or worse."""
        sql.insert_batch(
            session,
            transfers=self._transfers,
            entries=self._entries,
            value_dates=self._value_dates,
            events=self._events,
            keys=self._keys,
            chunks=self._chunks,
            audit=self._audit,
        )
        card_payments.insert_authorizations(session, self._answers)
        card_payments.insert_refunds(session, self._refunds)
        holds = [records.hold_change(hold) for hold in self._holds.values()]
        if holds and sql.update_holds(session, holds) != len(holds):
            raise RuntimeError("a hold changed while its account was locked")
        changes = [records.change(state) for state in self._batch.accounts.values() if state.touched]
        if changes and sql.update_accounts(session, changes) != len(changes):
            raise RuntimeError("an account changed while it was locked")
