"""Processes under test, all on one core: the service, what it is compared with, and commands."""

import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from reliability.report import ROOT

_BIN: Final = Path(sys.executable).parent
_PATIENCE: Final = 60.0

# What serves: `{port}` is where.
SERVICE: Final = (str(_BIN / "bank"), "serve", "--port", "{port}")
TRIVIAL: Final = (sys.executable, "-m", "benchmarks.trivial", "{port}")
CEILING: Final = (sys.executable, "-m", "benchmarks.ceiling", "{port}")
ORM: Final = (sys.executable, "-m", "benchmarks.orm", "{port}")

USABLE: Final = sorted(os.sched_getaffinity(0))
# One for all, so that a token of one server is good at every other one.
_SECRET: Final = secrets.token_urlsafe(32)


def cores() -> tuple[int, int]:
    """The core under test and the load generator's; the same one where there is no second."""
    return USABLE[0], USABLE[min(1, len(USABLE) - 1)]


def take_our_core() -> None:
    """Keeps this process, which makes the load, on the core that is not under test."""
    os.sched_setaffinity(0, {cores()[1]})


@contextmanager
def under_test() -> Iterator[None]:
    """Processes that are started in this block run on the core under test: they inherit it."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {cores()[0]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def environment(database_url: str) -> dict[str, str]:
    """The service's own defaults, but for tokens that outlive the run; LOG_LEVEL may be given."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LOG_LEVEL") if name in os.environ}
    return kept | {
        "APP_ENV": "dev",
        "DATABASE_URL": database_url,
        "JWT_SECRET": _SECRET,
        "CARD_KEY": f"{_SECRET}, for cards",
        "ACCESS_TOKEN_MINUTES": "1440",
        "PYTHONPATH": str(ROOT),
    }


def bank(command: str, database_url: str, folder: Path) -> None:
    """Runs `bank migrate` or `bank verify`; RuntimeError with what it said when it fails."""
    run([str(_BIN / "bank"), command], environment(database_url), folder)


def run(command: Sequence[str], env: Mapping[str, str], folder: Path) -> str:
    """Runs a command on the core under test; its output, or RuntimeError with its complaint."""
    with under_test():
        ran = subprocess.run(command, env=env, cwd=folder, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise RuntimeError(f"{' '.join(command[:3])}: {ran.stderr.strip()[-2000:]}")
    return ran.stdout


@contextmanager
def serving(command: Sequence[str], database_url: str, folder: Path) -> Iterator[int]:
    """Serves until the block ends; gives the port."""
    with serving_process(command, database_url, folder) as (port, _):
        yield port


@contextmanager
def serving_process(command: Sequence[str], database_url: str, folder: Path) -> Iterator[tuple[int, int]]:
    """The same, and the id of the process. Its log is a file, as it would be anywhere."""
    port = _free_port()
    with under_test(), (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [part.format(port=port) for part in command],
            env=environment(database_url),
            cwd=folder,
            stdout=log,
            stderr=log,
        )
    try:
        _wait_until_open(port, process, folder)
        yield port, process.pid
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            raise


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _wait_until_open(port: int, process: "subprocess.Popen[bytes]", folder: Path) -> None:
    until = time.monotonic() + _PATIENCE
    while process.poll() is None and time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            time.sleep(0.02)
        else:
            return
    raise RuntimeError(f"it did not start: {(folder / 'server.log').read_text()[-2000:]}")
