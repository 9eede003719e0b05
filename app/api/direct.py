"""The short way from a checked request to its endpoint.

The framework finds an endpoint's arguments by walking its dependencies, with a context for those that
must be closed: a third of what a transfer costs. Where everything an endpoint asks for is at hand (a
guard's finding, a part of the service, the path, the body) there is nothing to walk. What does not fit
takes the framework's way, and both give the same answers.
"""

import asyncio
import inspect
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from fastapi.dependencies.models import Dependant
from fastapi.params import Form
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from app.api.errors import validation_failed

T = TypeVar("T")

# Up to here parsing takes less than a change of threads is worth.
_SMALL_BODY: Final = 64 * 1024


class ApiRequest(Request):
    """A request whose body has been read and parsed by us."""

    parsed: Any = None

    async def json(self) -> Any:
        return self.parsed

    @property
    def is_empty(self) -> bool:
        """Whether there was no body, or `{}`."""
        return not self._body or self.parsed == {}

    @property
    def is_null(self) -> bool:
        """Whether there was a body, and it was `null`."""
        return bool(self._body) and self.parsed is None

    async def off_the_loop(self, work: Callable[..., T], *args: Any) -> T:
        """Does what takes as long as the body is long: that of a large one on a thread."""
        if len(self._body) <= _SMALL_BODY:
            return work(*args)
        return await asyncio.to_thread(work, *args)


class Provided(ABC):
    """A dependency that the request, or the service it came to, has at hand."""

    @abstractmethod
    def find(self, request: Request) -> Any:
        """What the endpoint receives. Never waits."""

    async def __call__(self, request: Request) -> Any:
        return self.find(request)


class Part(Provided):
    """A part of the request or of the running service."""

    def __init__(self, find: Callable[[Request], Any]) -> None:
        self._find = find

    def find(self, request: Request) -> Any:
        return self._find(request)


@dataclass(frozen=True, slots=True)
class FromQuery:
    """What is made of parameters of the query, and of the request where it is asked for.

    `make` None: the endpoint takes the parameters themselves.
    """

    name: str
    make: Callable[..., Awaitable[Any]] | None
    # The framework's descriptions of parameters.
    fields: Sequence[Any]
    request: str | None

    def read(self, given: Mapping[str, str]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """The parameters by name, and what is wrong with them."""
        values: dict[str, Any] = {}
        problems: list[dict[str, Any]] = []
        for field in self.fields:
            text = given.get(field.alias)
            if text is None:
                values[field.name] = field.field_info.default
                continue
            values[field.name], wrong = field.validate(text, loc=("query", field.alias))
            problems += wrong
        return values, problems


@dataclass(frozen=True, slots=True)
class DirectCall:
    """An endpoint, and where each of its arguments comes from."""

    endpoint: Callable[..., Any]
    status: int
    provided: Mapping[str, Callable[[Request], Any]]
    queries: Sequence[FromQuery]
    body: tuple[str, type[BaseModel]] | None
    request: str | None

    def fits(self, request: ApiRequest) -> bool:
        """Whether this request leaves nothing to solve: the framework tells what is wrong with two parts."""
        return self.body is None or (request.parsed is not None and not request.scope["query_string"])

    async def __call__(self, request: ApiRequest) -> Response:
        arguments = {name: find(request) for name, find in self.provided.items()}
        arguments |= request.path_params
        if self.queries:
            arguments |= await self._from_query(request)
        if self.request is not None:
            arguments[self.request] = request
        if self.body is not None:
            name, model = self.body
            arguments[name] = await request.off_the_loop(_validated, model, request.parsed)
        made = await self.endpoint(**arguments)
        if isinstance(made, Response):
            return made
        return Response(made.model_dump_json(), self.status, media_type="application/json")

    async def _from_query(self, request: ApiRequest) -> dict[str, Any]:
        """Everything that is wrong with the query at once, or what it comes to."""
        given: Mapping[str, str] = request.query_params if request.scope["query_string"] else {}
        read = [(part, *part.read(given)) for part in self.queries]
        problems = [problem for _, _, wrong in read for problem in wrong]
        if problems:
            raise validation_failed(problems)
        arguments: dict[str, Any] = {}
        for part, values, _ in read:
            if part.request is not None:
                values[part.request] = request
            arguments |= values if part.make is None else {part.name: await part.make(**values)}
        return arguments


def _validated(model: type[BaseModel], parsed: Any) -> BaseModel:
    try:
        return model.model_validate(parsed)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False)
        raise validation_failed(
            [{**problem, "loc": ("body", *problem["loc"])} for problem in problems]
        ) from None


def direct_call(route: APIRoute) -> DirectCall | None:
    """The short way of a route, or None where it needs the framework's."""
    asks, answer = route.dependant, inspect.signature(route.endpoint).return_annotation
    is_answer = isinstance(answer, type) and issubclass(answer, Response | BaseModel)
    if not (is_answer and _is_at_hand(asks)):
        return None
    return DirectCall(
        endpoint=route.endpoint,
        status=route.status_code or 200,
        provided=_provided_by(asks),
        queries=_queries_of(asks),
        body=_body_of(asks),
        request=asks.request_param_name,
    )


def _provided_by(asks: Dependant) -> dict[str, Callable[[Request], Any]]:
    return {str(one.name): one.call.find for one in asks.dependencies if isinstance(one.call, Provided)}


def _queries_of(asks: Dependant) -> list[FromQuery]:
    made = [
        FromQuery(str(one.name), one.call, one.query_params, one.request_param_name)
        for one in asks.dependencies
        if _is_made_of_query(one)
    ]
    return [*made, FromQuery("", None, asks.query_params, None)] if asks.query_params else made


def _is_made_of_query(one: Dependant) -> bool:
    others = (one.dependencies, one.path_params, one.header_params, one.cookie_params, one.body_params)
    return not isinstance(one.call, Provided) and not any(others) and _are_optional(one.query_params)


def _are_optional(fields: Sequence[Any]) -> bool:
    """Whether each is one parameter that may be left out."""
    infos = [field.field_info for field in fields]
    return not any(info.is_required() or hasattr(info.annotation, "model_fields") for info in infos)


def _is_at_hand(asks: Dependant) -> bool:
    for_framework = (asks.header_params, asks.cookie_params, asks.response_param_name)
    return (
        not any(for_framework)
        and all(isinstance(one.call, Provided) or _is_made_of_query(one) for one in asks.dependencies)
        and all(field.field_info.annotation is str for field in asks.path_params)
        and _are_optional(asks.query_params)
        and len(asks.body_params) <= 1
        and not any(isinstance(field.field_info, Form) for field in asks.body_params)
    )


def _body_of(asks: Dependant) -> tuple[str, type[BaseModel]] | None:
    for field in asks.body_params:
        model = field.field_info.annotation
        assert isinstance(model, type)
        assert issubclass(model, BaseModel)
        return field.name, model
    return None
