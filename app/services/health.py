"""Whether the database answers, and has the schema of this code."""

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.db import migrations


def ping(session: Session) -> None:
    """One round trip; raises when there is no answer."""
    session.execute(text("SELECT 1"))


def is_migrated(session: Session) -> bool:
    """Whether the schema is exactly this code's."""
    return migrations.is_at_head(session)
