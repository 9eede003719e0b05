"""The use cases behind logins, where two of them meet: each step of a race, in a fixed order."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import text

from app.core import clock, errors, ids
from app.core.caller import Caller, Origin, Role
from app.core.config import Environment
from app.core.security import PasswordHasher
from app.core.throttle import FailureThrottle
from app.db.unit_of_work import Database
from app.models import User
from app.services import auth
from app.services.auth import Device, Grant

HERE = Origin("192.0.2.1", "req_x")
LIFE = timedelta(days=30)
PASSWORD, NEW = "a good long password", "a newer long password"
HASHER = PasswordHasher(Environment.TEST, workers=1)


@pytest.fixture
def ada(db: Database) -> User:
    return db.run_write(
        auth.create_user,
        email="ada@example.com",
        password_hash=HASHER.hash_now(PASSWORD),
        role=Role.CUSTOMER,
        origin=HERE,
    )


def begin(db: Database, user: User) -> Grant:
    """The last step of a login, after the password has been verified."""
    return db.run_write(
        auth._open_session,
        user_id=user.id,
        password_hash=user.password_hash,
        device=Device(HERE, None),
        session_life=LIFE,
    )


def caller_of(grant: Grant) -> Caller:
    return Caller(grant.user_id, Role.CUSTOMER, grant.session_id, HERE)


def refresh(db: Database, token: str) -> Grant | auth.Reuse:
    return db.run_write(auth.refresh, refresh_token=token, origin=HERE, session_life=LIFE)


def is_live(db: Database, grant: Grant) -> bool:
    return db.run_read(auth.find_identity, session_id=grant.session_id) is not None


def change(db: Database, grant: Grant, user: User) -> list[str]:
    return db.run_write(
        auth._set_password,
        caller=caller_of(grant),
        old_hash=user.password_hash,
        new_hash=HASHER.hash_now(NEW),
    )


def test_a_login_verified_against_the_old_password_opens_no_session_after_a_change(
    db: Database, ada: User
) -> None:
    change(db, begin(db, ada), ada)
    with pytest.raises(errors.InvalidCredentials):
        begin(db, ada)


def test_a_login_verified_before_the_user_was_deactivated_opens_no_session(db: Database, ada: User) -> None:
    db.run_write(lambda session: session.execute(text("UPDATE users SET is_active = false")))
    with pytest.raises(errors.InvalidCredentials):
        begin(db, ada)


def test_of_two_changes_of_one_password_the_second_finds_it_changed(db: Database, ada: User) -> None:
    phone, laptop = begin(db, ada), begin(db, ada)
    assert change(db, phone, ada) == [laptop.session_id]
    with pytest.raises(errors.InvalidCredentials):
        change(db, laptop, ada)
    assert is_live(db, phone)
    assert not is_live(db, laptop)


def test_a_refused_change_ends_no_session(db: Database, ada: User) -> None:
    phone, laptop = begin(db, ada), begin(db, ada)
    ada.password_hash = HASHER.hash_now("what it is not")
    with pytest.raises(errors.InvalidCredentials):
        change(db, phone, ada)
    assert is_live(db, laptop)


def test_a_reused_token_ends_the_session_and_says_which(db: Database, ada: User) -> None:
    first, other = begin(db, ada), begin(db, ada)
    second = refresh(db, first.refresh_token)
    assert isinstance(second, Grant)
    assert second.session_id == first.session_id
    assert refresh(db, first.refresh_token) == auth.Reuse(first.session_id)
    with pytest.raises(errors.Unauthenticated):
        refresh(db, second.refresh_token)
    assert not is_live(db, first)
    assert is_live(db, other)


def test_a_refused_refresh_uses_nothing_up(db: Database, ada: User) -> None:
    grant = begin(db, ada)
    db.run_write(lambda session: session.execute(text("UPDATE users SET is_active = false")))
    with pytest.raises(errors.Unauthenticated):
        refresh(db, grant.refresh_token)
    db.run_write(lambda session: session.execute(text("UPDATE users SET is_active = true")))
    assert isinstance(refresh(db, grant.refresh_token), Grant)


def test_no_token_is_stored_as_it_is(db: Database, ada: User) -> None:
    grant = begin(db, ada)
    refresh(db, grant.refresh_token)
    for table in ("users", "sessions", "refresh_tokens", "audit_log"):
        rows = db.run_read(lambda session, table=table: list(session.execute(text(f"SELECT * FROM {table}"))))
        assert rows
        assert grant.refresh_token not in str(rows)
        assert PASSWORD not in str(rows)


def test_every_beginning_and_end_is_in_the_audit_log(db: Database, ada: User) -> None:
    phone, laptop = begin(db, ada), begin(db, ada)
    change(db, phone, ada)
    db.run_write(auth.log_out, caller=caller_of(phone))
    sql = text("SELECT action, object_id, actor, address, request_id, outcome FROM audit_log ORDER BY id")
    rows = [tuple(row) for row in db.run_read(lambda session: list(session.execute(sql)))]
    who = (ada.id, "192.0.2.1", "req_x", "success")
    assert rows == [
        ("user.create", ada.id, *who),
        ("session.create", phone.session_id, *who),
        ("session.create", laptop.session_id, *who),
        ("user.password", ada.id, *who),
        ("session.end", laptop.session_id, *who),
        ("session.end", phone.session_id, *who),
    ]


def test_a_taken_address_leaves_no_trace_of_the_second_user(db: Database, ada: User) -> None:
    with pytest.raises(errors.EmailTaken):
        db.run_write(
            auth.create_user,
            email=ada.email,
            password_hash=HASHER.hash_now(NEW),
            role=Role.ADMIN,
            origin=HERE,
        )
    actors = db.run_read(lambda session: list(session.scalars(text("SELECT actor FROM audit_log"))))
    assert actors == [ada.id]
    assert db.run_read(auth.get_profile, user_id=ada.id).user.role == "customer"


def test_the_making_of_staff_is_the_systems_act(db: Database) -> None:
    olga = db.run_write(
        auth.create_user,
        email="olga@example.com",
        password_hash=HASHER.hash_now(PASSWORD),
        role=Role.OPERATOR,
        origin=Origin(None, None),
    )
    sql = text("SELECT actor, object_id, reason FROM audit_log")
    rows = [tuple(row) for row in db.run_read(lambda session: list(session.execute(sql)))]
    assert rows == [("system", olga.id, "role operator")]


def test_an_identity_is_that_of_a_live_session(
    db: Database, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    grant = begin(db, ada)
    assert db.run_read(auth.find_identity, session_id=grant.session_id) == auth.Identity(
        ada.id, Role.CUSTOMER
    )
    assert db.run_read(auth.find_identity, session_id=ids.new_id(ids.SESSION)) is None
    end = clock.now() + LIFE
    monkeypatch.setattr(clock, "now", lambda: end)
    assert not is_live(db, grant)


def test_a_database_that_does_not_answer_uses_up_no_attempt(db: Database, ada: User) -> None:
    throttle = FailureThrottle(1, 60)

    class Down:
        async def read(self, *_: object, **__: object) -> None:
            raise errors.DatabaseUnavailable()

    async def log_in(database: object) -> Grant:
        return await auth.log_in(
            database,  # type: ignore[arg-type]
            HASHER,
            throttle,
            email=ada.email,
            password=PASSWORD,
            device=Device(HERE, None),
            session_life=LIFE,
        )

    for _ in range(3):
        with pytest.raises(errors.DatabaseUnavailable):
            asyncio.run(log_in(Down()))
    assert is_live(db, asyncio.run(log_in(db)))
