"""A storm of random transfers, and the proof from the clients' logs that each was done once."""

import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.bank import TRANSFERS, Customer, assert_right, customer
from tests.client import ApiClient, error_of, together

THREADS = 16
_START = 500


@dataclass
class Payment:
    """What a client has sent under one key, once or more often, and every answer to it."""

    payer: int
    payee: int
    body: dict[str, Any]
    key: str
    answers: list[httpx.Response] = field(default_factory=list)


@dataclass
class Storm:
    """Five customers, and where their requests may go."""

    people: list[Customer]
    places: Sequence[Any]
    payments: list[Payment] = field(default_factory=list)

    def blow(self, operations: int, *, seed: int) -> None:
        """So many requests from 16 threads: payments in all directions, some sent again or twice."""
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(lambda number: self._send(random.Random(seed + number)), range(operations)))

    def _send(self, dice: random.Random) -> None:
        payment = self._choose(dice)
        caller = self.people[payment.payer]
        # Now and then the same request is on its way twice.
        times = 1 + (dice.random() < 0.1)
        spots = [caller.at(dice.choice(self.places)) for _ in range(times)]
        answers = together(
            *(lambda spot=spot: spot.post(TRANSFERS, payment.body, payment.key) for spot in spots)
        )
        payment.answers.extend(answers)

    def _choose(self, dice: random.Random) -> Payment:
        if self.payments and dice.random() < 0.25:
            return dice.choice(self.payments)
        payer, payee = dice.sample(range(len(self.people)), 2)
        body = self.people[payer].payment(self.people[payee], dice.randint(1, _START))
        payment = Payment(payer, payee, body, dice.randbytes(8).hex())
        self.payments.append(payment)
        return payment

    def assert_done_once(self, client: ApiClient) -> None:
        """Every answer is one that may be; records and balances are what the logs add up to."""
        balances = [_START] * len(self.people)
        known = set()
        for payment in self.payments:
            made = self._made(payment)
            if made is not None:
                balances[payment.payer] -= payment.body["amount"]
                balances[payment.payee] += payment.body["amount"]
                known.add(made)
        assert any(len(payment.answers) > 1 for payment in self.payments)
        assert [one.balance() for one in self.people] == balances
        assert _stored(self.people) == sorted(known)
        assert_right(client.db)

    def _made(self, payment: Payment) -> str | None:
        """The id of the one transfer that a payment came to, if it was made."""
        done = [answer for answer in payment.answers if answer.status_code == 201]
        for answer in payment.answers:
            if answer not in done:
                error_of(answer, 409, "insufficient_funds")
        if not done:
            return None
        assert len({answer.text for answer in done}) == 1, "a replay says what was said first"
        first = [answer for answer in done if "Idempotent-Replayed" not in answer.headers]
        assert len(first) == 1, "one request made it, the others were told of it"
        return str(done[0].json()["id"])


def _stored(people: Sequence[Customer]) -> list[str]:
    """The ids of all transfers from the people's accounts, as their owners' lists tell them."""
    found: list[str] = []
    for one in people:
        cursor: dict[str, str] = {}
        while True:
            query = {"account_id": one.id, "limit": "100"} | cursor
            page = one.person.get(TRANSFERS, params=query).json()
            found += [
                line["id"]
                for line in page["data"]
                if line["source_account_id"] == one.id and line["kind"] == "transfer"
            ]
            if not page["has_more"]:
                break
            cursor = {"cursor": page["next_cursor"]}
    return sorted(found)


def gather(client: ApiClient, places: Sequence[Any]) -> Storm:
    """Five customers of this service, who will send their payments to these places."""
    names = ("ada", "bob", "cleo", "dan", "eve")
    return Storm([customer(client, name, money=_START) for name in names], places)
