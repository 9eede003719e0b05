"""Renders every error into the one envelope of the API."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import Scope

from app.core import errors
from app.core.errors import BankingError, Detail

# A name that a developer would give a field. Other names come from the client and are not repeated.
_FIELD_NAME: Final = re.compile(r"[a-z][a-z_]{0,39}[0-9]?(\.(gte|lt))?")
# A body of a mebibyte can be wrong in a hundred thousand places; the answer stays readable.
_MOST_DETAILS: Final = 100

# How our codes and sentences follow from the validator's. {} are limits of ours, never the input.
_RULES: Final[Mapping[str, tuple[str, str]]] = {
    "missing": ("required", "This field is required."),
    "extra_forbidden": ("unknown_field", "There is no such field here."),
    "string_too_short": ("too_short", "At least {min_length} characters."),
    "string_too_long": ("too_long", "At most {max_length} characters."),
    "too_short": ("too_short", "At least {min_length} items."),
    "too_long": ("too_long", "At most {max_length} items."),
    "greater_than_equal": ("too_small", "At least {ge}."),
    "less_than_equal": ("too_large", "At most {le}."),
    "greater_than": ("too_small", "More than {gt}."),
    "less_than": ("too_large", "Less than {lt}."),
    "enum": ("not_allowed", "One of {expected}."),
    "literal_error": ("not_allowed", "One of {expected}."),
    "string_pattern_mismatch": ("invalid", "Not of the documented form."),
}
_TYPES: Final[Mapping[str, str]] = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "bool_type": "true or false",
    "dict_type": "an object",
    "list_type": "a list",
    "model_type": "an object",
    "model_attributes_type": "an object",
}
# Where every complaint is of one of these kinds, it is the code of the whole answer.
_PROMOTED: Final = {
    error.code: error
    for error in errors.catalogue()
    if issubclass(error, errors.Unprocessable) and error is not errors.ValidationFailed
}


def envelope(error: BankingError, request_id: str) -> Response:
    """The answer for an error. Unicode stays readable; a lone surrogate cannot occur in our texts."""
    body = {
        "error": {
            "code": error.code,
            "message": error.message,
            "details": [
                {"field": detail.field, "code": detail.code, "message": detail.message}
                for detail in error.details
            ],
            "request_id": request_id,
        }
    }
    return Response(
        json.dumps(body, separators=(",", ":")),
        status_code=error.status,
        headers=error.headers,
        media_type="application/json",
    )


async def render(request: Request, error: Exception) -> Response:
    """The exception handler for everything that a route can raise on purpose."""
    return envelope(_as_banking_error(request, error), request.state.request_id)


def _as_banking_error(request: Request, error: Exception) -> BankingError:
    if isinstance(error, BankingError):
        return error
    if isinstance(error, RequestValidationError):
        return validation_failed(error.errors())
    if isinstance(error, HTTPException):
        return _from_http(request, error)
    return errors.InternalError()


def _from_http(request: Request, error: HTTPException) -> BankingError:
    if error.status_code == errors.MethodNotAllowed.status:
        return errors.MethodNotAllowed(headers={"Allow": ", ".join(allowed_methods(request.scope))})
    if error.status_code == errors.NotFound.status:
        return errors.NotFound()
    # The framework raises nothing else but for requests that it cannot parse.
    return errors.MalformedRequest()


def allowed_methods(scope: Scope) -> list[str]:
    """Every method that some route of this path takes (RFC 9110, section 15.5.6)."""
    routes = [route for route in scope["app"].routes if route.matches(scope)[0] is not Match.NONE]
    # `/transfers/bulk` is no transfer, though its path looks like that of one.
    exact = [route for route in routes if getattr(route, "path", None) == scope["path"]]
    methods = {method for route in exact or routes for method in getattr(route, "methods", None) or ()}
    # No route: a file of the documentation.
    return sorted(methods or {"GET", "HEAD"})


def validation_failed(problems: Sequence[Mapping[str, Any]]) -> BankingError:
    """All that is wrong with the fields of a request, at once; what was submitted stays out."""
    details = [_detail(problem) for problem in problems[:_MOST_DETAILS]]
    kinds = {detail.code for detail in details}
    promoted = _PROMOTED.get(next(iter(kinds))) if len(kinds) == 1 else None
    return (promoted or errors.ValidationFailed)(details)


def _detail(problem: Mapping[str, Any]) -> Detail:
    kind = problem["type"]
    field = _field(problem["loc"])
    context = problem.get("ctx", {})
    # First, since a rule of ours may be called like one of the validator's.
    if context.get("ours"):
        return Detail(field, kind, problem["msg"])
    if kind in _TYPES:
        return Detail(field, "wrong_type", f"This must be {_TYPES[kind]}.")
    if kind in _RULES:
        code, sentence = _RULES[kind]
        return Detail(field, code, sentence.format(**context))
    return Detail(field, "invalid", "This is not valid.")


def _field(location: Sequence[str | int]) -> str:
    """`("body", "address", "city")` -> `address.city`; a part that the client named becomes `*`."""
    path = ""
    for part in location[1:]:
        if isinstance(part, int):
            path += f"[{part}]"
        else:
            path += f".{part if _FIELD_NAME.fullmatch(part) else '*'}"
    return path.lstrip(".") or str(location[0])
