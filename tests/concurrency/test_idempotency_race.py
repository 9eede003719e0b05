"""One idempotency key, many requests at the same instant."""

import itertools

from app.core.caller import Role
from tests.bank import TRANSACTIONS, TRANSFERS, assert_right, count, customer, keyed, staff
from tests.client import ApiClient, error_of, outcomes, together

KEY = "one-key"


def test_fifty_requests_with_one_key_make_one_transfer(places: list[ApiClient]) -> None:
    ada, bob = customer(places[0], money=100), customer(places[0], "bob")
    spots = [ada.at(place) for place in places] * 50
    answers = together(*(lambda spot=spot: spot.pay(bob, 10, KEY) for spot in spots[:50]))
    done = [answer for answer in answers if answer.status_code == 201]
    for answer in answers:
        if answer not in done:
            error_of(answer, 409, "idempotency_in_progress")
            assert answer.headers["Retry-After"] == "1"
    assert len({answer.text for answer in done}) == 1
    assert sum("Idempotent-Replayed" not in answer.headers for answer in done) == 1
    assert (ada.balance(), bob.balance()) == (90, 10)
    again = [ada.at(place).pay(bob, 10, KEY) for place in places]
    assert {(answer.status_code, answer.text) for answer in again} == {(201, done[0].text)}
    assert all(answer.headers["Idempotent-Replayed"] == "true" for answer in again)
    assert count(places[0].db, "idempotency_keys", f"key = '{KEY}'") == 1
    assert_right(places[0].db)
