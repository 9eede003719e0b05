"""The currencies an account can be opened in."""

from fastapi import APIRouter

from app.api.routing import ApiRoute
from app.core.money import CURRENCIES
from app.schemas.reference import CurrencyList, CurrencyOut

router = APIRouter(prefix="/v1/currencies", tags=["reference"], route_class=ApiRoute)


@router.get("")
async def list_currencies() -> CurrencyList:
    """Every currency, with the exponent that turns its minor units into major ones."""
    return CurrencyList(data=[CurrencyOut.model_validate(one) for one in CURRENCIES.values()])
