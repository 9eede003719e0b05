"""Every place of every route where a client puts something, as OpenAPI lists them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI

from app.api.openapi import build
from tests.routes import Route, routes

PATH, QUERY, FIELD, HEADER, BODY, MERGE, METHOD = (
    "path",
    "query",
    "field",
    "header",
    "body",
    "merge",
    "method",
)
# What a parameter or a field is, by its name; "other" has rules of its own and its own tests. A new
# name fails the tests until it is here.
KINDS = {
    "account_holder_id": "id",
    "account_id": "id",
    "address": "text",
    "amount": "amount",
    "at": "past",
    "atomic": "other",
    "authorization_id": "id",
    "blocked_countries": "other",
    "blocked_mccs": "other",
    "basis": "other",
    "booked_at.gte": "date",
    "booked_at.lt": "date",
    "card_id": "id",
    "client_id": "compared",
    "client_secret": "compared",
    "created_at.gte": "date",
    "created_at.lt": "date",
    "currency": "currency",
    "current_password": "compared",
    "cursor": "cursor",
    "date_of_birth": "birthday",
    "description": "text",
    "destination_account_id": "id",
    "destination_account_number": "number",
    "email": "email",
    "expires_at": "other",
    "external_id": "text",
    "final": "other",
    "format": "other",
    "from": "past",
    "full_name": "text",
    "grant_type": "other",
    "holder_id": "id",
    "idempotency_key": "other",
    "limit": "limit",
    "limits": "other",
    "merchant": "other",
    "metadata": "other",
    "month": "other",
    "new_password": "password",
    "nickname": "text",
    "online": "other",
    "paper": "other",
    "number": "other",
    "password": "password",
    "pending": "other",
    "phone": "other",
    "reason": "other",
    "refresh_token": "compared",
    "scope": "compared",
    "session_id": "id",
    "source_account_id": "id",
    "status": "other",
    "to": "date",
    "transaction_id": "id",
    "transfer_id": "id",
    "transfers": "other",
    "type": "other",
    "username": "compared",
    "value_date": "value_day",
    "value_date.gte": "date",
    "value_date.lt": "date",
    "Idempotency-Key": "key",
}
# These only compare what they get with what was set.
_LOGINS = ("POST /v1/auth/login", "POST /v1/auth/token")


@dataclass(frozen=True)
class Place:
    """One place: a parameter, a field, a header, the whole body, the method."""

    where: str
    name: str
    kind: str
    nullable: bool = False
    longest: int | None = None


def places(route: Route, app: FastAPI) -> Iterator[Place]:
    """Where a client can put something into a request of this route."""
    for parameter in route.operation.get("parameters", []):
        schema = parameter["schema"]
        yield _place(parameter["in"], parameter["name"], route, schema)
    if route.operation.get("security"):
        yield Place(HEADER, "Authorization", "authorization")
    yield from (Place(HEADER, name, "free") for name in ("X-Request-Id", "User-Agent", "If-Match", "Cookie"))
    yield Place(METHOD, "method", "method")
    yield Place(HEADER, "Content-Type", "content_type")
    if route.method in ("GET", "DELETE"):
        return
    yield Place(BODY, "body", "body")
    yield Place(MERGE, "unknown field", "unknown_field")
    for name, schema in fields(route, app).items():
        yield _place(FIELD, name, route, schema)


def fields(route: Route, app: FastAPI) -> dict[str, Any]:
    """The schema of each field of the body; those of a list's items as `transfers[0].amount`."""
    found = dict(_schema(route, app).get("properties", {}))
    for name, schema in list(found.items()):
        if "$ref" in schema.get("items", {}):
            inner = _component(app, schema["items"]["$ref"])
            found |= {f"{name}[0].{field}": one for field, one in inner["properties"].items()}
    return found


def required(route: Route, app: FastAPI) -> bool:
    """Whether the body has a field that must be there."""
    return bool(_schema(route, app).get("required"))


def _schema(route: Route, app: FastAPI) -> dict[str, Any]:
    for media in route.operation.get("requestBody", {}).get("content", {}).values():
        return _component(app, media["schema"]["$ref"])
    return {}


def _component(app: FastAPI, reference: str) -> dict[str, Any]:
    found: dict[str, Any] = build(app)["components"]["schemas"][reference.rpartition("/")[2]]
    return found


def _place(where: str, name: str, route: Route, schema: dict[str, Any]) -> Place:
    last = name.rpartition("].")[2]
    assert last in KINDS, f"{route.name}: say in tests/fuzz/places.py what {last} is"
    kinds = [schema, *schema.get("anyOf", [])]
    kind = KINDS[last]
    if kind in ("email", "password") and route.name in _LOGINS:
        kind = "compared"
    longest = max((one.get("maxLength", 0) for one in kinds), default=0)
    nullable = any(one.get("type") == "null" for one in kinds)
    return Place(where, name, kind, nullable, longest or None)


def all_routes(app: FastAPI) -> list[Route]:
    return list(routes(app))
