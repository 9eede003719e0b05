"""Money that moves at the same instant: nothing is lost, nothing is spent twice."""

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from typing import TypeVar

import pytest

from app.core.caller import Role
from app.core.config import Settings
from tests.bank import assert_right, count, customer, keyed, staff, with_account
from tests.client import ApiClient, outcomes, running, together
from tests.isolation import patiently

T = TypeVar("T")

THREADS = 16


def test_parallel_deposits_all_count(places: list[ApiClient]) -> None:
    ada = customer(places[0])
    spots = [ada.at(place) for place in places]
    answers = together(*(lambda spot=spot: spot.deposit(100) for _, spot in _round_robin(12, spots)))
    assert outcomes(answers) == {201: 12}
    assert ada.balance() == 1200
    assert_right(places[0].db)


def test_a_whole_balance_is_spent_once(places: list[ApiClient]) -> None:
    ada, bob = customer(places[0], money=1000), customer(places[0], "bob")
    spots = [ada.at(place) for place in places]
    answers = together(*(lambda spot=spot: spot.pay(bob, 1000) for _, spot in _round_robin(12, spots)))
    assert outcomes(answers) == {201: 1, (409, "insufficient_funds"): 11}
    assert (ada.balance(), bob.balance()) == (0, 1000)
    assert count(places[0].db, "transfers", "kind = 'transfer'") == 1
    assert count(places[0].db, "entries") == 4
    assert_right(places[0].db)


def test_two_hundred_deposits_of_one_are_two_hundred(places: list[ApiClient]) -> None:
    ada = customer(places[0])
    spots = [ada.at(place) for place in places]
    with ThreadPoolExecutor(THREADS) as pool:
        answers = list(pool.map(lambda turn: patiently(lambda: turn[1].deposit(1)), _round_robin(200, spots)))
    assert outcomes(answers) == {201: 200}
    assert ada.balance() == 200
    assert sorted(answer.json()["balance_after"] for answer in answers) == list(range(1, 201))
    assert_right(places[0].db)


def test_opposite_transfers_do_not_wait_for_each_other_in_a_ring(places: list[ApiClient]) -> None:
    ada, bob = customer(places[0], money=1000), customer(places[0], "bob", money=1000)
    directions = [(payer.at(place), payee) for payer, payee in ((ada, bob), (bob, ada)) for place in places]
    with ThreadPoolExecutor(THREADS) as pool:
        turns = _round_robin(100, directions)
        calls = [partial(payer.pay, payee, 1 + number % 2) for number, (payer, payee) in turns]
        answers = list(pool.map(patiently, calls))
    assert outcomes(answers) == {201: 100}, "nobody is refused while the money is there"
    assert ada.balance() + bob.balance() == 2000
    assert_right(places[0].db)


def test_many_operators_take_a_transfer_back_once(places: list[ApiClient]) -> None:
    ada, bob = customer(places[0], money=250), customer(places[0], "bob")
    path = f"/v1/transfers/{ada.pay(bob, 250).json()['id']}/reverse"
    operators = [staff(place, Role.OPERATOR) for place in places]
    # The recipient could pay for all of them.
    assert bob.deposit(10_000).status_code == 201
    answers = together(
        *(lambda one=one: one.post(path, headers=keyed()) for _, one in _round_robin(10, operators))
    )
    assert outcomes(answers) == {201: 1, (409, "already_reversed"): 9}
    assert (ada.balance(), bob.balance()) == (250, 10_000)
    assert_right(places[0].db)


@pytest.fixture
def limited(database_url: str, settings: Settings) -> Iterator[list[ApiClient]]:
    """Two services that let 500 out of an account in a day."""
    with ExitStack() as stack:
        bounds = settings.model_copy(update={"daily_limits": {"EUR": 500}})
        yield [stack.enter_context(running(bounds)) for _ in range(2)]


def test_parallel_payments_do_not_pass_the_limit_together(limited: list[ApiClient]) -> None:
    ada, bob = customer(limited[0], money=5000), customer(limited[0], "bob")
    spots = [ada.at(place) for place in limited]
    answers = together(*(lambda spot=spot: spot.pay(bob, 100) for _, spot in _round_robin(12, spots)))
    assert outcomes(answers) == {201: 5, (409, "limit_exceeded"): 7}
    assert bob.balance() == 500


def test_payments_and_new_names_for_an_account_do_not_undo_each_other(places: list[ApiClient]) -> None:
    ada, bob = customer(places[0], money=100), customer(places[0], "bob")
    spots = [ada.at(place) for place in places]
    path = f"/v1/accounts/{ada.id}"
    payments = [lambda spot=spot: spot.pay(bob, 1) for _, spot in _round_robin(20, spots)]
    names = [
        lambda spot=spot, number=number: spot.person.patch(path, json={"nickname": f"name {number}"})
        for number, spot in _round_robin(10, spots)
    ]
    answers = together(*payments, *names)
    assert outcomes(answers) == {201: 20, 200: 10}
    assert (ada.balance(), bob.balance()) == (80, 20)
    assert ada.person.get(path).json()["nickname"].startswith("name ")
    assert_right(places[0].db)


def test_the_first_accounts_of_a_currency_open_together(places: list[ApiClient]) -> None:
    people = [customer(places[0], name).person for name in ("ada", "bob", "cleo", "dan")]
    wanted = {"type": "checking", "currency": "JPY"}
    calls = [
        lambda person=person, place=place: place.post("/v1/accounts", json=wanted, headers=person.bearer)
        for person, place in itertools.product(people, [*places, *places][:2])
    ]
    answers = together(*calls)
    assert outcomes(answers) == {201: 8}
    assert len({answer.json()["number"] for answer in answers}) == 8
    system = "currency = 'JPY' AND holder_id IS NULL"
    kinds = count(places[0].db, "accounts", "currency = 'EUR' AND holder_id IS NULL")
    assert count(places[0].db, "accounts", system) == kinds
    with_account(people[0], money=5, currency="JPY")
    assert_right(places[0].db)


def test_of_parallel_applications_of_one_user_one_makes_a_holder(places: list[ApiClient]) -> None:
    ada = places[0].sign_up()
    profile = {"full_name": "Ada Example", "date_of_birth": "1990-01-02"}
    answers = together(
        *(
            lambda place=place: place.post("/v1/account-holders", json=profile, headers=ada.bearer)
            for _, place in _round_robin(8, places)
        )
    )
    assert outcomes(answers) == {201: 1, (409, "holder_exists"): 7}


def _round_robin(times: int, among: list[T]) -> list[tuple[int, T]]:
    return list(zip(range(times), itertools.cycle(among), strict=False))
