"""Runs migrations on the database of the settings, each in a transaction of its own.

SQLite rebuilds a table to change it. Foreign keys are off meanwhile (else dropping the old table
would delete its children) and are checked before each migration commits.
"""

from typing import Any

from sqlalchemy import Connection

import app.models  # noqa: F401 - registers the tables
from alembic import context
from app.core.config import load_settings
from app.db.base import Base, Instant
from app.db.session import create_sqlite_file, open_engines


def render_item(kind: str, item: object, autogen_context: object) -> str | bool:
    """Migrations say what is stored and import nothing of the service, which goes on changing."""
    return "sa.BigInteger()" if kind == "type" and isinstance(item, Instant) else False


def check_parents(ctx: Any, **_: Any) -> None:
    """Runs inside each migration's transaction, so a migration that orphans rows is undone."""
    if ctx.dialect.name != "sqlite":
        return
    if ctx.connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall():
        raise RuntimeError("the migration left rows without their parents; nothing was changed")


def migrate(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=connection.dialect.name == "sqlite",
        render_item=render_item,
        # SQLite's DDL is transactional once the transaction begins before it, as ours does.
        transactional_ddl=True,
        transaction_per_migration=True,
        on_version_apply=check_parents,
    )
    with context.begin_transaction():
        context.run_migrations()


settings = context.config.attributes.get("settings") or load_settings()
if settings.is_sqlite:
    create_sqlite_file(settings.sqlite_path)
engines = open_engines(settings)
try:
    with engines.writer.connect() as connection:
        driver = connection.connection.driver_connection
        if settings.is_sqlite:
            # Outside a transaction, or SQLite ignores it.
            driver.execute("PRAGMA foreign_keys = OFF")
        else:
            # A migration of a large table takes as long as it takes; a request may not.
            driver.execute("SET statement_timeout = 0")
            driver.commit()
        migrate(connection)
finally:
    engines.dispose()
