"""A running service whose database fails: what clients are told meanwhile, and recovery without a restart."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.bank import Customer, customer
from tests.client import error_of
from tests.crash.databases import Backend, Postgresql, Sqlite, backend
from tests.crash.service import Service
from tests.scratch import integrity
from tests.server import bank, environment, eventually

_MONEY = 5000
_SMALL_DISK = 2**20


@dataclass
class Town:
    """A service, and Ada who pays Bob a cent now and then."""

    service: Service
    url: str
    folder: Path
    ada: Customer
    bob: Customer
    paid: int = 0

    def pay(self) -> None:
        assert self.ada.pay(self.bob, 1).status_code == 201
        self.paid += 1

    def pay_until_refused(self, code: str) -> None:
        """The refusal has this code, moves nothing, and reading goes on."""
        answer = self.ada.pay(self.bob, 1)
        while answer.status_code == 201:
            self.paid += 1
            answer = self.ada.pay(self.bob, 1)
        error_of(answer, 503, code)
        assert int(answer.headers["Retry-After"]) >= 1

    def assert_books_are_right(self) -> None:
        assert self.bob.balance() == self.paid
        assert self.ada.balance() == _MONEY - self.paid
        verdict = bank("verify", env=environment(self.url), cwd=self.folder)
        assert verdict.returncode == 0, verdict.stderr

    def status(self, path: str) -> int:
        return self.ada.person.get(path).status_code

    def restart(self) -> None:
        self.service.start()
        self.ada.person.client.base_url = self.service.origin


@contextmanager
def town(url: str, folder: Path, **variables: str) -> Iterator[Town]:
    service = Service(url, folder, **variables)
    service.start()
    try:
        with service.client() as client:
            yield Town(service, url, folder, customer(client, money=_MONEY), customer(client, "bob"))
    finally:
        service.stop()


def may_mount() -> bool:
    """Whether this process may mount file systems (CAP_SYS_ADMIN)."""
    status = Path("/proc/self/status")
    found = [line for line in status.read_text().splitlines() if line.startswith("CapEff")]
    return os.geteuid() == 0 and bool(int(found[0].split()[1], 16) & 1 << 21)


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={_SMALL_DISK}", "tmpfs", str(folder)]
    subprocess.run(mount, check=True, timeout=20)
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True, timeout=20)


def fill(ballast: Path) -> None:
    """Takes all space that is left."""
    handle = os.open(ballast, os.O_CREAT | os.O_WRONLY)
    try:
        for size in (4096, 1):
            while _written(handle, size):
                pass
    finally:
        os.close(handle)


def _written(handle: int, size: int) -> bool:
    try:
        return os.write(handle, bytes(size)) > 0
    except OSError:
        return False


# A real file system where this process may mount one; everywhere SQLite's own limit.
STORAGES = ("a limit", *(["a file system"] if may_mount() else []))


@pytest.mark.parametrize("kind", STORAGES)
def test_full_storage_is_503_until_there_is_space(kind: str, tmp_path: Path) -> None:
    disk, ballast = tmp_path / "disk", tmp_path / "disk" / "ballast"
    with small_disk(disk) if kind == "a file system" else nullcontext(disk.mkdir()):
        url = Sqlite(disk).create()
        limit = {} if kind == "a file system" else {"CRASH_FULL_WHILE": str(ballast)}
        with town(url, tmp_path, **limit) as place:
            place.pay()
            if limit:
                ballast.touch()
            else:
                fill(ballast)
            for _ in range(2):
                place.pay_until_refused("storage_full")
                assert place.status("/v1/health/ready") == 200
                assert place.bob.balance() == place.paid
            ballast.unlink()
            place.pay()
            place.assert_books_are_right()
        assert integrity(disk / "data0" / "bank.db") == "ok"


def test_a_read_only_file_is_503_and_still_read_until_it_can_be_written(tmp_path: Path) -> None:
    url = Sqlite(tmp_path).create()
    folder = tmp_path / "data0"
    with town(url, tmp_path, CRASH_OBEY_MODES="1") as place:
        place.pay()
        # As a kill leaves it: with the log beside it.
        place.service.kill()
        set_modes(folder, 0o400, 0o500)
        place.restart()
        for _ in range(2):
            place.pay_until_refused("database_unavailable")
            assert place.status("/v1/health/ready") == 200
            assert place.bob.balance() == place.paid == 1
        set_modes(folder, 0o600, 0o700)
        eventually(lambda: place.ada.pay(place.bob, 1).status_code == 201)
        place.paid += 1
        place.pay()
        place.assert_books_are_right()


def set_modes(folder: Path, file: int, directory: int) -> None:
    folder.chmod(0o700)
    for path in folder.iterdir():
        path.chmod(file)
    folder.chmod(directory)


@pytest.mark.parametrize("name", ["sqlite", "postgresql"])
def test_a_database_that_is_gone_is_503_until_it_is_back(name: str, tmp_path: Path) -> None:
    with backend(name, tmp_path) as database, town(database.create(), tmp_path) as place:
        for _ in range(2):
            place.pay()
            with gone(database, tmp_path):
                place.pay_until_refused("database_unavailable")
                for path in ("/v1/health", "/v1/health/ready", f"/v1/accounts/{place.ada.id}"):
                    error_of(place.ada.person.get(path), 503, "database_unavailable")
                assert place.status("/v1/health/live") == 200
            eventually(lambda: place.status("/v1/health/ready") == 200)
            place.assert_books_are_right()
        place.pay()


@contextmanager
def gone(database: Backend, folder: Path) -> Iterator[None]:
    """The file is elsewhere, or the server's processes are dead."""
    if isinstance(database, Postgresql):
        database.kill()
        yield
        database.start()
        return
    path = folder / "data0" / "bank.db"
    path.rename(folder / "away.db")
    yield
    (folder / "away.db").rename(path)
