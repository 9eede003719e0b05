"""Who can log in, and the logins that last."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from app.core.caller import Role
from app.db.base import Base

_ROLES = ", ".join(f"'{role}'" for role in Role)


class User(Base):
    """A login: a customer's or a member of staff's. `email` is stored in its one compared form."""

    __tablename__ = "users"
    __table_args__ = (CheckConstraint(f"role IN ({_ROLES})", name="role"),)

    id: Mapped[str] = mapped_column(String(30), primary_key=True)
    email: Mapped[str] = mapped_column(String(320), unique=True)
    password_hash: Mapped[str] = mapped_column(String(255))
    role: Mapped[str] = mapped_column(String(16))
    is_active: Mapped[bool]
    created_at: Mapped[datetime]


class LoginSession(Base):
    """One login on one device: the family of refresh tokens that it began. Ended is for ever."""

    __tablename__ = "sessions"

    id: Mapped[str] = mapped_column(String(30), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    created_at: Mapped[datetime]
    last_used_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    address: Mapped[str | None] = mapped_column(String(64))
    user_agent: Mapped[str | None] = mapped_column(String(200))

    def is_live(self, now: datetime) -> bool:
        return self.ended_at is None and now < self.expires_at


class RefreshToken(Base):
    """A refresh token, as its digest. It may be used once; a second use ends the session."""

    __tablename__ = "refresh_tokens"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    session_id: Mapped[str] = mapped_column(ForeignKey("sessions.id"), index=True)
    created_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
