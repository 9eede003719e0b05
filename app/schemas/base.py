"""The types every request and response is made of."""

from datetime import datetime
from typing import Annotated, Any, Final, Generic, LiteralString, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer
from pydantic_core import PydanticCustomError

from app.core import clock, dates
from app.core.security import LONGEST_PASSWORD, SHORTEST_PASSWORD, is_common_password
from app.core.text import is_plain_text, normalize_email

Item = TypeVar("Item")

_RFC3339: Final = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}Z$"


def refusal(code: LiteralString, message: LiteralString) -> PydanticCustomError:
    """A complaint of ours about a field; the message never holds the value."""
    return PydanticCustomError(code, message, {"ours": True})


class RequestModel(BaseModel):
    """A request body: unknown fields are refused, so a misspelt one is never silently ignored."""

    model_config = ConfigDict(extra="forbid")


class ResponseModel(BaseModel):
    """A response, read off a row or an object of the same attribute names."""

    model_config = ConfigDict(from_attributes=True, serialize_by_alias=True)


class PageOf(ResponseModel, Generic[Item]):
    """One page of a list, newest first. `next_cursor` asks for the next one."""

    data: list[Item]
    has_more: bool
    next_cursor: str | None


def plain_text(value: str) -> str:
    """The text, unless it has control or direction characters."""
    if not is_plain_text(value):
        raise refusal("invalid_characters", "Control and direction characters are not allowed.")
    return value


def _not_blank(value: str) -> str:
    if not value.strip():
        raise refusal("blank", "This must not be blank.")
    return value


def _email(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return normalize_email(value)
    except ValueError:
        raise refusal("invalid_email", "This is not an e-mail address.") from None


def _uncommon(value: str) -> str:
    if is_common_password(value):
        raise refusal("common_password", "This password is among the most used ones.")
    return value


def _instant(value: Any) -> Any:
    if not isinstance(value, str):
        raise refusal("invalid", "An instant with its offset.")
    try:
        return dates.parse_instant(value)
    except ValueError:
        raise refusal("invalid", "An instant with its offset.") from None


# An instant that a client gives.
TimeIn = Annotated[datetime, BeforeValidator(_instant)]
Time = Annotated[
    datetime,
    PlainSerializer(clock.rfc3339, return_type=str),
    Field(json_schema_extra={"format": "date-time", "pattern": _RFC3339}),
]
Email = Annotated[str, BeforeValidator(_email), Field(max_length=320)]
Password = Annotated[
    str, Field(min_length=SHORTEST_PASSWORD, max_length=LONGEST_PASSWORD), AfterValidator(_uncommon)
]
# What is only compared needs no rules, but every string has an end.
AnyPassword = Annotated[str, Field(max_length=1024)]
AnyText = Annotated[str, Field(max_length=1024)]


# The id of something. What has another form is not found, like every other id that names nothing, so
# the form is only documented.
Id = Annotated[
    str, Field(json_schema_extra={"pattern": "^[a-z]{3}_[0-9a-hjkmnp-tv-z]{26}$", "maxLength": 30})
]
# Text to read: `Annotated[PlainText, Field(max_length=...)]` says how long, in code points.
PlainText = Annotated[str, Field(min_length=1), AfterValidator(plain_text), AfterValidator(_not_blank)]
