"""Two units of work on one login, where the second arrives before the first has committed."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from threading import Event
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.core import errors
from app.core.caller import Caller, Origin, Role
from app.db.unit_of_work import Database
from app.models import User
from app.services import auth
from app.services.auth import Device, Grant

HERE = Origin("192.0.2.1", None)
LIFE = timedelta(days=30)
OLD, NEW = "the hash of the old password", "the hash of the new password"

Work = Callable[[Session], Any]


def second_of(db: Database, first: Work, second: Work) -> Any:
    """What `second` gives or raises when it begins between the work and the commit of `first`."""
    worked, commit = Event(), Event()

    def pausing(session: Session) -> Any:
        result = first(session)
        session.flush()
        worked.set()
        assert commit.wait(30)
        return result

    with ThreadPoolExecutor(2) as pool:
        try:
            one = pool.submit(db.run_write, pausing)
            assert worked.wait(30)
            other = pool.submit(db.run_write, second)
            _await_collision(db, other)
        finally:
            commit.set()
        one.result()
        return other.result()


def _await_collision(db: Database, other: Future[Any]) -> None:
    """Until the other waits for a row of the first, or is done. SQLite holds it back from the start."""
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    while db.engines.writers > 1 and not other.done():
        if db.run_read(lambda session: session.scalar(waiting)):
            return
        time.sleep(0.005)


@pytest.fixture
def ada(db: Database) -> User:
    return db.run_write(creation)


def creation(session: Session, email: str = "ada@example.com") -> User:
    return auth.create_user(session, email=email, password_hash=OLD, role=Role.CUSTOMER, origin=HERE)


def login(ada: User) -> Callable[[Session], Grant]:
    """The end of a login that verified the old password."""
    device = Device(HERE, None)
    return partial(auth._open_session, user_id=ada.id, password_hash=OLD, device=device, session_life=LIFE)


def refresh(grant: Grant) -> Callable[[Session], Grant | auth.Reuse]:
    return partial(auth.refresh, refresh_token=grant.refresh_token, origin=HERE, session_life=LIFE)


def caller_of(grant: Grant) -> Caller:
    return Caller(grant.user_id, Role.CUSTOMER, grant.session_id, HERE)


def change(grant: Grant) -> Callable[[Session], list[str]]:
    return partial(auth._set_password, caller=caller_of(grant), old_hash=OLD, new_hash=NEW)


def endings(grant: Grant) -> list[Work]:
    """Every way in which this session's own user ends it."""
    caller = caller_of(grant)
    return [
        partial(auth.log_out, caller=caller),
        partial(auth.end_all_sessions, caller=caller),
        partial(auth.end_session, caller=caller, session_id=grant.session_id),
    ]


def live(db: Database) -> set[str]:
    sql = text("SELECT id FROM sessions WHERE ended_at IS NULL")
    return set(db.run_read(lambda session: list(session.scalars(sql))))


def test_a_change_of_password_ends_the_session_of_a_login_it_waited_for(db: Database, ada: User) -> None:
    mine = db.run_write(login(ada))
    ended = second_of(db, login(ada), change(mine))
    assert len(ended) == 1
    assert live(db) == {mine.session_id}


def test_a_login_that_waited_for_a_change_of_password_is_refused(db: Database, ada: User) -> None:
    mine = db.run_write(login(ada))
    with pytest.raises(errors.InvalidCredentials):
        second_of(db, change(mine), login(ada))
    assert live(db) == {mine.session_id}


def test_the_second_of_two_changes_of_password_is_refused(db: Database, ada: User) -> None:
    mine, other = db.run_write(login(ada)), db.run_write(login(ada))
    with pytest.raises(errors.InvalidCredentials):
        second_of(db, change(mine), change(other))
    assert live(db) == {mine.session_id}


@pytest.mark.parametrize("way", range(3), ids=["logout", "logout-all", "delete"])
def test_a_refresh_that_meets_the_end_of_its_session_is_refused(db: Database, ada: User, way: int) -> None:
    grant = db.run_write(login(ada))
    with pytest.raises(errors.Unauthenticated):
        second_of(db, endings(grant)[way], refresh(grant))
    assert live(db) == set()


@pytest.mark.parametrize("way", range(3), ids=["logout", "logout-all", "delete"])
def test_the_end_of_a_session_takes_a_refresh_it_waited_for_along(db: Database, ada: User, way: int) -> None:
    grant = db.run_write(login(ada))
    assert second_of(db, refresh(grant), endings(grant)[way]) == [grant.session_id]
    assert live(db) == set()


def test_a_refresh_that_meets_a_change_of_password_is_refused(db: Database, ada: User) -> None:
    mine, other = db.run_write(login(ada)), db.run_write(login(ada))
    with pytest.raises(errors.Unauthenticated):
        second_of(db, change(mine), refresh(other))
    assert live(db) == {mine.session_id}


def test_the_second_refresh_with_one_token_ends_the_session(db: Database, ada: User) -> None:
    grant, other = db.run_write(login(ada)), db.run_write(login(ada))
    assert second_of(db, refresh(grant), refresh(grant)) == auth.Reuse(grant.session_id)
    assert live(db) == {other.session_id}


def test_the_second_sign_up_with_one_address_waits_and_is_refused(db: Database) -> None:
    with pytest.raises(errors.EmailTaken):
        second_of(db, creation, creation)


def test_a_deactivation_under_way_lets_no_login_through(db: Database, ada: User) -> None:
    deactivation = text("UPDATE users SET is_active = false")
    with pytest.raises(errors.InvalidCredentials):
        second_of(db, lambda session: session.execute(deactivation).close(), login(ada))
    assert live(db) == set()
