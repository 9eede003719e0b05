"""A service of its own for the demo: a new database in a folder that is thrown away, a free port."""

import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

_BANK = Path(sys.executable).with_name("bank")
_PATIENCE = 30.0


@dataclass(frozen=True)
class Server:
    """A running service, and how to call `bank` for the same database."""

    url: str
    environment: dict[str, str]

    def bank(self, *arguments: str) -> str:
        """Runs a `bank` command; its output, or CalledProcessError."""
        return subprocess.run(
            [_BANK, *arguments],
            env=self.environment,
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()


@contextmanager
def running_server() -> Iterator[Server]:
    """Migrates, serves, and stops in the end. DATABASE_URL may name another database than SQLite.

    A demo makes customers and money, so it refuses where these are real; it deletes nothing.
    """
    if os.environ.get("APP_ENV", "dev") not in ("dev", "test"):
        raise SystemExit("The demo only runs with APP_ENV=dev or test.")
    with tempfile.TemporaryDirectory(prefix="bank-demo-") as folder:
        environment = {
            "DATABASE_URL": f"sqlite:///{folder}/data/bank.db",
            "PATH": os.environ.get("PATH", ""),
            **{name: value for name, value in os.environ.items() if name == "DATABASE_URL"},
            "APP_ENV": "dev",
            "JWT_SECRET": secrets.token_urlsafe(32),
            "CARD_KEY": secrets.token_urlsafe(32),
            "LOG_LEVEL": "WARNING",
        }
        port = _free_port()
        server = Server(f"http://127.0.0.1:{port}", environment)
        server.bank("migrate")
        process = subprocess.Popen([_BANK, "serve", "--port", str(port)], env=environment)
        try:
            _wait_until_ready(server.url, process)
            yield server
        finally:
            process.terminate()
            process.wait(timeout=_PATIENCE)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _wait_until_ready(url: str, process: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + _PATIENCE
    while process.poll() is None and time.monotonic() < until:
        try:
            if httpx.get(f"{url}/v1/health/ready").is_success:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    raise SystemExit("the service did not start")
