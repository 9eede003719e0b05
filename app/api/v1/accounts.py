"""Accounts."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response
from starlette.requests import Request

from app.api.deps import Clerk, CurrentUser, Db, Here, OptionalKey
from app.api.etags import IfMatch, tagged
from app.api.filters import AccountsWanted, Boundary, EntriesWanted, past_instant
from app.api.idempotency import create_once
from app.api.paging import Page
from app.api.reading import look, look_up
from app.api.routing import ApiRoute
from app.api.v1.transactions import answer_page
from app.core import dates, errors
from app.core.errors import Detail
from app.models.accounts import AccountKind
from app.schemas.accounts import AccountChange, AccountIn, AccountOut, BalanceOut, ExplanationOut
from app.schemas.base import PageOf
from app.schemas.transactions import TransactionOut
from app.services import accounts, transactions

router = APIRouter(prefix="/v1/accounts", tags=["accounts"], route_class=ApiRoute)


@router.post("", status_code=201, response_model=AccountOut, responses={404: {}, 409: {}})
async def open_account(
    request: Request, body: AccountIn, user: Clerk, key: OptionalKey, bank: Here
) -> Response:
    """Opens an account with balance 0. Staff say for which holder."""
    if body.account_holder_id is not None and not user.is_staff:
        # A fault of a field, so it is told before a replay or a reused key.
        raise errors.ValidationFailed(
            [Detail("account_holder_id", "not_allowed", "Only staff open for others.")]
        )
    act = partial(
        accounts.open_account,
        caller=user,
        kind=AccountKind(body.type),
        currency=body.currency,
        nickname=body.nickname,
        holder_id=body.account_holder_id,
        most=bank.settings.accounts_per_holder,
    )
    return await create_once(
        request,
        key,
        act,
        AccountOut.of,
        location=lambda account: f"/v1/accounts/{account.id}",
        version=lambda account: account.version,
    )


@router.get("", response_model=PageOf[AccountOut], responses={404: {}})
async def list_accounts(user: CurrentUser, db: Db, page: Page, wanted: AccountsWanted) -> Response:
    """The caller's accounts, or every customer's for staff."""
    rows = await look(
        db,
        user,
        "account.list",
        accounts.list_accounts,
        wanted=wanted,
        after=page.position,
        limit=page.limit + 1,
    )
    return page.answer(rows, lambda row: [row.key], AccountOut.of)


@router.get("/{account_id}", response_model=AccountOut)
async def get_account(account_id: str, user: CurrentUser, db: Db) -> Response:
    """One account, with its balances as of now."""
    account = await look_up(db, user, "account.read", accounts.find_accounts, account_id)
    return tagged(AccountOut.of(account), account.version)


@router.patch("/{account_id}", response_model=AccountOut, responses={412: {}})
async def rename_account(
    account_id: str, body: AccountChange, user: Clerk, db: Db, versions: IfMatch
) -> Response:
    """Gives the account a nickname, or takes it away."""
    account = await db.write(
        accounts.rename_account,
        caller=user,
        account_id=account_id,
        nickname=body.nickname,
        versions=versions,
    )
    return tagged(AccountOut.of(account), account.version)


@router.get("/{account_id}/balance")
async def get_balance(
    account_id: str,
    user: CurrentUser,
    bank: Here,
    at: Annotated[Boundary | None, Query(description="An instant, or the end of a day.")] = None,
) -> BalanceOut:
    """The balance now or, with `at`, as it was booked then."""
    instant = past_instant(bank, at)
    if instant is None:
        account = await look_up(bank.db, user, "account.read", accounts.find_accounts, account_id)
        return BalanceOut.now(account)
    booked = await look(
        bank.db,
        user,
        "account.read",
        accounts.get_booked_balance,
        object_id=account_id,
        account_id=account_id,
        at=instant,
    )
    return BalanceOut.then(booked.account_id, booked.currency, booked.balance, instant)


@router.get("/{account_id}/explain")
async def explain_account(account_id: str, user: CurrentUser, bank: Here) -> ExplanationOut:
    """Why the available balance is what it is: what is booked, each open hold, overdraft and limits."""
    told = await look(
        bank.db,
        user,
        "account.read",
        accounts.explain_account,
        object_id=account_id,
        account_id=account_id,
        ledger=bank.ledger,
    )
    return ExplanationOut.of(told.account, told.holds, told.today)


@router.get("/{account_id}/transactions", response_model=PageOf[TransactionOut])
async def list_account_transactions(
    account_id: str, user: CurrentUser, db: Db, page: Page, wanted: EntriesWanted
) -> Response:
    """The posted entries of one account, newest first."""
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


@router.post("/{account_id}/close", response_model=AccountOut, responses={409: {}, 412: {}})
async def close_account(
    account_id: str, request: Request, user: Clerk, key: OptionalKey, versions: IfMatch, bank: Here
) -> Response:
    """Closes an account for ever: its balance must be 0, nothing on it open, and no card left."""
    act = partial(
        accounts.close_account,
        ledger=bank.ledger,
        caller=user,
        account_id=account_id,
        day=dates.today(bank.settings.bank_timezone),
        versions=versions,
    )
    return await create_once(
        request,
        key,
        act,
        AccountOut.of,
        status=200,
        version=lambda account: account.version,
    )
