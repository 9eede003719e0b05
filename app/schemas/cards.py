"""Cards, as JSON."""

from datetime import date
from typing import Annotated, Any

from pydantic import AfterValidator, Field, StrictBool

from app.core.iso3166 import COUNTRIES
from app.db.base import AnyRow
from app.models.cards import LIMITS, CancelReason, CardStatus, CardType, status_on
from app.schemas.base import Id, RequestModel, ResponseModel, Time, refusal
from app.schemas.money import Amount, Balance


def _country(value: str) -> str:
    if value not in COUNTRIES:
        raise refusal("not_a_country", "No alpha-2 code of ISO 3166-1 in capitals.")
    return value


def _each_once(values: list[str]) -> list[str]:
    return sorted(set(values))


Mcc = Annotated[str, Field(pattern="^[0-9]{4}$", examples=["5411"])]
Country = Annotated[str, Field(pattern="^[A-Z]{2}$", examples=["AT"]), AfterValidator(_country)]
Mccs = Annotated[list[Mcc], Field(max_length=1000), AfterValidator(_each_once)]
Countries = Annotated[list[Country], Field(max_length=300), AfterValidator(_each_once)]


class CardIn(RequestModel):
    """A card for an account. Its number and expiry are the bank's to choose."""

    account_id: Id
    type: CardType


class CardEnd(RequestModel):
    """Why the card comes to its end."""

    reason: CancelReason | None = CancelReason.REQUESTED


class Limits(RequestModel):
    """Fields that are left out stay; null takes a limit away."""

    per_payment: Amount | None = None
    per_day: Amount | None = None
    per_month: Amount | None = None


class CardSettings(RequestModel):
    """Fields that are left out stay; an empty list blocks nothing."""

    limits: Limits = Field(default_factory=Limits)
    online: StrictBool = True
    blocked_mccs: Mccs = Field(default_factory=list)
    blocked_countries: Countries = Field(default_factory=list)

    def changes(self) -> dict[str, Any]:
        """What was given, by the names of columns."""
        given = self.model_dump(exclude_unset=True)
        limits: dict[str, Any] = given.pop("limits", {})
        return limits | given


class LimitsOut(ResponseModel):
    """Whole minor units of the account's currency; null is no limit. Days and months are the bank's."""

    per_payment: Balance | None
    per_day: Balance | None
    per_month: Balance | None


class CardOut(ResponseModel):
    """A card, which is good until the end of its last month. Its number is not here."""

    id: str
    account_id: str
    type: CardType
    status: CardStatus
    cancel_reason: CancelReason | None
    brand: str
    last4: str
    expiry_month: int
    expiry_year: int
    limits: LimitsOut
    online: bool
    blocked_mccs: list[str]
    blocked_countries: list[str]
    replaces_id: str | None
    replaced_by_id: str | None
    created_at: Time

    @classmethod
    def of(cls, card: AnyRow, day: date) -> "CardOut":
        """The card as it is on a day of the bank."""
        return cls.model_validate(_fields(card, day))


class NewCardOut(CardOut):
    """A card that has just been issued. Its number is told now or never: in a replay it is null."""

    number: str | None

    @classmethod
    def with_number(cls, card: AnyRow, number: str, day: date) -> "NewCardOut":
        return cls.model_validate(_fields(card, day) | {"number": number})


def _fields(card: AnyRow, day: date) -> dict[str, Any]:
    plain = {name: card._mapping[name] for name in CardOut.model_fields if name in card._mapping}
    return plain | {
        "status": status_on(card.status, card.expires_on, day),
        "expiry_month": card.expires_on.month,
        "expiry_year": card.expires_on.year,
        "limits": {name: card._mapping[name] for name in LIMITS},
    }
