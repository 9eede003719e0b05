"""Completes the generated OpenAPI document with what routes share: errors, keys, headers."""

from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from app import __version__
from app.api.deps import Authenticated, KeyGuard
from app.api.routing import guards_of

_ERROR_SCHEMA: Final = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "details", "request_id"],
            "properties": {
                "code": {"type": "string"},
                "message": {"type": "string"},
                "details": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["field", "code", "message"],
                        "properties": {
                            "field": {"type": "string"},
                            "code": {"type": "string"},
                            "message": {"type": "string"},
                        },
                    },
                },
                "request_id": {"type": "string"},
            },
        }
    },
}
_MEANINGS: Final = {
    400: "Not readable",
    401: "No valid token",
    403: "Not allowed for this role",
    404: "Not found, or not yours",
    406: "No such format",
    409: "The state of things does not allow it",
    412: "Changed since you read it",
    413: "Body too large",
    415: "Wrong media type",
    422: "Fields are not valid",
    429: "Too many requests",
    431: "Headers too large",
    500: "Our fault",
    503: "Not now; try again",
}
_KEY_PARAMETER: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"},
    "description": "Makes a retry safe: the same request with the same key has its effect once.",
}


def build(app: FastAPI) -> dict[str, Any]:
    """The document, cached on the application."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title,
            version=__version__,
            description=app.description,
            routes=app.routes,
        )
        schemas = document["components"]["schemas"]
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        schemas["Error"] = _ERROR_SCHEMA
        for route in app.routes:
            if isinstance(route, APIRoute) and route.include_in_schema:
                for method in route.methods or ():
                    _complete(document["paths"][route.path_format][method.lower()], route)
        app.openapi_schema = document
    return app.openapi_schema


def _complete(operation: dict[str, Any], route: APIRoute) -> None:
    responses = operation["responses"]
    responses.pop("422", None)
    for status in sorted(_statuses(route) | {int(s) for s in route.responses if int(s) >= 400}):
        responses[str(status)] = {
            "description": _MEANINGS[status],
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
        }
    for guard in guards_of(route.dependant):
        if isinstance(guard, KeyGuard):
            operation.setdefault("parameters", []).append(_KEY_PARAMETER | {"required": guard.required})


def _statuses(route: APIRoute) -> set[int]:
    """The errors that a route's signature implies; others are in its `responses`."""
    # 400: not HTTP to us, an unknown host; 422: an unknown query parameter.
    statuses = {400, 422, 431, 500, 503}
    if {"POST", "PUT", "PATCH"} & (route.methods or set()):
        statuses |= {413, 415}
    if route.dependant.path_params:
        statuses |= {404}
    for guard in guards_of(route.dependant):
        if isinstance(guard, Authenticated):
            statuses |= {401, 429} | ({403} if guard.roles else set())
        if isinstance(guard, KeyGuard):
            statuses |= {409}
    return statuses
