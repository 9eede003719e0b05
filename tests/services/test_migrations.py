"""Migrations, on both databases: there, back, again, and interrupted."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text
from sqlalchemy.orm import Session

from alembic import command
from app.core.config import Settings
from app.db import migrations
from app.db.base import Base
from app.db.session import open_engines
from app.db.unit_of_work import Database
from tests import scratch
from tests.conftest import settings_for

ROOT = Path(__file__).resolve().parents[2]
REVISIONS = [
    script.revision for script in reversed(list(ScriptDirectory(str(ROOT / "alembic")).walk_revisions()))
]
# Removes nothing that a database keeps for itself.
HOUSEKEEPING = {"alembic_version"}


@pytest.fixture
def empty(empty_database_url: str) -> Settings:
    return settings_for(empty_database_url)


def ask(settings: Settings, question: Callable[[Session], Any]) -> Any:
    db = Database(settings)
    try:
        return db.run_read(question)
    finally:
        db.close()


def tables(settings: Settings) -> set[str]:
    return set(ask(settings, lambda session: inspect(session.connection()).get_table_names()))


def revision(settings: Settings) -> str | None:
    def current(session: Session) -> str | None:
        return MigrationContext.configure(session.connection()).get_current_revision()

    found: str | None = ask(settings, current)
    return found


def test_there_is_one_newest_revision() -> None:
    scripts = ScriptDirectory(str(ROOT / "alembic"))
    assert scripts.get_heads() == [migrations.head()] == [REVISIONS[-1]]
    assert scripts.get_bases() == [REVISIONS[0]]


def test_the_migrated_schema_is_that_of_the_models(empty: Settings) -> None:
    migrations.upgrade(empty)
    command.check(migrations.config(empty))
    assert ask(empty, differences) == []
    assert ask(empty, migrations.is_at_head)
    assert tables(empty) == set(Base.metadata.tables) | HOUSEKEEPING


def differences(session: Session) -> list[Any]:
    context = MigrationContext.configure(session.connection(), opts={"compare_server_default": True})
    return list(compare_metadata(context, Base.metadata))


def test_a_difference_between_schema_and_models_would_be_seen(settings: Settings) -> None:
    db = Database(settings)
    scratch.execute(db, "DROP INDEX ix_sessions_user_id")
    db.close()
    with pytest.raises(Exception, match="ix_sessions_user_id"):
        command.check(migrations.config(settings))


def test_constraints_have_the_names_that_later_migrations_use(settings: Settings) -> None:
    def names(session: Session) -> set[str | None]:
        found = inspect(session.connection())
        return {one["name"] for one in found.get_check_constraints("users")} | {
            one["name"] for one in found.get_unique_constraints("users")
        }

    assert ask(settings, names) == {"ck_users_role", "uq_users_email"}


def test_upgrading_twice_changes_nothing(empty: Settings) -> None:
    migrations.upgrade(empty)
    add_history(empty)
    migrations.upgrade(empty)
    assert history(empty) == HISTORY
    assert revision(empty) == migrations.head()


@pytest.mark.parametrize("stepwise", [True, False], ids=["step by step", "at once"])
def test_there_and_back_and_there_again(empty: Settings, stepwise: bool) -> None:
    for target in REVISIONS if stepwise else ["head"]:
        migrations.upgrade(empty, target)
    assert ask(empty, migrations.is_at_head)
    add_history(empty)
    for target in ["-1"] * len(REVISIONS) if stepwise else ["base"]:
        migrations.downgrade(empty, target)
    assert tables(empty) <= HOUSEKEEPING
    assert revision(empty) is None
    assert ask(empty, leftovers) == []
    migrations.upgrade(empty)
    assert ask(empty, migrations.is_at_head)
    add_history(empty)
    assert history(empty) == HISTORY


def leftovers(session: Session) -> list[str]:
    """Functions, triggers and indexes that are not alembic's."""
    if session.connection().dialect.name == "sqlite":
        query = "SELECT name FROM sqlite_master WHERE tbl_name <> 'alembic_version'"
    else:
        query = (
            "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace "
            "UNION ALL SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace "
            "AND relname NOT LIKE 'alembic_version%' "
            "UNION ALL SELECT typname FROM pg_type WHERE typnamespace = 'public'::regnamespace "
            "AND typname NOT LIKE '%alembic_version'"
        )
    return list(session.scalars(text(query)))


HISTORY = [("usr_1", "ses_1", "digest")]


def add_history(settings: Settings) -> None:
    """A user, a session and a token: a parent, a child and a grandchild."""
    db = Database(settings)
    scratch.execute(
        db,
        "INSERT INTO users VALUES ('usr_1', 'ada@example.com', 'x', 'customer', true, 1)",
        "INSERT INTO sessions VALUES ('ses_1', 'usr_1', 1, 1, 9, NULL, NULL, NULL)",
        "INSERT INTO refresh_tokens VALUES ('digest', 'ses_1', 1, NULL)",
    )
    db.close()


def history(settings: Settings) -> list[Any]:
    query = "SELECT u.id, s.id, t.digest FROM users u JOIN sessions s ON s.user_id = u.id "
    query += "JOIN refresh_tokens t ON t.session_id = s.id"
    return ask(settings, lambda session: [tuple(row) for row in session.execute(text(query))])


NEXT = """
import sqlalchemy as sa
from alembic import op
revision, down_revision, branch_labels, depends_on = "next", "{head}", None, None

def upgrade():
    with op.batch_alter_table("users", recreate="auto") as users:
        users.add_column(sa.Column("name", sa.String(10)))
        users.alter_column("email", existing_type=sa.String(320), type_=sa.String(400))
    {then}

def downgrade():
    with op.batch_alter_table("users") as users:
        users.alter_column("email", existing_type=sa.String(400), type_=sa.String(320))
        users.drop_column("name")
"""


@pytest.fixture
def with_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Adds a migration that rebuilds the table of users, in a copy of the folder."""
    root = tmp_path / "root"
    shutil.copytree(ROOT / "alembic", root / "alembic", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "alembic.ini", root)
    monkeypatch.setattr(migrations, "_ROOT", root)

    def write(then: str) -> None:
        script = NEXT.format(head=REVISIONS[-1], then=then)
        (root / "alembic" / "versions" / "next.py").write_text(script)

    return write


def test_rebuilding_a_table_keeps_its_children(settings: Settings, with_next: Callable[[str], None]) -> None:
    with_next("pass")
    add_history(settings)
    migrations.upgrade(settings, "next")
    assert history(settings) == HISTORY
    migrations.downgrade(settings, "-1")
    assert history(settings) == HISTORY
    # Not `is_at_head`: whether that knows of the copy's newest depends on the tests before.
    assert revision(settings) == REVISIONS[-1]
    assert ask(settings, differences) == []


@pytest.mark.parametrize(
    "then", ["raise RuntimeError('power cut')", "op.execute('DELETE FROM users')"], ids=["raise", "orphan"]
)
def test_a_migration_that_fails_leaves_the_revision_before_and_can_be_repeated(
    settings: Settings, with_next: Callable[[str], None], then: str
) -> None:
    with_next(then)
    add_history(settings)
    with pytest.raises(Exception, match=r"power cut|without their parents|violates foreign key"):
        migrations.upgrade(settings, "next")
    assert revision(settings) == REVISIONS[-1]
    assert history(settings) == HISTORY
    assert "name" not in columns_of_users(settings)
    with_next("pass")
    migrations.upgrade(settings, "next")
    assert revision(settings) == "next"
    assert history(settings) == HISTORY
    assert "name" in columns_of_users(settings)


def columns_of_users(settings: Settings) -> set[str]:
    return ask(
        settings,
        lambda session: {one["name"] for one in inspect(session.connection()).get_columns("users")},
    )


_MIGRATE = """
import sys
from pathlib import Path
from app.db import migrations
from tests.conftest import settings_for
migrations._ROOT = Path(sys.argv[2])
print("ready", flush=True)
sys.stdin.read()
migrations.upgrade(settings_for(sys.argv[1]), "next")
"""


@contextmanager
def process_that_migrates(settings: Settings) -> Iterator[subprocess.Popen[str]]:
    """Another process; it begins when its input is closed."""
    command = [sys.executable, "-c", _MIGRATE, settings.database_url, str(migrations._ROOT)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process


def test_what_was_migrated_before_a_failure_stays_migrated(
    empty: Settings, with_next: Callable[[str], None]
) -> None:
    with_next("raise RuntimeError('power cut')")
    with pytest.raises(RuntimeError, match="power cut"):
        migrations.upgrade(empty, "next")
    assert revision(empty) == REVISIONS[-1]
    add_history(empty)
    assert history(empty) == HISTORY


def test_a_process_that_dies_in_a_migration_leaves_the_revision_before(
    settings: Settings, with_next: Callable[[str], None]
) -> None:
    with_next("import os; os._exit(9)")
    add_history(settings)
    with process_that_migrates(settings) as process:
        process.communicate()
    assert process.returncode == 9
    assert revision(settings) == REVISIONS[-1]
    assert history(settings) == HISTORY
    with_next("pass")
    migrations.upgrade(settings, "next")
    assert history(settings) == HISTORY


def test_processes_that_migrate_at_the_same_moment_all_succeed(
    empty: Settings, with_next: Callable[[str], None]
) -> None:
    # Long enough for the second to have seen the revision before.
    with_next("import time; time.sleep(0.5)")
    with process_that_migrates(empty) as first, process_that_migrates(empty) as second:
        for process in (first, second):
            assert process.stdin is not None
            process.stdin.close()
        assert [process.wait(60) for process in (first, second)] == [0, 0]
    assert revision(empty) == "next"


def test_a_long_migration_is_not_cut_off_on_postgresql(
    settings: Settings, with_next: Callable[[str], None], tmp_path: Path
) -> None:
    seen = tmp_path / "seen"
    show = "0" if settings.is_sqlite else "op.get_bind().exec_driver_sql('SHOW statement_timeout').scalar()"
    with_next(f"import pathlib; pathlib.Path({str(seen)!r}).write_text(str({show}))")
    migrations.upgrade(settings, "next")
    assert seen.read_text() == "0"


def test_opening_engines_connects_to_nothing(empty: Settings) -> None:
    open_engines(empty).dispose()
    assert not (empty.is_sqlite and empty.sqlite_path.exists())
