"""Statements, as JSON. They are written piece by piece, and these models say what comes out."""

import enum
from typing import Annotated

from pydantic import AfterValidator, Field

from app.core import dates
from app.models import IssuedStatement
from app.models.transfers import TransferKind
from app.schemas.accounts import AccountType
from app.schemas.base import RequestModel, ResponseModel, Time, refusal
from app.schemas.holders import DateOut
from app.schemas.money import Balance
from app.schemas.transactions import Counterparty


def _is_month(value: str) -> str:
    try:
        dates.parse_month(value)
    except ValueError:
        raise refusal("invalid", "This must be a month such as 2026-02.") from None
    return value


Month = Annotated[
    str, Field(json_schema_extra={"pattern": "^[0-9]{4}-(0[1-9]|1[0-2])$"}), AfterValidator(_is_month)
]


class Basis(enum.StrEnum):
    """Which of its two dates an entry is on a statement by."""

    BOOKED = "booked"
    VALUE = "value"


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


class StatementHead(ResponseModel):
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


class StatementOut(StatementHead):
    """A statement of a period, as the books are."""

    entries: list[StatementLine]


class IssuedHead(StatementHead):
    """A month, as it was told when its statement was issued."""

    account_type: AccountType
    holder_name: str
    time_zone: str
    month: str
    number: int
    issued_at: Time
    issuer: str


class IssuedStatementOut(IssuedHead):
    """An issued statement: canonical JSON (RFC 8785), names in their order and no white space."""

    entries: list[StatementLine]


class IssuedOut(IssuedHead):
    """An issued statement without its entries. `sha256` is the hash of its canonical JSON."""

    id: str
    sha256: str

    @classmethod
    def of(cls, statement: IssuedStatement) -> "IssuedOut":
        return cls.model_validate(statement.head | {"id": statement.id, "sha256": statement.sha256})


class IssueIn(RequestModel):
    """The month whose statement is to be issued."""

    month: Month
