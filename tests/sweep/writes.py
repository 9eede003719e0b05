"""A valid request for each operation that writes, and what the same request comes to a second time.

A new route that is not here fails `test_every_write_is_swept`. Words after the path tell several kinds
of request to one route apart.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from app.core.caller import Role
from tests import scratch
from tests.bank import TRANSACTIONS, TRANSFERS, Customer, customer, issue_statement, keyed, put, staff
from tests.cards import AUTHORIZATIONS, CARDS, approved, asked, issue, on, refund
from tests.client import PASSWORD, ApiClient, Person
from tests.sweep.books import Effect
from tests.sweep.faults import Saboteur, prepare

_numbers = itertools.count()


class World:
    """A running service with two customers and a teller, and somebody who sabotages it."""

    def __init__(self, client: ApiClient) -> None:
        prepare(client.db)
        self.client = client
        self.ada = customer(client, "ada", money=10**9)
        self.bob = customer(client, "bob", money=10**9)
        # From now on each batch of hers asks which holds are due.
        self.ada.pay(self.bob, 1, pending=True)
        self.teller, self.network = staff(client), staff(client, Role.NETWORK)
        # From now on it is known where the bank's accounts are that cards pay and give back by.
        made = approved(self.network, issue(self.bob), 1)
        assert on(self.network, made, "capture", amount=1).status_code == 200
        assert refund(self.network, made, 1).status_code == 201
        issue_statement(client, self.ada)
        self.saboteur = Saboteur(client.db)

    @property
    def dialect(self) -> str:
        return self.client.db.engines.writer.dialect.name

    def somebody(self) -> Person:
        """A new user, logged in."""
        return self.client.sign_up(_email())


def _email() -> str:
    return f"somebody.{next(_numbers)}@example.com"


@dataclass(frozen=True)
class Ask:
    """A request that can be sent again as it is."""

    by: Person | ApiClient
    method: str
    path: str
    more: dict[str, Any] = field(default_factory=dict)

    def send(self) -> httpx.Response:
        return self.by.request(self.method, self.path, **self.more)


@dataclass(frozen=True)
class Write:
    """`ask` makes a request that has not been sent yet.

    `again` is the answer to the same request once it has had its effect: status and code. None: the
    first answer again, marked as a replay. `then` is what that second request changes, if anything;
    ANEW where it has the whole effect again.
    """

    ask: Callable[[World], Ask]
    again: tuple[int, str | None] | None = None
    then: Effect | None = field(default_factory=dict)
    # Through the lane: a batch that fails is posted again, command by command.
    batched: bool = False
    # Fields that only the first answer holds.
    shown_once: tuple[str, ...] = ()


ANEW: Final = None


def _post(path: str, by: Person | ApiClient, body: Any = None) -> Ask:
    return Ask(by, "POST", path, {"json": body, "headers": keyed()})


def _keyless(path: str, by: Person | ApiClient, **more: Any) -> Ask:
    return Ask(by, "POST", f"/v1/auth/{path}", more)


def _sign_up(world: World) -> Ask:
    return _keyless("signup", world.client, json={"email": _email(), "password": PASSWORD})


def _log_in(world: World) -> Ask:
    email = _email()
    world.client.sign_up(email)
    return _keyless("login", world.client, json={"email": email, "password": PASSWORD})


def _log_in_by_form(world: World) -> Ask:
    email = _email()
    world.client.sign_up(email)
    return _keyless("token", world.client, data={"username": email, "password": PASSWORD})


def _refresh(world: World) -> Ask:
    token = world.somebody().refresh_token
    return _keyless("refresh", world.client, json={"refresh_token": token})


def _end_session(world: World) -> Ask:
    email = _email()
    person = world.client.sign_up(email)
    world.client.log_in(email)
    others = [one for one in person.get("/v1/auth/sessions").json()["data"] if not one["current"]]
    return Ask(person, "DELETE", f"/v1/auth/sessions/{others[0]['id']}")


def _change_password(world: World) -> Ask:
    body = {"current_password": PASSWORD, "new_password": "another good long one"}
    return _keyless("password", world.somebody(), json=body)


def _hold(world: World) -> Ask:
    profile = {"full_name": "Some Body", "date_of_birth": "1990-01-02"}
    return _post("/v1/account-holders", world.somebody(), profile)


def _change(by: Person, path: str, body: dict[str, Any], at: str | None = None) -> Ask:
    """Whoever changes what they have seen says so; a second time it is another version."""
    seen = by.get(path).headers["ETag"]
    return Ask(by, "PATCH", at or path, {"json": body, "headers": {"If-Match": seen}})


def _change_holder(world: World) -> Ask:
    return _change(world.ada.person, "/v1/account-holders/me", {"phone": f"+33{next(_numbers):06}"})


def _rename(world: World) -> Ask:
    path = f"/v1/accounts/{world.ada.id}"
    return _change(world.ada.person, path, {"nickname": f"savings {next(_numbers)}"})


def _open(world: World, currency: str = "EUR") -> Ask:
    return _post("/v1/accounts", world.ada.person, {"type": "savings", "currency": currency})


def _open_first(world: World) -> Ask:
    scratch.execute(world.client.db, "DELETE FROM accounts WHERE currency = 'JPY'")
    return _open(world, "JPY")


def _close(world: World) -> Ask:
    opened = _open(world).send()
    return _post(f"/v1/accounts/{opened.json()['id']}/close", world.ada.person)


def _issue(world: World) -> Ask:
    account = Customer(world.ada.person, _open(world).send().json())
    put(world.client.db, account, created_at=1)
    return _post(f"/v1/statements/{account.id}/issue", world.ada.person, {"month": "2026-01"})


def _fund(kind: str) -> Callable[[World], Ask]:
    def ask(world: World) -> Ask:
        body = {"account_id": world.ada.id, "type": kind, "amount": 7, "currency": "EUR"}
        return _post(TRANSACTIONS, world.ada.person, body)

    return ask


def _pay(world: World) -> Ask:
    return _post(TRANSFERS, world.ada.person, world.ada.payment(world.bob, 7))


def _bulk(*, atomic: bool) -> Callable[[World], Ask]:
    def ask(world: World) -> Ask:
        items = [world.ada.payment(world.bob, amount) for amount in (7, 8, 9)]
        return _post(f"{TRANSFERS}/bulk", world.ada.person, {"atomic": atomic, "transfers": items})

    return ask


def _reverse(world: World) -> Ask:
    paid = _pay(world).send()
    return _post(f"{TRANSFERS}/{paid.json()['id']}/reverse", world.teller)


def _reserve(world: World) -> Ask:
    return _post(TRANSFERS, world.ada.person, world.ada.payment(world.bob, 7) | {"pending": True})


def _act(verb: str, body: dict[str, Any] | None = None) -> Callable[[World], Ask]:
    def ask(world: World) -> Ask:
        held = _reserve(world).send()
        return _post(f"{TRANSFERS}/{held.json()['id']}/{verb}", world.ada.person, body)

    return ask


def _issue_card(world: World) -> Ask:
    # There is a bound to the cards of an account.
    scratch.execute(world.client.db, "UPDATE cards SET status = 'cancelled', cancel_reason = 'lost'")
    return _post(CARDS, world.ada.person, {"account_id": world.ada.id, "type": "physical"})


def _on_card(action: str, *before: str, body: Any = None) -> Callable[[World], Ask]:
    def ask(world: World) -> Ask:
        path = f"{CARDS}/{_issue_card(world).send().json()['id']}"
        for one in before:
            assert _post(f"{path}/{one}", world.ada.person).send().status_code == 200
        return _post(f"{path}/{action}", world.ada.person, body)

    return ask


def _limit_card(world: World) -> Ask:
    path = f"{CARDS}/{_issue_card(world).send().json()['id']}"
    return _change(world.ada.person, path, {"online": False}, at=f"{path}/limits")


def _paying_card(world: World) -> dict[str, Any]:
    """A card that may pay, and has a limit whose sum is asked for."""
    card: dict[str, Any] = _on_card("activate")(world).send().json()
    path, limits = f"{CARDS}/{card['id']}/limits", {"limits": {"per_day": 10**6}}
    assert world.ada.person.patch(path, json=limits).status_code == 200
    return card


def _ask_card(amount: int) -> Callable[[World], Ask]:
    def ask(world: World) -> Ask:
        path = f"{CARDS}/{_paying_card(world)['id']}/authorizations"
        return _post(path, world.network, asked(amount))

    return ask


def _on_approved(verb: str, body: dict[str, Any] | None = None) -> Callable[[World], Ask]:
    def ask(world: World) -> Ask:
        made = approved(world.network, _paying_card(world), 7)
        return _post(f"{AUTHORIZATIONS}/{made['id']}/{verb}", world.network, body)

    return ask


def _refund(world: World) -> Ask:
    captured = _on_approved("capture", {"amount": 7})(world).send().json()
    body = {"authorization_id": captured["id"], "amount": 3}
    return _post(f"{CARDS}/{captured['card_id']}/refunds", world.network, body)


_DEAD: Final = (401, "unauthenticated")
_STALE: Final = (412, "precondition_failed")

WRITES: Final = {
    "POST /v1/auth/signup": Write(_sign_up, (409, "email_taken")),
    # The session of an answer that nobody got stays until it expires; nobody has its tokens.
    "POST /v1/auth/login": Write(_log_in, (200, None), then=ANEW),
    "POST /v1/auth/token": Write(_log_in_by_form, (200, None), then=ANEW),
    # A token that comes twice may have been copied: its session is ended (in the row that the first
    # request has changed already), and that is recorded.
    "POST /v1/auth/refresh": Write(_refresh, _DEAD, then={"audit_log": (1, 0)}),
    "POST /v1/auth/logout": Write(lambda world: _keyless("logout", world.somebody()), _DEAD),
    "POST /v1/auth/logout-all": Write(lambda world: _keyless("logout-all", world.somebody()), _DEAD),
    "DELETE /v1/auth/sessions/{session_id}": Write(_end_session, (404, "not_found")),
    # The old password is a wrong one now, and a wrong one is recorded.
    "POST /v1/auth/password": Write(
        _change_password, (401, "invalid_credentials"), then={"audit_log": (1, 0)}
    ),
    "POST /v1/account-holders": Write(_hold),
    "PATCH /v1/account-holders/{holder_id}": Write(_change_holder, _STALE),
    "POST /v1/accounts": Write(_open),
    "POST /v1/accounts the first of a currency": Write(_open_first),
    "PATCH /v1/accounts/{account_id}": Write(_rename, _STALE),
    "POST /v1/accounts/{account_id}/close": Write(_close),
    "POST /v1/cards": Write(_issue_card, shown_once=("number",)),
    "POST /v1/cards/{card_id}/activate": Write(_on_card("activate")),
    "POST /v1/cards/{card_id}/freeze": Write(_on_card("freeze", "activate")),
    "POST /v1/cards/{card_id}/unfreeze": Write(_on_card("unfreeze", "activate", "freeze")),
    "POST /v1/cards/{card_id}/cancel": Write(_on_card("cancel", body={"reason": "lost"})),
    "POST /v1/cards/{card_id}/replace": Write(_on_card("replace"), shown_once=("number",)),
    "PATCH /v1/cards/{card_id}/limits": Write(_limit_card, _STALE),
    "POST /v1/cards/{card_id}/authorizations yes": Write(_ask_card(7), batched=True),
    "POST /v1/cards/{card_id}/authorizations no": Write(_ask_card(10**7), batched=True),
    "POST /v1/authorizations/{authorization_id}/capture": Write(
        _on_approved("capture", {"amount": 3}), batched=True
    ),
    "POST /v1/authorizations/{authorization_id}/increment": Write(
        _on_approved("increment", {"amount": 3}), batched=True
    ),
    "POST /v1/authorizations/{authorization_id}/void": Write(_on_approved("void"), batched=True),
    "POST /v1/cards/{card_id}/refunds": Write(_refund, batched=True),
    "POST /v1/statements/{account_id}/issue": Write(_issue),
    "POST /v1/transactions deposit": Write(_fund("deposit"), batched=True),
    "POST /v1/transactions withdrawal": Write(_fund("withdrawal"), batched=True),
    "POST /v1/transfers": Write(_pay, batched=True),
    "POST /v1/transfers pending": Write(_reserve, batched=True),
    "POST /v1/transfers/{transfer_id}/capture all": Write(_act("capture"), batched=True),
    "POST /v1/transfers/{transfer_id}/capture a part": Write(_act("capture", {"amount": 3}), batched=True),
    "POST /v1/transfers/{transfer_id}/increment": Write(_act("increment", {"amount": 3}), batched=True),
    "POST /v1/transfers/{transfer_id}/void": Write(_act("void"), batched=True),
    "POST /v1/transfers/bulk atomic": Write(_bulk(atomic=True), batched=True),
    "POST /v1/transfers/bulk each for itself": Write(_bulk(atomic=False), batched=True),
    "POST /v1/transfers/{transfer_id}/reverse": Write(_reverse, batched=True),
}


def audited_read(path: str, of: Customer) -> Write:
    """What staff look at leaves a trace; looking again leaves another."""
    holder, card = of.account["account_holder_id"], issue(of)
    entry = of.person.get(f"/v1/accounts/{of.id}/transactions").json()["data"][0]
    ids = {
        "account_id": of.id,
        "authorization_id": approved(of, card, 1)["id"],
        "card_id": card["id"],
        "holder_id": holder,
        "transaction_id": entry["id"],
        "transfer_id": entry["transfer_id"],
        "number": "1",
    }
    query = {"account_id": of.id} if path == TRANSACTIONS else {}
    return Write(
        lambda world: Ask(world.teller, "GET", path.format_map(ids), {"params": query}),
        (200, None),
        then=ANEW,
    )
