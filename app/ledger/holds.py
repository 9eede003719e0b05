"""Holds: what is reserved now and moves later. The part of a batch that makes, changes and ends them."""

from app.core import clock, errors
from app.core.errors import BankingError
from app.ledger import hold_rules
from app.ledger.batch import Batch
from app.ledger.commands import (
    CaptureTransfer,
    Held,
    HoldCommand,
    HoldTransfer,
    IncrementTransfer,
    VoidTransfer,
)
from app.ledger.draft import Draft
from app.ledger.hold_rules import Sides
from app.ledger.policy import Policy
from app.ledger.records import Movement, Row
from app.ledger.spending import Spending
from app.ledger.states import AccountState, HoldState
from app.models.transfers import HoldAct, TransferStatus


class Holds:
    """The holds of one batch."""

    def __init__(self, batch: Batch, draft: Draft, policy: Policy, spending: Spending) -> None:
        self._batch = batch
        self._draft = draft
        self._policy = policy
        self._spending = spending

    def judge_end(self, command: HoldTransfer) -> BankingError | None:
        """Whether the hold may last as long as it is asked to."""
        ends = command.expires_at
        return None if ends is None else hold_rules.judge_end(ends, self._batch.now)

    def create(self, command: HoldTransfer, source: AccountState, destination: AccountState) -> Held:
        """Reserves what the rules have agreed may go out."""
        ends = command.expires_at or self._batch.now + self._policy.hold_life
        source.hold(command.amount)
        movement = Movement(
            command.kind,
            command.amount,
            description=command.description,
            external_id=command.external_id,
            metadata=command.metadata,
        )
        row = movement.reserve(command.caller, source, destination, self._draft.now, clock.to_micros(ends))
        self._draft.reserve(row)
        hold = HoldState(
            record=row | {"created_at": self._batch.now, "expires_at": ends},
            key=row["key"],
            status=row["status"],
            amount=command.amount,
            remaining=command.amount,
            captured=0,
            booked_at=None,
            last_event=0,
        )
        self._draft.act(hold, HoldAct.CREATED, command.amount, source, actor=command.caller.id)
        return _held(hold, source, destination)

    def act(self, command: HoldCommand) -> Held | BankingError:
        """Does something to a hold that is there."""
        transfer = self._batch.transfers.get(command.transfer_id)
        sides = None if transfer is None else self._sides(transfer)
        objection = hold_rules.judge_actor(command, transfer, sides)
        if objection is not None:
            return objection
        assert transfer is not None
        assert sides is not None
        hold = self._batch.holds[transfer["key"]]
        match command:
            case CaptureTransfer():
                objection = self._capture(command, hold, sides)
            case IncrementTransfer():
                objection = self._increment(command, hold, sides)
            case _:
                objection = self._void(command, hold, sides)
        return objection or _held(hold, sides.source, sides.destination)

    def expire_due(self) -> None:
        """Ends the holds whose time is over, before anything is judged."""
        for hold in self._batch.due:
            source = self._batch.accounts[hold.record["source_key"]]
            released = _let_go(hold, source, TransferStatus.EXPIRED)
            self._draft.act(hold, HoldAct.EXPIRED, released, source, actor=None)

    def _sides(self, transfer: Row) -> Sides:
        accounts = self._batch.accounts
        return Sides(accounts[transfer["source_key"]], accounts[transfer["destination_key"]])

    def _capture(self, command: CaptureTransfer, hold: HoldState, sides: Sides) -> BankingError | None:
        amount = command.amount
        if amount is None:
            amount = hold.remaining if hold.is_open else hold.amount - hold.captured
        excess = hold_rules.excess_of(hold, amount)
        passes_limit = excess > 0 and self._spending.passes_limit(command.kind, sides.source, excess)
        objection = hold_rules.judge_capture(command, hold, amount, sides, passes_limit=passes_limit)
        if objection is not None:
            return objection
        ends = command.final or amount >= hold.remaining
        released = hold.remaining if ends else amount
        posted = self._draft.post(
            command.caller,
            sides.source,
            sides.destination,
            Movement.capturing(hold.record, amount),
            released=released,
            forced=not hold.is_open,
        )
        hold.remaining -= released
        hold.captured += amount
        if ends:
            hold.status = TransferStatus.POSTED.value
            hold.booked_at = clock.to_micros(posted.row["booked_at"])
        self._spending.let_go(hold.record, sides.source, released - amount)
        self._draft.act(
            hold, HoldAct.CAPTURED, amount, sides.source, actor=command.caller.id, capture=posted.row
        )
        return None

    def _increment(self, command: IncrementTransfer, hold: HoldState, sides: Sides) -> BankingError | None:
        source, amount = sides.source, command.amount
        passes_limit = self._spending.passes_limit(command.kind, source, amount)
        objection = hold_rules.judge_increment(command, hold, sides, passes_limit=passes_limit)
        if objection is not None:
            return objection
        source.hold(amount)
        hold.amount += amount
        hold.remaining += amount
        self._spending.add(command.kind, source, amount)
        self._draft.act(hold, HoldAct.INCREMENTED, amount, source, actor=command.caller.id)
        return None

    def _void(self, command: VoidTransfer, hold: HoldState, sides: Sides) -> BankingError | None:
        if not hold.is_open:
            return errors.HoldNotActive()
        released = _let_go(hold, sides.source, TransferStatus.VOIDED)
        self._spending.let_go(hold.record, sides.source, released)
        self._draft.act(hold, HoldAct.VOIDED, released, sides.source, actor=command.caller.id)
        return None


def _let_go(hold: HoldState, source: AccountState, status: TransferStatus) -> int:
    """Ends a hold that reserves something; how much it did."""
    released, hold.remaining, hold.status = hold.remaining, 0, status.value
    source.hold(-released)
    return released


def _held(hold: HoldState, source: AccountState, destination: AccountState) -> Held:
    now = {
        "source_id": source.id,
        "destination_id": destination.id,
        "reverses_id": None,
        "pending_id": None,
        "status": hold.status,
        "amount": hold.amount,
        "remaining": hold.remaining,
        "captured": hold.captured,
        "booked_at": None if hold.booked_at is None else clock.from_micros(hold.booked_at),
        "source_balance": source.balance,
        "source_held": source.held,
        "source_available": source.available,
    }
    return Held(hold.record | now, hold.last_event)
