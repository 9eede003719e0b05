"""Card payments: the part of a batch that asks cards, acts on what they approved, and gives back."""

from app.core import clock, errors
from app.core.errors import BankingError
from app.ledger import card_rules, records
from app.ledger.batch import Batch
from app.ledger.card_batch import CardBatch
from app.ledger.commands import (
    AuthorizeCard,
    Authorized,
    BankAccount,
    CaptureTransfer,
    CardAccount,
    Held,
    HoldCommand,
    IncrementTransfer,
    Posted,
    RefundPayment,
    authorization_of,
)
from app.ledger.draft import Draft
from app.ledger.hold_rules import excess_of, most_of
from app.ledger.holds import Holds
from app.ledger.records import Movement
from app.ledger.spending import Spending
from app.ledger.states import HoldState
from app.models.accounts import AccountKind
from app.models.authorizations import DeclineReason
from app.models.transfers import TransferKind


class Cards:
    """The card payments of one batch."""

    def __init__(
        self, batch: Batch, cards: CardBatch, draft: Draft, holds: Holds, spending: Spending
    ) -> None:
        self._batch = batch
        self._cards = cards
        self._draft = draft
        self._holds = holds
        self._spending = spending

    def authorize(self, command: AuthorizeCard) -> Authorized | BankingError:
        """Asks a card; yes reserves the amount, no is kept as an answer."""
        account = self._batch.account(command.source, command.currency)
        card = self._cards.cards.get(command.card_id)
        if account is None or card is None or not card_rules.may_ask(command.caller, account.owner_id):
            return errors.NotFound.at("card_id")
        passes = self._spending.passes_limit(command.kind, account, command.amount)
        reason = card_rules.decline(command, card, account, self._cards.day, passes_daily_limit=passes)
        if reason is not None:
            return self._answer(command, card.key, None, reason)
        settlement = self._batch.account(command.destination, command.currency)
        assert settlement is not None, "the bank has one in every currency that a customer has"
        hold = self._holds.create(command, account, settlement)
        self._spending.add(command.kind, account, command.amount)
        self._cards.count(card, command.amount, self._batch.now)
        return self._answer(command, card.key, hold, None)

    def _answer(
        self, command: AuthorizeCard, card_key: int, hold: Held | None, reason: DeclineReason | None
    ) -> Authorized:
        row = records.authorization(command, card_key, hold, reason, self._draft.now)
        self._draft.answer(row)
        told = {"card_id": command.card_id, "created_at": clock.from_micros(row["created_at"])}
        return Authorized(row | told, hold, refunded=0)

    def act(self, command: HoldCommand) -> Authorized | BankingError:
        """Does something to what a card has approved."""
        authorization = self._cards.authorizations.get(authorization_of(command.transfer_id))
        if authorization is None or not card_rules.may_ask(command.caller, authorization.owner_id):
            return errors.NotFound.at("authorization_id")
        transfer = self._batch.transfers.get(command.transfer_id)
        if transfer is None:
            # It was declined.
            return errors.HoldNotActive()
        hold, card = self._batch.holds[transfer["key"]], authorization.card
        more = _more(command, hold)
        if more:
            objection = card_rules.judge_more(card, hold, more, self._cards.day)
            if objection is not None:
                return objection
        before = hold.approved
        made = self._holds.act(command)
        if isinstance(made, BankingError):
            return made
        grown = isinstance(command, IncrementTransfer)
        when = self._batch.now if grown else authorization.created_at
        self._cards.count(card, hold.approved - before, when)
        return Authorized(authorization.record, made, authorization.refunded)

    def refund(self, command: RefundPayment) -> Posted | BankingError:
        """Gives back some of what was captured. What a closed account cannot take waits in suspense."""
        account = self._batch.account(CardAccount(command.card_id), "")
        if account is None or not card_rules.may_ask(command.caller, account.owner_id):
            return errors.NotFound.at("card_id")
        authorization = self._cards.authorizations.get(command.authorization_id)
        if authorization is None or authorization.card.id != command.card_id:
            return errors.NotFound.at("authorization_id")
        transfer = self._batch.transfers.get(command.transfer_id)
        if transfer is None:
            return card_rules.too_much_back()
        hold, payer, payee = (
            self._batch.holds[transfer["key"]],
            self._batch.accounts[transfer["destination_key"]],
            account,
        )
        merchant = dict(authorization.record["merchant"])
        if account.is_closed:
            suspense = self._batch.account(BankAccount(AccountKind.SUSPENSE), account.currency)
            assert suspense is not None, "it came with the first account of the currency"
            payee = suspense
            merchant["intended_account_id"] = account.id
        objection = card_rules.judge_refund(authorization, hold.captured, command.amount, payer, payee)
        if objection is not None:
            return objection
        movement = Movement(
            TransferKind.CARD_REFUND, command.amount, description=merchant["name"], metadata=merchant
        )
        posted = self._draft.post(command.caller, payer, payee, movement)
        authorization.refunded += command.amount
        self._draft.give_back(records.refund(posted.row["key"], authorization, hold, command.amount))
        return posted


def _more(command: HoldCommand, hold: HoldState) -> int:
    """How much the card is asked for beyond what it has approved."""
    if isinstance(command, IncrementTransfer):
        return command.amount
    if isinstance(command, CaptureTransfer):
        # What is above the tolerance is refused for that.
        amount = command.amount or 0
        return excess_of(hold, amount) if amount <= most_of(command, hold) else 0
    return 0
