"""The plain version of a transfer: one sync endpoint, one ORM session and one transaction a request.

It is what one writes first with FastAPI and SQLAlchemy: the same tables, checks and rows (without the
service's audit log), each request by itself. It keeps no log. `bank verify` proves its books as well.
"""

import hashlib
import json
import os
import sys
from typing import Annotated, Any, Final

import uvicorn
from fastapi import Depends, FastAPI, Header, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from jose import JWTError, jwt
from sqlalchemy import Engine, create_engine, event, select
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session

from app.core import clock, ids
from app.core.money import MAX_AMOUNT
from app.db.session import sqlite_driver
from app.models import Account, Entry, IdempotencyKey, LoginSession, Transfer, User
from app.schemas.transfers import SourceBalances, TransferIn, TransferOut

_SECRET: Final = os.environ["JWT_SECRET"]
_PARTY: Final = "banking-service"
# With more, PostgreSQL was slower here; endpoints wait for one.
_CONNECTIONS: Final = 10


def connect(database_url: str) -> Engine:
    """As durable as the service: on SQLite a commit is on the disk, and a writer begins as one."""
    url = make_url(database_url)
    if url.get_backend_name() != "sqlite":
        psycopg = url.set(drivername="postgresql+psycopg")
        return create_engine(psycopg, pool_size=_CONNECTIONS, max_overflow=0)
    # More connections would only wait for each other inside SQLite, which is slower.
    engine = create_engine(
        url, module=sqlite_driver, pool_size=1, max_overflow=0, connect_args={"check_same_thread": False}
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _: Any) -> None:
        connection.isolation_level = None
        for pragma in ("foreign_keys = ON", "journal_mode = WAL", "synchronous = FULL"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


app = FastAPI()
_engine: Final = connect(os.environ["DATABASE_URL"])
_bearer: Final = HTTPBearer()


async def claims_of(token: Annotated[HTTPAuthorizationCredentials, Depends(_bearer)]) -> dict[str, Any]:
    """What a valid access token says."""
    try:
        return jwt.decode(token.credentials, _SECRET, ["HS256"], audience=_PARTY, issuer=_PARTY)
    except JWTError:
        raise HTTPException(401) from None


@app.post("/transfers", status_code=201)
def create_transfer(
    body: TransferIn,
    claims: Annotated[dict[str, Any], Depends(claims_of)],
    idempotency_key: Annotated[str, Header()],
) -> TransferOut:
    """Moves money, or answers 4xx."""
    fingerprint = hashlib.sha256(json.dumps(body.model_dump(), sort_keys=True).encode()).digest()
    with Session(_engine, expire_on_commit=False) as session, session.begin():
        caller = _live_caller(session, claims)
        used = session.get(IdempotencyKey, (caller, idempotency_key))
        if used is not None:
            return _replay(session, used, fingerprint)
        source, destination = _accounts(session, body, caller)
        _check(body, source, destination)
        transfer = _post(session, body, caller, source, destination)
        session.add(
            IdempotencyKey(
                caller=caller,
                key=idempotency_key,
                fingerprint=fingerprint,
                status=201,
                location=f"/v1/transfers/{transfer.id}",
                created_at=transfer.created_at,
            )
        )
        return _answer(transfer, source, destination)


def _live_caller(session: Session, claims: dict[str, Any]) -> str:
    login = session.get(LoginSession, claims["sid"])
    user = session.get(User, claims["sub"])
    if login is None or user is None or not (login.is_live(clock.now()) and user.is_active):
        raise HTTPException(401)
    return user.id


def _replay(session: Session, used: IdempotencyKey, fingerprint: bytes) -> TransferOut:
    if used.fingerprint != fingerprint or used.location is None:
        raise HTTPException(422)
    transfer = session.scalars(select(Transfer).where(Transfer.id == used.location.rpartition("/")[2])).one()
    source = session.get_one(Account, transfer.source_key)
    return _answer(transfer, source, session.get_one(Account, transfer.destination_key))


def _accounts(session: Session, body: TransferIn, caller: str) -> tuple[Account, Account]:
    """Both accounts, locked in the order of their keys."""
    found = session.scalars(
        select(Account)
        .where(
            (Account.id == body.source_account_id)
            | (Account.id == body.destination_account_id)
            | (Account.number == body.destination_account_number)
        )
        .order_by(Account.key)
        .with_for_update(key_share=True)
    ).all()
    source = next((one for one in found if one.id == body.source_account_id), None)
    destination = next((one for one in found if one is not source), None)
    if source is None or destination is None or source.owner_id != caller:
        raise HTTPException(404)
    return source, destination


def _check(body: TransferIn, source: Account, destination: Account) -> None:
    if {source.currency, destination.currency} != {body.currency}:
        raise HTTPException(422)
    if source.status != "active" or destination.status == "closed":
        raise HTTPException(409)
    if source.available < body.amount or destination.balance + body.amount > MAX_AMOUNT:
        raise HTTPException(409)


def _post(session: Session, body: TransferIn, caller: str, source: Account, destination: Account) -> Transfer:
    now = clock.to_micros(clock.now())
    last = max(clock.to_micros(one.last_booked_at) for one in (source, destination))
    booked_at = clock.from_micros(max(now, last + 1))
    for account, amount in ((source, -body.amount), (destination, body.amount)):
        account.balance += amount
        account.last_sequence += 1
        account.last_booked_at = booked_at
        account.version += 1
    transfer = Transfer(
        key=ids.new_key(),
        id=ids.new_id(ids.TRANSFER),
        kind="transfer",
        status="posted",
        source_key=source.key,
        destination_key=destination.key,
        amount=body.amount,
        currency=body.currency,
        description=body.description,
        external_id=body.external_id,
        details=body.metadata,
        initiated_by=caller,
        created_at=booked_at,
        booked_at=booked_at,
        remaining=0,
        source_balance=source.balance,
        source_held=source.held,
        source_available=source.available,
    )
    session.add(transfer)
    session.flush()
    session.add_all(
        Entry(
            account_key=account.key,
            sequence=account.last_sequence,
            id=ids.new_id(ids.ENTRY),
            transfer_key=transfer.key,
            amount=amount,
            balance_after=account.balance,
            booked_at=booked_at,
            value_date=booked_at.date(),
        )
        for account, amount in ((source, -body.amount), (destination, body.amount))
    )
    return transfer


def _answer(transfer: Transfer, source: Account, destination: Account) -> TransferOut:
    return TransferOut(
        id=transfer.id,
        status=transfer.status,
        kind=transfer.kind,
        source_account_id=source.id,
        destination_account_id=destination.id,
        amount=transfer.amount,
        currency=transfer.currency,
        description=transfer.description,
        external_id=transfer.external_id,
        metadata=transfer.details,
        created_at=transfer.created_at,
        booked_at=transfer.booked_at,
        expires_at=None,
        captured_amount=None,
        remaining_amount=None,
        pending_id=None,
        reverses_id=None,
        reversed_by_id=None,
        source_balances=SourceBalances(
            balance=transfer.source_balance,
            held=transfer.source_held,
            available=transfer.source_available,
        ),
    )


if __name__ == "__main__":
    uvicorn.run(
        app, port=int(sys.argv[1]), loop="asyncio", http="httptools", access_log=False, log_level="warning"
    )
