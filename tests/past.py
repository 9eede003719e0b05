"""Accounts with a past: what was booked at instants of a test's choice, by the ledger itself."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from app.core import clock, ids
from app.core.caller import Caller, Role
from app.db.unit_of_work import Database
from app.ledger.commands import Posted
from tests.bank import Customer
from tests.books import ORIGIN, Acct, Books, deposit, pay, set_clock, withdraw
from tests.client import Person

_now, _stamps = clock.now, ids._stamps
FAR = 2**57


class Past:
    """A bank whose clock a test can set back; its teller works for ever."""

    def __init__(self, db: Database, monkeypatch: pytest.MonkeyPatch, zone: str = "UTC") -> None:
        self._patch = monkeypatch
        # Ids are of then; where time goes back, they go on from the last.
        self._own_stamps = ids._Stamps()
        with self.at("2020-01-01T00:00:00Z"):
            self.books = Books(db, zone=zone)
        self.books.run("UPDATE sessions SET expires_at = :far", far=FAR)

    @contextmanager
    def at(self, instant: str) -> Iterator[None]:
        """It is this instant, meanwhile."""
        set_clock(self._patch, instant, keep_ids=True)
        self._patch.setattr(ids, "_stamps", self._own_stamps)
        try:
            yield
        finally:
            self._patch.setattr(clock, "now", _now)
            self._patch.setattr(ids, "_stamps", _stamps)

    def open(self, instant: str, owner: Person | None = None, currency: str = "EUR") -> Acct:
        """An account, opened then."""
        caller = None
        if owner is not None:
            told = owner.get("/v1/auth/me").json()
            caller = Caller(told["id"], Role.CUSTOMER, "ses_x", ORIGIN)
        with self.at(instant):
            return self.books.account(caller, currency=currency)

    def book(self, account: Acct, instant: str, amount: int, **more: Any) -> Posted:
        """A deposit (or, below 0, a withdrawal) at an instant."""
        command = deposit if amount > 0 else withdraw
        with self.at(instant):
            return self.books.did(command(self.books.teller, account, abs(amount), **more))

    def pay(self, source: Acct, destination: Acct, instant: str, amount: int, **more: Any) -> Posted:
        """A transfer at an instant; both accounts are of people without a login."""
        with self.at(instant):
            return self.books.did(pay(self.books.teller, source, destination, amount, **more))


def shown(person: Person, account: Acct) -> Customer:
    """The account and its owner, as other tests have them."""
    return Customer(person, person.get(f"/v1/accounts/{account.id}").json())
