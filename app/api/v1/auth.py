"""Signing up, logging in, and sessions."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Form
from fastapi.responses import Response
from starlette.requests import Request

from app.api.deps import CurrentUser, Db, From, Here, origin_of
from app.api.paging import Page
from app.api.routing import ApiRoute
from app.api.state import Bank
from app.core import errors
from app.core.caller import Caller
from app.models import LoginSession
from app.schemas.auth import (
    Login,
    PasswordChange,
    Refresh,
    SessionOut,
    SignUp,
    TokenForm,
    Tokens,
    UserOut,
)
from app.schemas.base import PageOf
from app.services import auth
from app.services.auth import Device, Grant, Reuse

router = APIRouter(prefix="/v1/auth", tags=["auth"], route_class=ApiRoute)


@router.post("/signup", status_code=201, responses={409: {}})
async def sign_up(body: SignUp, bank: Here, origin: From, response: Response) -> UserOut:
    """Makes a customer's login. 409 `email_taken` when the address has one."""
    user = await auth.sign_up(bank.db, bank.hasher, email=body.email, password=body.password, origin=origin)
    response.headers["Location"] = "/v1/auth/me"
    return UserOut.of(user, holder_id=None)


@router.post("/login", responses={401: {}, 429: {}})
async def log_in(body: Login, request: Request, bank: Here) -> Tokens:
    """Begins a session. Too many failures for this account from this address: 429."""
    return await _begin_session(bank, request, body.email, body.password)


@router.post("/token", responses={401: {}, 429: {}})
async def log_in_by_form(body: Annotated[TokenForm, Form()], request: Request, bank: Here) -> Tokens:
    """As `login`, in the form of OAuth 2.0: for the Authorize button of `/docs`."""
    return await _begin_session(bank, request, body.username, body.password)


async def _begin_session(bank: Bank, request: Request, email: str, password: str) -> Tokens:
    grant = await auth.log_in(
        bank.db,
        bank.hasher,
        bank.login_throttle,
        email=email,
        password=password,
        device=Device(origin_of(request), (request.headers.get("user-agent") or "")[:200] or None),
        session_life=_session_life(bank),
    )
    return _tokens(bank, grant)


@router.post("/refresh", responses={401: {}})
async def refresh(body: Refresh, bank: Here, origin: From) -> Tokens:
    """The next pair of tokens. A refresh token that was used before ends its whole session."""
    outcome: Grant | Reuse = await bank.db.write(
        auth.refresh,
        refresh_token=body.refresh_token,
        origin=origin,
        session_life=_session_life(bank),
    )
    if isinstance(outcome, Reuse):
        bank.identities.forget([outcome.session_id])
        raise errors.Unauthenticated()
    return _tokens(bank, outcome)


@router.post("/logout", status_code=204)
async def log_out(user: CurrentUser, bank: Here) -> None:
    """Ends this session: its access and refresh tokens are dead."""
    bank.identities.forget(await bank.db.write(auth.log_out, caller=user))


@router.post("/logout-all", status_code=204)
async def log_out_everywhere(user: CurrentUser, bank: Here) -> None:
    """Ends every session of the user."""
    bank.identities.forget(await bank.db.write(auth.end_all_sessions, caller=user))


@router.get("/me")
async def get_me(user: CurrentUser, db: Db) -> UserOut:
    """The user who asks."""
    profile = await db.read(auth.get_profile, user_id=user.id)
    return UserOut.of(profile.user, holder_id=profile.holder_id)


@router.get("/sessions", response_model=PageOf[SessionOut])
async def list_sessions(user: CurrentUser, db: Db, page: Page) -> Response:
    """The user's live sessions, newest first."""
    rows = await db.read(auth.list_sessions, caller=user, after=page.position, limit=page.limit + 1)
    return page.answer(rows, lambda row: [row.id], lambda row: _session_out(row, user))


@router.delete("/sessions/{session_id}", status_code=204)
async def end_session(session_id: str, user: CurrentUser, bank: Here) -> None:
    """Ends one of the user's sessions."""
    ended = await bank.db.write(auth.end_session, caller=user, session_id=session_id)
    bank.identities.forget(ended)


@router.post("/password", status_code=204)
async def change_password(body: PasswordChange, user: CurrentUser, bank: Here) -> None:
    """Sets a new password and ends all other sessions."""
    ended = await auth.change_password(
        bank.db,
        bank.hasher,
        bank.login_throttle,
        caller=user,
        current_password=body.current_password,
        new_password=body.new_password,
    )
    bank.identities.forget(ended)


def _session_life(bank: Bank) -> timedelta:
    return timedelta(days=bank.settings.session_days)


def _tokens(bank: Bank, grant: Grant) -> Tokens:
    return Tokens(
        access_token=bank.signer.issue(grant.user_id, grant.session_id),
        expires_in=int(bank.signer.lifetime.total_seconds()),
        refresh_token=grant.refresh_token,
    )


def _session_out(row: LoginSession, user: Caller) -> SessionOut:
    return SessionOut(
        id=row.id,
        created_at=row.created_at,
        last_used_at=row.last_used_at,
        expires_at=row.expires_at,
        address=row.address,
        user_agent=row.user_agent,
        current=row.id == user.session_id,
    )
