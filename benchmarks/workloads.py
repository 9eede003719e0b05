"""What the clients ask for. Every request has a key that no run has used before."""

import itertools
import random
import secrets
from collections.abc import Iterator
from typing import Final

from benchmarks import figures
from benchmarks.load import Request
from benchmarks.world import CURRENCY, WITH_PAGES, Account, World, http, transfer_body

PAIRS: Final = ("uniform", "zipf", "hot source", "hot destination")
# So far back that the first answer has been sent, with any number of clients we use.
_REPLAY_DISTANCE: Final = 500
# More than anybody has.
_TOO_MUCH: Final = 10**12


class Workloads:
    """Endless supplies of requests, for a world."""

    def __init__(self, world: World, seed: int) -> None:
        self._world = world
        self._chance = random.Random(seed)
        self._run = secrets.token_hex(6)
        self._numbers = itertools.count()

    def transfers(self, pairs: str = "uniform", path: str = "/v1/transfers") -> Iterator[Request]:
        """Transfers between accounts that are chosen as `pairs` says."""
        for source, destination in self._pairs(pairs):
            yield self.transfer(source, destination, path=path)

    def transfer(
        self, source: Account, destination: Account, amount: int = 1, path: str = "/v1/transfers"
    ) -> Request:
        """One transfer that must succeed."""
        data = self._post(path, source, destination, amount)
        return Request(data, "transfer", b"201", b'"status":"posted"')

    def authorizations(self) -> Iterator[Request]:
        """Questions to cards of random accounts, by their owners as the network; all are approved."""
        merchant = {"name": "Corner Shop", "mcc": "5411", "country": "AT"}
        body = {"amount": 1, "currency": CURRENCY, "merchant": merchant, "online": False}
        for account in self._uniform():
            path = f"/v1/cards/{account.card}/authorizations"
            data = http("POST", path, self._headers(account), body)
            yield Request(data, "authorize", b"201", b'"status":"approved"')

    def refusals(self, share: float) -> Iterator[Request]:
        """Uniform transfers, of which a share is of more money than there is."""
        for source, destination in self._pairs("uniform"):
            if self._chance.random() < share:
                data = self._post("/v1/transfers", source, destination, _TOO_MUCH)
                yield Request(data, "refusal", b"409", b'"insufficient_funds"')
            else:
                yield self.transfer(source, destination)

    def replays(self, share: float) -> Iterator[Request]:
        """Uniform transfers, of which a share are earlier ones again, with their keys."""
        sent: list[Request] = []
        for request in self.transfers():
            if len(sent) == _REPLAY_DISTANCE and self._chance.random() < share:
                yield sent[0]._replace(kind="replay", proof=b"idempotent-replayed: true")
            sent.append(request)
            del sent[:-_REPLAY_DISTANCE]
            yield request

    def balances(self, path: str = "/v1/accounts/{}/balance") -> Iterator[Request]:
        """Balances of any account."""
        while True:
            account = self._chance.choice(self._world.accounts)
            yield self._get(path.format(account.id), account, "balance", b'"balance":')

    def pages(self) -> Iterator[Request]:
        """The first 50 transactions of an account that has more."""
        while True:
            account = self._chance.choice(self._world.accounts[:WITH_PAGES])
            path = f"/v1/accounts/{account.id}/transactions?limit=50"
            yield self._get(path, account, "page", b'"has_more":true')

    def mix(self) -> Iterator[Request]:
        """Seven transfers, two balances and one page of ten, in no order."""
        supplies = (self.transfers(), self.balances(), self.pages())
        while True:
            yield next(self._chance.choices(supplies, (70, 20, 10))[0])

    def bulk(self, items: int) -> Iterator[Request]:
        """Many transfers a request, each judged by itself; all are to succeed."""
        pairs = self._pairs("uniform")
        by_owner: dict[int, list[tuple[Account, Account]]] = {}
        for source, destination in pairs:
            # A request speaks of the caller's own accounts.
            own = by_owner.setdefault(source.owner, [])
            own.append((source, destination))
            if len(own) == items:
                body = {"atomic": False, "transfers": [transfer_body(*pair, 1) for pair in own]}
                data = http("POST", "/v1/transfers/bulk", self._headers(source), body)
                yield Request(data, "bulk", b"200", b'"failed":0')
                own.clear()

    def logins(self, password: str) -> Iterator[Request]:
        """The owners log in, one after the other."""
        for email in itertools.cycle(self._world.emails):
            body = {"email": email, "password": password}
            yield Request(http("POST", "/v1/auth/login", {}, body), "login", b"200")

    def _pairs(self, which: str) -> Iterator[tuple[Account, Account]]:
        accounts = self._world.accounts
        uniform = self._uniform()
        zipf = map(accounts.__getitem__, figures.zipf(len(accounts), self._chance))
        hot = itertools.repeat(accounts[0])
        sides = {
            "uniform": (uniform, uniform),
            "zipf": (zipf, zipf),
            "hot source": (hot, uniform),
            "hot destination": (uniform, hot),
        }
        sources, destinations = sides[which]
        while True:
            source, destination = next(sources), next(destinations)
            if source is not destination:
                yield source, destination

    def _uniform(self) -> Iterator[Account]:
        while True:
            yield self._chance.choice(self._world.accounts)

    def _post(self, path: str, source: Account, destination: Account, amount: int) -> bytes:
        return http("POST", path, self._headers(source), transfer_body(source, destination, amount))

    def _headers(self, caller: Account) -> dict[str, str]:
        key = f"{self._run}-{next(self._numbers)}"
        return {"Authorization": f"Bearer {self._world.tokens[caller.owner]}", "Idempotency-Key": key}

    def _get(self, path: str, account: Account, kind: str, proof: bytes) -> Request:
        headers = {"Authorization": f"Bearer {self._world.tokens[account.owner]}"}
        return Request(http("GET", path, headers), kind, b"200", proof)
