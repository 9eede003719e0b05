"""Statements, as JSON. They are written piece by piece, and these models say what comes out."""

import enum

from pydantic import Field

from app.models.transfers import TransferKind
from app.schemas.base import ResponseModel, Time
from app.schemas.holders import DateOut
from app.schemas.money import Balance
from app.schemas.transactions import Counterparty


class Paper(enum.StrEnum):
    """What the pages of a PDF are for."""

    A4 = "a4"
    LETTER = "letter"


class StatementLine(ResponseModel):
    """`amount` is signed: negative went out. `balance_after` is the balance right after it."""

    id: str
    booked_at: Time
    value_date: DateOut
    type: TransferKind
    amount: Balance
    balance_after: Balance
    description: str | None
    counterparty: Counterparty


class StatementOut(ResponseModel):
    """The time from `from` (in) to `to` (out); opening + in - out = closing."""

    account_id: str
    account_number: str
    currency: str
    from_: Time = Field(alias="from")
    to: Time
    opening_balance: Balance
    closing_balance: Balance
    total_in: Balance
    total_out: Balance
    count: int
    entries: list[StatementLine]
