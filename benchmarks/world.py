"""The bank's customers: a few people with a thousand funded accounts, made through the API."""

import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection
from typing import Any, Final

from benchmarks import load
from benchmarks.load import Request, Stream

OWNERS: Final = 4
ACCOUNTS: Final = 1000
CURRENCY: Final = "EUR"
PASSWORD: Final = "a long road to a small harbour"  # noqa: S105 - of nobody
FUNDS: Final = 10**10
# The first accounts have a page of entries and more.
WITH_PAGES: Final = 100
_ROUNDS: Final = 30
_CLIENTS: Final = 32
_PATIENCE: Final = 600.0


@dataclass(frozen=True)
class Account:
    """A customer's account, which of the owners has it, and a card of it."""

    id: str
    number: str
    owner: int
    card: str


@dataclass
class World:
    """Who there is: e-mail addresses and access tokens by owner, and all accounts."""

    emails: list[str] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    accounts: list[Account] = field(default_factory=list)


def http(method: str, path: str, headers: Mapping[str, str], body: Any = None) -> bytes:
    """A request as it goes over the wire."""
    content = b"" if body is None else json.dumps(body, separators=(",", ":")).encode()
    lines = {"Host": "127.0.0.1", **headers}
    if body is not None:
        lines |= {"Content-Type": "application/json", "Content-Length": str(len(content))}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + content


def populate(port: int, accounts: int = ACCOUNTS) -> World:
    """Signs the owners up, opens and funds the accounts, and moves money among the first of them."""
    world = World()
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    for owner in range(OWNERS):
        email = f"owner{owner}@bench.example.com"
        login = {"email": email, "password": PASSWORD}
        _ask(connection, "/v1/auth/signup", login)
        token = _ask(connection, "/v1/auth/login", login)["access_token"]
        person = {"full_name": f"Owner Number {owner}", "date_of_birth": "1990-01-01"}
        _ask(connection, "/v1/account-holders", person, token)
        world.emails.append(email)
        world.tokens.append(token)
        for _ in range(accounts // OWNERS):
            made = _ask(connection, "/v1/accounts", {"type": "checking", "currency": CURRENCY}, token)
            card = _ask(connection, "/v1/cards", {"account_id": made["id"], "type": "virtual"}, token)
            world.accounts.append(Account(made["id"], made["number"], owner, card["id"]))
    connection.close()
    _send(port, _deposits(world))
    _send(port, _pages(world))
    return world


def _ask(connection: HTTPConnection, path: str, body: Mapping[str, Any], token: str | None = None) -> Any:
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    connection.request("POST", path, json.dumps(body), headers)
    answer = connection.getresponse()
    content = json.loads(answer.read())
    if answer.status not in (200, 201):
        raise RuntimeError(f"{path}: {answer.status} {content}")
    return content


def _send(port: int, requests: Iterator[Request]) -> None:
    outcome = load.run(port, [Stream(requests, _CLIENTS)], seconds=_PATIENCE)
    if outcome.unexpected:
        raise RuntimeError(f"filling the database: {dict(outcome.unexpected)}")


def _deposits(world: World) -> Iterator[Request]:
    for account in world.accounts:
        body = {"account_id": account.id, "type": "deposit", "amount": FUNDS, "currency": CURRENCY}
        headers = _keyed(world, account, f"fund-{account.id}")
        yield Request(http("POST", "/v1/transactions", headers, body), "deposit", b"201")


def _pages(world: World) -> Iterator[Request]:
    first = world.accounts[:WITH_PAGES]
    numbers = itertools.count()
    for _ in range(_ROUNDS):
        for source, destination in zip(first, [*first[1:], first[0]], strict=True):
            body = transfer_body(source, destination, 1)
            headers = _keyed(world, source, f"page-{next(numbers)}")
            yield Request(http("POST", "/v1/transfers", headers, body), "transfer", b"201")


def _keyed(world: World, account: Account, key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {world.tokens[account.owner]}", "Idempotency-Key": key}


def transfer_body(source: Account, destination: Account, amount: int) -> dict[str, Any]:
    """A transfer to a number, as one pays somebody else."""
    return {
        "source_account_id": source.id,
        "destination_account_number": destination.number,
        "amount": amount,
        "currency": CURRENCY,
    }
