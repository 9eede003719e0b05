"""The rules of the ledger, stated a second time: plain Python, no database, nothing of the service.

`Ledger.ask` says what the service must answer, and remembers what that did. Things have names here
("account 0", "transfer 3"), in the order in which they were made. A feature joins with a request and
the method that answers it, in `_acts`.
"""

import copy
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tests.model.things import Account, Movement
from tests.model.words import (
    CUSTOMER,
    MOST,
    OPERATOR,
    TELLER,
    Answer,
    Bulk,
    Capture,
    Close,
    Fund,
    Increment,
    Open,
    Pay,
    Person,
    Refused,
    Request,
    Reserve,
    Reverse,
    Void,
)

# The bank's own accounts of a currency, made with the first account of a customer.
BANK = ("cash", "card_settlement", "fees", "interest", "fx_position", "suspense")


class Ledger:
    """`limits`: how much may leave an account in a day, by currency. A history takes less than a day."""

    def __init__(self, people: dict[str, Person], limits: dict[str, int]) -> None:
        self.people = people
        self.limits = limits
        self.accounts: dict[str, Account] = {}
        self.bank: dict[str, Account] = {}
        self.movements: dict[str, Movement] = {}
        self.spent: Counter[str] = Counter()
        # Ends that holds were given, and those that are over.
        self.ends: set[str] = set()
        self.over: set[str] = set()
        self.keys: dict[tuple[str, str], tuple[Request, Answer]] = {}
        self._acts: dict[type, Callable[[str, Any], Answer]] = {
            Open: self._open,
            Close: self._close,
            Fund: self._fund,
            Pay: self._pay,
            Reserve: self._reserve,
            Capture: self._capture,
            Increment: self._increment,
            Void: self._void,
            Reverse: self._reverse,
            Bulk: self._bulk,
        }

    def ask(self, who: str, request: Request, key: str | None) -> Answer:
        """Role, key, fields, replay; then the request's own rules. A refusal leaves no mark, and no key."""
        self.ends |= {request.expires_at} if isinstance(request, Reserve) and request.expires_at else set()
        try:
            self._refuse_before_looking(who, request, key)
            return self._once(who, request, key)
        except Refused as refused:
            return refused.answer

    def _refuse_before_looking(self, who: str, request: Request, key: str | None) -> None:
        role = self.people[who].role
        if role not in request.roles:
            raise Refused(403, "forbidden")
        if key is None and request.needs_key:
            raise Refused(400, "idempotency_key_required")
        names_holder = isinstance(request, Open) and request.holder is not None
        if not _is_amount(request) or (role == CUSTOMER and names_holder):
            raise Refused(422, "validation_failed")
        for place, item in enumerate(request.items if isinstance(request, Bulk) else ()):
            if not _is_amount(item.pay):
                raise Refused(422, "validation_failed").in_bulk(place)

    def _once(self, who: str, request: Request, key: str | None) -> Answer:
        """Does it, or tells what it came to when its key was used. The key is taken from the beginning."""
        if key is None:
            return self._acts[type(request)](who, request)
        if (who, key) in self.keys:
            return self._replay(request, *self.keys[who, key])
        self.keys[who, key] = request, Answer(0)
        try:
            answer = self._acts[type(request)](who, request)
        except Refused:
            del self.keys[who, key]
            raise
        self.keys[who, key] = request, answer
        return answer

    def _replay(self, request: Request, first: Request, answer: Answer) -> Answer:
        if request != first:
            raise Refused(422, "idempotency_key_reused")
        return replace(answer, replayed=True)

    # Accounts

    def _open(self, who: str, request: Open) -> Answer:
        holder = who if self.people[who].role == CUSTOMER else request.holder
        if holder is None or (holder == who and not self.people[who].is_holder):
            raise Refused(409, "holder_required")
        if holder not in self.people or not self.people[holder].is_holder:
            raise Refused(404, "not_found", "account_holder_id")
        for kind in BANK:
            name = f"{kind} {request.currency}"
            self.bank.setdefault(name, Account(name, request.currency))
        account = Account(f"account {len(self.accounts)}", request.currency, holder)
        self.accounts[account.name] = account
        return Answer(201, told=self._account(account), made=(account.name,))

    def _close(self, who: str, request: Close) -> Answer:
        account = self._seen(who, request.account)
        if account.holder != who and self._has_login(account):
            raise Refused(403, "forbidden")
        if account.status != "active":
            raise Refused(409, f"account_{account.status}")
        if account.held != 0:
            raise Refused(409, "account_in_use")
        if account.balance != 0:
            raise Refused(409, "balance_not_zero")
        account.status = "closed"
        return Answer(200, told=self._account(account))

    def _seen(self, who: str, name: str) -> Account:
        """The account, for its owner and for staff."""
        account = self.accounts.get(name)
        if account is None or (account.holder != who and self.people[who].role == CUSTOMER):
            raise Refused(404, "not_found", "account_id")
        return account

    def _has_login(self, account: Account) -> bool:
        return account.holder is not None and self.people[account.holder].role is not None

    def _account(self, account: Account) -> dict[str, Any]:
        told = {"id": account.name, "currency": account.currency, "status": account.status}
        return told | account.balances | {"overdraft_limit": account.overdraft_limit}

    # Money

    def _fund(self, who: str, request: Fund) -> Answer:
        account = self.accounts.get(request.account)
        if account is None or not (account.holder == who or self.people[who].role == TELLER):
            raise Refused(404, "not_found", "account_id")
        cash = self.bank.get(f"cash {request.currency}", Account("none", request.currency))
        sides = (cash, account) if request.kind == "deposit" else (account, cash)
        self._judge(*sides, request.amount, request.currency, knows=True)
        made = self._post(request.kind, *sides, request.amount)
        transfer, amount, balance = account.lines[-1]
        told = {"account_id": account.name, "transfer_id": transfer, "type": request.kind, "amount": amount}
        return Answer(
            201, told=told | {"balance_after": balance, "currency": account.currency}, made=(made.name,)
        )

    def _pay(self, who: str, request: Pay) -> Answer:
        source, destination = self._sides(who, request)
        return self._told(self._post("transfer", source, destination, request.amount))

    def _sides(self, who: str, request: Pay) -> tuple[Account, Account]:
        """Whence and where to, if so much may go there."""
        source = self.accounts.get(request.source)
        if source is None or not self._acts_for(who, source):
            raise Refused(404, "not_found", "source_account_id")
        destination = self.accounts.get(request.destination)
        if destination is None or not (request.by == "number" or self._acts_for(who, destination)):
            raise Refused(404, "not_found", f"destination_account_{request.by}")
        knows = self._acts_for(who, destination)
        self._judge(source, destination, request.amount, request.currency, knows=knows)
        return source, destination

    def _acts_for(self, who: str, account: Account) -> bool:
        """Owners for themselves, tellers for people without a login."""
        return account.holder == who or (
            self.people[who].role == TELLER and account.holder is not None and not self._has_login(account)
        )

    def _judge(
        self, source: Account, destination: Account, amount: int, currency: str, *, knows: bool
    ) -> None:
        """The order of refusals. Of a stranger's account nothing is told but that it cannot take this."""

        def of_destination(status: int, code: str) -> Refused:
            return Refused(status, code) if knows else Refused(409, "destination_unavailable")

        if source is destination:
            raise Refused(422, "same_account")
        if source.currency != currency:
            raise Refused(422, "currency_mismatch")
        if destination.currency != currency:
            raise of_destination(422, "currency_mismatch")
        if source.status != "active":
            raise Refused(409, f"account_{source.status}")
        if destination.status == "closed":
            raise of_destination(409, "account_closed")
        # The room of a stranger's account is asked last, and only of those who could fill it.
        if knows and not destination.has_room_for(amount):
            raise Refused(409, "balance_limit")
        if source.holder is None and not source.has_room_for(-amount):
            raise Refused(409, "balance_limit")
        limit = self.limits.get(currency)
        if source.holder is not None and limit is not None and self.spent[source.name] + amount > limit:
            raise Refused(409, "limit_exceeded")
        if source.holder is not None and source.available < amount:
            raise Refused(409, "insufficient_funds")
        if not destination.has_room_for(amount):
            raise Refused(409, "destination_unavailable")

    # Holds

    def _reserve(self, who: str, request: Reserve) -> Answer:
        if request.expires_at in self.over:
            raise Refused(422, "validation_failed")
        source, destination = self._sides(who, request)
        hold = self._named("transfer", source, destination, request.amount)
        hold.status, hold.captured, hold.remaining = "pending", 0, request.amount
        hold.expires_at = request.expires_at
        source.held += request.amount
        self.spent[source.name] += request.amount
        return self._told(hold)

    def _held(self, who: str, name: str) -> Movement:
        """The open hold, for the payer and staff; the recipient may only see it."""
        one = self.movements.get(name)
        is_staff = self.people[who].role in (TELLER, OPERATOR)
        if one is None or not (is_staff or who in (one.source.holder, one.destination.holder)):
            raise Refused(404, "not_found", "transfer_id")
        if not (is_staff or who == one.source.holder):
            raise Refused(403, "forbidden")
        if one.captured is not None and one.kind != "transfer":
            raise Refused(403, "forbidden")
        if one.status != "pending":
            raise Refused(409, "hold_not_active")
        return one

    def _capture(self, who: str, request: Capture) -> Answer:
        hold = self._held(who, request.hold)
        amount = hold.remaining if request.amount is None else request.amount
        if amount > hold.remaining:
            raise Refused(422, "validation_failed")
        self._refuse_destination(who, hold, amount)
        if hold.source.status == "frozen" and hold.source.holder == who:
            raise Refused(409, "account_frozen")
        hold.source.held -= amount
        hold.remaining -= amount
        made = self._post("transfer", hold.source, hold.destination, amount, hold=hold)
        assert hold.captured is not None
        hold.captured += amount
        if request.final or hold.remaining == 0:
            self._let_go(hold, "posted")
        return replace(self._told(hold), status=200, made=(made.name,))

    def _refuse_destination(self, who: str, hold: Movement, amount: int) -> None:
        knows = self._acts_for(who, hold.destination)
        if hold.destination.status == "closed":
            raise Refused(409, "account_closed" if knows else "destination_unavailable")
        if not hold.destination.has_room_for(amount):
            raise Refused(409, "balance_limit" if knows else "destination_unavailable")

    def _increment(self, who: str, request: Increment) -> Answer:
        hold, amount = self._held(who, request.hold), request.amount
        if hold.source.status == "frozen":
            raise Refused(409, "account_frozen")
        if hold.amount + amount > MOST:
            raise Refused(409, "balance_limit")
        self._refuse_destination(who, hold, hold.amount + amount)
        limit = self.limits.get(hold.source.currency)
        if limit is not None and self.spent[hold.source.name] + amount > limit:
            raise Refused(409, "limit_exceeded")
        if hold.source.available < amount:
            raise Refused(409, "insufficient_funds")
        hold.amount += amount
        hold.remaining += amount
        hold.source.held += amount
        self.spent[hold.source.name] += amount
        return replace(self._told(hold), status=200, made=())

    def _void(self, who: str, request: Void) -> Answer:
        hold = self._held(who, request.hold)
        self._let_go(hold, "voided")
        return replace(self._told(hold), status=200, made=())

    def _let_go(self, hold: Movement, status: str) -> None:
        hold.source.held -= hold.remaining
        self.spent[hold.source.name] -= hold.remaining
        hold.status, hold.remaining = status, 0

    @property
    def open_holds(self) -> list[Movement]:
        return [one for one in self.movements.values() if one.status == "pending"]

    def wait(self) -> None:
        """So long that what was given an end of its own has met it."""
        self.over |= self.ends
        for one in self.open_holds:
            if one.expires_at is not None:
                self._let_go(one, "expired")

    def _reverse(self, who: str, request: Reverse) -> Answer:
        original = self.movements.get(request.transfer)
        if original is None:
            raise Refused(404, "not_found", "transfer_id")
        if original.kind == "reversal" or original.captured is not None:
            raise Refused(409, "not_reversible")
        if original.reversed_by is not None:
            raise Refused(409, "already_reversed")
        payer, payee, amount = original.destination, original.source, original.amount
        if "closed" in (payer.status, payee.status):
            raise Refused(409, "account_closed")
        if not (payee.has_room_for(amount) and payer.has_room_for(-amount)):
            raise Refused(409, "balance_limit")
        if payer.holder is not None and payer.available < amount:
            raise Refused(409, "insufficient_funds")
        made = self._post("reversal", payer, payee, amount)
        made.reverses, original.reversed_by = original, made
        return self._told(made)

    def _post(
        self,
        kind: str,
        source: Account,
        destination: Account,
        amount: int,
        *,
        hold: Movement | None = None,
    ) -> Movement:
        movement = self._named(kind, source, destination, amount)
        movement.hold = hold
        for account, change in ((source, -amount), (destination, amount)):
            account.balance += change
            account.lines.append((movement.name, change, account.balance))
        if kind in ("transfer", "withdrawal") and hold is None:
            self.spent[source.name] += amount
        return movement

    def _named(self, kind: str, source: Account, destination: Account, amount: int) -> Movement:
        movement = Movement(f"transfer {len(self.movements)}", kind, source, destination, amount)
        self.movements[movement.name] = movement
        return movement

    def _told(self, made: Movement) -> Answer:
        """A transfer, with the balances that its source has now."""
        told = self._movement(made, sees_source=True) | {"source_balances": made.source.balances}
        return Answer(201, told=told, made=(made.name,))

    def _movement(self, one: Movement, *, sees_source: bool) -> dict[str, Any]:
        return {
            "id": one.name,
            "status": one.status,
            "kind": one.kind,
            "source_account_id": one.source.name if sees_source else None,
            "destination_account_id": one.destination.name,
            "amount": one.amount,
            "currency": one.source.currency,
            "captured_amount": one.captured,
            "remaining_amount": None if one.captured is None else one.remaining,
            "pending_id": one.hold.name if one.hold else None,
            "reverses_id": one.reverses.name if one.reverses else None,
            "reversed_by_id": one.reversed_by.name if one.reversed_by else None,
        }

    # Bulks

    def _bulk(self, who: str, request: Bulk) -> Answer:
        fixed = ("people", "limits", "_acts")
        # All of it at once, also what a feature adds: what refers to each other still does.
        before = copy.deepcopy({name: value for name, value in vars(self).items() if name not in fixed})
        results, made = [], list[str]()
        for place, item in enumerate(request.items):
            try:
                answer = self._once(who, item.pay, item.key)
            except Refused as refused:
                if request.atomic:
                    vars(self).update(before)
                    raise refused.in_bulk(place) from None
                answer = refused.answer
            made += answer.made
            results.append(_result(place, answer))
        failed = sum("code" in one for one in results)
        told = {"succeeded": len(results) - failed, "failed": failed, "results": results}
        return Answer(200, told=told, made=tuple(made))

    # Looking

    def look_at_account(self, who: str, name: str) -> Answer:
        try:
            return Answer(200, told=self._account(self._seen(who, name)))
        except Refused as refused:
            return refused.answer

    def look_at_transfer(self, who: str, name: str) -> Answer:
        """For both parties and for staff; the recipient does not see whence it came."""
        one = self.movements.get(name)
        is_staff = self.people[who].role != CUSTOMER
        if one is None or not (is_staff or who in (one.source.holder, one.destination.holder)):
            return Answer(404, "not_found", "transfer_id")
        return Answer(200, told=self._movement(one, sees_source=is_staff or one.source.holder == who))

    def books(self) -> dict[str, Any]:
        """Everything there is to know, to be compared."""
        accounts = self.accounts | self.bank
        return {
            "accounts": {
                name: (one.status, one.balance, one.held, one.overdraft_limit, 0)
                for name, one in accounts.items()
            },
            "movements": [one.whole for one in self.movements.values()],
            "lines": {name: one.lines for name, one in accounts.items() if one.lines},
            "keys": len(self.keys),
            "bulks": sum(isinstance(request, Bulk) for request, _ in self.keys.values()),
        }


def _is_amount(request: Request) -> bool:
    amount = getattr(request, "amount", None)
    return 1 <= (1 if amount is None else amount) <= MOST


def _result(place: int, answer: Answer) -> dict[str, Any]:
    told = {"index": place, "status": answer.status}
    return told | ({"code": answer.code, "at": answer.at} if answer.code else {"transfer": answer.told})
