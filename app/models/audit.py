"""Who did what, when, from where, with what outcome."""

from datetime import datetime

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base


class AuditRecord(Base):
    """One act. Written in the commit of the act; the database refuses to change or delete it.

    `actor` is a user id, `system` for the command line, or `anybody` who gave no valid name. No foreign
    keys: the record outlives what it speaks of.
    """

    __tablename__ = "audit_log"
    __table_args__ = (Index(None, "actor", "id"), Index(None, "object_id", "id"))

    id: Mapped[str] = mapped_column(String(30), primary_key=True)
    at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(String(64))
    action: Mapped[str] = mapped_column(String(64))
    object_id: Mapped[str | None] = mapped_column(String(64))
    outcome: Mapped[str] = mapped_column(String(64))
    reason: Mapped[str | None] = mapped_column(String(500))
    address: Mapped[str | None] = mapped_column(String(64))
    request_id: Mapped[str | None] = mapped_column(String(64))
