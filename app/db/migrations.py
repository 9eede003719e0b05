"""Alembic, called by the service: bring a database to the newest schema, and say where it stands."""

from functools import lru_cache
from pathlib import Path
from typing import Final

from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from alembic import command
from app.core.config import Settings
from app.db.session import open_engines

_ROOT: Final = Path(__file__).resolve().parents[2]


def config(settings: Settings) -> Config:
    """Alembic's configuration for the database of these settings."""
    alembic = Config(_ROOT / "alembic.ini")
    alembic.set_main_option("script_location", str(_ROOT / "alembic"))
    alembic.attributes["settings"] = settings
    return alembic


def upgrade(settings: Settings, revision: str = "head") -> None:
    """Migrates forward; does nothing when the database is there already.

    Several processes may do it at the same moment, as replicas that start together do.
    """
    while True:
        before = _revision(settings)
        try:
            return command.upgrade(config(settings), revision)
        except DBAPIError:
            # Nothing of a failed migration stays. Where another process got further, go on from there.
            if _revision(settings) == before:
                raise


def downgrade(settings: Settings, revision: str) -> None:
    """Migrates back."""
    command.downgrade(config(settings), revision)


def _revision(settings: Settings) -> str | None:
    """Where the database stands; None for an empty one, or when there is none."""
    engines = open_engines(settings)
    try:
        with engines.reader.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision()
    except DBAPIError:
        return None
    finally:
        engines.dispose()


@lru_cache(maxsize=1)
def head() -> str:
    """The newest revision of this code."""
    revision = ScriptDirectory(str(_ROOT / "alembic")).get_current_head()
    assert revision is not None
    return revision


def is_at_head(session: Session) -> bool:
    """Whether the database has exactly the schema of this code."""
    return MigrationContext.configure(session.connection()).get_current_revision() == head()
