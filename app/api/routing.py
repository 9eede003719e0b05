"""The order of refusals, for every route: `ApiRoute` runs it before the framework reads anything.

404 and 405 come from the router. Then, as the contract fixes it: 413 and 415, 401, 429, 400 for an
unreadable body, 403, 400 for the key, 422. What a route asks for is read off its signature: a
parameter of `CurrentUser` or `IdempotencyKey` (see `app/api/deps.py`) is a `Guard` in its dependencies.
"""

import email.message
from collections import Counter
from collections.abc import Callable, Coroutine
from functools import lru_cache
from typing import Any, Final

from fastapi.dependencies.models import Dependant
from fastapi.params import Form
from fastapi.routing import APIRoute, request_response
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from app.api.direct import ApiRequest, Provided, direct_call
from app.api.errors import validation_failed
from app.api.json_reader import read_json
from app.core import errors
from app.core.errors import Detail

LARGEST_BODY: Final = 1024 * 1024
# Parsing the parameters of a media type takes time by the square of its length.
_LONGEST_MEDIA_TYPE: Final = 200
_BODY_METHODS: Final = frozenset({"POST", "PUT", "PATCH"})


class Guard(Provided):
    """A check that a route asks for by having it among its dependencies.

    `identify` runs before the body is read, `permit` after it. What the endpoint receives is what the
    guard finds on the request.
    """

    async def identify(self, request: Request) -> None:
        """Who is asking (401), and may they ask now (429)?"""

    def permit(self, request: Request) -> None:
        """May they do this (403), and does the request say what it must (400)?"""


class ApiRoute(APIRoute):
    """A route that checks in the contract's order, and then takes the short way where there is one."""

    largest_body = LARGEST_BODY

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.app = self._app()

    def _app(self) -> ASGIApp:
        check = self._checks()
        solve_and_answer = self.get_route_handler()
        direct = direct_call(self)

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            request = ApiRequest(scope, receive)
            await check(request)
            if direct is not None and direct.fits(request):
                response = await direct(request)
                await response(scope, receive, send)
                return

            async def solve(_: Request) -> Response:
                return await solve_and_answer(request)

            await request_response(solve)(scope, receive, send)

        return app

    def _checks(self) -> Callable[[ApiRequest], Coroutine[Any, Any, None]]:
        guards = guards_of(self.dependant)
        known_query = query_names(self.dependant)
        takes_body = not _BODY_METHODS.isdisjoint(self.methods or ())
        is_form = self.body_field is not None and isinstance(self.body_field.field_info, Form)
        media_type = "application/x-www-form-urlencoded" if is_form else "application/json"
        expects_body, largest = self.body_field is not None, self.largest_body
        optional = self.body_field is not None and not self.body_field.field_info.is_required()

        async def check(request: ApiRequest) -> None:
            if takes_body:
                _check_declared(request, media_type, largest)
            for guard in guards:
                await guard.identify(request)
            if takes_body:
                await _read(request, largest, parse=not is_form)
            for guard in guards:
                guard.permit(request)
            if request.scope["query_string"]:
                _check_query(request, known_query)
            if takes_body and not expects_body and not request.is_empty:
                raise errors.ValidationFailed([_UNEXPECTED_BODY])
            if optional and request.is_null:
                raise errors.ValidationFailed([_NO_OBJECT])

        return check


_NO_OBJECT: Final = Detail("body", "invalid", "A body, where there is one, is an object.")
_UNEXPECTED_BODY: Final = Detail("body", "unknown_field", "This action takes no body, or {}.")


def guards_of(dependant: Dependant) -> list[Guard]:
    """The guards of a route, in the order of its parameters."""
    calls: list[object] = [inner.call for inner in dependant.dependencies]
    return [call for call in calls if isinstance(call, Guard)]


def query_names(dependant: Dependant) -> frozenset[str]:
    """Every query parameter that a route knows, those of its dependencies included."""
    names = {field.alias for field in dependant.query_params if not _is_model(field)}
    for field in dependant.query_params:
        if _is_model(field):
            model = field.field_info.annotation
            assert model is not None
            names |= {info.alias or name for name, info in model.model_fields.items()}
    for inner in dependant.dependencies:
        names |= query_names(inner)
    return frozenset(names)


def _is_model(field: Any) -> bool:
    return hasattr(field.field_info.annotation, "model_fields")


def _check_declared(request: Request, media_type: str, largest: int) -> None:
    """413 and 415, from the headers alone."""
    length = request.headers.get("content-length", "0")
    if not length.isdecimal() or int(length[:20]) > largest:
        raise errors.BodyTooLarge(headers={"Connection": "close"})
    has_body = length.strip("0") or "transfer-encoding" in request.headers
    if has_body:
        declared = request.headers.getlist("content-type")
        if len(declared) != 1 or not _is_media_type(declared[0], media_type):
            raise errors.UnsupportedMediaType()


@lru_cache(maxsize=64)
def _is_media_type(declared: str, wanted: str) -> bool:
    if len(declared) > _LONGEST_MEDIA_TYPE:
        return False
    message = email.message.Message()
    message["content-type"] = declared
    charset = message.get_param("charset", "utf-8")
    named = declared.partition(";")[0].strip().lower()
    return named == wanted and str(charset).lower() in ("utf-8", "utf8")


async def _read(request: ApiRequest, largest: int, *, parse: bool) -> None:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > largest:
            raise errors.BodyTooLarge(headers={"Connection": "close"})
    request._body = bytes(body)
    if parse and body:
        request.parsed = await request.off_the_loop(read_json, request._body)


def _check_query(request: Request, known: frozenset[str]) -> None:
    problems = []
    for name, count in Counter(key for key, _ in request.query_params.multi_items()).items():
        if name not in known:
            problems.append({"type": "extra_forbidden", "loc": ("query", name)})
        elif count > 1:
            problems.append({"type": "repeated", "loc": ("query", name)})
    if problems:
        raise validation_failed(problems)
