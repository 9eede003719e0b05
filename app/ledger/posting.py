"""Posting: the one function that moves money.

A batch is judged in the order of its commands, over accounts that are locked and in memory; nothing is
written before the last command is judged, and nothing can be refused after the first write. What a
command comes to is an outcome: what was made, or the error that its caller gets.
"""

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import replace

from sqlalchemy.orm import Session

from app.core import errors, ids
from app.core.errors import BankingError, Detail
from app.ledger import card_batch, replay, spending
from app.ledger.batch import AddressBook, Batch, load
from app.ledger.card_batch import CardBatch, is_on_card
from app.ledger.cards import Cards
from app.ledger.commands import (
    AuthorizeCard,
    Authorized,
    Command,
    GroupPosted,
    Held,
    HoldTransfer,
    Made,
    Posted,
    PostGroup,
    PostTransfer,
    RefundPayment,
    ReverseTransfer,
    Single,
)
from app.ledger.draft import Draft
from app.ledger.holds import Holds
from app.ledger.policy import Policy
from app.ledger.records import Movement
from app.ledger.rules import Case, judge, judge_reversal
from app.ledger.spending import Spending
from app.models.transfers import TransferKind

Outcome = Made | BankingError
Result = Outcome | GroupPosted


class Ledger:
    """`post` is for `Database.write_batched`; one command alone is a batch of one."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._book = AddressBook()

    def post(self, session: Session, commands: Sequence[Command]) -> list[Result]:
        """Judges and posts a batch; one outcome for each command, in order."""
        batch = load(session, commands, self._book)
        posting = _Posting(
            batch,
            self._policy,
            spending.load(session, self._policy, batch, commands),
            card_batch.load(session, self._policy, batch, commands),
        )
        outcomes = [posting.run(command) for command in commands]
        posting.write(session)
        return outcomes

    def expire_due(self, session: Session, account_key: int) -> None:
        """Ends the holds of an account whose time is over, as any batch of it does first."""
        batch = load(session, (), self._book, frozenset({account_key}))
        nothing = spending.load(session, self._policy, batch, ())
        no_cards = card_batch.load(session, self._policy, batch, ())
        _Posting(batch, self._policy, nothing, no_cards).write(session)

    def limit_today(self, session: Session, account_key: int, currency: str) -> tuple[int, int] | None:
        """(the most that may leave an account today, what has left it); None where there is no limit."""
        return spending.today(session, self._policy, account_key, currency)


class _Posting:
    """One batch on its way: judged command by command, then written at once."""

    def __init__(self, batch: Batch, policy: Policy, spent: Spending, cards: CardBatch) -> None:
        self._batch = batch
        self._spending = spent
        self._draft = Draft(batch, policy.zone)
        self._holds = Holds(batch, self._draft, policy, spent)
        self._cards = Cards(batch, cards, self._draft, self._holds, spent)
        self._holds.expire_due()

    def write(self, session: Session) -> None:
        self._draft.write(session)

    def run(self, command: Command) -> Result:
        if command.caller.session_id not in self._batch.live_sessions:
            return errors.Unauthenticated()
        if isinstance(command, PostGroup):
            return self._group(command)
        known = self._known_key(command)
        if known is not None:
            return known
        outcome = self._done(command)
        made = None if isinstance(outcome, BankingError) else outcome.row["id"]
        self._draft.trace(command, outcome, made)
        return outcome

    def _done(self, command: Single, group_id: str | None = None) -> Outcome:
        """What the command comes to; what was made keeps its key."""
        outcome = self._do(command, group_id)
        if command.key is not None and not isinstance(outcome, BankingError):
            status = 201 if isinstance(command, PostTransfer | ReverseTransfer | RefundPayment) else 200
            self._draft.keep_key(command.caller, command.key, outcome, status=status)
        return outcome

    def _do(self, command: Single, group_id: str | None) -> Outcome:
        match command:
            case AuthorizeCard():
                return self._cards.authorize(command)
            case PostTransfer():
                return self._transfer(command, group_id)
            case ReverseTransfer():
                return self._reverse(command)
            case RefundPayment():
                return self._cards.refund(command)
            case _:
                return self._cards.act(command) if is_on_card(command) else self._holds.act(command)

    def _known_key(self, command: Single) -> Outcome | None:
        """The replay of a key that has been used, in the database or earlier in this batch."""
        if command.key is None:
            return None
        used = self._batch.used_keys.get((command.caller.id, command.key.value))
        if used is None:
            return None
        fingerprint, made = used
        if fingerprint != command.key.fingerprint or made is None:
            return errors.IdempotencyKeyReused()
        return replay.of(made)

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
            self._draft.keep_key(group.caller, group.key, None, status=200)
        group_id, outcomes = ids.new_id(ids.GROUP), list[Posted | BankingError]()
        for place, command in enumerate(group.transfers):
            outcome = self._known_key(command) or self._done(command, group_id)
            assert not isinstance(outcome, Held | Authorized), "a group has no holds"
            if isinstance(outcome, BankingError) and undo is not None:
                undo()
                self._draft.trace(group, outcome, None)
                return _placed(outcome, place)
            if isinstance(outcome, BankingError):
                self._draft.trace(command, outcome, None)
            outcomes.append(outcome)
        self._draft.trace(group, None, group_id)
        return self._draft.keep_group(group, outcomes)

    def _undo(self, group: PostGroup) -> Callable[[], None]:
        """What takes back all that happens from now on to the accounts of a group."""
        undo, spent = self._draft.undo(group), dict(self._spending.sums)

        def undo_all() -> None:
            undo()
            self._spending.sums = spent

        return undo_all

    def _transfer(self, command: PostTransfer, group_id: str | None) -> Outcome:
        source = self._batch.account(command.source, command.currency)
        destination = self._batch.account(command.destination, command.currency)
        objection = self._holds.judge_end(command) if isinstance(command, HoldTransfer) else None
        limit = self._spending.limit_of(command.kind, command.currency)
        spent = self._spending.of(source) if source else 0
        objection = objection or judge(Case(command, source, destination, spent, limit))
        if objection is not None:
            return objection
        assert source is not None
        assert destination is not None
        self._spending.add(command.kind, source, command.amount)
        if isinstance(command, HoldTransfer):
            return self._holds.create(command, source, destination)
        movement = Movement(
            command.kind,
            command.amount,
            description=command.description,
            external_id=command.external_id,
            metadata=command.metadata,
            value_date=command.value_date,
            group_id=group_id,
        )
        return self._draft.post(command.caller, source, destination, movement)

    def _reverse(self, command: ReverseTransfer) -> Outcome:
        original = self._batch.transfers.get(command.transfer_id)
        if original is None:
            return errors.NotFound.at("transfer_id")
        payer = self._batch.accounts[original["destination_key"]]
        payee = self._batch.accounts[original["source_key"]]
        objection = judge_reversal(
            kind=original["kind"],
            is_hold=original["captured"] is not None,
            reversed_already=original["key"] in self._batch.reversed,
            amount=original["amount"],
            payer=payer,
            payee=payee,
        )
        if objection is not None:
            return objection
        self._batch.reversed.add(original["key"])
        movement = Movement(TransferKind.REVERSAL, original["amount"], reverses=original)
        return self._draft.post(command.caller, payer, payee, movement)


def _placed(error: BankingError, place: int) -> BankingError:
    """The refusal of a whole group, which says at which of its transfers."""
    placed, where = copy(error), f"transfers[{place}]"
    details = [Detail(f"{where}.{one.field}", one.code, one.message) for one in error.details]
    placed.details = tuple(details or [Detail(where, error.code, error.message)])
    return placed
