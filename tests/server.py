"""The service as a process of its own, on a free port of the loopback: `with serving(url) as server`."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests import isolation
from tests.client import BankClient

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
SECRET = "a secret of the tests, long enough"
CARD_KEY = "a key for the cards of the tests, long enough"
BANK = (str(BIN / "bank"), "serve", "--port", "0")
# As the README says.
_DOCUMENTED = re.search(
    r"^uvicorn (app\.main:app (?:.*\\\n)*.*)$", (ROOT / "README.md").read_text(), re.MULTILINE
)
assert _DOCUMENTED, "the README says how uvicorn serves"
UVICORN = (str(BIN / "uvicorn"), *_DOCUMENTED[1].replace("\\\n", " ").split(), "--port", "0")
_PATIENCE = 60


def environment(database_url: str | None = None, **variables: str) -> dict[str, str]:
    """What a child process sees: a usual environment, and settings of a test."""
    kept = {
        name: value for name, value in os.environ.items() if name.startswith(("PATH", "HOME", "COV", "LC"))
    }
    settings = {"APP_ENV": "test", "JWT_SECRET": SECRET, "CARD_KEY": CARD_KEY}
    if database_url:
        settings["DATABASE_URL"] = database_url
    return (
        kept
        | {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error"}
        | isolation.variables()
        | settings
        | variables
    )


def bank(
    *arguments: str, env: Mapping[str, str], cwd: Path, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    """Runs a `bank` command to its end, in an empty folder (no `.env` of a developer)."""
    return subprocess.run(
        [str(BIN / "bank"), *arguments],
        env=dict(env),
        cwd=cwd,
        input=stdin,
        text=True,
        capture_output=True,
        timeout=_PATIENCE,
        check=False,
    )


def eventually(found: object) -> object:
    """Calls `found` until it says something true."""
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        if value := found():  # type: ignore[operator]
            return value
        time.sleep(0.02)
    raise AssertionError("it never happened")


@dataclass
class Server:
    """A running service."""

    process: subprocess.Popen[bytes]
    log_file: Path
    port: int = 0

    @property
    def log(self) -> str:
        return self.log_file.read_text()

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self) -> BankClient:
        return BankClient(base_url=self.origin, timeout=_PATIENCE, trust_env=False)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=_PATIENCE)

    def send_raw(self, data: bytes) -> bytes:
        """Writes these bytes and nothing else; what the server answers before it closes."""
        with self.connect() as connection:
            connection.sendall(data)
            return read_all(connection)

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def wait(self, seconds: float = _PATIENCE) -> int:
        return self.process.wait(seconds)

    def end(self) -> None:
        """Ends it in order; one that does not end is killed, and that is an error."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise

    def await_log(self, text: str) -> None:
        eventually(lambda: text in self.log)


def read_all(connection: socket.socket) -> bytes:
    answer = b""
    while chunk := connection.recv(65536):
        answer += chunk
    return answer


def start(command: Sequence[str], env: Mapping[str, str], folder: Path) -> Server:
    """A new process of the service, as soon as its port is known; `folder` gets its log."""
    log_file = folder / "server.log"
    with log_file.open("wb") as log:
        process = subprocess.Popen(command, env=dict(env), cwd=folder, stdout=log, stderr=log)
    server = Server(process, log_file)
    try:
        server.port = int(str(eventually(lambda: _port(server))))
    except BaseException:
        server.end()
        raise
    return server


@contextmanager
def serving(
    database_url: str, folder: Path, command: Sequence[str] = BANK, **variables: str
) -> Iterator[Server]:
    """The service on this database until the block ends; `folder` gets its log and is where it runs."""
    server = start(command, environment(database_url, **variables), folder)
    try:
        yield server
    finally:
        server.end()


def _port(server: Server) -> str | None:
    if server.process.poll() is not None:
        raise AssertionError(f"the server did not start:\n{server.log}")
    # The last line of the start; a supervisor of several workers says it before they are up.
    found = re.search(r"running on http://127\.0\.0\.1:(\d+)", server.log)
    return found[1] if found else None
