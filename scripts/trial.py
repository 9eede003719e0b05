"""Talks to a service on 127.0.0.1:8000 and looks at its process; for `image.py`. Needs no packages."""

import json
import re
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.request import ProxyHandler, Request, build_opener

PORT = 8000
PATIENCE = 60
PERSON = {"email": "ada@example.com", "password": "seven quiet harbours"}


def say(what: str, found: str) -> None:
    """A line of the report."""
    print(f"{what + ':':<26}{found}", flush=True)


def require(kept: bool, promise: str) -> None:
    """Ends the program when a promise is not kept."""
    if not kept:
        sys.exit(f"NOT AS PROMISED: {promise}")


def refuse_busy_port() -> None:
    """The service is given the port of its image, which must be free on this machine."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", PORT))
        except OSError as error:
            sys.exit(f"Port {PORT} is needed, and is not free: {error.strerror}")


def await_success(path: str, go_on: Callable[[], object]) -> None:
    """Returns with the first 200 of this path; `go_on` is called before each further try."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            call("GET", path)
            return
        except OSError:
            require(time.monotonic() < until, f"it answers within {PATIENCE} s")
            go_on()
            time.sleep(0.02)


def sign_up() -> None:
    """A new person."""
    call("POST", "/v1/auth/signup", PERSON)


def log_in() -> str:
    """That person's id, as the service tells it to the person."""
    token = call("POST", "/v1/auth/login", PERSON)["access_token"]
    return str(call("GET", "/v1/auth/me", token=token)["id"])


def call(method: str, path: str, body: object = None, token: str = "") -> dict[str, object]:
    """The JSON of an answer; OSError when it is not a success."""
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    data = json.dumps(body).encode() if body else None
    request = Request(f"http://127.0.0.1:{PORT}{path}", data, headers, method=method)
    with build_opener(ProxyHandler({})).open(request, timeout=10) as answer:
        return dict(json.load(answer))


def descendants(process: int) -> list[int]:
    """The processes that this one started, and those that they started; parents come first."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        # `pid (name) state parent ...`; a name may hold anything.
        if status := re.match(r"(\d+) \(.*\) . (\d+) ", _read(path), re.S):
            children.setdefault(int(status[2]), []).append(int(status[1]))
    found = list(children.get(process, []))
    for pid in found:
        found += children.get(pid, [])
    return found


def started_as(user: int, process: int) -> int:
    """The first process below this one that is this user's: what an engine would call process 1.

    The last helper of buildah, which stays its parent, is that user's as well.
    """
    for pid in descendants(process):
        helper = _read(Path(f"/proc/{pid}/cmdline")).startswith("buildah-")
        if not helper and re.search(rf"^Uid:\t{user}\t", _read(Path(f"/proc/{pid}/status")), re.M):
            return pid
    sys.exit(f"NOT AS PROMISED: something runs as the user {user}")


def _read(path: Path) -> str:
    """A file of a process; empty when the process has ended meanwhile."""
    try:
        return path.read_text()
    except OSError:
        return ""


def resident_megabytes(process: int) -> int:
    """What a process holds in memory, in MB (10^6 bytes)."""
    (kibibytes,) = re.findall(r"^VmRSS:\s+(\d+) kB$", Path(f"/proc/{process}/status").read_text(), re.M)
    return round(int(kibibytes) * 1024 / 1e6)
