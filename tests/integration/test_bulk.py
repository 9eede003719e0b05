"""Many transfers in one request: all or none of them, or each for itself and continued after a failure."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from sqlalchemy import event

from app.core.caller import Role
from tests.bank import TRANSFERS, Customer, assert_right, count, customer, keyed, rows, staff
from tests.client import ApiClient, error_of, running, together
from tests.conftest import settings_for
from tests.server import eventually

BULK = f"{TRANSFERS}/bulk"


@pytest.fixture
def ada(client: ApiClient) -> Customer:
    return customer(client, "ada", money=1_000)


@pytest.fixture
def bob(client: ApiClient) -> Customer:
    return customer(client, "bob")


def bulk(payer: Customer, items: list[dict[str, Any]], key: str | None = None, **more: Any) -> httpx.Response:
    return payer.post(BULK, {"transfers": items} | more, key)


def told(answer: httpx.Response) -> list[int | str]:
    """What each transfer came to, in order: 201, or the code of its refusal."""
    assert answer.status_code == 200, answer.text
    results = answer.json()["results"]
    assert [one["index"] for one in results] == list(range(len(results)))
    assert answer.json()["succeeded"] == sum(one["status"] == 201 for one in results)
    assert answer.json()["failed"] == sum(one["status"] != 201 for one in results)
    return [one["status"] if "transfer" in one else one["error"]["code"] for one in results]


def test_each_transfer_is_answered_at_its_place(client: ApiClient, ada: Customer, bob: Customer) -> None:
    stranger = ada.payment(bob, 1) | {"source_account_id": bob.id}
    dollars = ada.payment(bob, 1) | {"currency": "USD"}
    items = [ada.payment(bob, 600), ada.payment(bob, 600), stranger, ada.payment(ada, 1), dollars]
    answer = bulk(ada, [*items, ada.payment(bob, 400) | {"description": "rent", "external_id": "r-1"}])
    assert told(answer) == [
        201,
        "insufficient_funds",
        "not_found",
        "same_account",
        "currency_mismatch",
        201,
    ]
    first, short, unknown, *_, last = answer.json()["results"]
    assert first["transfer"]["source_balances"] == {"balance": 400, "held": 0, "available": 400}
    assert (last["transfer"]["description"], last["transfer"]["external_id"]) == ("rent", "r-1")
    assert (short["status"], short["error"]["details"]) == (409, [])
    assert (unknown["status"], unknown["error"]["details"][0]["field"]) == (404, "source_account_id")
    one = ada.person.get(f"{TRANSFERS}/{first['transfer']['id']}")
    assert one.json() == first["transfer"]
    assert (ada.balance(), bob.balance()) == (0, 1_000)
    assert count(client.db, "audit_log", "action = 'transfer.bulk' AND outcome = 'success'") == 1
    assert count(client.db, "audit_log", "action = 'transfer.create' AND outcome <> 'success'") == 4
    assert_right(client.db)


def test_an_atomic_one_is_posted_whole_and_in_order(client: ApiClient, ada: Customer, bob: Customer) -> None:
    error = error_of(
        bulk(ada, [ada.payment(bob, 1_000), ada.payment(bob, 1)], atomic=True), 409, "insufficient_funds"
    )
    assert [one["field"] for one in error["details"]] == ["transfers[1]"]
    assert (ada.balance(), bob.balance()) == (1_000, 0)
    assert told(bulk(ada, [ada.payment(bob, 300), ada.payment(bob, 700)], atomic=True)) == [201, 201]
    assert (ada.balance(), bob.balance()) == (0, 1_000)
    [(groups, transfers)] = rows(
        client.db, "SELECT count(DISTINCT group_id), count(*) FROM transfers WHERE kind = 'transfer'"
    )
    assert (groups, transfers) == (1, 2)
    assert_right(client.db)


def test_an_atomic_refusal_says_where_and_leaves_its_trace_only(
    client: ApiClient, ada: Customer, bob: Customer
) -> None:
    unknown = ada.payment(bob, 1) | {"destination_account_number": "000000000000"}
    before = [count(client.db, table) for table in ("transfers", "idempotency_keys", "bulk_chunks")]
    answer = bulk(ada, [ada.payment(bob, 1), unknown], key="once", atomic=True)
    error = error_of(answer, 404, "not_found")
    assert error["details"][0]["field"] == "transfers[1].destination_account_number"
    assert [count(client.db, table) for table in ("transfers", "idempotency_keys", "bulk_chunks")] == before
    assert count(client.db, "audit_log", "action = 'transfer.bulk' AND outcome = 'not_found'") == 1
    # The key is free, and the same request may succeed later.
    assert told(bulk(ada, [ada.payment(bob, 1)], key="once", atomic=True)) == [201]


@pytest.mark.parametrize("atomic", [True, False])
def test_the_same_request_again_is_the_first_answer_again(
    client: ApiClient, ada: Customer, bob: Customer, atomic: bool
) -> None:
    items = [ada.payment(bob, amount) for amount in (100, 200)]
    items += [] if atomic else [ada.payment(bob, 5_000)]
    first = bulk(ada, items, key="once", atomic=atomic)
    assert "Idempotent-Replayed" not in first.headers
    ada.pay(bob, 50)
    again = bulk(ada, items, key="once", atomic=atomic)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert (again.status_code, again.content) == (200, first.content)
    assert ada.balance() == 650
    error_of(bulk(ada, items[:1], key="once", atomic=atomic), 422, "idempotency_key_reused")
    error_of(bulk(ada, items, key="once", atomic=not atomic), 422, "idempotency_key_reused")
    error_of(ada.pay(bob, 100, key="once"), 422, "idempotency_key_reused")
    error_of(ada.deposit(100, key="once"), 422, "idempotency_key_reused")
    assert_right(client.db)


def test_a_key_of_another_request_is_none_for_a_bulk(ada: Customer, bob: Customer) -> None:
    assert ada.pay(bob, 1, key="once").status_code == 201
    error_of(bulk(ada, [ada.payment(bob, 1)], key="once"), 422, "idempotency_key_reused")
    error_of(bulk(ada, [ada.payment(bob, 1)], key="once", atomic=True), 422, "idempotency_key_reused")
    assert ada.balance() == 999


def test_an_items_key_is_that_of_a_single_transfer(ada: Customer, bob: Customer) -> None:
    alone = ada.pay(bob, 10, key="a")
    items = [ada.payment(bob, 10) | {"idempotency_key": "a"}, ada.payment(bob, 20) | {"idempotency_key": "b"}]
    answer = bulk(ada, [*items, items[1], ada.payment(bob, 21) | {"idempotency_key": "b"}])
    assert told(answer) == [201, 201, 201, "idempotency_key_reused"]
    transfers = [one["transfer"] for one in answer.json()["results"][:3]]
    assert transfers[0] == alone.json()
    assert transfers[1] == transfers[2]
    later = ada.pay(bob, 20, key="b")
    assert (later.headers["Idempotent-Replayed"], later.json()) == ("true", transfers[1])
    assert ada.balance() == 970


def test_faults_of_fields_are_told_all_at_once_and_nothing_is_posted(ada: Customer, bob: Customer) -> None:
    good = ada.payment(bob, 1)
    items = [good, good | {"amount": 0}, good | {"colour": "red"}, good | {"idempotency_key": "é"}]
    error = error_of(bulk(ada, items), 422, "validation_failed")
    fields = {one["field"] for one in error["details"]}
    assert fields == {"transfers[1].amount", "transfers[2].colour", "transfers[3].idempotency_key"}
    error_of(bulk(ada, []), 422, "validation_failed")
    error_of(bulk(ada, [good], atomic=1), 422, "validation_failed")
    error_of(ada.person.post(BULK, json={"transfers": [good]}), 400, "idempotency_key_required")
    assert ada.balance() == 1_000


def test_a_bulk_has_an_end_and_a_larger_body_than_other_requests(ada: Customer, bob: Customer) -> None:
    good = ada.payment(bob, 1)
    error = error_of(bulk(ada, [good] * 1_001, atomic=True), 422, "validation_failed")
    assert [(one["field"], one["code"]) for one in error["details"]] == [("transfers", "too_long")]
    error_of(bulk(ada, [good] * 10_001), 422, "validation_failed")
    # More than a mebibyte: read here, refused there.
    padded = [good | {"metadata": {"note": "x" * 500}}] * 2_000
    assert told(bulk(ada, padded))[:1_001] == [201] * 1_000 + ["insufficient_funds"]
    error_of(ada.post(TRANSFERS, {"transfers": padded}), 413, "body_too_large")
    huge = {"Content-Length": str(9 * 1024 * 1024), "Content-Type": "application/json"} | keyed()
    error_of(ada.person.request("POST", BULK, content=b"{}", headers=huge), 413, "body_too_large")


class Sabotage:
    """Fails the insert of a chunk's outcomes, from one chunk on."""

    def __init__(self, after: int) -> None:
        self.left = after

    def __call__(self, *given: Any) -> None:
        if "bulk_chunks" in given[2] and given[2].startswith("INSERT"):
            self.left -= 1
            if self.left < 0:
                raise OSError("the disk is gone")


def test_after_an_interruption_the_same_request_continues_where_it_stopped(
    client: ApiClient, ada: Customer, bob: Customer
) -> None:
    items = [ada.payment(bob, 1)] * 600
    sabotage = Sabotage(after=1)
    event.listen(client.db.engines.writer, "before_cursor_execute", sabotage)
    try:
        error_of(bulk(ada, items, key="once"), 500, "internal_error")
    finally:
        event.remove(client.db.engines.writer, "before_cursor_execute", sabotage)
    assert ada.balance() == 750
    finished = bulk(ada, items, key="once")
    assert told(finished) == [201] * 600
    assert "Idempotent-Replayed" not in finished.headers
    assert ada.balance() == 400
    again = bulk(ada, items, key="once")
    assert (again.headers["Idempotent-Replayed"], again.content) == ("true", finished.content)
    assert ada.balance() == 400
    assert_right(client.db)


def test_the_same_bulk_many_times_at_once_is_posted_once(
    client: ApiClient, ada: Customer, bob: Customer
) -> None:
    items = [ada.payment(bob, 1)] * 300
    answers = together(*[lambda: bulk(ada, items, key="once")] * 4)
    assert [answer.status_code for answer in answers] == [200] * 4
    assert len({answer.content for answer in answers}) == 1
    assert (ada.balance(), bob.balance()) == (700, 300)
    assert count(client.db, "bulk_chunks") == 2
    assert_right(client.db)


def test_who_may_pay_alone_may_pay_in_bulk(client: ApiClient, ada: Customer, bob: Customer) -> None:
    item = ada.payment(bob, 1)
    body = {"transfers": [item]}
    assert told(bob.post(BULK, body)) == ["not_found"]
    teller, auditor = staff(client), staff(client, Role.AUDITOR)
    assert told(teller.post(BULK, json=body, headers=keyed())) == ["not_found"]
    error_of(auditor.post(BULK, json=body, headers=keyed()), 403, "forbidden")
    assert ada.balance() == 1_000


@pytest.fixture
def limited(database_url: str) -> Iterator[ApiClient]:
    with running(settings_for(database_url, daily_limits={"EUR": 500})) as client:
        yield client


def test_what_an_atomic_refusal_takes_back_does_not_count_for_the_day(limited: ApiClient) -> None:
    ada, bob = customer(limited, "ada", money=1_000), customer(limited, "bob")
    error_of(bulk(ada, [ada.payment(bob, 400)] * 2, atomic=True), 409, "limit_exceeded")
    assert told(bulk(ada, [ada.payment(bob, 250)] * 3)) == [201, 201, "limit_exceeded"]
    assert bob.balance() == 500


def test_others_have_their_turn_between_two_chunks(client: ApiClient, ada: Customer, bob: Customer) -> None:
    cleo, dan = customer(client, "cleo", money=7), customer(client, "dan")
    sent: list[Future[httpx.Response]] = []

    def meanwhile(*given: Any) -> None:
        """While the first chunk is being written, somebody else pays, and is waiting."""
        if given[2].startswith("INSERT INTO transfers") and not sent:
            sent.append(pool.submit(cleo.pay, dan, 7))
            lane = client.db._lanes[client.app.state.bank.ledger.post]
            eventually(lambda: lane.waiting == 1)

    with ThreadPoolExecutor(1) as pool:
        event.listen(client.db.engines.writer, "before_cursor_execute", meanwhile)
        try:
            assert told(bulk(ada, [ada.payment(bob, 1)] * 1_000)) == [201] * 1_000
        finally:
            event.remove(client.db.engines.writer, "before_cursor_execute", meanwhile)
        assert sent[0].result().status_code == 201
    query = "SELECT amount FROM transfers WHERE kind = 'transfer' ORDER BY key"
    amounts = [row[0] for row in rows(client.db, query)]
    assert amounts.index(7) in (250, 500)


def test_bulk_is_not_the_id_of_a_transfer(ada: Customer) -> None:
    for method in ("GET", "PATCH", "DELETE"):
        answer = ada.person.request(method, BULK)
        error_of(answer, 405, "method_not_allowed")
        assert answer.headers["Allow"] == "POST"
