"""The routes of the API as OpenAPI lists them, for tests that must hold for each of them.

What a test needs to know of a route (a valid body) is written down here; a route that is not fails
these tests until somebody has thought about it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI

from app.api.openapi import build
from tests.bank import Customer
from tests.cards import asked
from tests.client import PASSWORD

# Actions: they take no body, or {}.
WITHOUT_BODY = {
    "POST /v1/auth/logout",
    "POST /v1/auth/logout-all",
    "POST /v1/accounts/{account_id}/close",
    "POST /v1/transfers/{transfer_id}/reverse",
    "POST /v1/transfers/{transfer_id}/void",
    "POST /v1/cards/{card_id}/activate",
    "POST /v1/cards/{card_id}/freeze",
    "POST /v1/cards/{card_id}/unfreeze",
    "POST /v1/authorizations/{authorization_id}/void",
}


@dataclass(frozen=True)
class Route:
    """One operation; `name` is such as `GET /v1/accounts/{account_id}`."""

    method: str
    path: str
    operation: dict[str, Any]

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def parameters(self) -> list[str]:
        return [one["name"] for one in self.operation.get("parameters", [])]

    @property
    def media_type(self) -> str | None:
        content = self.operation.get("requestBody", {}).get("content", {})
        return next(iter(content), None)

    def at(self, ids: dict[str, str]) -> str:
        """The path with these ids in it."""
        return self.path.format_map(ids)


def routes(app: FastAPI) -> Iterator[Route]:
    for path, operations in build(app)["paths"].items():
        for method, operation in operations.items():
            yield Route(method.upper(), path, operation)


def valid_bodies(of: Customer, to: Customer) -> dict[str, dict[str, Any]]:
    """A body for each route that takes one, with the ids of a customer."""
    cash = {"account_id": of.id, "type": "deposit", "amount": 1, "currency": "EUR"}
    login = {"email": "new@example.com", "password": PASSWORD}
    return {
        "POST /v1/auth/signup": login,
        "POST /v1/auth/login": login,
        "POST /v1/auth/token": {"username": "new@example.com", "password": PASSWORD},
        "POST /v1/auth/refresh": {"refresh_token": "x"},
        "POST /v1/auth/password": {"current_password": PASSWORD, "new_password": "another good one"},
        "POST /v1/account-holders": {"full_name": "Ada King", "date_of_birth": "1990-01-02"},
        "PATCH /v1/account-holders/{holder_id}": {"phone": "+331234"},
        "POST /v1/accounts": {"type": "savings", "currency": "EUR"},
        "PATCH /v1/accounts/{account_id}": {"nickname": "x"},
        "POST /v1/statements/{account_id}/issue": {"month": "2026-01"},
        "POST /v1/transactions": cash,
        "POST /v1/transfers": of.payment(to, 1),
        "POST /v1/transfers/{transfer_id}/capture": {"amount": 1},
        "POST /v1/transfers/{transfer_id}/increment": {"amount": 1},
        "POST /v1/cards": {"account_id": of.id, "type": "physical"},
        "POST /v1/cards/{card_id}/cancel": {"reason": "lost"},
        "POST /v1/cards/{card_id}/replace": {"reason": "lost"},
        "PATCH /v1/cards/{card_id}/limits": {"online": False},
        "POST /v1/cards/{card_id}/authorizations": asked(1),
        "POST /v1/cards/{card_id}/refunds": {"authorization_id": "aut_x", "amount": 1},
        "POST /v1/authorizations/{authorization_id}/capture": {"amount": 1},
        "POST /v1/authorizations/{authorization_id}/increment": {"amount": 1},
        "POST /v1/transfers/bulk": {"atomic": True, "transfers": [of.payment(to, 1)]},
    }
