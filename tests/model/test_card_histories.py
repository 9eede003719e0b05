"""Random histories with cards: those of money, and what is asked of cards in between."""

from typing import Any, ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from tests.model.card_ledger import CardLedger
from tests.model.card_service import CardService
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
from tests.model.draws import OWNER, PEOPLE, amounts, callers, currencies, keys, mostly
from tests.model.proof import Proof
from tests.model.test_histories import Asked, Histories, Started
from tests.model.things import Account
from tests.model.words import Person

# Others' accounts can be closed, which a card hinders.
WITH_CARDS = ("account 0", "account 1", "account 2", "account 4", "account 5")
cards = mostly(["card 0", "card 1", "card 2"], ["card 3", "card 4", "account 0"])
answers = mostly([f"answer {number}" for number in range(5)], ["answer 5", "answer 6", "transfer 1"])
askers = mostly([NETWORK, NETWORK, OWNER], ["ben", "teller", "auditor"])


class CardHistories(Histories):
    """One history, of a bank that issues cards."""

    asked = Histories.asked
    everybody: ClassVar = PEOPLE | {NETWORK: Person(NETWORK)}
    of_ledger = CardLedger
    of_service = CardService
    model: CardLedger
    service: CardService

    def card_account(self, card: str) -> Account:
        known = self.model.cards.get(card)
        return known.account if known else self.account("account 0")

    def asker(self, who: str, card: str) -> str:
        return self.caller(who, self.card_account(card).name)

    @initialize(target=Histories.asked)
    def some_accounts_with_money(self) -> Any:
        """And cards of the first of them."""
        made = super().some_accounts_with_money()
        for account in WITH_CARDS[:3]:
            self.ask("ada", TakeCard(account))
        return made

    @rule(who=mostly([OWNER], ["ben", "teller", "operator"]), account=st.sampled_from(WITH_CARDS), key=keys)
    def take_card(self, who: str, account: str, key: str | None) -> None:
        self.ask(self.caller(who, account), TakeCard(account), key)

    @rule(
        who=mostly([OWNER], ["ben", "teller", "network"]),
        card=cards,
        action=st.sampled_from(["freeze", "unfreeze", "unfreeze", "unfreeze", "cancel"]),
        key=keys,
    )
    def switch_card(self, who: str, card: str, action: str, key: str | None) -> None:
        self.ask(self.asker(who, card), SwitchCard(card, action), key)

    @rule(
        card=cards,
        per_payment=st.sampled_from([None, None, 100]),
        per_day=st.sampled_from([None, 60, 300]),
    )
    def limit_card(self, card: str, per_payment: int | None, per_day: int | None) -> None:
        known = self.model.cards.get(card)
        if known is not None and known.status != "cancelled":
            self.model.limit(card, per_payment=per_payment, per_day=per_day)
            self.service.limit_card(card, per_payment=per_payment, per_day=per_day)

    @rule(target=Histories.asked, who=askers, card=cards, amount=amounts, currency=currencies, key=keys)
    def ask_card(self, who: str, card: str, amount: Any, currency: str, key: str | None) -> Asked:
        account = self.card_account(card).name
        request = AskCard(card, self.amount(amount, account), self.currency(currency, account))
        return self.ask(self.asker(who, card), request, key)

    @rule(target=Histories.asked, card=cards, amount=st.sampled_from([10, 25, 40]))
    def ask_plainly(self, card: str, amount: int) -> Asked:
        return self.ask(NETWORK, AskCard(card, amount, self.card_account(card).currency))

    @rule(
        target=Histories.asked,
        who=askers,
        answer=answers,
        act=st.sampled_from(["capture", "capture", "over", "final", "raise", "void"]),
        amount=amounts,
        key=keys,
    )
    def act_on_answer(self, who: str, answer: str, act: str, amount: Any, key: str | None) -> Asked:
        said = self.model.answers.get(answer)
        card = said.card.name if said else "no card"
        number = self.amount(amount, self.card_account(card).name)
        held = said.hold.remaining if said and said.hold else 0
        requests = {
            "capture": CaptureCard(answer, number, final=False),
            "over": CaptureCard(answer, held + 3, final=False),
            "final": CaptureCard(answer, max(held - 1, 1), final=True),
            "raise": RaiseCard(answer, number),
            "void": VoidCard(answer),
        }
        return self.ask(self.asker(who, card), requests[act], key)

    @precondition(lambda self: self.open_answers())
    @rule(target=Histories.asked, amount=st.sampled_from([1, 5, 10]))
    def capture_plainly(self, amount: int) -> Asked:
        return self.ask(NETWORK, CaptureCard(self.open_answers()[-1], amount, final=False))

    def open_answers(self) -> list[str]:
        said = self.model.answers.values()
        return [one.name for one in said if one.hold is not None and one.hold.status == "pending"]

    @rule(
        target=Histories.asked,
        who=askers,
        answer=answers,
        card=st.one_of(st.none(), cards),
        amount=st.sampled_from([1, 7, "all", "all and 1"]),
        key=keys,
    )
    def refund(self, who: str, answer: str, card: str | None, amount: Any, key: str | None) -> Asked:
        said = self.model.answers.get(answer)
        left = (said.hold.captured or 0) - said.refunded if said and said.hold else 0
        number = {"all": max(left, 1), "all and 1": left + 1}.get(amount, amount)
        name = card if card is not None or said is None else said.card.name
        return self.ask(self.asker(who, name or "no card"), Refund(name or "no card", answer, number), key)

    @rule(who=mostly([NETWORK, OWNER], ["ben", "cora", "teller"]), answer=answers)
    def look_at_answer(self, who: str, answer: str) -> None:
        said = self.model.answers.get(answer)
        who = self.asker(who, said.card.name if said else "no card")
        self.compare(self.service.look_at_answer(who, answer), self.model.look_at_answer(who, answer))

    @rule(who=callers, card=cards)
    def cancel_and_close(self, who: str, card: str) -> None:
        """So that an account with a card can come to its end, and a refund comes late."""
        account = self.card_account(card).name
        for one in list(self.model.cards.values()):
            if one.account.name == account:
                self.ask("teller", SwitchCard(one.name, "cancel"))
        self.withdraw_all(account)
        self.close(who, account, None)


# What a run must have met, to be worth something: even a short one,
MET = {
    *("TakeCard done", "SwitchCard done", "AskCard done", "CaptureCard done"),
    *("AskCard not_found", "AskCard forbidden", "CaptureCard validation_failed"),
}
# and a long one.
MET_IN_THE_END = MET | {
    *("RaiseCard done", "VoidCard done", "Refund done", "AskCard replayed", "CaptureCard replayed"),
    *("CaptureCard hold_not_active", "CaptureCard insufficient_funds", "Refund validation_failed"),
    *("RaiseCard insufficient_funds", "RaiseCard limit_exceeded", "RaiseCard card_state"),
    *("SwitchCard card_state", "TakeCard not_found", "Close account_in_use"),
}


def test_cards_answer_as_the_model_and_the_books_agree(
    started: Started, proof: Proof, caplog: pytest.LogCaptureFixture
) -> None:
    proof.play(lambda: CardHistories(started, proof))
    wanted = MET if proof.is_short else MET_IN_THE_END
    assert wanted - {" ".join(one) for one in proof.met} == set()
    assert [record for record in caplog.records if record.levelname in ("WARNING", "ERROR")] == []
