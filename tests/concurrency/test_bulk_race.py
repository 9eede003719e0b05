"""The same bulk on its way more than once, at the same moment."""

from typing import Any

import httpx
import pytest

from tests.bank import TRANSFERS, Customer, assert_right, count, customer
from tests.client import ApiClient, together

BULK = f"{TRANSFERS}/bulk"


def race(spots: list[Customer], body: dict[str, Any], key: str) -> list[httpx.Response]:
    return together(*(lambda spot=spot: spot.post(BULK, body, key) for spot in spots))


@pytest.mark.parametrize("atomic", [True, False])
def test_a_bulk_that_comes_eight_times_at_once_is_posted_once(places: list[ApiClient], atomic: bool) -> None:
    ada, bob = customer(places[0], money=10_000), customer(places[0], "bob")
    items = [ada.payment(bob, 1)] * 510 + [ada.payment(bob, 10**9)] * (not atomic)
    items[7] = items[7] | {"idempotency_key": "of one"}
    spots = [ada.at(places[number % len(places)]) for number in range(8)]
    answers = race(spots, {"atomic": atomic, "transfers": items}, "k")
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert answers[0].json()["succeeded"] == 510
    assert (ada.balance(), bob.balance()) == (9490, 510)
    assert count(places[0].db, "bulk_chunks") == (1 if atomic else 3)
    assert_right(places[0].db)


def test_nothing_but_refusals_is_one_outcome_too(places: list[ApiClient]) -> None:
    """No account is found, so no lock brings the requests into an order."""
    ada = customer(places[0])
    nobody = ada.payment(ada, 1) | {"source_account_id": "acc_none", "destination_account_number": "1"}
    spots = [ada.at(places[number % len(places)]) for number in range(8)]
    answers = race(spots, {"transfers": [nobody] * 260}, "k")
    assert len({(answer.status_code, answer.content) for answer in answers}) == 1
    assert answers[0].json()["failed"] == 260
    assert count(places[0].db, "audit_log", "action = 'transfer.create'") == 260
    assert_right(places[0].db)


def test_a_transfers_key_is_one_in_bulks_and_alone_at_once(places: list[ApiClient]) -> None:
    ada, bob = customer(places[0], money=100), customer(places[0], "bob")
    one = ada.payment(bob, 1)
    body = {"transfers": [one | {"idempotency_key": "one"}]}
    spots = [ada.at(places[number % len(places)]) for number in range(4)]
    answers = together(
        *(lambda spot=spot: spot.post(BULK, body) for spot in spots),
        *(lambda spot=spot: spot.post(TRANSFERS, one, "one") for spot in spots),
    )
    assert [answer.status_code for answer in answers] == [200] * 4 + [201] * 4
    ids = {answer.json()["results"][0]["transfer"]["id"] for answer in answers[:4]}
    assert ids == {answer.json()["id"] for answer in answers[4:]}
    assert (ada.balance(), bob.balance()) == (99, 1)
    assert_right(places[0].db)
