"""A card that is asked from many sides at once, stopped meanwhile, captured and given back from."""

import threading
from collections import Counter
from collections.abc import Callable

import httpx
import pytest

from app.core.caller import Role
from app.db.unit_of_work import Database
from app.ledger.commands import Command
from app.ledger.posting import Outcome
from tests.bank import assert_right, count, customer, staff
from tests.books import Books, authorize, on_card, told
from tests.cards import CARDS, act, approved, asked, issue, money, on, refund
from tests.cards import authorize as authorize_at
from tests.client import ApiClient, Person, outcomes, together

ASKED, TRIES = 50, 200


class Shop:
    """Ada's card, and a network that asks it from everywhere."""

    def __init__(self, places: list[ApiClient], *, balance: int, **limits: int) -> None:
        self.places = places
        self.ada = customer(places[0], money=balance)
        self.network = staff(places[0], Role.NETWORK)
        self.card = issue(self.ada)
        path = f"{CARDS}/{self.card['id']}/limits"
        assert self.ada.person.patch(path, json={"limits": limits}).status_code == 200

    def spots(self, number: int) -> list[Person]:
        """The network, by turns at each place."""
        return [
            Person(self.places[turn % len(self.places)], self.network.access_token, "")
            for turn in range(number)
        ]

    def asks(self, number: int, amount: int) -> list[Callable[[], httpx.Response]]:
        path = f"{CARDS}/{self.card['id']}/authorizations"
        return [
            lambda spot=spot, key=f"ask {turn}": spot.post(
                path, json=asked(amount), headers={"Idempotency-Key": key}
            )
            for turn, spot in enumerate(self.spots(number))
        ]


def reasons(answers: list[httpx.Response]) -> Counter[str]:
    """How often a card said yes, or no for which reason."""
    assert {answer.status_code for answer in answers} == {201}
    return Counter(answer.json()["decline_reason"] or "approved" for answer in answers)


def test_fifty_at_once_never_pass_the_limit_of_a_day(places: list[ApiClient]) -> None:
    shop = Shop(places, balance=10_000, per_day=100)
    answers = together(*shop.asks(ASKED, 9))
    assert reasons(answers) == {"approved": 11, "limit_exceeded": 39}
    assert money(shop.ada) == (10_000, 99, 9_901)
    assert count(places[0].db, "authorizations") == ASKED
    assert_right(places[0].db)


def test_fifty_at_once_never_pass_a_small_balance(places: list[ApiClient]) -> None:
    shop = Shop(places, balance=100, per_day=10_000, per_month=10_000)
    answers = together(*shop.asks(ASKED, 9))
    assert reasons(answers) == {"approved": 11, "insufficient_funds": 39}
    assert money(shop.ada) == (100, 99, 1)
    # All of them again: the same answers, word for word, and nothing more.
    again = together(*shop.asks(ASKED, 9))
    assert [answer.text for answer in again] == [answer.text for answer in answers]
    assert all(answer.headers["Idempotent-Replayed"] == "true" for answer in again)
    assert money(shop.ada) == (100, 99, 1)
    assert_right(places[0].db)


def test_cards_of_one_account_share_its_money(places: list[ApiClient]) -> None:
    shop = Shop(places, balance=100)
    asks = shop.asks(ASKED // 2, 9)
    shop.card = issue(shop.ada)
    asks += [lambda spot=spot: authorize_at(spot, shop.card, 9) for spot in shop.spots(ASKED // 2)]
    assert reasons(together(*asks)) == {"approved": 11, "insufficient_funds": 39}
    assert_right(places[0].db)


def test_a_question_that_is_sent_twice_is_answered_once(places: list[ApiClient]) -> None:
    shop = Shop(places, balance=100, per_day=60)
    path, body = f"{CARDS}/{shop.card['id']}/authorizations", asked(50)
    answers = together(
        *(
            lambda spot=spot: spot.post(path, json=body, headers={"Idempotency-Key": "once"})
            for spot in shop.spots(8)
        )
    )
    assert reasons(answers) == {"approved": 8}
    assert len({answer.text for answer in answers}) == 1
    assert sum("Idempotent-Replayed" in answer.headers for answer in answers) == 7
    assert money(shop.ada) == (100, 50, 50)


def test_once_a_freeze_is_answered_every_payment_is_declined(places: list[ApiClient]) -> None:
    shop = Shop(places, balance=10_000)
    frozen, late = threading.Event(), list[httpx.Response]()

    def freeze() -> httpx.Response:
        answer = act(shop.ada.at(places[-1]), shop.card, "freeze")
        frozen.set()
        return answer

    def ask(call: Callable[[], httpx.Response]) -> Callable[[], httpx.Response]:
        def after() -> httpx.Response:
            is_late = frozen.is_set()
            answer = call()
            if is_late:
                late.append(answer)
            return answer

        return after

    together(freeze, *(ask(one) for one in shop.asks(ASKED, 1)))
    late += together(*(ask(one) for one in shop.asks(ASKED + 5, 1)[ASKED:]))
    assert set(reasons(late)) == {"card_frozen"}
    assert_right(places[0].db)


def test_refunds_at_once_are_never_more_than_was_captured(places: list[ApiClient]) -> None:
    shop = Shop(places, balance=100)
    made = approved(shop.network, shop.card, 100)
    assert on(shop.network, made, "capture", amount=100).status_code == 200
    answers = together(*(lambda spot=spot: refund(spot, made, 30) for spot in shop.spots(10)))
    assert outcomes(answers) == {201: 3, (422, "validation_failed"): 7}
    assert money(shop.ada) == (90, 0, 90)
    assert_right(places[0].db)


def test_an_account_closes_before_its_card_is_issued_or_not_at_all(places: list[ApiClient]) -> None:
    for turn in range(4):
        ada = customer(places[0], f"ada{turn}")
        closer = ada.at(places[-1])
        issued, closed = together(
            lambda ada=ada: ada.post(CARDS, {"account_id": ada.id, "type": "virtual"}), closer.close
        )
        pair = outcomes([issued, closed])
        assert pair in (
            {201: 1, (409, "account_in_use"): 1},
            {200: 1, (409, "account_closed"): 1},
        )


def test_two_replacements_at_once_replace_once(places: list[ApiClient]) -> None:
    shop = Shop(places, balance=0)
    spots = [shop.ada, shop.ada.at(places[-1])] * 3
    answers = together(*(lambda spot=spot: act(spot, shop.card, "replace") for spot in spots))
    assert outcomes(answers) == {201: 1, (409, "card_state"): 5}
    assert count(places[0].db, "cards") == 2


class Duel:
    """What two commands about one authorisation come to, posted by a thread each."""

    def __init__(self, db: Database) -> None:
        self.books = Books(db)
        self.network = self.books.person(Role.NETWORK)
        self.account = self.books.account(self.books.person(), money=TRIES * 10)
        self.card = self.books.card(self.account)

    def at_once(self, *commands: Command) -> list[str]:
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


@pytest.mark.parametrize("other", ["capture", "void"])
def test_of_a_capture_and_another_act_one_wins(db: Database, other: str) -> None:
    duel = Duel(db)
    captured = 0
    for _ in range(TRIES):
        made = duel.books.answered(authorize(duel.network, duel.card, 10))
        pair = [on_card(duel.network, made, "capture", 10), on_card(duel.network, made, other, 10)]
        results = duel.at_once(*pair)
        assert sorted(results) == ["hold_not_active", "posted"]
        captured += results[0] == "posted" or other == "capture"
    balance = duel.books.balance(duel.account)
    assert balance == TRIES * 10 - captured * 10
    duel.books.assert_right()
