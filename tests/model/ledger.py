"""The rules of the ledger, stated a second time: plain Python, no database, nothing of the service.

`Ledger.ask` says what the service must answer, and remembers what that did. Things have names here
("account 0", "transfer 3"), in the order in which they were made. A feature joins with a request and
the method that answers it, in `_acts`.
"""

import copy
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from tests.model.words import (
    CUSTOMER,
    MOST,
    MOST_OF_THE_BANK,
    TELLER,
    Answer,
    Bulk,
    Close,
    Fund,
    Open,
    Pay,
    Person,
    Refused,
    Request,
    Reverse,
)

# The bank's own accounts of a currency, made with the first account of a customer.
BANK = ("cash", "card_settlement", "fees", "interest", "fx_position", "suspense")


@dataclass
class Account:
    """`holder` is None for the bank's own, which have no floor. `lines`: (transfer, amount, balance)."""

    name: str
    currency: str
    holder: str | None = None
    status: str = "active"
    balance: int = 0
    held: int = 0
    overdraft_limit: int = 0
    lines: list[tuple[str, int, int]] = field(default_factory=list)

    @property
    def available(self) -> int:
        return self.balance - self.held + self.overdraft_limit

    def has_room_for(self, change: int) -> bool:
        most = MOST if self.holder else MOST_OF_THE_BANK
        return -most <= self.balance + change <= most

    @property
    def balances(self) -> dict[str, int]:
        return {"balance": self.balance, "held": self.held, "available": self.available}


@dataclass
class Movement:
    """A posted transfer."""

    name: str
    kind: str
    source: Account
    destination: Account
    amount: int
    reverses: "Movement | None" = None
    reversed_by: "Movement | None" = None


class Ledger:
    """`limits`: how much may leave an account in a day, by currency. A history takes less than a day."""

    def __init__(self, people: dict[str, Person], limits: dict[str, int]) -> None:
        self.people = people
        self.limits = limits
        self.accounts: dict[str, Account] = {}
        self.bank: dict[str, Account] = {}
        self.movements: dict[str, Movement] = {}
        self.spent: Counter[str] = Counter()
        self.keys: dict[tuple[str, str], tuple[Request, Answer]] = {}
        self._acts: dict[type, Callable[[str, Any], Answer]] = {
            Open: self._open,
            Close: self._close,
            Fund: self._fund,
            Pay: self._pay,
            Reverse: self._reverse,
            Bulk: self._bulk,
        }

    def ask(self, who: str, request: Request, key: str | None) -> Answer:
        """Role, key, fields, replay; then the request's own rules. A refusal leaves no mark, and no key."""
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
        source = self.accounts.get(request.source)
        if source is None or not self._acts_for(who, source):
            raise Refused(404, "not_found", "source_account_id")
        destination = self.accounts.get(request.destination)
        if destination is None or not (request.by == "number" or self._acts_for(who, destination)):
            raise Refused(404, "not_found", f"destination_account_{request.by}")
        knows = self._acts_for(who, destination)
        self._judge(source, destination, request.amount, request.currency, knows=knows)
        return self._told(self._post("transfer", source, destination, request.amount))

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

    def _reverse(self, who: str, request: Reverse) -> Answer:
        original = self.movements.get(request.transfer)
        if original is None:
            raise Refused(404, "not_found", "transfer_id")
        if original.kind == "reversal":
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

    def _post(self, kind: str, source: Account, destination: Account, amount: int) -> Movement:
        movement = Movement(f"transfer {len(self.movements)}", kind, source, destination, amount)
        self.movements[movement.name] = movement
        for account, change in ((source, -amount), (destination, amount)):
            account.balance += change
            account.lines.append((movement.name, change, account.balance))
        if kind in ("transfer", "withdrawal"):
            self.spent[source.name] += amount
        return movement

    def _told(self, made: Movement) -> Answer:
        """A transfer, with the balances that its source has now."""
        told = self._movement(made, sees_source=True) | {"source_balances": made.source.balances}
        return Answer(201, told=told, made=(made.name,))

    def _movement(self, one: Movement, *, sees_source: bool) -> dict[str, Any]:
        return {
            "id": one.name,
            "status": "posted",
            "kind": one.kind,
            "source_account_id": one.source.name if sees_source else None,
            "destination_account_id": one.destination.name,
            "amount": one.amount,
            "currency": one.source.currency,
            "reverses_id": one.reverses.name if one.reverses else None,
            "reversed_by_id": one.reversed_by.name if one.reversed_by else None,
        }

    # Bulks

    def _bulk(self, who: str, request: Bulk) -> Answer:
        before = copy.deepcopy((self.accounts, self.bank, self.movements, self.spent, self.keys))
        results, made = [], list[str]()
        for place, item in enumerate(request.items):
            try:
                answer = self._once(who, item.pay, item.key)
            except Refused as refused:
                if request.atomic:
                    self.accounts, self.bank, self.movements, self.spent, self.keys = before
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
            "movements": [
                (one.name, one.kind, "posted", one.source.name, one.destination.name, one.amount, reverses)
                for one in self.movements.values()
                for reverses in [one.reverses.name if one.reverses else None]
            ],
            "lines": {name: one.lines for name, one in accounts.items() if one.lines},
            "keys": len(self.keys),
            "bulks": sum(isinstance(request, Bulk) for request, _ in self.keys.values()),
        }


def _is_amount(request: Request) -> bool:
    return 1 <= getattr(request, "amount", 1) <= MOST


def _result(place: int, answer: Answer) -> dict[str, Any]:
    told = {"index": place, "status": answer.status}
    return told | ({"code": answer.code, "at": answer.at} if answer.code else {"transfer": answer.told})
