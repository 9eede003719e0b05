"""Posting: the one function that moves money.

A batch is judged in the order of its commands, over accounts that are locked and in memory; nothing is
written before the last command is judged, and nothing can be refused after the first write. What a
command comes to is an outcome: `Posted`, or the error that its caller gets.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from app.core import clock, dates, errors, ids
from app.core.caller import Caller
from app.core.errors import BankingError
from app.ledger import replay
from app.ledger.batch import AddressBook, Batch, load
from app.ledger.commands import Command, Posted, PostTransfer, ReverseTransfer, Side
from app.ledger.rules import Case, judge, judge_reversal
from app.ledger.states import AccountState
from app.models.transfers import TransferKind, TransferStatus
from app.repositories import ledger as sql
from app.repositories.audit import SUCCESS

_SPENDING = frozenset({TransferKind.TRANSFER, TransferKind.WITHDRAWAL, TransferKind.CARD_PAYMENT})

Outcome = Posted | BankingError


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

    def post(self, session: Session, commands: Sequence[Command]) -> list[Outcome]:
        """Judges and posts a batch; one outcome for each command, in order."""
        batch = load(session, commands, self._book)
        spent = self._spent_today(session, batch, commands)
        posting = _Posting(batch, self._policy, spent)
        outcomes = [posting.run(command) for command in commands]
        posting.write(session)
        return outcomes

    def _spent_today(self, session: Session, batch: Batch, commands: Sequence[Command]) -> dict[int, int]:
        limited = {
            state.key
            for command in commands
            if isinstance(command, PostTransfer) and command.kind in _SPENDING
            if (state := batch.account(command.source, command.currency)) is not None
            if state.currency in self._policy.daily_limits
        }
        if not limited:
            return {}
        day = clock.now().astimezone(self._policy.zone).date()
        since = dates.start_of_day(day, self._policy.zone)
        return sql.spent_since(session, limited, since, _SPENDING)


@dataclass(frozen=True, slots=True)
class Movement:
    """What is recorded of a movement, beside its two sides."""

    kind: TransferKind
    amount: int
    description: str | None = None
    external_id: str | None = None
    metadata: dict[str, str] | None = None
    value_date: date | None = None
    reverses: dict[str, Any] | None = None

    @property
    def reverses_id(self) -> str | None:
        return self.reverses["id"] if self.reverses else None

    def record(
        self, caller: Caller, source: AccountState, destination: AccountState, booked_at: int
    ) -> dict[str, Any]:
        """The transfer's row, after both states have been posted to. Instants are microseconds."""
        return {
            "key": ids.new_key(),
            "id": ids.new_id(ids.TRANSFER),
            "kind": self.kind,
            "status": TransferStatus.POSTED,
            "source_key": source.key,
            "destination_key": destination.key,
            "amount": self.amount,
            "currency": source.currency,
            "description": self.description,
            "external_id": self.external_id,
            "metadata": self.metadata,
            "initiated_by": caller.id,
            "created_at": booked_at,
            "booked_at": booked_at,
            "remaining": 0,
            "expires_at": None,
            "reverses_key": self.reverses["key"] if self.reverses else None,
            "pending_key": None,
            "group_id": None,
            "source_balance": source.balance,
            "source_held": source.held,
            "source_available": source.available,
        }


class _Posting:
    """One batch on its way: judged command by command, then written at once."""

    def __init__(self, batch: Batch, policy: Policy, spent: dict[int, int]) -> None:
        self._batch = batch
        self._policy = policy
        self._spent = spent
        self._now = clock.to_micros(clock.now())
        self._transfers: list[dict[str, Any]] = []
        self._entries: list[dict[str, Any]] = []
        self._keys: list[dict[str, Any]] = []
        self._audit: list[dict[str, Any]] = []
        # What keys of this very batch have come to.
        self._done: dict[tuple[str, str], tuple[bytes, Posted]] = {}

    def run(self, command: Command) -> Outcome:
        if command.caller.session_id not in self._batch.live_sessions:
            return errors.Unauthenticated()
        known = self._known_key(command)
        if known is not None:
            return known
        outcome = self._reverse(command) if isinstance(command, ReverseTransfer) else self._transfer(command)
        self._trace(command, outcome)
        return outcome

    def _known_key(self, command: Command) -> Outcome | None:
        """The replay of a key that has been used, in the database or earlier in this batch."""
        scope = (command.caller.id, command.key.value)
        used = self._done.get(scope) or self._batch.used_keys.get(scope)
        if used is None:
            return None
        fingerprint, posted = used
        if fingerprint != command.key.fingerprint or posted is None:
            return errors.IdempotencyKeyReused()
        return replay.of(posted)

    def _transfer(self, command: PostTransfer) -> Outcome:
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
        self, command: Command, source: AccountState, destination: AccountState, movement: "Movement"
    ) -> Posted:
        # Strictly after the last entry of either account, also when the clock has stepped back.
        booked = max(self._now, source.last_booked_at + 1, destination.last_booked_at + 1)
        booked_at = clock.from_micros(booked)
        source.post(-movement.amount, booked)
        destination.post(movement.amount, booked)
        row = movement.record(command.caller, source, destination, booked)
        self._transfers.append(row)
        value_date = movement.value_date or booked_at.astimezone(self._policy.zone).date()
        posted = Posted(
            row
            | {
                "source_id": source.id,
                "destination_id": destination.id,
                "reverses_id": movement.reverses_id,
                "created_at": booked_at,
                "booked_at": booked_at,
            },
            (
                self._enter(row, source, -movement.amount, value_date),
                self._enter(row, destination, movement.amount, value_date),
            ),
        )
        self._keep_key(command, posted)
        return posted

    def _enter(self, transfer: dict[str, Any], account: AccountState, amount: int, value_date: date) -> Side:
        entry: dict[str, Any] = {
            "account_key": account.key,
            "sequence": account.last_sequence,
            "id": ids.new_id(ids.ENTRY),
            "transfer_key": transfer["key"],
            "amount": amount,
            "balance_after": account.balance,
            "booked_at": transfer["booked_at"],
            "value_date": value_date,
        }
        self._entries.append(entry)
        return Side(
            account_key=account.key,
            account_id=account.id,
            entry_id=entry["id"],
            sequence=account.last_sequence,
            amount=amount,
            balance_after=account.balance,
            value_date=value_date,
        )

    def _keep_key(self, command: Command, posted: Posted) -> None:
        self._keys.append(
            {
                "caller": command.caller.id,
                "key": command.key.value,
                "fingerprint": command.key.fingerprint,
                "status": 201,
                "body": None,
                "location": f"{replay.TRANSFERS}{posted.row['id']}",
                "created_at": self._now,
            }
        )
        self._done[(command.caller.id, command.key.value)] = (command.key.fingerprint, posted)

    def _trace(self, command: Command, outcome: Outcome) -> None:
        """A row for every act and for every refusal; with the amounts, which the record has, left out."""
        refused = outcome if isinstance(outcome, BankingError) else None
        if isinstance(command, ReverseTransfer):
            # What is no id is nobody's, and may be more than a column takes.
            known = ids.is_id(ids.TRANSFER, command.transfer_id)
            action, asked = "transfer.reverse", command.transfer_id if known else None
        else:
            action, asked = f"{command.kind}.create", None
        self._audit.append(
            {
                "id": ids.new_id(ids.AUDIT),
                "at": self._now,
                "actor": command.caller.id,
                "action": action,
                "object_id": outcome.row["id"] if isinstance(outcome, Posted) else asked,
                "outcome": refused.code if refused else SUCCESS,
                "reason": None,
                "address": command.caller.origin.address,
                "request_id": command.caller.origin.request_id,
            }
        )

    def write(self, session: Session) -> None:
        """The records, then the balances. A version that is not the one we read is a bug or worse."""
        sql.insert_batch(
            session,
            transfers=self._transfers,
            entries=self._entries,
            keys=self._keys,
            audit=self._audit,
        )
        touched = [state for state in self._batch.accounts.values() if state.touched]
        if not touched:
            return
        changes = [
            {
                "key": state.key,
                "version": state.version,
                "new_balance": state.balance,
                "new_unarranged": state.unarranged,
                "new_last_sequence": state.last_sequence,
                "new_last_booked_at": state.last_booked_at,
                "new_version": state.version + 1,
            }
            for state in touched
        ]
        if sql.update_accounts(session, changes) != len(changes):
            raise RuntimeError("an account changed while it was locked")
