"""The HTTP/1.1 parser of the server, with an end to what it reads and our envelope where it gives up."""

from typing import Any, Final

from starlette.responses import Response
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from app.api.errors import envelope
from app.api.middleware import add_headers
from app.core import errors, ids

# What of a request may arrive before its headers are complete. Well above what the application takes
# (431), because the end of the request before, up to one read of 256 KiB, counts here too.
_LONGEST_HEAD: Final = 512 * 1024


class BoundedHttp(HttpToolsProtocol):
    """Closes a connection whose request never stops beginning; the parser itself would take all memory."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._in_head = True
        self._head_bytes = 0

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._head_bytes = self._head_bytes + len(data) if self._in_head else 0
        if self._head_bytes > _LONGEST_HEAD and not self.transport.is_closing():
            self._refuse(errors.HeadersTooLarge())

    def on_headers_complete(self) -> None:
        self._in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._in_head = True
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Answers what is not HTTP; `msg` is the server's own sentence, and ours is kept instead."""
        self._refuse(errors.MalformedRequest())

    def _refuse(self, error: errors.BankingError) -> None:
        request_id = ids.new_id(ids.REQUEST)
        self.logger.info("refused before any route", extra={"request_id": request_id, "code": error.code})
        response = envelope(error, request_id)
        response.headers["Connection"] = "close"
        add_headers(response.headers, request_id)
        self.transport.write(_serialize(response))
        self.transport.close()


def _serialize(response: Response) -> bytes:
    headers = [b"%s: %s\r\n" % pair for pair in response.raw_headers]
    return b"".join([STATUS_LINE[response.status_code], *headers, b"\r\n", bytes(response.body)])
