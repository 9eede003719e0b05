"""Signing up, logging in, staying logged in, and ending it.

A session is one login on one device; its access tokens live minutes, its refresh token is used once
and replaced. A refresh token that comes a second time has been copied: the whole session ends.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil

from sqlalchemy.orm import Session

from app.core import clock, errors, ids
from app.core.caller import Caller, Origin, Role
from app.core.security import PasswordHasher, digest, new_refresh_token
from app.core.text import normalize_email
from app.core.throttle import FailureThrottle, throttle_address
from app.db.unit_of_work import Database
from app.models import LoginSession, RefreshToken, User
from app.repositories.audit import ANYBODY, SYSTEM, AuditLog
from app.repositories.auth import Sessions, Users
from app.repositories.holders import Holders


@dataclass(frozen=True, slots=True)
class Identity:
    """The user of a live session."""

    user_id: str
    role: Role


@dataclass(frozen=True, slots=True)
class Grant:
    """What a login or a refresh gives: a session, and the one refresh token that continues it."""

    user_id: str
    session_id: str
    refresh_token: str


@dataclass(frozen=True, slots=True)
class Reuse:
    """A refresh token came a second time: this session has been ended."""

    session_id: str


@dataclass(frozen=True, slots=True)
class Device:
    """What a session remembers of where it was begun."""

    origin: Origin
    user_agent: str | None


def find_identity(session: Session, *, session_id: str) -> Identity | None:
    """Who a session belongs to, if it is live and its user is active."""
    found = Sessions(session).with_user(session_id)
    if found is None:
        return None
    login, user = found
    if not (login.is_live(clock.now()) and user.is_active):
        return None
    return Identity(user.id, Role(user.role))


async def sign_up(db: Database, hasher: PasswordHasher, *, email: str, password: str, origin: Origin) -> User:
    """Makes a customer. `email` is in its normal form. Raises EmailTaken, also in a race."""
    password_hash = await hasher.hash(password)
    return await db.write(
        create_user, email=email, password_hash=password_hash, role=Role.CUSTOMER, origin=origin
    )


def create_user(session: Session, *, email: str, password_hash: str, role: Role, origin: Origin) -> User:
    """Inserts a user of any role. Customers come here from the API, staff only from `bank`."""
    user = User(
        id=ids.new_id(ids.USER),
        email=email,
        password_hash=password_hash,
        role=role,
        is_active=True,
        created_at=clock.now(),
    )
    if not Users(session).add(user):
        raise errors.EmailTaken()
    actor = user.id if role is Role.CUSTOMER else SYSTEM
    AuditLog(session).record(
        "user.create", actor=actor, origin=origin, object_id=user.id, reason=f"role {role}"
    )
    return user


async def log_in(
    db: Database,
    hasher: PasswordHasher,
    throttle: FailureThrottle,
    *,
    email: str,
    password: str,
    device: Device,
    session_life: timedelta,
) -> Grant:
    """Begins a session.

    One password verification, whether the address is known or not, and one answer. Raises
    RateLimited for an (account, address) with too many failures, InvalidCredentials otherwise.
    """
    try:
        normal = normalize_email(email)
    except ValueError:
        # Nobody's address, but no cheaper to try.
        normal = ""
    with _guess(throttle, normal, device.origin):
        user = await db.read(_user_by_email, email=normal)
        valid = await hasher.verify(password, user.password_hash if user else None)
        if user is None or not valid or not user.is_active:
            await db.write(
                _record_refusal,
                action="session.create",
                user_id=user.id if user else None,
                origin=device.origin,
            )
            raise errors.InvalidCredentials()
    return await db.write(
        _open_session,
        user_id=user.id,
        password_hash=user.password_hash,
        device=device,
        session_life=session_life,
    )


@contextmanager
def _guess(throttle: FailureThrottle, email: str, origin: Origin) -> Iterator[None]:
    """One guess at a password. It counts when it was wrong; what failed for another reason does not."""
    key = (email, throttle_address(origin.address))
    wait = throttle.begin(key)
    if wait is not None:
        raise errors.RateLimited(retry_after=ceil(wait))
    try:
        yield
    except errors.InvalidCredentials:
        raise
    except BaseException:
        throttle.give_back(key)
        raise
    throttle.succeed(key)


def _record_refusal(session: Session, *, action: str, user_id: str | None, origin: Origin) -> None:
    """A wrong password, in the log. Not the address that was tried: people type passwords there."""
    AuditLog(session).record(
        action,
        actor=user_id or ANYBODY,
        origin=origin,
        object_id=user_id,
        outcome=errors.InvalidCredentials.code,
    )


def _user_by_email(session: Session, *, email: str) -> User | None:
    return Users(session).by_email(email)


def _open_session(
    session: Session,
    *,
    user_id: str,
    password_hash: str,
    device: Device,
    session_life: timedelta,
) -> Grant:
    _lock_verified(session, user_id, password_hash)
    login = _begin(session, user_id, device, session_life)
    return Grant(user_id, login.id, _issue_refresh_token(session, login.id, login.created_at))


def _begin(session: Session, user_id: str, device: Device, life: timedelta) -> LoginSession:
    now = clock.now()
    login = LoginSession(
        id=ids.new_id(ids.SESSION),
        user_id=user_id,
        created_at=now,
        last_used_at=now,
        expires_at=now + life,
        ended_at=None,
        address=device.origin.address,
        user_agent=device.user_agent,
    )
    Sessions(session).add(login)
    AuditLog(session).record("session.create", actor=user_id, origin=device.origin, object_id=login.id)
    return login


def begin_command(session: Session, *, email: str, life: timedelta, origin: Origin) -> Caller:
    """Who a command of the bank's own machine acts for: an active user, in a session of its own.

    Nobody's password is asked for: whoever runs commands has the database. Raises NotFound.
    """
    user = Users(session).by_email(email)
    if user is None or not user.is_active:
        raise errors.NotFound.at("email")
    login = _begin(session, user.id, Device(origin, user_agent="bank"), life)
    return Caller(user.id, Role(user.role), login.id, origin)


def _lock_verified(session: Session, user_id: str, password_hash: str) -> User:
    """The user whose password was verified, unless that or the user changed in the meantime."""
    user = Users(session).lock(user_id)
    if user is None or not user.is_active or user.password_hash != password_hash:
        raise errors.InvalidCredentials()
    return user


def _issue_refresh_token(session: Session, session_id: str, now: datetime) -> str:
    token = new_refresh_token()
    Sessions(session).add_token(
        RefreshToken(digest=digest(token), session_id=session_id, created_at=now, used_at=None)
    )
    return token


def refresh(
    session: Session, *, refresh_token: str, origin: Origin, session_life: timedelta
) -> Grant | Reuse:
    """Exchanges a refresh token for the next one.

    A token that was used before ends its session, and that is committed: `Reuse` is a value. Raises
    Unauthenticated for a token that is unknown or of a session that has ended.
    """
    now = clock.now()
    found = Sessions(session).by_token(digest(refresh_token))
    if found is None:
        raise errors.Unauthenticated()
    token, login, user = found
    if not (login.is_live(now) and user.is_active):
        raise errors.Unauthenticated()
    if not Sessions(session).use_token(token.digest, now):
        Sessions(session).end([login.id], now)
        AuditLog(session).record(
            "session.refresh",
            actor=user.id,
            origin=origin,
            object_id=login.id,
            outcome=errors.Unauthenticated.code,
            reason="the refresh token was used before; the session has been ended",
        )
        return Reuse(login.id)
    if not Sessions(session).renew(login.id, now, now + session_life):
        raise errors.Unauthenticated()
    return Grant(user.id, login.id, _issue_refresh_token(session, login.id, now))


def log_out(session: Session, *, caller: Caller) -> list[str]:
    """Ends the session that the caller is using. Returns the ended ids."""
    return _end(session, caller, [caller.session_id])


def end_session(session: Session, *, caller: Caller, session_id: str) -> list[str]:
    """Ends one of the caller's live sessions; NotFound when it is none. Returns the ended ids."""
    if not ids.is_id(ids.SESSION, session_id):
        raise errors.NotFound.at("session_id")
    found = Sessions(session).with_user(session_id)
    if found is None or found[1].id != caller.id or not found[0].is_live(clock.now()):
        raise errors.NotFound.at("session_id")
    return _end(session, caller, [session_id])


def end_all_sessions(session: Session, *, caller: Caller) -> list[str]:
    """Ends every live session of the caller, this one too. Returns the ended ids."""
    return _end(session, caller, Sessions(session).live_ids(caller.id, clock.now()))


def _end(session: Session, caller: Caller, session_ids: list[str]) -> list[str]:
    ended = Sessions(session).end(session_ids, clock.now())
    for session_id in ended:
        AuditLog(session).record("session.end", actor=caller.id, origin=caller.origin, object_id=session_id)
    return ended


def list_sessions(
    session: Session, *, caller: Caller, after: list[str] | None, limit: int
) -> Sequence[LoginSession]:
    """The caller's live sessions, newest first, beginning after the id in `after`."""
    return Sessions(session).live_of(
        caller.id, clock.now(), before_id=after[0] if after else None, limit=limit
    )


@dataclass(frozen=True, slots=True)
class Profile:
    """A user, and the account holder that they are, if they are one."""

    user: User
    holder_id: str | None


def get_profile(session: Session, *, user_id: str) -> Profile:
    """The user of a live session, who is there."""
    user = Users(session).get(user_id)
    assert user is not None, "users are never deleted"
    holder = Holders(session).of_user(user_id)
    return Profile(user, holder.id if holder else None)


async def change_password(
    db: Database,
    hasher: PasswordHasher,
    throttle: FailureThrottle,
    *,
    caller: Caller,
    current_password: str,
    new_password: str,
) -> list[str]:
    """Sets a new password and ends every other session. Returns the ended ids.

    The current password is asked for again and guessed at as slowly as at a login: whoever holds a
    stolen token does not get the account.
    """
    user = (await db.read(get_profile, user_id=caller.id)).user
    with _guess(throttle, user.email, caller.origin):
        if not await hasher.verify(current_password, user.password_hash):
            await db.write(_record_refusal, action="user.password", user_id=user.id, origin=caller.origin)
            raise errors.InvalidCredentials()
    return await db.write(
        _set_password,
        caller=caller,
        old_hash=user.password_hash,
        new_hash=await hasher.hash(new_password),
    )


def _set_password(session: Session, *, caller: Caller, old_hash: str, new_hash: str) -> list[str]:
    user = _lock_verified(session, caller.id, old_hash)
    Users(session).set_password(user, new_hash)
    AuditLog(session).record("user.password", actor=caller.id, origin=caller.origin, object_id=caller.id)
    live = Sessions(session).live_ids(caller.id, clock.now())
    return _end(session, caller, [one for one in live if one != caller.session_id])
