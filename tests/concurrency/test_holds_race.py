"""Acts on one hold at the same moment: exactly one wins, and the money knows which."""

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest

from app.core import clock
from app.db.unit_of_work import Database
from app.ledger.commands import Command, Held
from app.ledger.posting import Outcome
from tests.bank import assert_right, count, customer, put, with_account
from tests.books import Acct, Books, capture, hold, pay, told, void
from tests.client import ApiClient, error_of, outcomes, together

TRIES = 200


class Duel:
    """Ada's hold for Ben, over and over again, and what two commands make of it."""

    def __init__(self, db: Database) -> None:
        self.books = Books(db)
        self.ada, ben = self.books.person(), self.books.person()
        self.one, self.two = self.books.account(self.ada, money=TRIES * 10), self.books.account(ben)

    def held(self, **more: Any) -> Held:
        return self.books.held(hold(self.ada, self.one, self.two, 10, **more))

    def status(self, held: Held) -> str:
        (row,) = self.books.rows("SELECT status FROM transfers WHERE key = :key", key=held.row["key"])
        return str(row.status)

    def money(self, account: Acct) -> tuple[int, int]:
        (row,) = self.books.rows("SELECT balance, held FROM accounts WHERE key = :key", key=account.key)
        return row.balance, row.held

    def at_once(self, *commands: Command) -> list[str]:
        """What each came to, posted by a thread of its own."""
        found: dict[int, Outcome] = {}
        gate = threading.Barrier(len(commands))

        def run(place: int) -> None:
            gate.wait()
            (found[place],) = self.books.post(commands[place])

        threads = [threading.Thread(target=run, args=(place,)) for place in range(len(commands))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return [told(found[place]) for place in range(len(commands))]


@pytest.fixture
def duel(db: Database) -> Duel:
    return Duel(db)


def test_of_a_capture_and_a_void_one_wins(duel: Duel) -> None:
    captured = 0
    for _ in range(TRIES):
        held = duel.held()
        results = duel.at_once(capture(duel.ada, held), void(duel.ada, held))
        assert sorted(results) == ["hold_not_active", "posted"]
        is_captured = results[0] == "posted"
        captured += is_captured
        assert duel.status(held) == ("posted" if is_captured else "voided")
    assert duel.money(duel.one) == (TRIES * 10 - captured * 10, 0)
    assert duel.money(duel.two) == (captured * 10, 0)
    duel.books.assert_right()


def test_of_two_captures_one_wins(duel: Duel) -> None:
    for _ in range(TRIES):
        held = duel.held()
        results = duel.at_once(capture(duel.ada, held, 10), capture(duel.ada, held, 10))
        assert sorted(results) == ["hold_not_active", "posted"]
    assert duel.money(duel.one) == (0, 0)
    assert duel.money(duel.two) == (TRIES * 10, 0)
    duel.books.assert_right()


def test_of_a_capture_and_the_end_of_the_hold_one_wins(duel: Duel, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hour goes by while the hold is captured and while a payment, which may end it, is posted."""
    begin, ends = clock.now(), Counter[str]()
    hands = iter([begin + timedelta(hours=hour) for hour in range(TRIES + 1)])

    def strike() -> None:
        now = next(hands)
        monkeypatch.setattr(clock, "now", lambda: now)

    strike()
    for number in range(TRIES):
        held = duel.held(expires_at=clock.now() + timedelta(hours=1))
        hour = threading.Timer(number % 10 / 2000, strike)
        hour.start()
        captured, _ = duel.at_once(capture(duel.ada, held), pay(duel.books.teller, duel.two, duel.one, 1))
        hour.join()
        assert captured in ("posted", "hold_not_active")
        ends[captured] += 1
        # Whoever comes next finds it ended.
        duel.books.post(void(duel.ada, held))
        assert duel.status(held) == ("posted" if captured == "posted" else "expired")
    assert len(ends) == 2, ends
    assert duel.money(duel.one) == (TRIES * 10 - ends["posted"] * 10, 0)
    duel.books.assert_right()


def test_parts_that_are_captured_at_once_are_never_more_than_the_hold(duel: Duel) -> None:
    for _ in range(TRIES // 10):
        held = duel.held()
        results = duel.at_once(*(capture(duel.ada, held, 3) for _ in range(5)))
        assert Counter(results) == {"posted": 3, "validation_failed": 2}
        assert duel.at_once(capture(duel.ada, held), void(duel.ada, held)).count("posted") == 1
    duel.books.assert_right()


def test_two_holds_of_more_than_half_do_not_both_fit(places: list[ApiClient]) -> None:
    ada, bob = customer(places[0], money=1000), customer(places[0], "bob")
    answers = together(*(lambda at=at: ada.at(at).pay(bob, 600, pending=True) for at in _two(places)))
    assert outcomes(answers) == {201: 1, (409, "insufficient_funds"): 1}
    told = ada.person.get(f"/v1/accounts/{ada.id}/balance").json()
    assert (told["balance"], told["held"], told["available"]) == (1000, 600, 400)
    assert_right(places[0].db)


def test_of_ten_captures_with_keys_of_their_own_one_is_done(places: list[ApiClient]) -> None:
    ada, bob = customer(places[0], money=100), customer(places[0], "bob")
    held = ada.pay(bob, 75, pending=True).json()
    path = f"/v1/transfers/{held['id']}/capture"
    acts: Sequence[Callable[[], Any]] = [
        lambda at=at: ada.at(at).post(path, {"amount": 75}) for at in _two(places) * 5
    ]
    assert outcomes(together(*acts)) == {200: 1, (409, "hold_not_active"): 9}
    assert (ada.balance(), bob.balance()) == (25, 75)
    assert count(places[0].db, "transfers", "pending_key IS NOT NULL") == 1
    assert_right(places[0].db)


def test_a_capture_that_is_sent_twice_is_done_once(places: list[ApiClient]) -> None:
    ada, bob = customer(places[0], money=100), customer(places[0], "bob")
    held = ada.pay(bob, 75, pending=True).json()
    path = f"/v1/transfers/{held['id']}/capture"
    answers = together(*(lambda at=at: ada.at(at).post(path, {}, "once") for at in _two(places) * 3))
    assert outcomes(answers) == {200: 6}
    assert len({answer.text for answer in answers}) == 1
    assert sum("Idempotent-Replayed" in answer.headers for answer in answers) == 5
    assert bob.balance() == 75


def test_an_account_that_closes_has_no_open_hold(places: list[ApiClient]) -> None:
    ada, bob = customer(places[0]), customer(places[0], "bob")
    for _ in range(4):
        source = with_account(ada.person)
        put(places[0].db, source, overdraft_limit=5)
        held, closed = together(
            lambda source=source: source.pay(bob, 5, pending=True), source.at(places[-1]).close
        )
        if closed.status_code == 200:
            error_of(held, 409, "account_closed")
        else:
            error_of(closed, 409, "account_in_use")
            assert held.status_code == 201
    assert_right(places[0].db)


def _two(places: list[ApiClient]) -> list[ApiClient]:
    return [places[0], places[-1]]
