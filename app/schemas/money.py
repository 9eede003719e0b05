"""Amounts and currencies in requests and responses."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, StrictInt

from app.core.money import CURRENCIES, MAX_AMOUNT
from app.schemas.base import refusal


def _currency(value: Any) -> Any:
    if isinstance(value, str) and value not in CURRENCIES:
        raise refusal("currency_not_supported", "No current ISO 4217 code in capitals.")
    return value


Amount = Annotated[
    StrictInt,
    Field(ge=1, le=MAX_AMOUNT, description="Whole minor units of the currency.", examples=[1050]),
]
CurrencyCode = Annotated[str, Field(pattern="^[A-Z]{3}$", examples=["EUR"]), BeforeValidator(_currency)]
Balance = Annotated[int, Field(description="Whole minor units of the currency.")]
