"""The rules of cards, stated a second time, on top of those of the ledger."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.model.card_words import (
    NETWORK,
    AskCard,
    CaptureCard,
    RaiseCard,
    Refund,
    SwitchCard,
    TakeCard,
    VoidCard,
)
from tests.model.ledger import Ledger
from tests.model.things import Account, Movement
from tests.model.words import CUSTOMER, MOST, TELLER, Answer, Close, Person, Refused, Reverse

TOLERANCE = 20


@dataclass
class Card:
    """`used`: what it has been approved for, this day and so this month."""

    name: str
    account: Account
    status: str = "active"
    per_payment: int | None = None
    per_day: int | None = None
    used: int = 0

    def passes_limit(self, payment: int, more: int) -> bool:
        too_much = self.per_payment is not None and payment > self.per_payment
        return too_much or (self.per_day is not None and self.used + more > self.per_day)


@dataclass
class Said:
    """An answer of a card: a yes is a hold."""

    name: str
    card: Card
    amount: int
    currency: str
    reason: str | None
    hold: Movement | None
    refunded: int = 0

    @property
    def told(self) -> dict[str, Any]:
        hold = self.hold
        statuses = {"pending": "approved", "posted": "captured"}
        return {
            "id": self.name,
            "card_id": self.card.name,
            "status": statuses.get(hold.status, hold.status) if hold else "declined",
            "decline_reason": self.reason,
            "amount": hold.amount if hold else self.amount,
            "currency": self.currency,
            "captured_amount": hold.captured if hold else 0,
            "held_amount": hold.remaining if hold else 0,
            "refunded_amount": self.refunded,
        }


class CardLedger(Ledger):
    """A ledger with cards."""

    def __init__(self, people: dict[str, Person], limits: dict[str, int]) -> None:
        super().__init__(people, limits)
        self.cards: dict[str, Card] = {}
        self.answers: dict[str, Said] = {}
        self._acts |= {
            TakeCard: self._take,
            SwitchCard: self._switch,
            AskCard: self._ask_card,
            CaptureCard: self._capture_card,
            RaiseCard: self._raise_card,
            VoidCard: self._void_card,
            Refund: self._refund,
        }

    def _seen(self, who: str, name: str) -> Account:
        if self.people[who].role == NETWORK:
            raise Refused(404, "not_found", "account_id")
        return super()._seen(who, name)

    def look_at_transfer(self, who: str, name: str) -> Answer:
        if self.people[who].role == NETWORK:
            return Answer(404, "not_found", "transfer_id")
        return super().look_at_transfer(who, name)

    def _close(self, who: str, request: Close) -> Answer:
        account = self._seen(who, request.account)
        live = any(card.account is account and card.status != "cancelled" for card in self.cards.values())
        if not live or account.status != "active" or (account.holder != who and self._has_login(account)):
            return super()._close(who, request)
        raise Refused(409, "account_in_use")

    def _reverse(self, who: str, request: Reverse) -> Answer:
        original = self.movements.get(request.transfer)
        if original is not None and original.kind in ("card_payment", "card_refund"):
            raise Refused(409, "not_reversible")
        return super()._reverse(who, request)

    # Cards

    def _take(self, who: str, request: TakeCard) -> Answer:
        account = self._seen(who, request.account)
        if account.status != "active":
            raise Refused(409, f"account_{account.status}")
        card = Card(f"card {len(self.cards)}", account)
        self.cards[card.name] = card
        return Answer(201, told=self._card(card), made=(card.name,))

    def _card(self, card: Card) -> dict[str, Any]:
        return {"id": card.name, "account_id": card.account.name, "status": card.status}

    def _switch(self, who: str, request: SwitchCard) -> Answer:
        card = self.cards.get(request.card)
        if card is None or not (card.account.holder == who or self.people[who].role == TELLER):
            raise Refused(404, "not_found", "card_id")
        begins: Mapping[str, set[str]] = {
            "freeze": {"active", "frozen"},
            "unfreeze": {"frozen", "active"},
            "cancel": {"active", "frozen", "cancelled"},
        }
        if card.status not in begins[request.action]:
            raise Refused(409, "card_state")
        card.status = {"freeze": "frozen", "unfreeze": "active", "cancel": "cancelled"}[request.action]
        return Answer(200, told=self._card(card))

    def limit(self, card: str, *, per_payment: int | None, per_day: int | None) -> None:
        """Its owner sets other limits."""
        self.cards[card].per_payment, self.cards[card].per_day = per_payment, per_day

    def _may_ask(self, who: str, account: Account) -> bool:
        return self.people[who].role == NETWORK or account.holder == who

    def _ask_card(self, who: str, request: AskCard) -> Answer:
        card = self.cards.get(request.card)
        if card is None or not self._may_ask(who, card.account):
            raise Refused(404, "not_found", "card_id")
        account, amount = card.account, request.amount
        reason = self._reason(card, request)
        hold = None
        if reason is None:
            hold = self._named(
                "card_payment", account, self.bank[f"card_settlement {account.currency}"], amount
            )
            hold.status, hold.captured, hold.remaining = "pending", 0, amount
            account.held += amount
            self.spent[account.name] += amount
            card.used += amount
        said = Said(f"answer {len(self.answers)}", card, amount, request.currency, reason, hold)
        self.answers[said.name] = said
        return Answer(201, told=said.told, made=(said.name,))

    def _reason(self, card: Card, request: AskCard) -> str | None:
        account = card.account
        if card.status != "active":
            return f"card_{card.status}"
        if account.status == "frozen":
            return "account_frozen"
        if account.currency != request.currency:
            return "currency_not_supported"
        if card.passes_limit(request.amount, request.amount) or self._passes_day(account, request.amount):
            return "limit_exceeded"
        return "insufficient_funds" if account.available < request.amount else None

    def _passes_day(self, account: Account, amount: int) -> bool:
        limit = self.limits.get(account.currency)
        return limit is not None and self.spent[account.name] + amount > limit

    # What comes of a yes

    def _open_answer(self, who: str, name: str) -> tuple[Said, Movement]:
        said = self.answers.get(name)
        if said is None or not self._may_ask(who, said.card.account):
            raise Refused(404, "not_found", "authorization_id")
        if said.hold is None or said.hold.status != "pending":
            raise Refused(409, "hold_not_active")
        return said, said.hold

    def _capture_card(self, who: str, request: CaptureCard) -> Answer:
        said, hold = self._open_answer(who, request.answer)
        assert hold.captured is not None
        amount, account = request.amount, hold.source
        if amount > hold.amount - hold.captured + hold.amount * TOLERANCE // 100:
            raise Refused(422, "validation_failed")
        excess = amount - hold.remaining
        if excess > 0:
            self._refuse_more(said, hold, excess)
        ends = request.final or amount >= hold.remaining
        released = hold.remaining if ends else amount
        hold.remaining -= released
        account.held -= released
        made = self._post("card_payment", account, hold.destination, amount, hold=hold)
        hold.captured += amount
        hold.status = "posted" if ends else "pending"
        self.spent[account.name] += amount - released
        said.card.used += amount - released
        return Answer(200, told=said.told, made=(made.name,))

    def _raise_card(self, who: str, request: RaiseCard) -> Answer:
        said, hold = self._open_answer(who, request.answer)
        amount, account = request.amount, hold.source
        self._refuse_more(said, hold, amount)
        hold.amount += amount
        hold.remaining += amount
        account.held += amount
        self.spent[account.name] += amount
        said.card.used += amount
        return Answer(200, told=said.told)

    def _refuse_more(self, said: Said, hold: Movement, amount: int) -> None:
        """What is asked beyond what was approved is a new payment."""
        account = hold.source
        if said.card.status != "active":
            raise Refused(409, "card_state")
        if said.card.passes_limit(hold.amount + amount, amount):
            raise Refused(409, "limit_exceeded")
        if account.status == "frozen":
            raise Refused(409, "account_frozen")
        if hold.amount + amount > MOST:
            raise Refused(409, "balance_limit")
        if self._passes_day(account, amount):
            raise Refused(409, "limit_exceeded")
        if account.available < amount:
            raise Refused(409, "insufficient_funds")

    def _void_card(self, who: str, request: VoidCard) -> Answer:
        said, hold = self._open_answer(who, request.answer)
        said.card.used -= hold.remaining
        self._let_go(hold, "voided")
        return Answer(200, told=said.told)

    def _refund(self, who: str, request: Refund) -> Answer:
        card = self.cards.get(request.card)
        if card is None or not self._may_ask(who, card.account):
            raise Refused(404, "not_found", "card_id")
        said = self.answers.get(request.answer)
        if said is None or said.card is not card:
            raise Refused(404, "not_found", "authorization_id")
        captured = said.hold.captured if said.hold is not None else 0
        if said.refunded + request.amount > (captured or 0):
            raise Refused(422, "validation_failed")
        assert said.hold is not None
        account, settlement = card.account, said.hold.destination
        if account.status == "closed":
            account = self.bank[f"suspense {account.currency}"]
        if not account.has_room_for(request.amount):
            raise Refused(409, "balance_limit")
        made = self._post("card_refund", settlement, account, request.amount)
        said.refunded += request.amount
        told = self._movement(made, sees_source=False)
        return Answer(201, told=told, made=(made.name,))

    # Looking

    def look_at_answer(self, who: str, name: str) -> Answer:
        said = self.answers.get(name)
        if said is None or (self.people[who].role == CUSTOMER and said.card.account.holder != who):
            return Answer(404, "not_found", "authorization_id")
        return Answer(200, told=said.told)

    def books(self) -> dict[str, Any]:
        answers = [
            (one.name, one.card.name, one.reason, one.hold.name if one.hold else None, one.refunded)
            for one in self.answers.values()
        ]
        return super().books() | {"answers": answers}
