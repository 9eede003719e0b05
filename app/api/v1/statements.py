"""Statements, as files of every format."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from functools import partial
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response, StreamingResponse
from starlette.requests import Request

from app.api.deps import CurrentUser, Db, Here, Issuer, OptionalKey
from app.api.filters import StatementPeriod, ended_month
from app.api.idempotency import create_once
from app.api.negotiation import choose
from app.api.paging import Page
from app.api.reading import look
from app.api.routing import ApiRoute
from app.core.caller import Caller
from app.db.unit_of_work import Database
from app.schemas.base import PageOf
from app.schemas.statements import IssuedOut, IssuedStatementOut, IssueIn, Paper, StatementOut
from app.services import statements
from app.services.statements import Period
from app.statements import json_text
from app.statements.formats import CANONICAL_JSON, FORMATS, PDF_ON_LETTER, Format
from app.statements.statement import Head, Line

router = APIRouter(prefix="/v1/statements", tags=["statements"], route_class=ApiRoute)

_TEXT: Final = {"schema": {"type": "string"}}
_FILES: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {one.media_type: _TEXT for one in FORMATS.values() if one.name != "json"}},
    406: {},
}


async def _format(
    request: Request,
    format: Annotated[
        str | None, Query(description=f"One of {', '.join(FORMATS)}. Without it, as `Accept` says.")
    ] = None,
    paper: Annotated[Paper, Query(description="Of a PDF.")] = Paper.A4,
) -> Format:
    wanted = choose(format, request.headers.getlist("accept"))
    return PDF_ON_LETTER if wanted.name == "pdf" and paper is Paper.LETTER else wanted


FormatWanted = Annotated[Format, Depends(_format)]


@router.get("/{account_id}", response_model=StatementOut, responses=_FILES)
async def get_statement(
    account_id: str, user: CurrentUser, bank: Here, period: StatementPeriod, wanted: FormatWanted
) -> Response:
    """The entries of an account in a period, oldest first, with the balances before and after them."""
    found = await look(
        bank.db,
        user,
        "statement.read",
        statements.find_statement,
        object_id=account_id,
        account_id=account_id,
        period=period,
    )
    head = replace(found.head, issuer=bank.settings.bank_name)
    return await _file(bank.db, wanted, head, statements.read_lines(bank.db.run_read, found))


@router.post(
    "/{account_id}/issue",
    status_code=201,
    response_model=IssuedOut,
    responses={200: {"model": IssuedOut}, 404: {}},
)
async def issue_statement(
    account_id: str, request: Request, body: IssueIn, user: Issuer, key: OptionalKey, bank: Here
) -> Response:
    """Issues the statement of a month that is over: numbered, and the same for ever. A second time: 200."""
    period = ended_month(body.month, bank.settings.bank_timezone)
    drafted = await _draft(bank.db, user, account_id, period)
    return await create_once(
        request,
        key,
        partial(
            statements.issue,
            caller=user,
            account_id=account_id,
            period=period,
            drafted=drafted,
            issuer=bank.settings.bank_name,
        ),
        lambda issued: IssuedOut.of(issued.statement),
        status=lambda issued: 201 if issued.is_new else 200,
        location=lambda issued: f"/v1/statements/{account_id}/issued/{issued.statement.number}",
    )


async def _draft(db: Database, caller: Caller, account_id: str, period: Period) -> statements.Draft | None:
    """Reads the month before anybody waits for it; what is wrong with it is told when it is issued."""
    found = await db.read(statements.find_unissued, caller=caller, account_id=account_id, period=period)
    if found is None:
        return None
    drafts = [one async for one in db.produce(statements.draft(db.run_read, found))]
    return drafts[-1]


@router.get("/{account_id}/issued", response_model=PageOf[IssuedOut])
async def list_issued(account_id: str, user: CurrentUser, db: Db, page: Page) -> Response:
    """The statements of an account that have been issued, the last one first."""
    rows = await look(
        db,
        user,
        "statement.list",
        statements.list_issued,
        object_id=account_id,
        account_id=account_id,
        after=page.position,
        limit=page.limit + 1,
    )
    return page.answer(rows, lambda row: [row.number], IssuedOut.of)


@router.get("/{account_id}/issued/{number}", response_model=IssuedStatementOut, responses=_FILES)
async def get_issued(
    account_id: str, number: str, user: CurrentUser, db: Db, wanted: FormatWanted
) -> Response:
    """A statement as it was issued. Its JSON is what `sha256` is the hash of, byte for byte."""
    issued = await look(
        db,
        user,
        "statement.read",
        statements.find_issued,
        object_id=account_id,
        account_id=account_id,
        number=number,
    )
    lines = statements.read_issued(db.run_read, issued)
    exact = CANONICAL_JSON if wanted.name == "json" else wanted
    return await _file(db, exact, json_text.head_of(issued.head), lines)


async def _file(db: Database, wanted: Format, head: Head, lines: Iterator[Line]) -> Response:
    """The statement, written while it is sent: what is held of it is two chunks, however long it is.

    They are there before the status is sent, so a short statement is told whole or refused.
    """
    where = "inline" if wanted.name == "json" else "attachment"
    headers = {
        "Content-Disposition": f'{where}; filename="{wanted.file_name(head)}"',
        "Content-Type": wanted.content_type,
    }
    chunks = db.produce(wanted.encode(head, lines))
    first, second = await anext(chunks), await anext(chunks, None)
    if second is None:
        return Response(first, headers=headers)

    async def whole() -> AsyncIterator[bytes]:
        yield first
        yield second
        async for chunk in chunks:
            yield chunk

    return StreamingResponse(whole(), headers=headers)
