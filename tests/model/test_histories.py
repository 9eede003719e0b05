"""Random histories, played against the service and against the model of its rules.

After each step both have answered alike, have the same books, and `bank verify` finds nothing. A feature
joins with a rule here; `words.py` has its request, `ledger.py` its rules, `service.py` its route.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
)
from hypothesis.strategies._internal.featureflags import FeatureFlags

from app.core import clock
from tests.client import ApiClient
from tests.model.draws import (
    ALIKE,
    FIRST_ACCOUNTS,
    FIRST_HOLDS,
    FRESH,
    ITS_OWN,
    LIMITS,
    OWNER,
    PEOPLE,
    YEN,
    accounts,
    amounts,
    bulks,
    callers,
    currencies,
    keys,
    mostly,
    pairs,
    people,
)
from tests.model.ledger import Ledger
from tests.model.proof import Proof
from tests.model.service import Service
from tests.model.things import Account
from tests.model.words import (
    MOST,
    Answer,
    Bulk,
    Capture,
    Close,
    Fund,
    Increment,
    Item,
    Open,
    Pay,
    Request,
    Reserve,
    Reverse,
    Void,
)

Started = Callable[[], AbstractContextManager[ApiClient]]


@dataclass(frozen=True)
class Asked:
    """A request that was made, and the name of the first thing that came of it."""

    who: str
    request: Request
    key: str | None
    made: str | None


def moved_money(one: Asked) -> bool:
    return one.made is not None and one.made.startswith("transfer")


def part_of(told: Any, known: Any) -> Any:
    """What is told, without the fields that the model does not know."""
    if isinstance(told, dict) and isinstance(known, dict):
        return {name: part_of(told.get(name), value) for name, value in known.items()}
    if isinstance(told, list) and isinstance(known, list) and len(told) == len(known):
        return [*map(part_of, told, known)]
    return told


class Histories(RuleBasedStateMachine):
    """One history, of a bank of its own."""

    asked = Bundle("asked")
    many = Bundle("many")
    everybody: ClassVar = PEOPLE
    of_ledger: ClassVar[type[Ledger]] = Ledger
    of_service: ClassVar[type[Service]] = Service

    def __init__(self, started: Started, proof: Proof) -> None:
        super().__init__()
        self.proof = proof
        self.real_now = clock.now
        self.model = self.of_ledger(self.everybody, LIMITS)
        with ExitStack() as stack:
            self.service = self.of_service(stack.enter_context(started()), self.everybody)
            self.stop = stack.pop_all().close
        self.fresh_keys, self.waits = 0, 0
        if proof.is_short:
            # For each history Hypothesis switches off rules by chance: good for many, a waste for a few.
            self._rules_strategy.enabled_rules_strategy = st.just(FeatureFlags())

    def teardown(self) -> None:
        clock.now = self.real_now
        self.stop()

    @invariant()
    def the_books_agree_and_are_right(self) -> None:
        assert self.service.books() == self.model.books()
        assert self.service.findings() == []

    def ask(self, who: str, request: Request, key: str | None = FRESH) -> Asked:
        key = self.key(key)
        expected = self.model.ask(who, request, key)
        self.compare(self.service.ask(who, request, key, expected.made), expected)
        self.proof.count(type(request).__name__, expected)
        self.last = Asked(who, request, key, expected.made[0] if expected.made else None)
        return self.last

    @staticmethod
    def compare(answer: Answer, expected: Answer) -> None:
        """Of what the service tells, the model knows a part."""
        assert replace(answer, told=part_of(answer.told, expected.told)) == expected

    def key(self, key: str | None) -> str | None:
        if key != FRESH:
            return key
        self.fresh_keys += 1
        return f"fresh {self.fresh_keys}"

    def account(self, name: str) -> Account:
        return self.model.accounts.get(name, Account("none", "EUR", "ada"))

    def caller(self, who: str, account: str) -> str:
        """The owner or, where they have no login, the teller; or whoever it is."""
        if who != OWNER:
            return who
        holder = self.account(account).holder
        return holder if holder is not None and PEOPLE[holder].role else "teller"

    def currency(self, currency: str, account: str) -> str:
        return self.account(account).currency if currency == ITS_OWN else currency

    def amount(self, amount: Any, account: str) -> int:
        available = self.account(account).available
        return {"all": available, "all and 1": available + 1}.get(amount, amount)

    @initialize(target=asked)
    def some_accounts_with_money(self) -> Any:
        made = []
        for holder, currency in FIRST_ACCOUNTS:
            who = holder if PEOPLE[holder].role else "teller"
            made.append(self.ask(who, Open(currency, None if who == holder else holder)))
            account = made[-1].made
            assert account is not None
            made.append(self.ask("teller", Fund(account, "deposit", 500, currency)))
        for source, destination in FIRST_HOLDS:
            asked = source, destination, "number", 60, self.account(source).currency
            made.append(self.ask(self.caller(OWNER, source), Reserve(*asked)))
        return multiple(*made)

    @rule(
        target=asked,
        who=mostly(["ada", "ben", "teller"], ["cora", "operator"]),
        holder=st.sampled_from([None, None, "ada", "wanda", "cora", "nobody"]),
        currency=st.sampled_from(["EUR", "USD", "JPY"]),
        key=keys,
    )
    def open(self, who: str, holder: str | None, currency: str, key: str | None) -> Asked:
        return self.ask(who, Open(currency, holder), key)

    @rule(target=asked, who=callers, account=accounts, key=keys)
    def close(self, who: str, account: str, key: str | None) -> Asked:
        return self.ask(self.caller(who, account), Close(account), key)

    @rule(
        target=asked,
        who=callers,
        account=accounts,
        kind=st.sampled_from(["deposit", "withdrawal", "withdrawal"]),
        amount=amounts,
        currency=currencies,
        key=keys,
    )
    def fund(self, who: str, account: str, kind: str, amount: Any, currency: str, key: str | None) -> Asked:
        request = Fund(account, kind, self.amount(amount, account), self.currency(currency, account))
        return self.ask(self.caller(who, account), request, key)

    @precondition(lambda self: all(self.account(name).balance < MOST // 2 for name in YEN))
    @rule(target=asked, account=st.sampled_from(YEN), more=st.sampled_from([0, 0, 1]))
    def fill(self, account: str, more: int) -> Asked:
        """Up to what an account can hold, and beyond."""
        room = MOST - self.account(account).balance
        return self.ask("teller", Fund(account, "deposit", room + more, "JPY"))

    @rule(
        target=asked,
        who=callers,
        pair=pairs,
        by=mostly(["number"], ["id"]),
        amount=amounts,
        currency=currencies,
        life=st.sampled_from([None, None, None, None, "days", "an hour"]),
        key=keys,
    )
    def pay(
        self,
        who: str,
        pair: tuple[str, str],
        by: str,
        amount: Any,
        currency: str,
        life: str | None,
        key: str | None,
    ) -> Asked:
        """At once or, with a life, pending."""
        source, destination = pair
        asked = source, destination, by, self.amount(amount, source), self.currency(currency, source)
        end = clock.rfc3339(clock.now() + HOUR) if life == "an hour" else None
        request = Reserve(*asked, end) if life else Pay(*asked)
        return self.ask(self.caller(who, source), request, key)

    @rule(target=asked, pair=st.sampled_from(ALIKE), amount=st.sampled_from([10, 25, 90]))
    def pay_plainly(self, pair: tuple[str, str], amount: int) -> Asked:
        """So that money gets around, whatever the rules of this history are."""
        source, destination = pair
        currency = self.account(source).currency
        return self.ask(self.caller(OWNER, source), Pay(source, destination, "number", amount, currency))

    @rule(target=asked, account=accounts)
    def withdraw_all(self, account: str) -> Asked:
        """So that accounts can be closed."""
        request = Fund(account, "withdrawal", self.account(account).balance, self.account(account).currency)
        return self.ask("teller", request)

    @rule(
        target=asked,
        who=mostly(["operator", "teller"], ["ada", "auditor"]),
        earlier=st.one_of(asked.filter(moved_money), asked),
        key=keys,
    )
    def reverse(self, who: str, earlier: Asked, key: str | None) -> Asked:
        return self.ask(who, Reverse(earlier.made or "nothing"), key)

    @rule(targets=(asked, many), bulk=bulks, atomic=st.booleans(), key=keys)
    def pay_many(self, bulk: tuple[str, list[Any]], atomic: bool, key: str | None) -> Any:
        """Also each of them with a key of its own can be asked again, alone."""
        who, drawn = bulk
        items = tuple(self.item(*one) for one in drawn)
        alone = [Asked(who, one.pay, one.key, None) for one in items if one.key]
        return multiple(self.ask(who, Bulk(atomic, items), key), *alone)

    def item(self, pair: tuple[str, str], by: str, amount: Any, currency: str, key: str | None) -> Item:
        source, destination = pair
        pay = Pay(source, destination, by, self.amount(amount, source), self.currency(currency, source))
        return Item(pay, self.key(key))

    # Holds

    @rule(
        target=asked,
        who=mostly([OWNER, OWNER, OWNER, "operator"], ["teller", "ada", "ben", "auditor"]),
        which=st.one_of(st.integers(0, 99), st.integers(0, 99), asked),
        act=st.sampled_from(["part", "part", "rest", "final", "more", "void"]),
        amount=amounts,
        key=keys,
    )
    def act_on_hold(self, who: str, which: Any, act: str, amount: Any, key: str | None) -> Asked:
        """One of those that are open, or whatever has come of an earlier request."""
        open_holds = self.model.open_holds
        if isinstance(which, int):
            hold = open_holds[which % len(open_holds)].name if open_holds else "nothing"
        else:
            hold = which.made or "nothing"
        movement = self.model.movements.get(hold)
        payer = movement.source.name if movement else "nobody's"
        number = self.amount(amount, payer)
        requests: dict[str, Request] = {
            "part": Capture(hold, number, final=False),
            "rest": Capture(hold, None, final=False),
            "final": Capture(hold, number, final=True),
            "more": Increment(hold, number),
            "void": Void(hold),
        }
        return self.ask(self.caller(who, payer), requests[act], key)

    @precondition(lambda self: self.waits < LONGEST_WAIT)
    @rule()
    def wait(self) -> None:
        """The clock goes on until holds with an end of their own have expired."""
        self.waits += 1
        later = self.waits * (HOUR + timedelta(seconds=1))
        clock.now = lambda: self.real_now() + later
        self.model.wait()

    # Keys

    @rule(earlier=asked)
    def replay(self, earlier: Asked) -> None:
        self.ask(earlier.who, earlier.request, earlier.key)

    @rule(earlier=many)
    def replay_bulk(self, earlier: Asked) -> None:
        """Or one of its transfers, alone."""
        self.ask(earlier.who, earlier.request, earlier.key)

    @rule()
    def replay_the_last(self) -> None:
        """Whose answer may have been lost."""
        self.ask(self.last.who, self.last.request, self.last.key)

    @rule(target=asked, earlier=st.one_of(asked.filter(moved_money), asked))
    def repeat(self, earlier: Asked) -> Asked:
        """The same once more, under another key."""
        return self.ask(earlier.who, earlier.request)

    @rule(target=asked, earlier=asked, other=asked)
    def reuse_key(self, earlier: Asked, other: Asked) -> Asked:
        """For another request, which differs in its amount where it has one."""
        request = earlier.request
        changed = (
            replace(request, amount=request.amount % MOST + 1)
            if isinstance(request, Fund | Pay | Increment)
            else other.request
        )
        return self.ask(earlier.who, changed, earlier.key)

    @rule(target=asked, earlier=asked, who=people)
    def share_key(self, earlier: Asked, who: str) -> Asked:
        """Somebody sends the same request with the same key; each has keys of their own."""
        return self.ask(who, earlier.request, earlier.key)

    # What staff do to accounts, past the service

    @rule(account=accounts)
    def freeze_or_unfreeze(self, account: str) -> None:
        one = self.model.accounts.get(account)
        if one is not None and one.status != "closed":
            one.status = "active" if one.status == "frozen" else "frozen"
            self.service.set(account, status=one.status)

    @rule(account=accounts, limit=st.sampled_from([0, 100]))
    def arrange_overdraft(self, account: str, limit: int) -> None:
        one = self.model.accounts.get(account)
        if one is not None and one.balance - one.held + limit >= 0:
            one.overdraft_limit = limit
            self.service.set(account, overdraft_limit=limit)

    # Looking

    @rule(who=callers, account=accounts)
    def look_at_account(self, who: str, account: str) -> None:
        who = self.caller(who, account)
        self.compare(self.service.look_at_account(who, account), self.model.look_at_account(who, account))

    @rule(who=people, earlier=asked)
    def look_at_transfer(self, who: str, earlier: Asked) -> None:
        name = earlier.made or "nothing"
        self.compare(self.service.look_at_transfer(who, name), self.model.look_at_transfer(who, name))


HOUR = timedelta(hours=1)
# A history is over before the day of the bank is.
LONGEST_WAIT = 5

# What a run must have met, to be worth something: even a short one,
MET = {
    "done",
    "replayed",
    "forbidden",
    "idempotency_key_required",
    "validation_failed",
    "idempotency_key_reused",
    "not_found",
    "currency_mismatch",
    "account_frozen",
    "account_closed",
    "balance_limit",
    "insufficient_funds",
    "balance_not_zero",
    "hold_not_active",
}
# and, of each kind of request, one of this many commands. Some of it comes once in 20,000.
LONG = 50_000
# and, of each kind of request, a long one.
ACTED = ("done", "forbidden", "not_found", "hold_not_active")
MET_IN_THE_END = {
    *(f"{kind} {code}" for kind in ("Open", "Close") for code in ("done", "replayed", "forbidden")),
    *("Open not_found", "Open holder_required", "Open validation_failed", "Open idempotency_key_reused"),
    *("Close not_found", "Close account_closed", "Close account_frozen", "Close balance_not_zero"),
    *(f"{kind} {code}" for kind in ("Fund", "Pay") for code in MET - {"balance_not_zero", "hold_not_active"}),
    *("Fund limit_exceeded", "Pay limit_exceeded", "Pay same_account", "Pay destination_unavailable"),
    *(f"Bulk {code}" for code in ("done", "replayed", "forbidden", "validation_failed", "not_found")),
    *("Bulk idempotency_key_required", "Bulk idempotency_key_reused", "Bulk insufficient_funds"),
    *("Bulk currency_mismatch", "Bulk same_account", "Bulk account_frozen", "Bulk account_closed"),
    *("Reverse done", "Reverse replayed", "Reverse forbidden", "Reverse idempotency_key_required"),
    *("Reverse not_found", "Reverse idempotency_key_reused", "Reverse account_closed"),
    *(f"{kind} {code}" for kind in ("Capture", "Increment", "Void") for code in ACTED),
    *("Reserve done", "Reserve replayed", "Reserve forbidden", "Reserve not_found", "Capture replayed"),
    *("Reserve insufficient_funds", "Reserve limit_exceeded", "Reserve destination_unavailable"),
    *("Capture validation_failed", "Close account_in_use"),
    *("Void replayed", "Increment replayed"),
    *("Reverse already_reversed", "Reverse not_reversible", "Reverse insufficient_funds"),
}


def test_the_service_answers_as_the_model_and_keeps_the_same_books(
    started: Started, proof: Proof, caplog: pytest.LogCaptureFixture
) -> None:
    proof.play(lambda: Histories(started, proof))
    assert MET - {code for _, code in proof.met} == set()
    assert {("Bulk", "done"), ("Bulk", "replayed")} <= set(proof.met)
    if proof.commands >= LONG:
        assert MET_IN_THE_END - {" ".join(one) for one in proof.met} == set()
    # No batch failed and was saved by the second chance that its commands get.
    assert [record for record in caplog.records if record.levelname in ("WARNING", "ERROR")] == []
