"""What the benchmark's clients ask for."""

import itertools
import json
import re
from collections import Counter

import pytest

from benchmarks.load import Request
from benchmarks.workloads import Workloads
from benchmarks.world import Account, World

WORLD = World(
    emails=["a@example.com", "b@example.com"],
    tokens=["token-0", "token-1"],
    accounts=[
        Account(f"acc_{number}", f"number {number}", number % 2, f"crd_{number}") for number in range(40)
    ],
)


def made() -> Workloads:
    return Workloads(WORLD, seed=1)


def body_of(request: Request) -> dict[str, object]:
    body: dict[str, object] = json.loads(request.data.partition(b"\r\n\r\n")[2])
    return body


def key_of(request: Request) -> bytes:
    found = re.search(rb"Idempotency-Key: (\S+)", request.data)
    assert found
    return found[1]


def test_no_key_comes_twice_in_one_run_or_in_two() -> None:
    requests = [one for run in (made(), made()) for one in itertools.islice(run.transfers(), 500)]
    assert len({key_of(request) for request in requests}) == 1000


def test_everybody_moves_money_of_their_own_to_another_account() -> None:
    owners = {account.id: account for account in WORLD.accounts}
    for request in itertools.islice(made().transfers(), 500):
        body = body_of(request)
        source = owners[str(body["source_account_id"])]
        assert f"Bearer token-{source.owner}\r\n".encode() in request.data
        assert body["destination_account_number"] != source.number


@pytest.mark.parametrize(
    ("pairs", "field", "only"),
    [
        ("hot source", "source_account_id", "acc_0"),
        ("hot destination", "destination_account_number", "number 0"),
    ],
)
def test_one_side_is_hot(pairs: str, field: str, only: str) -> None:
    requests = list(itertools.islice(made().transfers(pairs), 500))
    assert {body_of(request)[field] for request in requests} == {only}
    other = "destination_account_number" if field == "source_account_id" else "source_account_id"
    assert len({body_of(request)[other] for request in requests}) == 39


def test_a_fifth_is_refused_and_the_rest_succeeds() -> None:
    asked = Counter(
        (request.kind, request.status) for request in itertools.islice(made().refusals(0.2), 5000)
    )
    assert set(asked) == {("transfer", b"201"), ("refusal", b"409")}
    assert asked["refusal", b"409"] / 5000 == pytest.approx(0.2, abs=0.02)


def test_a_tenth_are_old_requests_again() -> None:
    sent: list[bytes] = []
    replays = 0
    for request in itertools.islice(made().replays(0.1), 6000):
        if request.kind == "replay":
            replays += 1
            # Its first answer has been sent long ago.
            assert sent.index(request.data) < len(sent) - 400
        sent.append(request.data)
    assert replays / 6000 == pytest.approx(0.1, abs=0.02)


def test_the_mix_is_seven_two_and_one_of_ten() -> None:
    kinds = Counter(request.kind for request in itertools.islice(made().mix(), 5000))
    assert kinds["transfer"] / 5000 == pytest.approx(0.7, abs=0.02)
    assert kinds["balance"] / 5000 == pytest.approx(0.2, abs=0.02)
    assert kinds["page"] / 5000 == pytest.approx(0.1, abs=0.02)


def test_a_bulk_is_of_so_many_transfers_of_one_caller() -> None:
    owners = {account.id: account.owner for account in WORLD.accounts}
    for request in itertools.islice(made().bulk(10), 20):
        body = body_of(request)
        transfers = body["transfers"]
        assert isinstance(transfers, list)
        assert body["atomic"] is False
        assert len(transfers) == 10
        (owner,) = {owners[transfer["source_account_id"]] for transfer in transfers}
        assert f"Bearer token-{owner}\r\n".encode() in request.data


def test_owners_ask_their_own_cards() -> None:
    cards = {account.card: account for account in WORLD.accounts}
    requests = list(itertools.islice(made().authorizations(), 200))
    for request in requests:
        card = re.search(rb"POST /v1/cards/(\w+)/authorizations ", request.data)
        assert card
        assert f"Bearer token-{cards[card[1].decode()].owner}\r\n".encode() in request.data
        assert body_of(request)["amount"] == 1
    assert len({key_of(request) for request in requests}) == 200
