"""Currencies and health, as JSON."""

from app.schemas.base import ResponseModel


class CurrencyOut(ResponseModel):
    """`exponent` is the number of decimals of the minor unit: amount 1050 is 10.50 with 2."""

    code: str
    name: str
    exponent: int


class CurrencyList(ResponseModel):
    """All of them; the list is short and has no pages."""

    data: list[CurrencyOut]


class Health(ResponseModel):
    """Each part that was asked, and its state."""

    status: str
    service: str
    version: str
    database: str


class Status(ResponseModel):
    """`ok`, or there is an error instead."""

    status: str
