"""Requests as a server hands them to the application, with nothing tidied up on the way.

An HTTP client would mend, escape or refuse half of what these tests send.
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote, unquote

from sqlalchemy.orm import Session

from tests.client import ApiClient

Headers = tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True)
class Raw:
    """A request: method, path and query as they stand in the request line, headers, body."""

    method: str
    path: bytes
    query: bytes = b""
    headers: dict[str, bytes] = field(default_factory=dict)
    body: bytes = b""

    def with_header(self, name: str, value: bytes) -> "Raw":
        return replace(self, headers=self.headers | {name.lower(): value})

    def with_query(self, name: str, value: bytes) -> "Raw":
        others = [pair for pair in self.query.split(b"&") if pair and pair.split(b"=")[0] != name.encode()]
        return replace(self, query=b"&".join([*others, quote(name).encode() + b"=" + value]))


@dataclass(frozen=True)
class Answer:
    """What the application sent."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def error(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)["error"]
        return found


async def _exchange(app: Any, request: Raw, address: str) -> Answer:
    path = unquote(request.path.decode("ascii"))
    headers = {"host": b"bank.test", "content-length": str(len(request.body)).encode()} | request.headers
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": "http",
        "path": path,
        "raw_path": request.path,
        "root_path": "",
        "query_string": request.query,
        "headers": [(name.encode(), value) for name, value in headers.items()],
        "client": (address, 1234),
        "server": ("bank.test", 80),
    }
    sent: list[Any] = []

    body = [request.body]

    async def receive() -> Any:
        if not body:
            # The client says no more, and stays.
            await asyncio.Event().wait()
        return {"type": "http.request", "body": body.pop(), "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    found = {name.decode("latin-1"): value.decode("latin-1") for name, value in sent[0]["headers"]}
    return Answer(sent[0]["status"], found, b"".join(one.get("body", b"") for one in sent[1:]))


class Wire:
    """Sends requests to the application of a client, from one address."""

    def __init__(self, client: ApiClient, address: str, look: Callable[[Session], Any]) -> None:
        self.client = client
        self.address = address
        self.look = look

    def send_and_look(self, request: Raw) -> tuple[Answer, Any]:
        """The answer and, where it may have written nothing, what `look` finds in the database then."""
        found: tuple[Answer, Any] = self.client.loop.run(self._send_and_look(request))
        return found

    async def _send_and_look(self, request: Raw) -> tuple[Answer, Any]:
        answer = await _exchange(self.client.app, request, self.address)
        harmless = answer.status >= 400 or request.method == "GET"
        return answer, await self.client.db.read(self.look) if harmless else None
