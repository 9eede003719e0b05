"""One idempotency key, many requests: at the same instant, on other routes, from others, after a refusal."""

import json
from collections.abc import Callable

import httpx

from app.core.caller import Role
from tests.bank import TRANSFERS, assert_right, count, customer, keyed, staff, with_account
from tests.client import ApiClient, error_of, outcomes, together

KEY = "one-key"


def assert_replays(first: httpx.Response, *others: httpx.Response) -> None:
    """The others are told what the first one was, and that it was done before."""
    assert first.status_code == 201, first.text
    for other in others:
        assert (other.status_code, other.text) == (201, first.text)
        assert other.headers["Location"] == first.headers["Location"]
        assert other.headers["Idempotent-Replayed"] == "true"


def test_fifty_requests_with_one_key_make_one_transfer(places: list[ApiClient]) -> None:
    ada, bob = customer(places[0], money=100), customer(places[0], "bob")
    spots = [ada.at(place) for place in places] * 50
    answers = together(*(lambda spot=spot: spot.pay(bob, 10, KEY) for spot in spots[:50]))
    done = [answer for answer in answers if answer.status_code == 201]
    for answer in answers:
        if answer not in done:
            error_of(answer, 409, "idempotency_in_progress")
            assert answer.headers["Retry-After"] == "1"
    [first] = [answer for answer in done if "Idempotent-Replayed" not in answer.headers]
    assert_replays(first, *(answer for answer in done if answer is not first))
    assert (ada.balance(), bob.balance()) == (90, 10)
    assert_replays(first, *(ada.at(place).pay(bob, 10, KEY) for place in places))
    assert count(places[0].db, "idempotency_keys", f"key = '{KEY}'") == 1
    assert_right(places[0].db)


def test_of_different_requests_with_one_key_one_is_made(places: list[ApiClient]) -> None:
    ada, bob = customer(places[0], money=1000), customer(places[0], "bob")
    # From different accounts, so that no lock brings the requests into an order.
    purses = [with_account(ada.person, money=100) for _ in range(4)]
    answers = together(
        *(
            lambda purse=purse, at=at: purse.at(places[at % len(places)]).pay(bob, 10 + at, KEY)
            for at, purse in enumerate(purses * 2)
        )
    )
    assert outcomes(answers) == {201: 1, (422, "idempotency_key_reused"): 7}
    [made] = [answer.json() for answer in answers if answer.status_code == 201]
    assert bob.balance() == made["amount"]
    assert sum(purse.balance() for purse in purses) == 400 - made["amount"]
    assert_right(places[0].db)


def test_one_key_on_many_routes_at_once_has_one_effect(places: list[ApiClient]) -> None:
    ada, bob = customer(places[0], money=100), customer(places[0], "bob")
    empty = with_account(ada.person)
    db = places[0].db
    before = count(db, "transfers"), count(db, "accounts", "status = 'closed'"), count(db, "accounts")
    wanted = {"type": "savings", "currency": "EUR"}
    calls: list[Callable[[], httpx.Response]] = []
    for spot in [ada.at(places[0]), ada.at(places[-1])]:
        calls += [
            lambda spot=spot: spot.pay(bob, 10, KEY),
            lambda spot=spot: spot.fund("deposit", 10, KEY),
            lambda spot=spot: spot.fund("withdrawal", 10, KEY),
            lambda spot=spot: spot.post("/v1/accounts", wanted, KEY),
            lambda spot=spot: spot.post(f"/v1/accounts/{empty.id}/close", key=KEY),
        ]
    answers = together(*calls)
    # Both requests to the route that was first are answered, the other routes' are refused.
    refused = [answer for answer in answers if answer.status_code == 422]
    assert outcomes(refused) == {(422, "idempotency_key_reused"): 8}
    [one, other] = [answer for answer in answers if answer.status_code < 300]
    assert one.text == other.text
    assert sorted("Idempotent-Replayed" in answer.headers for answer in (one, other)) == [False, True]
    after = count(db, "transfers"), count(db, "accounts", "status = 'closed'"), count(db, "accounts")
    assert sum(after) == sum(before) + 1
    assert count(db, "idempotency_keys", f"key = '{KEY}'") == 1
    assert_right(db)


def test_a_reversal_does_not_answer_for_another_one(places: list[ApiClient]) -> None:
    ada, bob = customer(places[0], money=100), customer(places[0], "bob")
    teller = staff(places[0], Role.OPERATOR)
    first, second = (f"{TRANSFERS}/{ada.pay(bob, 10).json()['id']}/reverse" for _ in range(2))
    answers = together(
        *(lambda path=path: teller.post(path, headers=keyed(KEY)) for path in [first, second] * 4)
    )
    refused = [answer for answer in answers if answer.status_code != 201]
    assert outcomes(refused) == {(422, "idempotency_key_reused"): 4}
    assert len({answer.text for answer in answers if answer.status_code == 201}) == 1
    assert (ada.balance(), bob.balance()) == (90, 10)


def test_the_same_key_of_two_users_is_two_keys(places: list[ApiClient]) -> None:
    ada, bob = customer(places[0], money=100), customer(places[0], "bob", money=100)
    answers = together(
        *[lambda: ada.at(places[0]).pay(bob, 10, KEY), lambda: bob.at(places[-1]).pay(ada, 30, KEY)] * 4
    )
    assert outcomes(answers) == {201: 8}
    assert (ada.balance(), bob.balance()) == (120, 80)
    assert len({answer.json()["id"] for answer in answers}) == 2


def test_a_key_that_was_refused_can_still_succeed_and_then_replays(client: ApiClient) -> None:
    ada, bob = customer(client), customer(client, "bob")
    for _ in range(2):
        error_of(ada.pay(bob, 10, KEY), 409, "insufficient_funds")
    assert count(client.db, "idempotency_keys", f"key = '{KEY}'") == 0
    assert ada.deposit(100).status_code == 201
    first = ada.pay(bob, 10, KEY)
    assert "Idempotent-Replayed" not in first.headers
    assert_replays(first, ada.pay(bob, 10, KEY))
    assert (ada.balance(), bob.balance()) == (90, 10)


def test_a_replay_is_the_first_answer_even_when_it_would_now_be_refused(client: ApiClient) -> None:
    ada, bob = customer(client, money=10), customer(client, "bob")
    first = ada.pay(bob, 10, KEY)
    assert_replays(first, ada.pay(bob, 10, KEY))
    assert ada.close().status_code == 200
    assert_replays(first, ada.pay(bob, 10, KEY))
    error_of(ada.pay(bob, 10), 409, "account_closed")
    assert bob.balance() == 10


def test_a_fresh_token_of_the_same_user_replays(client: ApiClient) -> None:
    ada, bob = customer(client, money=100), customer(client, "bob")
    first = ada.pay(bob, 10, KEY)
    again = client.log_in()
    assert again.access_token != ada.person.access_token
    different = again.bearer | keyed(KEY) | {"User-Agent": "another", "X-Request-Id": "another"}
    # Another order, white space, and a null: the same request.
    body = dict(reversed(ada.payment(bob, 10).items()))
    for content in (json.dumps(body, indent=4), json.dumps({"description": None} | body)):
        json_type = {"Content-Type": "application/json"}
        sent = client.post(TRANSFERS, content=content, headers=different | json_type)
        assert_replays(first, sent)
    assert bob.balance() == 10


def test_any_other_request_with_the_key_is_refused_and_moves_nothing(client: ApiClient) -> None:
    ada, bob, cleo = customer(client, money=100), customer(client, "bob"), customer(client, "cleo")
    first = ada.pay(bob, 10, KEY)
    for changed in (
        lambda: ada.pay(bob, 11, KEY),
        lambda: ada.pay(cleo, 10, KEY),
        lambda: ada.pay(bob, 10, KEY, currency="USD"),
        lambda: ada.pay(bob, 10, KEY, description="rent"),
        lambda: ada.pay(bob, 10_000, KEY),
        lambda: ada.fund("withdrawal", 10, KEY),
    ):
        error_of(changed(), 422, "idempotency_key_reused")
    assert_replays(first, ada.pay(bob, 10, KEY))
    assert (ada.balance(), bob.balance(), cleo.balance()) == (90, 10, 0)


def test_no_key_is_made_up_for_a_request_without_one(client: ApiClient) -> None:
    ada, bob = customer(client, money=100), customer(client, "bob")
    for _ in range(2):
        error_of(ada.person.post(TRANSFERS, json=ada.payment(bob, 10)), 400, "idempotency_key_required")
    assert (ada.balance(), bob.balance()) == (100, 0)
