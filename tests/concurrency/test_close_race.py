"""Closing an account while money is on its way: whoever wins, a closed account is empty."""

import pytest

from tests.bank import Customer, assert_right, customer, with_account
from tests.client import ApiClient, error_of, outcomes, together

ROUNDS = 4


def status_of(one: Customer) -> str:
    return str(one.person.get(f"/v1/accounts/{one.id}").json()["status"])


@pytest.mark.parametrize("from_a_stranger", [True, False], ids=["a stranger pays", "the owner pays"])
def test_a_closed_account_is_empty_whoever_wins(places: list[ApiClient], from_a_stranger: bool) -> None:
    ada = customer(places[0])
    payer = customer(places[0], "bob", money=100) if from_a_stranger else with_account(ada.person, money=100)
    late = "destination_unavailable" if from_a_stranger else "account_closed"
    for _ in range(ROUNDS):
        target = with_account(ada.person)
        closer = target.at(places[-1])
        payments = [lambda target=target: payer.pay(target, 1)] * 4
        answers = together(*payments, closer.close, *payments)
        closed = answers.pop(4)
        if closed.status_code == 200:
            assert outcomes(answers) == {(409, late): 8}
            assert (status_of(target), target.balance()) == ("closed", 0)
        else:
            error_of(closed, 409, "balance_not_zero")
            assert outcomes(answers) == {201: 8}
            assert (status_of(target), target.balance()) == ("active", 8)
    assert_right(places[0].db)


def test_the_last_money_leaves_before_the_account_closes_or_not_at_all(places: list[ApiClient]) -> None:
    ada, bob = customer(places[0]), customer(places[0], "bob")
    for _ in range(ROUNDS):
        source = with_account(ada.person, money=7)
        before = bob.balance()
        paid, closed = together(lambda source=source: source.pay(bob, 7), source.at(places[-1]).close)
        assert paid.status_code == 201
        assert bob.balance() == before + 7
        if closed.status_code != 200:
            error_of(closed, 409, "balance_not_zero")
            assert source.close().status_code == 200
        error_of(source.deposit(1), 409, "account_closed")
        assert source.balance() == 0
    assert_right(places[0].db)


def test_of_two_who_close_an_account_one_is_told_that_it_is_closed(places: list[ApiClient]) -> None:
    ada = customer(places[0])
    answers = together(*(ada.at(place).close for place in [places[0], places[-1]] * 3))
    assert outcomes(answers) == {200: 1, (409, "account_closed"): 5}
