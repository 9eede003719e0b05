"""Account holders, as JSON."""

from datetime import date
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field, PlainSerializer

from app.core import clock, dates
from app.schemas.base import PlainText, RequestModel, ResponseModel, Time, refusal

_ADULT_YEARS: Final = 18
_OLDEST_YEARS: Final = 130


def read_date(value: Any) -> Any:
    """A date as it comes in a request; refused unless it is written `1990-12-31`."""
    if not isinstance(value, str):
        raise refusal("wrong_type", "This must be a date such as 1990-12-31.")
    try:
        return dates.parse_date(value)
    except ValueError:
        raise refusal("invalid", "This must be a date such as 1990-12-31.") from None


def _adult(value: Any) -> Any:
    born = read_date(value)
    today = clock.now().date()
    # Somebody born on 29 February comes of age on 1 March of other years.
    age = today.year - born.year - ((today.month, today.day) < (born.month, born.day))
    if not _ADULT_YEARS <= age <= _OLDEST_YEARS:
        raise refusal("not_adult", "An account holder is 18 years or older.")
    return born


DateOut = Annotated[date, PlainSerializer(date.isoformat, return_type=str)]
BirthDate = Annotated[
    date, BeforeValidator(_adult), Field(json_schema_extra={"format": "date", "type": "string"})
]
FullName = Annotated[PlainText, Field(max_length=100)]
Address = Annotated[PlainText, Field(max_length=300)]
Phone = Annotated[str, Field(pattern=r"^\+?[0-9][0-9 ()./-]{2,30}$", max_length=32)]


class HolderIn(RequestModel):
    """A person who wants to hold accounts."""

    full_name: FullName
    date_of_birth: BirthDate
    address: Address | None = None
    phone: Phone | None = None


class HolderChange(RequestModel):
    """Fields that are left out stay; null clears an address or a phone."""

    full_name: FullName | None = None
    date_of_birth: BirthDate | None = None
    address: Address | None = None
    phone: Phone | None = None

    def changes(self) -> dict[str, Any]:
        """The fields that were given. A name and a birthday can be changed, not taken away."""
        given = self.model_dump(exclude_unset=True)
        empty = [name for name in ("full_name", "date_of_birth") if given.get(name, "") is None]
        return {name: value for name, value in given.items() if name not in empty}


class HolderOut(ResponseModel):
    """An account holder; `user_id` is their login, if they have one here."""

    id: str
    user_id: str | None
    full_name: str
    date_of_birth: DateOut
    address: str | None
    phone: str | None
    created_at: Time
