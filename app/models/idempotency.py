"""Keys of requests that have had their effect."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKeyConstraint, Integer, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base


class IdempotencyKey(Base):
    """A key that a caller has used, what for, and what was answered; kept as long as the money."""

    __tablename__ = "idempotency_keys"

    caller: Mapped[str] = mapped_column(String(30), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary(32))
    status: Mapped[int]
    # None: the answer is made again from the record that `location` names.
    body: Mapped[str | None] = mapped_column(Text)
    location: Mapped[str | None] = mapped_column(String(255))
    created_at: Mapped[datetime]


class BulkChunk(Base):
    """What the transfers of a bulk came to, from the place `first` on, in the commit of their effect.

    An outcome is `{"id": ...}` of a transfer, or `{"code": ..., "details": [[field, code, message]]}` of
    a refusal. With them the same bulk continues where an interruption left it.
    """

    __tablename__ = "bulk_chunks"
    __table_args__ = (
        ForeignKeyConstraint(["caller", "key"], ["idempotency_keys.caller", "idempotency_keys.key"]),
    )

    caller: Mapped[str] = mapped_column(String(30), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    first: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    outcomes: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    created_at: Mapped[datetime]
