"""Monthly statements that have been issued, and entries with a value date of their own."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Integer,
    LargeBinary,
    String,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base


class IssuedStatement(Base):
    """A month of an account, as it was told when it was issued. Never changed, never deleted.

    `head` is everything but the entries, which are in `parts` rows of `issued_parts`; `sha256` is that
    of the canonical JSON of the whole, in hexadecimal digits.
    """

    __tablename__ = "issued_statements"
    __table_args__ = (
        CheckConstraint("number > 0", name="number"),
        UniqueConstraint("account_key", "number"),
        UniqueConstraint("account_key", "month"),
    )

    key: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    id: Mapped[str] = mapped_column(String(30), unique=True)
    account_key: Mapped[int] = mapped_column(ForeignKey("accounts.key"))
    number: Mapped[int] = mapped_column(Integer)
    month: Mapped[str] = mapped_column(String(7))
    head: Mapped[dict[str, Any]] = mapped_column(JSON)
    parts: Mapped[int] = mapped_column(Integer)
    sha256: Mapped[str] = mapped_column(String(64))
    issued_by: Mapped[str] = mapped_column(String(30))
    issued_at: Mapped[datetime]


class IssuedPart(Base):
    """Some of the entries of an issued statement: their canonical JSON, compressed (zlib)."""

    __tablename__ = "issued_parts"

    statement_key: Mapped[int] = mapped_column(
        ForeignKey("issued_statements.key"), primary_key=True, autoincrement=False
    )
    part: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    content: Mapped[bytes] = mapped_column(LargeBinary)


class ValueDate(Base):
    """An entry whose value date is not the day it was booked on. There are few, so views by value date
    are the booked ones, corrected by these.
    """

    __tablename__ = "value_dates"
    __table_args__ = (
        ForeignKeyConstraint(["account_key", "sequence"], ["entries.account_key", "entries.sequence"]),
    )

    account_key: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    sequence: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
