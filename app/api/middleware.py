"""What happens around every request: its id, its address, limits, headers, the access log.

One pure ASGI class, because each layer costs every transfer. Nothing that is raised passes it: a
client always gets an envelope.
"""

import asyncio
import logging
import re
from ipaddress import ip_address
from typing import Final

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api import errors as rendering
from app.core import clock, errors, ids
from app.core.config import Settings
from app.core.logging import ACCESS_LOG

_log = logging.getLogger(__name__)
_access_log = logging.getLogger(ACCESS_LOG)

_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_LARGEST_HEADERS: Final = 32 * 1024
_EVERY_ANSWER: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"strict-transport-security", b"max-age=31536000; includeSubDomains"),
)
# Where the answer does not say otherwise.
_DEFAULTS: Final = (
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cache-control", b"no-store"),
)


class RequestContext:
    """The outermost layer of the application."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._hosts = frozenset(host.lower() for host in settings.allowed_hosts)
        self._proxies = settings.trusted_proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        request_id = _request_id(headers)
        address = self._client_address(scope, headers)
        scope["state"] = {"request_id": request_id, "address": address}
        began = clock.monotonic()
        status = 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                add_headers(message["headers"], request_id)
            await send(message)

        try:
            self._refuse(scope, headers)
            await self._app(scope, receive, answer)
        except errors.BankingError as error:
            if status:
                # In the middle of an answer that is written while it is sent: it ends without its end.
                _log.warning("an answer was cut off", extra={"request_id": request_id, "code": error.code})
                return
            await rendering.envelope(error, request_id)(scope, receive, answer)
        except ClientDisconnect:
            # Nobody waits for an answer; the access log has the request with status 0.
            pass
        except asyncio.CancelledError:
            # The grace of a shutdown is over. The server would say 500, in plain text.
            if not status:
                response = rendering.envelope(errors.NotReady(), request_id)
                response.headers["Connection"] = "close"
                await response(scope, receive, answer)
            raise
        except Exception:
            _log.exception("unexpected error", extra={"request_id": request_id})
            if not status:
                response = rendering.envelope(errors.InternalError(), request_id)
                await response(scope, receive, answer)
        finally:
            _access_log.info(
                "request",
                extra={
                    "request_id": request_id,
                    "method": scope["method"],
                    "path": _loggable_path(scope),
                    "status": status,
                    "ms": round((clock.monotonic() - began) * 1000, 1),
                    "address": address,
                },
            )

    def _refuse(self, scope: Scope, headers: Headers) -> None:
        """Requests that no route should see."""
        # Without exactly one Host a proxy and this server may disagree on whom it is for (RFC 9112, 3.2).
        hosts = headers.getlist("host")
        if len(hosts) > 1 or (not hosts and scope["http_version"] == "1.1"):
            raise errors.MalformedRequest(headers={"Connection": "close"})
        # A proxy and this server may disagree on where such a request ends (RFC 9112, section 6.1).
        if "transfer-encoding" in headers and "content-length" in headers:
            raise errors.MalformedRequest(headers={"Connection": "close"})
        length = len(scope.get("raw_path") or b"") + len(scope["query_string"])
        if length + sum(len(name) + len(value) for name, value in scope["headers"]) > _LARGEST_HEADERS:
            raise errors.HeadersTooLarge(headers={"Connection": "close"})
        if self._hosts and _host_name(headers.get("host", "")) not in self._hosts:
            raise errors.MalformedRequest()

    def _client_address(self, scope: Scope, headers: Headers) -> str | None:
        """The socket's address or, behind trusted proxies, the last one that they did not add."""
        # The zone of a link-local neighbour is of this machine, and no part of the address.
        address: str | None = scope["client"][0].partition("%")[0] if scope.get("client") else None
        if not self._proxies:
            return address
        chain = ",".join(headers.getlist("x-forwarded-for")).split(",")
        for hop in reversed(chain):
            said = _valid_address(hop.strip())
            # Beyond a hop that cannot be read stands what the client wrote.
            if said is None or not self._is_proxy(address):
                break
            address = said
        return address

    def _is_proxy(self, address: str | None) -> bool:
        valid = _valid_address(address or "")
        return valid is not None and any(ip_address(valid) in net for net in self._proxies)


def _request_id(headers: Headers) -> str:
    """The client's own id where it is harmless, else a new one."""
    given = headers.get("x-request-id", "")
    return given if _REQUEST_ID.fullmatch(given) else ids.new_id(ids.REQUEST)


def _loggable_path(scope: Scope) -> str:
    """The path of the route, with the ids in it. What else a client writes there may be a secret: `*`."""
    template: str = getattr(scope.get("route"), "path_format", "*")
    given = scope.get("path_params", {}).items()
    return template.format_map({name: value if ids.is_any_id(str(value)) else "*" for name, value in given})


def add_headers(headers: list[tuple[bytes, bytes]], request_id: str) -> None:
    """Adds what every answer carries."""
    given = {name for name, _ in headers}
    headers.append((b"x-request-id", request_id.encode()))
    headers.extend(_EVERY_ANSWER)
    headers.extend(default for default in _DEFAULTS if default[0] not in given)


def _host_name(host: str) -> str:
    """`Example.com:8000` -> `example.com`; an IPv6 literal keeps its brackets."""
    name = host.lower()
    return name[: name.index("]") + 1] if "]" in name else name.split(":")[0]


def _valid_address(text: str) -> str | None:
    """The address in its usual form; an IPv4 one that came through an IPv6 socket is itself.

    None with a zone (`fe80::1%eth0`): it means something on one machine only, and may be of any length.
    """
    if "%" in text:
        return None
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return str(getattr(address, "ipv4_mapped", None) or address)


class Cors(CORSMiddleware):
    """Cross-origin requests, with a refused preflight in the envelope."""

    def preflight_response(self, request_headers: Headers) -> Response:
        response = super().preflight_response(request_headers)
        if response.status_code >= errors.BadRequest.status:
            raise errors.MalformedRequest(headers={"Vary": response.headers["Vary"]})
        return response
