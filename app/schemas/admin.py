"""What staff see of the whole bank, as JSON."""

from collections.abc import Sequence
from itertools import groupby

from app.core import clock
from app.db.base import AnyRow
from app.models.accounts import CLASSES, AccountClass, AccountKind
from app.schemas.base import ResponseModel, Time
from app.schemas.money import Balance


class TrialBalanceRow(ResponseModel):
    """The accounts of one kind: customers' together, each of the bank's by itself."""

    kind: AccountKind
    account_class: AccountClass
    accounts: int
    debit: Balance
    credit: Balance


class TrialBalanceOfCurrency(ResponseModel):
    """One currency; `debit` and `credit` are the sums of its rows, and the same."""

    currency: str
    debit: Balance
    credit: Balance
    rows: list[TrialBalanceRow]


class TrialBalanceOut(ResponseModel):
    """The books as they are."""

    at: Time
    currencies: list[TrialBalanceOfCurrency]

    @classmethod
    def of(cls, rows: Sequence[AnyRow]) -> "TrialBalanceOut":
        by_currency = groupby(rows, lambda row: row.currency)
        return cls(at=clock.now(), currencies=[_of_currency(code, list(some)) for code, some in by_currency])


def _of_currency(currency: str, rows: Sequence[AnyRow]) -> TrialBalanceOfCurrency:
    # PostgreSQL adds up integers to a decimal.
    return TrialBalanceOfCurrency(
        currency=currency,
        debit=sum(int(row.debit) for row in rows),
        credit=sum(int(row.credit) for row in rows),
        rows=[
            TrialBalanceRow(
                kind=AccountKind(row.kind),
                account_class=CLASSES[AccountKind(row.kind)],
                accounts=row.accounts,
                debit=int(row.debit),
                credit=int(row.credit),
            )
            for row in rows
        ],
    )
