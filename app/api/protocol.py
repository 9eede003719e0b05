"""The HTTP/1.1 parser of the server, with an end to what it reads and our envelope where it gives up.

`bank serve` uses it; `uvicorn --http app.api.protocol:BoundedHttp` does, too.
"""

import asyncio
import logging
import resource
from typing import Any, Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from app.api.errors import envelope
from app.api.middleware import add_headers
from app.core import errors, ids

_log = logging.getLogger(__name__)

# What of a request may arrive before its headers are complete. Well above what the application takes
# (431), because the end of the request before, up to one read of 256 KiB, counts here too.
_LONGEST_HEAD: Final = 512 * 1024
# Seconds in which a head must be complete, and in which something more of a body must come.
_PATIENCE: Final = 10.0
_MOST_CONNECTIONS: Final = 8192
# Of the files that the process may open, those for the database, the log, and refusing politely.
_SPARE_FILES: Final = 128


def _most_connections() -> int:
    """How many connections are served at once."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    endless = files == resource.RLIM_INFINITY
    return _MOST_CONNECTIONS if endless else max(1, min(files - _SPARE_FILES, _MOST_CONNECTIONS))


class BoundedHttp(HttpToolsProtocol):
    """Ends a connection whose request never stops beginning, or says nothing, and bounds their number."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._in_head = True
        self._head_bytes = 0
        # When something must have come; None while the client owes nothing.
        self._deadline: float | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._was_ours = False
        self._most = _most_connections()

    # The server's class says it takes any asyncio transport, and gets one of these.
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect()
        # One timer a connection, which looks at the deadline: a timer a request would cost each of them.
        self._watch = self.loop.call_later(_PATIENCE, self._look)
        # Those above the bound are told so, as far as there are files for that.
        if len(self.connections) > self._most + _SPARE_FILES // 2:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._watch is not None:
            self._watch.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._deadline is None:
            self._expect()
        super().data_received(data)
        if not self._in_head:
            self._expect()
        if self._in_head:
            self._head_bytes += len(data)
        if self._head_bytes > _LONGEST_HEAD and not self.transport.is_closing():
            self._refuse(errors.HeadersTooLarge())

    def on_headers_complete(self) -> None:
        self._in_head = False
        self.app = self.config.loaded_app if len(self.connections) <= self._most else _too_many
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._in_head = True
        self._head_bytes = 0
        self._deadline = None
        super().on_message_complete()

    def _expect(self) -> None:
        self._deadline = self.loop.time() + _PATIENCE

    def _look(self) -> None:
        """Ends the connection when the client owes something since too long; else looks again."""
        if self.transport.is_closing():
            return
        now = self.loop.time()
        # After a wait for us a client has the whole patience again, from the next look on.
        was_ours, self._was_ours = self._was_ours, self._is_our_turn()
        if self._deadline is not None and (was_ours or self._was_ours):
            self._expect()
        if self._deadline is not None and self._deadline <= now:
            self.transport.close()
            return
        self._watch = self.loop.call_at(self._deadline or now + _PATIENCE, self._look)

    def _is_our_turn(self) -> bool:
        """Whether the client cannot go on, because the application has not read or answered yet."""
        if self.cycle is None or self.cycle.response_complete:
            return False
        return self._in_head or self.flow.read_paused or self.cycle.waiting_for_100_continue

    def send_400_response(self, msg: str) -> None:
        """Answers what is not HTTP; `msg` is the server's own sentence, and ours is kept instead."""
        self._refuse(errors.MalformedRequest())

    def _refuse(self, error: errors.BankingError) -> None:
        self.transport.write(_serialize(_refusal(error)))
        self.transport.close()


async def _too_many(scope: Scope, receive: Receive, send: Send) -> None:
    """What is asked instead of the application when there are too many connections."""
    await _refusal(errors.Overloaded())(scope, receive, send)


def _refusal(error: errors.BankingError) -> Response:
    request_id = ids.new_id(ids.REQUEST)
    _log.info("refused before any route", extra={"request_id": request_id, "code": error.code})
    response = envelope(error, request_id)
    response.headers["Connection"] = "close"
    add_headers(response.raw_headers, request_id)
    return response


def _serialize(response: Response) -> bytes:
    headers = [b"%s: %s\r\n" % pair for pair in response.raw_headers]
    return b"".join([STATUS_LINE[response.status_code], *headers, b"\r\n", bytes(response.body)])
