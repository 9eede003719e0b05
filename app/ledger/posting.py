"""Posting: the one function that moves money.

A batch is judged in the order of its commands, over accounts that are locked and in memory; nothing is
written before the last command is judged, and nothing can be refused after the first write. What a
command comes to is an outcome: `Posted`, or the error that its caller gets.
"""

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from app.core import clock, dates, errors, ids
from app.core.caller import Caller
from app.core.errors import BankingError, Detail
from app.ledger import records, replay
from app.ledger.batch import AddressBook, Batch, load, transfers_of
from app.ledger.commands import (
    Command,
    GroupPosted,
    Key,
    Posted,
    PostGroup,
    PostTransfer,
    ReverseTransfer,
)
from app.ledger.records import Movement, Row
from app.ledger.rules import Case, judge, judge_reversal
from app.ledger.states import AccountState
from app.models.transfers import TransferKind
from app.repositories import ledger as sql

_SPENDING = frozenset({TransferKind.TRANSFER, TransferKind.WITHDRAWAL, TransferKind.CARD_PAYMENT})

Outcome = Posted | BankingError
Result = Outcome | GroupPosted


@dataclass(frozen=True)
class Policy:
    """What the bank has decided: its time zone, and how much may leave an account in a day.

    `daily_limits` has minor units by currency; a currency without an entry has no limit.
    """

    zone: ZoneInfo
    daily_limits: dict[str, int] = field(default_factory=dict)


class Ledger:
    """`post` is for `Database.write_batched`; one command alone is a batch of one."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._book = AddressBook()

    def post(self, session: Session, commands: Sequence[Command]) -> list[Result]:
        """Judges and posts a batch; one outcome for each command, in order."""
        batch = load(session, commands, self._book)
        spent = self._spent_today(session, batch, commands)
        posting = _Posting(batch, self._policy, spent)
        outcomes = [posting.run(command) for command in commands]
        posting.write(session)
        return outcomes

    def limit_today(self, session: Session, account_key: int, currency: str) -> tuple[int, int] | None:
        """(the most that may leave an account today, what has left it); None where there is no limit."""
        limit = self._policy.daily_limits.get(currency)
        if limit is None:
            return None
        spent = sql.spent_since(session, {account_key}, self._start_of_today(), _SPENDING)
        return limit, spent.get(account_key, 0)

    def _start_of_today(self) -> datetime:
        day = clock.now().astimezone(self._policy.zone).date()
        return dates.start_of_day(day, self._policy.zone)

    def _spent_today(self, session: Session, batch: Batch, commands: Sequence[Command]) -> dict[int, int]:
        limited = {
            state.key
            for command in transfers_of(commands)
            if command.kind in _SPENDING
            if (state := batch.account(command.source, command.currency)) is not None
            if state.currency in self._policy.daily_limits
        }
        if not limited:
            return {}
        return sql.spent_since(session, limited, self._start_of_today(), _SPENDING)


class _Posting:
    """One batch on its way: judged command by command, then written at once."""

    def __init__(self, batch: Batch, policy: Policy, spent: dict[int, int]) -> None:
        self._batch = batch
        self._policy = policy
        self._spent = spent
        self._now = clock.to_micros(clock.now())
        self._transfers: list[Row] = []
        self._entries: list[Row] = []
        self._value_dates: list[Row] = []
        self._keys: list[Row] = []
        self._chunks: list[Row] = []
        self._audit: list[Row] = []

    def run(self, command: Command) -> Result:
        if command.caller.session_id not in self._batch.live_sessions:
            return errors.Unauthenticated()
        if isinstance(command, PostGroup):
            return self._group(command)
        known = self._known_key(command)
        if known is not None:
            return known
        outcome = self._reverse(command) if isinstance(command, ReverseTransfer) else self._transfer(command)
        made = outcome.row["id"] if isinstance(outcome, Posted) else None
        self._trace(command, outcome, made)
        return outcome

    def _known_key(self, command: PostTransfer | ReverseTransfer) -> Outcome | None:
        """The replay of a key that has been used, in the database or earlier in this batch."""
        if command.key is None:
            return None
        used = self._batch.used_keys.get((command.caller.id, command.key.value))
        if used is None:
            return None
        fingerprint, posted = used
        if fingerprint != command.key.fingerprint or posted is None:
            return errors.IdempotencyKeyReused()
        return replay.of(posted)

    def _group(self, group: PostGroup) -> GroupPosted | BankingError:
        used = self._batch.used_keys.get((group.caller.id, group.key.value))
        if used is not None and used[0] != group.key.fingerprint:
            return errors.IdempotencyKeyReused()
        told = self._batch.chunks.get((group.caller.id, group.key.value, group.first))
        if told is not None:
            return replace(told, replayed=True)
        undo = self._undo(group) if group.atomic else None
        if used is None:
            # Before its transfers: one of them could bring the same key.
            self._keep_key(group.caller, group.key, None, status=200)
        group_id, outcomes = ids.new_id(ids.GROUP), list[Outcome]()
        for place, command in enumerate(group.transfers):
            outcome = self._known_key(command) or self._transfer(command, group_id)
            if isinstance(outcome, BankingError) and undo is not None:
                undo()
                self._trace(group, outcome, None)
                return _placed(outcome, place)
            if isinstance(outcome, BankingError):
                self._trace(command, outcome, None)
            outcomes.append(outcome)
        self._trace(group, None, group_id)
        return self._keep_group(group, GroupPosted(outcomes))

    def _keep_group(self, group: PostGroup, posted: GroupPosted) -> GroupPosted:
        self._chunks.append(records.chunk(group, posted.outcomes, self._now))
        self._batch.chunks[(group.caller.id, group.key.value, group.first)] = posted
        return posted

    def _undo(self, group: PostGroup) -> Callable[[], None]:
        """What takes back all that happens from now on to the accounts of a group."""
        batch = self._batch
        named = [
            batch.account(ref, command.currency)
            for command in group.transfers
            for ref in (command.source, command.destination)
        ]
        states = {state.key: replace(state) for state in named if state is not None}
        used_keys, spent = dict(batch.used_keys), dict(self._spent)
        made = (self._transfers, self._entries, self._value_dates, self._keys, self._audit)
        ends = [(rows, len(rows)) for rows in made]

        def undo() -> None:
            batch.accounts.update(states)
            batch.used_keys = used_keys
            self._spent = spent
            for rows, end in ends:
                del rows[end:]

        return undo

    def _transfer(self, command: PostTransfer, group_id: str | None = None) -> Outcome:
        source = self._batch.account(command.source, command.currency)
        destination = self._batch.account(command.destination, command.currency)
        limit = self._policy.daily_limits.get(command.currency) if command.kind in _SPENDING else None
        spent = self._spent.get(source.key, 0) if source else 0
        objection = judge(Case(command, source, destination, spent, limit))
        if objection is not None:
            return objection
        assert source is not None
        assert destination is not None
        if limit is not None:
            self._spent[source.key] = spent + command.amount
        movement = Movement(
            command.kind,
            command.amount,
            description=command.description,
            external_id=command.external_id,
            metadata=command.metadata,
            value_date=command.value_date,
            group_id=group_id,
        )
        return self._post(command, source, destination, movement)

    def _reverse(self, command: ReverseTransfer) -> Outcome:
        original = self._batch.transfers.get(command.transfer_id)
        if original is None:
            return errors.NotFound.at("transfer_id")
        payer = self._batch.accounts[original["destination_key"]]
        payee = self._batch.accounts[original["source_key"]]
        objection = judge_reversal(
            kind=original["kind"],
            status=original["status"],
            reversed_already=original["key"] in self._batch.reversed,
            amount=original["amount"],
            payer=payer,
            payee=payee,
        )
        if objection is not None:
            return objection
        self._batch.reversed.add(original["key"])
        movement = Movement(TransferKind.REVERSAL, original["amount"], reverses=original)
        return self._post(command, payer, payee, movement)

    def _post(
        self,
        command: PostTransfer | ReverseTransfer,
        source: AccountState,
        destination: AccountState,
        movement: Movement,
    ) -> Posted:
        # Strictly after the last entry of either account, also when the clock has stepped back.
        booked = max(self._now, source.last_booked_at + 1, destination.last_booked_at + 1)
        booked_at = clock.from_micros(booked)
        source.post(-movement.amount, booked)
        destination.post(movement.amount, booked)
        row = movement.record(command.caller, source, destination, booked)
        booking_day = booked_at.astimezone(self._policy.zone).date()
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
            "created_at": booked_at,
            "booked_at": booked_at,
        }
        posted = Posted(row | told, (from_side, to_side))
        if command.key is not None:
            self._keep_key(command.caller, command.key, posted, status=201)
        return posted

    def _keep_key(self, caller: Caller, key: Key, posted: Posted | None, *, status: int) -> None:
        location = f"{replay.TRANSFERS}{posted.row['id']}" if posted else None
        self._keys.append(records.used_key(caller, key, status, location, self._now))
        # The next command of this batch may come with it.
        self._batch.used_keys[(caller.id, key.value)] = (key.fingerprint, posted)

    def _trace(self, command: Command, outcome: Outcome | None, object_id: str | None) -> None:
        refused = outcome if isinstance(outcome, BankingError) else None
        self._audit.append(records.trace(command, object_id, refused, self._now))

    def write(self, session: Session) -> None:
        """The records, then the balances. A version that is not the one we read is a bug or worse."""
        sql.insert_batch(
            session,
            transfers=self._transfers,
            entries=self._entries,
            value_dates=self._value_dates,
            keys=self._keys,
            chunks=self._chunks,
            audit=self._audit,
        )
        changes = [records.change(state) for state in self._batch.accounts.values() if state.touched]
        if changes and sql.update_accounts(session, changes) != len(changes):
            raise RuntimeError("an account changed while it was locked")


def _placed(error: BankingError, place: int) -> BankingError:
    """The refusal of a whole group, which says at which of its transfers."""
    placed, where = copy(error), f"transfers[{place}]"
    details = [Detail(f"{where}.{one.field}", one.code, one.message) for one in error.details]
    placed.details = tuple(details or [Detail(where, error.code, error.message)])
    return placed
