"""The service as a process that dies and comes back."""

import signal
import sys
import time
from pathlib import Path

from tests.client import BankClient
from tests.server import Server, environment, eventually, start

_ARMED = (sys.executable, "-m", "tests.crash.armed", "serve", "--port", "0")


class Service:
    """`start`, `kill`, `start` again; `origin` is where it is now."""

    def __init__(self, database_url: str, folder: Path, **variables: str) -> None:
        self._folder = folder
        # Without the measuring of coverage: what is killed cannot write it down.
        whole = environment(database_url, LOGIN_ATTEMPTS="1000", **variables)
        self._environment = {name: value for name, value in whole.items() if not name.startswith("COV")}
        self._server: Server | None = None

    @property
    def server(self) -> Server:
        assert self._server is not None, "it has been started"
        return self._server

    @property
    def origin(self) -> str:
        return self.server.origin

    def client(self) -> BankClient:
        return self.server.client()

    def start(self, point: str | None = None, at: int = 1) -> int:
        """Starts it, to die at the `at`-th time it comes to `point`; the milliseconds until it is ready."""
        armed = {"CRASH_POINT": point, "CRASH_AT": str(at)} if point else {}
        began = time.monotonic()
        self._server = start(_ARMED, self._environment | armed, self._folder)
        self.await_ready()
        return round((time.monotonic() - began) * 1000)

    def await_ready(self) -> None:
        with self.client() as client:
            eventually(lambda: client.get("/v1/health/ready").status_code == 200)

    def kill(self) -> None:
        self.server.process.send_signal(signal.SIGKILL)
        self.server.wait()

    def await_death(self) -> None:
        """It kills itself, and nothing else ends it."""
        assert self.server.wait() == -signal.SIGKILL, self.server.log

    def stop(self) -> None:
        if self._server is not None:
            self._server.end()
