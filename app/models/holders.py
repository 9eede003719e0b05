"""Account holders: the people whom accounts belong to."""

from datetime import date, datetime

from sqlalchemy import Date, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base


class AccountHolder(Base):
    """A person, as the bank knows them. `user_id` is their login, if they have one here."""

    __tablename__ = "account_holders"

    id: Mapped[str] = mapped_column(String(30), primary_key=True)
    user_id: Mapped[str | None] = mapped_column(ForeignKey("users.id"), unique=True)
    full_name: Mapped[str] = mapped_column(String(100))
    date_of_birth: Mapped[date] = mapped_column(Date())
    address: Mapped[str | None] = mapped_column(String(300))
    phone: Mapped[str | None] = mapped_column(String(32))
    version: Mapped[int]
    created_at: Mapped[datetime]
