"""`docs/access.md` is what the server does: every route, asked by everybody.

The table and the server are compared cell by cell, both ways: a new route fails until it is in the
table, and so does a row whose route is gone.
"""

from collections.abc import Callable
from typing import Any

import httpx

from tests.access import CALLERS, REQUESTS, Matrix, World
from tests.architecture.documents import table
from tests.bank import rows
from tests.client import ApiClient
from tests.record import record
from tests.routes import routes

DOCUMENT = "docs/access.md"
TABLES = {
    "users": "id",
    "account_holders": "id",
    "accounts": "key",
    "transfers": "key",
    "entries": "id",
    "cards": "key",
    "authorizations": "key",
    "hold_events": "transfer_key, sequence",
    "idempotency_keys": "caller, key",
}


def line(row: dict[str, str]) -> str:
    """A row as the document writes it."""
    cells = [f"`{row['Route']}`", row["Whose"], *(row[name] for name in CALLERS)]
    return f"| {' | '.join(cells)} |"


def unchanged(client: ApiClient) -> Callable[[Callable[[], httpx.Response]], httpx.Response]:
    """Sends a request; one that is refused has changed nothing (a ledger's refusal may be audited)."""

    def everything() -> list[list[tuple[Any, ...]]]:
        return [rows(client.db, f"SELECT * FROM {name} ORDER BY {key}") for name, key in TABLES.items()]

    def send(request: Callable[[], httpx.Response]) -> httpx.Response:
        before = everything()
        answer = request()
        if answer.status_code >= 400:
            assert everything() == before, answer.request.url
        return answer

    return send


def test_everybody_is_answered_as_the_table_says(client: ApiClient) -> None:
    served = [line(row) for row in Matrix(World(client), unchanged(client)).rows()]
    assert sorted(served) == sorted(line(row) for row in table(DOCUMENT, "Route"))
    record("matrix", cells=len(served) * len(CALLERS), differences=0)


def test_every_route_is_in_the_table_and_every_row_is_a_route(client: ApiClient) -> None:
    served = [route.name for route in routes(client.app)]
    assert {row["Route"] for row in table(DOCUMENT, "Route")} == set(served)
    assert set(REQUESTS) == set(served)
