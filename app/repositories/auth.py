"""Users, sessions and refresh tokens: SQL in, rows out."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.engine import Row
from sqlalchemy.orm import Session

from app.db.locks import locked
from app.db.statements import insert_or_ignore, rows_changed
from app.models import LoginSession, RefreshToken, User


class Users:
    """The table `users`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, user: User) -> bool:
        """Inserts the user; False when the address is taken, also by another at this moment."""
        values = {column.key: getattr(user, column.key) for column in User.__table__.columns}
        return insert_or_ignore(self._session, User, values)

    def get(self, user_id: str) -> User | None:
        return self._session.get(User, user_id)

    def lock(self, user_id: str) -> User | None:
        """The user, whom nobody else changes until the commit."""
        return self._session.scalar(locked(select(User).where(User.id == user_id)))

    def by_email(self, email: str) -> User | None:
        return self._session.scalar(select(User).where(User.email == email))

    def set_password(self, user: User, password_hash: str) -> None:
        self._session.execute(update(User).where(User.id == user.id).values(password_hash=password_hash))


class Sessions:
    """The tables `sessions` and `refresh_tokens`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, login: LoginSession) -> None:
        self._session.add(login)
        self._session.flush()

    def add_token(self, token: RefreshToken) -> None:
        self._session.add(token)
        self._session.flush()

    def with_user(self, session_id: str) -> Row[LoginSession, User] | None:
        """A session and whose it is, in one statement."""
        return self._session.execute(
            select(LoginSession, User)
            .join(User, User.id == LoginSession.user_id)
            .where(LoginSession.id == session_id)
        ).one_or_none()

    def by_token(self, digest: str) -> Row[RefreshToken, LoginSession, User] | None:
        """A refresh token, its session and whose it is, in one statement."""
        return self._session.execute(
            select(RefreshToken, LoginSession, User)
            .join(LoginSession, LoginSession.id == RefreshToken.session_id)
            .join(User, User.id == LoginSession.user_id)
            .where(RefreshToken.digest == digest)
        ).one_or_none()

    def use_token(self, digest: str, now: datetime) -> bool:
        """Marks the token as used; of several at once exactly one gets True."""
        return rows_changed(
            self._session,
            update(RefreshToken)
            .where(RefreshToken.digest == digest, RefreshToken.used_at.is_(None))
            .values(used_at=now),
        )

    def renew(self, session_id: str, now: datetime, expires_at: datetime) -> bool:
        """Moves the end of a session that has not ended; False when it has."""
        return rows_changed(
            self._session,
            update(LoginSession)
            .where(LoginSession.id == session_id, LoginSession.ended_at.is_(None))
            .values(last_used_at=now, expires_at=expires_at),
        )

    def live_of(
        self, user_id: str, now: datetime, *, before_id: str | None, limit: int
    ) -> Sequence[LoginSession]:
        """The user's sessions that can still be used, newest first; ids sort by time."""
        query = select(LoginSession).where(*_live(user_id, now))
        if before_id is not None:
            query = query.where(LoginSession.id < before_id)
        return self._session.scalars(query.order_by(LoginSession.id.desc()).limit(limit)).all()

    def live_ids(self, user_id: str, now: datetime) -> list[str]:
        """All of them, by their ids."""
        return list(self._session.scalars(select(LoginSession.id).where(*_live(user_id, now))))

    def end(self, session_ids: Sequence[str], now: datetime) -> list[str]:
        """Ends sessions; the ids of those that this call has ended, and no other one before."""
        statement = (
            update(LoginSession)
            .where(LoginSession.id.in_(session_ids), LoginSession.ended_at.is_(None))
            .values(ended_at=now)
            .returning(LoginSession.id)
        )
        return sorted(self._session.scalars(statement, execution_options={"synchronize_session": False}))


def _live(user_id: str, now: datetime) -> tuple[ColumnElement[bool], ...]:
    return (
        LoginSession.user_id == user_id,
        LoginSession.ended_at.is_(None),
        LoginSession.expires_at > now,
    )
