"""Transactions: posted entries, deposits and withdrawals."""

from collections.abc import Sequence

from fastapi import APIRouter
from fastapi.responses import Response
from starlette.requests import Request

from app.api.deps import CurrentUser, Db, Funder, Here, IdempotencyKey
from app.api.filters import AccountId, EntriesWanted
from app.api.paging import Page, PageRequest
from app.api.posting import created, key_of, post
from app.api.reading import look
from app.api.routing import ApiRoute
from app.core import errors
from app.core.errors import Detail
from app.ledger.commands import BankAccount, OwnAccount, PostTransfer
from app.models.accounts import AccountKind
from app.models.transfers import TransferKind
from app.repositories.transfers import EntryLine
from app.schemas.base import PageOf
from app.schemas.transactions import FundingType, TransactionIn, TransactionOut, fields_of
from app.services import transactions

router = APIRouter(prefix="/v1/transactions", tags=["transactions"], route_class=ApiRoute)


@router.post("", status_code=201, response_model=TransactionOut, responses={404: {}, 409: {}})
async def create_transaction(
    request: Request, body: TransactionIn, user: Funder, key: IdempotencyKey, bank: Here
) -> Response:
    """A deposit from, or a withdrawal to, the bank's cash. Customers where the bank lets them."""
    if body.value_date is not None and not user.is_staff:
        raise errors.ValidationFailed([Detail("value_date", "not_allowed", "Only staff set a value date.")])
    is_deposit = body.type is FundingType.DEPOSIT
    cash = BankAccount(AccountKind.CASH)
    account = OwnAccount(body.account_id, "account_id")
    command = PostTransfer(
        caller=user,
        key=key_of(request, key),
        kind=TransferKind(body.type),
        source=cash if is_deposit else account,
        destination=account if is_deposit else cash,
        amount=body.amount,
        currency=body.currency,
        description=body.description,
        value_date=body.value_date,
    )
    posted = await post(bank, command)
    made = TransactionOut.of_posting(posted, is_deposit=is_deposit)
    return created(made, f"/v1/transactions/{made.id}", posted)


@router.get("", response_model=PageOf[TransactionOut], responses={404: {}})
async def list_transactions(
    user: CurrentUser, db: Db, page: Page, wanted: EntriesWanted, account_id: AccountId = None
) -> Response:
    """The posted entries of the caller's accounts, newest first. Staff name the account."""
    rows = await look(
        db,
        user,
        "transaction.list",
        transactions.list_transactions,
        object_id=account_id,
        account_id=account_id,
        wanted=wanted,
        after=page.position,
        limit=page.limit + 1,
    )
    return answer_page(page, rows)


def answer_page(page: PageRequest, lines: Sequence[EntryLine]) -> Response:
    """A page of entries; the position of one is when it was booked, and its id."""
    return page.answer(lines, lambda line: [line.booked_at, line.id], fields_of)


@router.get("/{transaction_id}")
async def get_transaction(transaction_id: str, user: CurrentUser, db: Db) -> TransactionOut:
    """One posted entry."""
    row = await look(
        db,
        user,
        "transaction.read",
        transactions.get_transaction,
        object_id=transaction_id,
        transaction_id=transaction_id,
    )
    return TransactionOut.model_validate(fields_of(row))
