"""The answer and the commit: what a client is told is on the disk, whatever happens in between."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as StillRunning
from typing import Any

import httpx
import pytest

from app.core.config import Settings
from tests import scratch
from tests.bank import Customer, assert_right, count, customer
from tests.client import ApiClient, error_of, running
from tests.server import eventually

KEY = "one-key"


@pytest.fixture
def pair(client: ApiClient) -> tuple[Customer, Customer]:
    """Ada, who has 100, and Bob."""
    return customer(client, money=100), customer(client, "bob")


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(32) as executor:
        yield executor


def transfers(client: ApiClient) -> int:
    return count(client.db, "transfers", "kind = 'transfer'")


def assert_nothing_moved(client: ApiClient, ada: Customer, bob: Customer) -> None:
    assert (ada.balance(), bob.balance()) == (100, 0)
    assert transfers(client) == 0
    assert count(client.db, "idempotency_keys", f"key = '{KEY}'") == 0
    assert_right(client.db)


def assert_moved_once(client: ApiClient, ada: Customer, bob: Customer, *, replayed: bool) -> None:
    """The retry with the key succeeds; the money has moved once, before it or by it."""
    retry = ada.pay(bob, 10, KEY)
    assert retry.status_code == 201, retry.text
    assert ("Idempotent-Replayed" in retry.headers) is replayed
    assert ada.pay(bob, 10, KEY).text == retry.text
    assert (ada.balance(), bob.balance()) == (90, 10)
    assert transfers(client) == 1
    assert_right(client.db)


def test_no_answer_before_the_commit(
    client: ApiClient, pair: tuple[Customer, Customer], pool: ThreadPoolExecutor
) -> None:
    ada, bob = pair
    with scratch.held_commit(client.db) as commit:
        sent = pool.submit(ada.pay, bob, 10, KEY)
        commit.await_it()
        with pytest.raises(StillRunning):
            sent.result(0.2)
        assert_nothing_moved(client, ada, bob)
        commit.release()
        assert sent.result().status_code == 201
    assert transfers(client) == 1
    assert_moved_once(client, ada, bob, replayed=True)


def test_what_was_answered_is_there_for_everybody_at_once(client: ApiClient, settings: Settings) -> None:
    ada = customer(client)
    with running(settings) as other:
        elsewhere = ada.at(other)
        for number in range(1, 201):
            made = ada.deposit(1)
            assert made.status_code == 201
            assert elsewhere.balance() == number
            found = elsewhere.person.get(made.headers["Location"])
            assert (found.status_code, found.json()["balance_after"]) == (200, number)


@pytest.mark.parametrize("table", ["entries", "idempotency_keys"])
def test_a_commit_that_fails_moves_nothing_and_frees_the_key(
    client: ApiClient, pair: tuple[Customer, Customer], table: str
) -> None:
    scratch.fail_commits_after(client.db, table)
    for _ in range(2):
        error_of(pair[0].pay(pair[1], 10, KEY), 500, "internal_error")
        assert_nothing_moved(client, *pair)
    scratch.succeed_again(client.db, table)
    assert_moved_once(client, *pair, replayed=False)


def test_one_that_cannot_be_posted_does_not_take_its_neighbours_along(
    client: ApiClient, pair: tuple[Customer, Customer], pool: ThreadPoolExecutor
) -> None:
    ada, bob = pair
    if client.db.engines.writers == 1:
        refuse = "BEGIN SELECT RAISE(ABORT, 'no'); END"
        scratch.execute(
            client.db, f"CREATE TRIGGER fail AFTER INSERT ON transfers WHEN NEW.amount = 13 {refuse}"
        )
    else:
        action = "IF NEW.amount = 13 THEN RAISE EXCEPTION 'no'; END IF"
        scratch.fail_on_insert(client.db, action, table="transfers")
    with scratch.held_commit(client.db) as commit:
        first = pool.submit(ada.pay, bob, 1)
        commit.await_it()
        sent = [pool.submit(ada.pay, bob, amount) for amount in (2, 13, 3, 13, 4)]
        await_lane(client, len(sent))
    assert [one.result().status_code for one in [first, *sent]] == [201, 201, 500, 201, 500, 201]
    assert (ada.balance(), bob.balance()) == (90, 10)
    assert_right(client.db)


def await_lane(client: ApiClient, number: int) -> None:
    """Until so many commands wait for the batch before them."""
    [lane] = client.db._lanes.values()
    eventually(lambda: lane.waiting == number)


def break_once(monkeypatch: pytest.MonkeyPatch, target: str) -> None:
    """The function fails when it is called for the first time."""
    module, _, name = target.rpartition(".")
    whole = getattr(__import__(module, fromlist=[name]), name)
    calls: list[Any] = []

    def fail_first(*args: Any, **kwargs: Any) -> Any:
        calls.append(args)
        if len(calls) == 1:
            raise RuntimeError("after the commit")
        return whole(*args, **kwargs)

    monkeypatch.setattr(target, fail_first)


def test_an_error_after_the_commit_is_500_and_the_retry_gets_the_transfer(
    client: ApiClient, pair: tuple[Customer, Customer], monkeypatch: pytest.MonkeyPatch
) -> None:
    break_once(monkeypatch, "app.api.v1.transfers.created")
    error_of(pair[0].pay(pair[1], 10, KEY), 500, "internal_error")
    assert transfers(client) == 1
    assert_moved_once(client, *pair, replayed=True)


@scratch.ONLY_POSTGRESQL
def test_a_connection_lost_at_commit_is_503_and_the_retry_moves_the_money_once(
    client: ApiClient, pair: tuple[Customer, Customer]
) -> None:
    scratch.fail_on_insert(client.db, scratch.CUT, times=1, at_commit=True, table="transfers")
    refused = pair[0].pay(pair[1], 10, KEY)
    error_of(refused, 503, "database_unavailable")
    assert refused.headers["Retry-After"] == "1"
    assert_nothing_moved(client, *pair)
    assert_moved_once(client, *pair, replayed=False)


@scratch.ONLY_POSTGRESQL
def test_a_commit_whose_answer_is_lost_is_503_and_the_retry_gets_the_transfer(
    client: ApiClient, pair: tuple[Customer, Customer]
) -> None:
    def commit_then_lose_the_connection(connection: Any) -> None:
        driver = connection.driver_connection
        driver.commit()
        driver.close()
        driver.commit()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(client.db.engines.writer.dialect, "do_commit", commit_then_lose_the_connection)
        error_of(pair[0].pay(pair[1], 10, KEY), 503, "database_unavailable")
    assert transfers(client) == 1
    assert_moved_once(client, *pair, replayed=True)


@scratch.ONLY_POSTGRESQL
@pytest.mark.parametrize("at_commit", [False, True], ids=["statement", "commit"])
@pytest.mark.parametrize("state", ["40001", "40P01"])
def test_a_conflict_in_the_database_is_never_a_lack_of_funds(
    client: ApiClient, pair: tuple[Customer, Customer], state: str, at_commit: bool
) -> None:
    rejection = f"RAISE EXCEPTION 'again' USING ERRCODE = '{state}'"
    # Five tries fail, and two of the retry.
    scratch.fail_on_insert(client.db, rejection, times=7, at_commit=at_commit, table="transfers")
    refused = pair[0].pay(pair[1], 10, KEY)
    error_of(refused, 503, "lock_timeout")
    assert refused.headers["Retry-After"] == "1"
    assert_nothing_moved(client, *pair)
    assert_moved_once(client, *pair, replayed=False)


def test_a_row_that_somebody_holds_is_503_and_its_release_revives_nothing(settings: Settings) -> None:
    with running(settings.model_copy(update={"lock_timeout_seconds": 0.2})) as client:
        ada, bob = customer(client, money=100), customer(client, "bob")
        with scratch.other_writer(settings, f"SELECT 1 FROM accounts WHERE id = '{bob.id}' FOR UPDATE"):
            refused = ada.pay(bob, 10, KEY)
            error_of(refused, 503, "lock_timeout")
            assert refused.headers["Retry-After"] == "1"
            assert_nothing_moved(client, ada, bob)
        assert_nothing_moved(client, ada, bob)
        assert_moved_once(client, ada, bob, replayed=False)


def test_what_is_too_much_is_overloaded_and_can_be_sent_again(
    settings: Settings, pool: ThreadPoolExecutor
) -> None:
    with running(settings.model_copy(update={"write_queue": 4})) as client:
        ada, bob = customer(client, money=100), customer(client, "bob")
        keys = [f"key-{number}" for number in range(16)]
        with scratch.held_commit(client.db) as commit:
            first = pool.submit(ada.pay, bob, 1)
            commit.await_it()
            sent = {key: pool.submit(ada.pay, bob, 1, key) for key in keys}
            # All but those that may wait are answered while the first one still is not.
            eventually(lambda: sum(one.done() for one in sent.values()) == len(keys) - 4)
            assert not first.done()
        refused = [key for key in keys if _was_refused(sent[key])]
        assert len(refused) == len(keys) - 4
        assert bob.balance() == 5
        for key in keys:
            again = ada.pay(bob, 1, key)
            assert again.status_code == 201
            assert ("Idempotent-Replayed" in again.headers) is (key not in refused)
        assert (ada.balance(), bob.balance()) == (83, 17)
        assert_right(client.db)


def _was_refused(sent: "Future[httpx.Response]") -> bool:
    answer = sent.result()
    if answer.status_code == 201:
        return False
    error_of(answer, 503, "overloaded")
    assert answer.headers["Retry-After"] == "1"
    return True


def test_a_session_that_ends_while_its_transfer_waits_moves_nothing(
    client: ApiClient, pair: tuple[Customer, Customer], pool: ThreadPoolExecutor
) -> None:
    ada, bob = pair
    cleo = customer(client, "cleo", money=5)
    with scratch.held_commit(client.db) as commit:
        first = pool.submit(cleo.pay, bob, 5)
        commit.await_it()
        waiting = pool.submit(ada.pay, bob, 10, KEY)
        await_lane(client, 1)
        logout = pool.submit(ada.person.post, "/v1/auth/logout")
        # Done or, where there is one writer, the next in its queue.
        one_writer = client.db.engines.writers == 1
        eventually(lambda: logout.done() or (one_writer and client.db._writers._waiting == 2))
    assert (first.result().status_code, logout.result().status_code) == (201, 204)
    error_of(waiting.result(), 401, "unauthenticated")
    ada = Customer(client.log_in(), ada.account)
    assert (ada.balance(), bob.balance()) == (100, 5)
    assert_right(client.db)
