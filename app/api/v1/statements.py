"""Statements, as files of every format."""

from collections.abc import Iterator
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response, StreamingResponse
from starlette.requests import Request

from app.api.deps import CurrentUser, Db
from app.api.filters import StatementPeriod
from app.api.negotiation import choose
from app.api.reading import look
from app.api.routing import ApiRoute
from app.db.unit_of_work import Database
from app.schemas.statements import Paper, StatementOut
from app.services import statements
from app.statements.formats import FORMATS, PDF_ON_LETTER, Format
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
    account_id: str, user: CurrentUser, db: Db, period: StatementPeriod, wanted: FormatWanted
) -> Response:
    """The entries of an account in a period, oldest first, with the balances before and after them."""
    found = await look(
        db,
        user,
        "statement.read",
        statements.find_statement,
        object_id=account_id,
        account_id=account_id,
        period=period,
    )
    return file(db, wanted, found.head, statements.read_lines(db.run_read, found))


def file(db: Database, wanted: Format, head: Head, lines: Iterator[Line]) -> Response:
    """The statement, written while it is sent: what is held of it is a chunk, however long it is."""
    where = "inline" if wanted.name == "json" else "attachment"
    return StreamingResponse(
        db.produce(wanted.encode(head, lines)),
        headers={
            "Content-Disposition": f'{where}; filename="{wanted.file_name(head)}"',
            "Content-Type": wanted.content_type,
        },
    )
