"""Cards of customers, over HTTP: `card = issue(ada)`."""

from typing import Any

import httpx

from tests.bank import Customer, keyed
from tests.client import Person

CARDS, AUTHORIZATIONS = "/v1/cards", "/v1/authorizations"


def issue(of: Customer, kind: str = "virtual") -> dict[str, Any]:
    """A new card of the customer's account, as it was answered: with its number."""
    made = of.post(CARDS, {"account_id": of.id, "type": kind})
    assert made.status_code == 201, made.text
    found: dict[str, Any] = made.json()
    return found


def shown(card: dict[str, Any]) -> dict[str, Any]:
    """The card as it is shown ever after: without its number."""
    return {name: value for name, value in card.items() if name != "number"}


def act(who: Customer | Person, card: dict[str, Any], action: str, **body: Any) -> httpx.Response:
    """An action on the card, such as `freeze`."""
    return _person(who).post(f"{CARDS}/{card['id']}/{action}", **({"json": body} if body else {}))


def seen(who: Customer | Person, card: dict[str, Any]) -> dict[str, Any]:
    """The card as it is now."""
    answer = _person(who).get(f"{CARDS}/{card['id']}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


SHOP = {"name": "Corner Shop", "mcc": "5411", "country": "AT"}


def asked(amount: int, *, currency: str = "EUR", online: bool = False, **merchant: str) -> dict[str, Any]:
    """The body of an authorisation."""
    return {"amount": amount, "currency": currency, "merchant": SHOP | merchant, "online": online}


def authorize(
    who: Customer | Person, card: dict[str, Any], amount: int, key: str | None = None, **more: Any
) -> httpx.Response:
    """Asks the card for an amount, as the network does."""
    path = f"{CARDS}/{card['id']}/authorizations"
    return _person(who).post(path, json=asked(amount, **more), headers=keyed(key))


def approved(who: Customer | Person, card: dict[str, Any], amount: int, **more: Any) -> dict[str, Any]:
    """An authorisation that is approved."""
    answer = authorize(who, card, amount, **more)
    assert (answer.status_code, answer.json().get("status")) == (201, "approved"), answer.text
    found: dict[str, Any] = answer.json()
    return found


def declined(answer: httpx.Response, reason: str) -> dict[str, Any]:
    """Asserts that the answer is no, for this reason, and that nothing came of it."""
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    assert (found["status"], found["decline_reason"]) == ("declined", reason)
    assert (found["captured_amount"], found["held_amount"], found["refunded_amount"]) == (0, 0, 0)
    assert found["expires_at"] is None
    return found


def on(
    who: Customer | Person, authorization: dict[str, Any], verb: str, key: str | None = None, **body: Any
) -> httpx.Response:
    """An act on an authorisation, such as `capture`."""
    path = f"{AUTHORIZATIONS}/{authorization['id']}/{verb}"
    return _person(who).post(path, headers=keyed(key), **({"json": body} if body else {}))


def refund(
    who: Customer | Person, authorization: dict[str, Any], amount: int, key: str | None = None
) -> httpx.Response:
    """Gives back some of what was captured of an authorisation."""
    body = {"authorization_id": authorization["id"], "amount": amount}
    return _person(who).post(f"{CARDS}/{authorization['card_id']}/refunds", json=body, headers=keyed(key))


def money(of: Customer) -> tuple[int, int, int]:
    """Balance, held and available."""
    told = of.person.get(f"/v1/accounts/{of.id}/balance").json()
    return told["balance"], told["held"], told["available"]


def _person(who: Customer | Person) -> Person:
    return who.person if isinstance(who, Customer) else who
