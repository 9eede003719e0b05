"""Cards of customers, over HTTP: `card = issue(ada)`."""

from typing import Any

import httpx

from tests.bank import Customer
from tests.client import Person

CARDS = "/v1/cards"


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
    person = who.person if isinstance(who, Customer) else who
    return person.post(f"{CARDS}/{card['id']}/{action}", **({"json": body} if body else {}))


def seen(who: Customer | Person, card: dict[str, Any]) -> dict[str, Any]:
    """The card as it is now."""
    person = who.person if isinstance(who, Customer) else who
    answer = person.get(f"{CARDS}/{card['id']}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found
