"""Who may call what: a good request for every route, sent by everybody, and what they are answered.

A route that is not in REQUESTS fails `tests/integration/test_access.py` until somebody has thought
about who may call it.
"""

import itertools
import json
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import httpx

from app.core.caller import STAFF_ROLES, Role
from tests.bank import Customer, customer, execute, issue_statement, keyed, staff, walk_in, with_account
from tests.cards import approved, asked, issue, on
from tests.client import PASSWORD, ApiClient, Person
from tests.routes import Route, routes
from tests.tokens import claims, decoded, header, signed

OTHER, OWNER = "Another customer", "Owner"
NO_TOKEN, EXPIRED = "No token", "Expired token"
STAFF = {role.title(): role for role in Role if role in STAFF_ROLES}
CALLERS = (NO_TOKEN, EXPIRED, OTHER, OWNER, *STAFF)
NOBODYS, CUSTOMERS, PAID, WALK_INS = "–", "a customer's", "paid to the other", "a walk-in's"
# The codes of these are always the same; the table leaves them out.
CODES = {401: "unauthenticated", 403: "forbidden", 404: "not_found"}


@dataclass(frozen=True)
class Wanted:
    """What a request names: ids in the path, a query, a body."""

    ids: dict[str, str] = field(default_factory=dict)
    body: dict[str, Any] | None = None
    query: dict[str, str] = field(default_factory=dict)


class World:
    """A bank with Ada, whose things are asked for, Bob, staff of every role, and a walk-in."""

    def __init__(self, client: ApiClient) -> None:
        self.client = client
        self.ada = customer(client, "ada", money=100_000)
        self.bob = customer(client, "bob", money=100_000)
        self.ada.pay(self.ada_again(), 1)
        self.staff = {name: staff(client, role) for name, role in STAFF.items()}
        self.walk_in = walk_in(self.staff["Teller"], money=100_000)
        self.numbers = itertools.count()
        # What nobody but its owner and the bank's staff may see in a list.
        self.marks = {OWNER: _marks(self.ada), OTHER: _marks(self.bob)}
        self.cards = {whose: issue(self.subject(whose))["id"] for whose in (CUSTOMERS, WALK_INS)}
        # Not among those that are frozen and limited.
        self.paying = {whose: issue(self.subject(whose)) for whose in (CUSTOMERS, WALK_INS)}
        self.marks[OWNER].append(self.cards[CUSTOMERS])
        bobs = issue(self.bob)
        self.marks[OTHER] += [bobs["id"], approved(self.staff["Network"], bobs, 1)["id"]]
        self.marks[OWNER].append(self.authorization(CUSTOMERS)["id"])

    def ada_again(self) -> Customer:
        return with_account(self.ada.person)

    def subject(self, whose: str) -> Customer:
        return self.walk_in if whose == WALK_INS else self.ada

    def caller(self, name: str, *, fresh: bool) -> Any:
        """Who sends the request; a fresh one where it uses up the caller."""
        if name == NO_TOKEN:
            return self.client
        if name == EXPIRED:
            return replace(self.ada.person, access_token=_expired(self.ada.person))
        if fresh:
            email = f"{next(self.numbers)}@example.com"
            return staff(self.client, STAFF[name]) if name in STAFF else self.client.sign_up(email)
        people = {OWNER: self.ada.person, OTHER: self.bob.person}
        return (self.staff | people)[name]

    def empty_account(self, whose: str) -> str:
        if whose != WALK_INS:
            return self.ada_again().id
        wanted = {"type": "savings", "currency": "EUR", "account_holder_id": _holder(self.walk_in)}
        return str(self.staff["Teller"].post("/v1/accounts", json=wanted).json()["id"])

    def transfer(self, whose: str, **fields: Any) -> str:
        """A transfer by the subject: to Bob, or to somebody whom no caller is."""
        payee = self.bob if whose == PAID else self.walk_in if whose == CUSTOMERS else self.ada
        return str(self.subject(whose).pay(payee, 1, **fields).json()["id"])

    def authorization(self, whose: str) -> dict[str, Any]:
        """What a card of the subject has approved."""
        return approved(self.staff["Network"], self.paying[whose], 1)

    def new_card(self, whose: str) -> str:
        """A card that may be used up, of an account of its own: there is a bound to the cards of one."""
        subject = self.subject(whose)
        account = subject.account | {"id": self.empty_account(whose)}
        return str(issue(replace(subject, account=account))["id"])


def _holder(of: Customer) -> str:
    return str(of.account["account_holder_id"])


def _session(person: Person) -> str:
    return str(json.loads(decoded(person.access_token.split(".")[1]))["sid"])


def _expired(person: Person) -> str:
    told = json.loads(decoded(person.access_token.split(".")[1]))
    return signed(
        header(), claims(sub=told["sub"], sid=told["sid"], iat=told["iat"] - 60, exp=told["iat"] - 1)
    )


def _marks(of: Customer) -> list[str]:
    entry = of.person.get("/v1/transactions").json()["data"][0]
    return [of.id, _holder(of), _session(of.person), entry["id"], entry["transfer_id"]]


@dataclass(frozen=True)
class Ask:
    """How a route is asked, and about whose things."""

    wanted: Callable[[World, str], Wanted]
    whose: tuple[str, ...] = (NOBODYS,)
    fresh: bool = False


def _nothing(_: World, __: str) -> Wanted:
    return Wanted()


def _of_account(body: dict[str, Any] | None = None, **query: str) -> Callable[[World, str], Wanted]:
    return lambda world, whose: Wanted({"account_id": world.subject(whose).id}, body, query)


def _of_holder(body: dict[str, Any] | None = None) -> Callable[[World, str], Wanted]:
    return lambda world, whose: Wanted({"holder_id": _holder(world.subject(whose))}, body)


def _query_account(world: World, whose: str) -> Wanted:
    return Wanted(query={} if whose == NOBODYS else {"account_id": world.subject(whose).id})


def _new_account(world: World, whose: str) -> Wanted:
    holder = {} if whose == NOBODYS else {"account_holder_id": _holder(world.subject(whose))}
    return Wanted(body={"type": "savings", "currency": "EUR"} | holder)


def _deposit(world: World, whose: str) -> Wanted:
    account = world.subject(whose).id
    return Wanted(body={"account_id": account, "type": "deposit", "amount": 1, "currency": "EUR"})


def _entry(world: World, whose: str) -> Wanted:
    paid_in = world.subject(whose).deposit(1)
    return Wanted({"transaction_id": paid_in.json()["id"]})


def _card(body: dict[str, Any] | None = None) -> Callable[[World, str], Wanted]:
    return lambda world, whose: Wanted({"card_id": world.cards[whose]}, body)


def _last_of_card(world: World, whose: str) -> Wanted:
    return Wanted({"card_id": world.new_card(whose)}, {"reason": "lost"})


def _of_paying_card(world: World, whose: str) -> Wanted:
    return Wanted({"card_id": world.paying[whose]["id"]}, asked(1))


def _refund(world: World, whose: str) -> Wanted:
    made = world.authorization(whose)
    assert on(world.staff["Network"], made, "capture", amount=1).status_code == 200
    return Wanted({"card_id": made["card_id"]}, {"authorization_id": made["id"], "amount": 1})


def _query_card(world: World, whose: str) -> Wanted:
    return Wanted(query={} if whose == NOBODYS else {"card_id": world.paying[whose]["id"]})


def _new_card(world: World, whose: str) -> Wanted:
    return Wanted(body={"account_id": world.empty_account(whose), "type": "virtual"})


def _issued(world: World, whose: str) -> Wanted:
    subject = world.subject(whose)
    number = issue_statement(world.client, subject).json()["number"]
    return Wanted({"account_id": subject.id, "number": str(number)})


def _to_issue(world: World, whose: str) -> Wanted:
    account = world.empty_account(whose)
    execute(world.client.db, "UPDATE accounts SET created_at = 1 WHERE id = :id", id=account)
    return Wanted({"account_id": account}, {"month": "2026-01"})


OBJECTS = (CUSTOMERS, WALK_INS)
REQUESTS: dict[str, Ask] = {
    "GET /v1/health": Ask(_nothing),
    "GET /v1/health/live": Ask(_nothing),
    "GET /v1/health/ready": Ask(_nothing),
    "GET /v1/currencies": Ask(_nothing),
    "POST /v1/auth/signup": Ask(
        lambda world, _: Wanted(body={"email": f"{secrets.token_hex(8)}@example.com", "password": PASSWORD})
    ),
    "POST /v1/auth/login": Ask(lambda _, __: Wanted(body={"email": "ada@example.com", "password": PASSWORD})),
    "POST /v1/auth/token": Ask(
        lambda world, _: Wanted(body={"username": "ada@example.com", "password": PASSWORD})
    ),
    "POST /v1/auth/refresh": Ask(
        lambda world, _: Wanted(body={"refresh_token": world.client.log_in().refresh_token})
    ),
    "POST /v1/auth/logout": Ask(_nothing, fresh=True),
    "POST /v1/auth/logout-all": Ask(_nothing, fresh=True),
    "GET /v1/auth/me": Ask(_nothing),
    "GET /v1/auth/sessions": Ask(_nothing),
    "DELETE /v1/auth/sessions/{session_id}": Ask(
        lambda world, _: Wanted({"session_id": _session(world.client.log_in())}), (CUSTOMERS,)
    ),
    "POST /v1/auth/password": Ask(
        lambda world, _: Wanted(body={"current_password": PASSWORD, "new_password": "another good one"}),
        fresh=True,
    ),
    "POST /v1/account-holders": Ask(
        lambda world, _: Wanted(body={"full_name": "Ada King", "date_of_birth": "1990-01-02"}), fresh=True
    ),
    "GET /v1/account-holders": Ask(_nothing),
    "GET /v1/account-holders/{holder_id}": Ask(_of_holder(), OBJECTS),
    "PATCH /v1/account-holders/{holder_id}": Ask(_of_holder({"phone": "+331234"}), OBJECTS),
    "POST /v1/accounts": Ask(_new_account, (NOBODYS, *OBJECTS)),
    "GET /v1/accounts": Ask(_nothing),
    "GET /v1/accounts/{account_id}": Ask(_of_account(), OBJECTS),
    "PATCH /v1/accounts/{account_id}": Ask(_of_account({"nickname": "x"}), OBJECTS),
    "GET /v1/accounts/{account_id}/balance": Ask(_of_account(), OBJECTS),
    "GET /v1/accounts/{account_id}/explain": Ask(_of_account(), OBJECTS),
    "GET /v1/admin/trial-balance": Ask(_nothing),
    "GET /v1/accounts/{account_id}/transactions": Ask(_of_account(), OBJECTS),
    "GET /v1/accounts/{account_id}/holds": Ask(_of_account(), OBJECTS),
    "POST /v1/accounts/{account_id}/close": Ask(
        lambda world, whose: Wanted({"account_id": world.empty_account(whose)}), OBJECTS
    ),
    "GET /v1/statements/{account_id}": Ask(_of_account(), OBJECTS),
    "GET /v1/statements/{account_id}/issued": Ask(_of_account(), OBJECTS),
    "GET /v1/statements/{account_id}/issued/{number}": Ask(_issued, OBJECTS),
    "POST /v1/statements/{account_id}/issue": Ask(_to_issue, OBJECTS),
    "POST /v1/transactions": Ask(_deposit, OBJECTS),
    "GET /v1/transactions": Ask(_query_account, (NOBODYS, *OBJECTS)),
    "GET /v1/transactions/{transaction_id}": Ask(_entry, OBJECTS),
    "POST /v1/transfers": Ask(
        lambda world, whose: Wanted(body=world.subject(whose).payment(world.bob, 1)), OBJECTS
    ),
    "POST /v1/transfers/bulk": Ask(
        lambda world, whose: Wanted(
            body={"atomic": True, "transfers": [world.subject(whose).payment(world.bob, 1)]}
        ),
        OBJECTS,
    ),
    "POST /v1/cards": Ask(_new_card, OBJECTS),
    "GET /v1/cards": Ask(_query_account, (NOBODYS, *OBJECTS)),
    "GET /v1/cards/{card_id}": Ask(_card(), OBJECTS),
    "POST /v1/cards/{card_id}/activate": Ask(_card(), OBJECTS),
    "POST /v1/cards/{card_id}/freeze": Ask(_card(), OBJECTS),
    "POST /v1/cards/{card_id}/unfreeze": Ask(_card(), OBJECTS),
    "POST /v1/cards/{card_id}/cancel": Ask(_last_of_card, OBJECTS),
    "POST /v1/cards/{card_id}/replace": Ask(_last_of_card, OBJECTS),
    "PATCH /v1/cards/{card_id}/limits": Ask(_card({"online": False}), OBJECTS),
    "GET /v1/transfers": Ask(_query_account, (NOBODYS, *OBJECTS)),
    "GET /v1/transfers/{transfer_id}": Ask(
        lambda world, whose: Wanted({"transfer_id": world.transfer(whose)}), (CUSTOMERS, PAID, WALK_INS)
    ),
    "POST /v1/transfers/{transfer_id}/reverse": Ask(
        lambda world, whose: Wanted({"transfer_id": world.transfer(whose)}), (CUSTOMERS, PAID, WALK_INS)
    ),
}


def _of_hold(body: dict[str, Any] | None = None) -> Ask:
    return Ask(
        lambda world, whose: Wanted({"transfer_id": world.transfer(whose, pending=True)}, body),
        (CUSTOMERS, PAID, WALK_INS),
    )


def _of_authorization(body: dict[str, Any] | None = None) -> Ask:
    return Ask(
        lambda world, whose: Wanted({"authorization_id": world.authorization(whose)["id"]}, body), OBJECTS
    )


REQUESTS |= {
    "POST /v1/transfers/{transfer_id}/capture": _of_hold({"final": True}),
    "POST /v1/transfers/{transfer_id}/increment": _of_hold({"amount": 1}),
    "POST /v1/transfers/{transfer_id}/void": _of_hold(),
    "POST /v1/cards/{card_id}/authorizations": Ask(_of_paying_card, OBJECTS),
    "POST /v1/cards/{card_id}/refunds": Ask(_refund, OBJECTS),
    "GET /v1/authorizations": Ask(_query_card, (NOBODYS, *OBJECTS)),
    "GET /v1/authorizations/{authorization_id}": _of_authorization(),
    "POST /v1/authorizations/{authorization_id}/capture": _of_authorization({"amount": 1}),
    "POST /v1/authorizations/{authorization_id}/increment": _of_authorization({"amount": 1}),
    "POST /v1/authorizations/{authorization_id}/void": _of_authorization(),
}


class Matrix:
    """Everybody's answers, row by row as `docs/access.md` has them."""

    def __init__(self, world: World, on_refusal: Callable[[Callable[[], httpx.Response]], httpx.Response]):
        self.world = world
        self.send = on_refusal

    def rows(self) -> Iterator[dict[str, str]]:
        for route in routes(self.world.client.app):
            asked = REQUESTS.get(route.name)
            assert asked, f"{route.name} is new: say in tests/access.py how it is asked"
            for whose in asked.whose:
                cells = {name: self._cell(route, asked, whose, name) for name in CALLERS}
                yield {"Route": route.name, "Whose": whose, **cells}

    def _cell(self, route: Route, asked: Ask, whose: str, name: str) -> str:
        if whose == WALK_INS and name == OWNER:
            return NOBODYS
        wanted = asked.wanted(self.world, whose)
        sender = self.world.caller(name, fresh=asked.fresh)
        kind = "data" if "form" in (route.media_type or "") else "json"
        query = wanted.query | ({"limit": "100"} if "limit" in route.parameters else {})
        body = {} if wanted.body is None else {kind: wanted.body}
        answer = self.send(
            lambda: sender.request(route.method, route.at(wanted.ids), params=query, headers=keyed(), **body)
        )
        assert str(answer.status_code) in route.operation["responses"], f"{route.name}: undocumented"
        return self._told(answer, name, whose)

    def _told(self, answer: httpx.Response, name: str, whose: str) -> str:
        status = answer.status_code
        if status >= 400:
            code = answer.json()["error"]["code"]
            return str(status) if CODES.get(status) == code else f"{status} {code}"
        if "next_cursor" not in answer.text or whose != NOBODYS:
            return str(status)
        data = answer.json()["data"]
        if not data:
            return f"{status} none"
        others = {one for owner, marks in self.world.marks.items() if owner != name for one in marks}
        return f"{status} all" if others & {item["id"] for item in data} else f"{status} own"
