"""A blocking client of the application, for tests that read like a conversation.

The application runs on an event loop in a thread of its own, as in production; many threads may send
requests at the same time. There is no network between, everything else is real.
"""

import asyncio
import itertools
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from fastapi import FastAPI

from app.core.config import Settings
from app.db.unit_of_work import Database
from app.main import create_app
from tests.isolation import patiently

PASSWORD = "a good long password"
# How often requests have been sent at the same instant; the next number is the count so far.
races = itertools.count()


class Loop:
    """An event loop in a thread of its own, for one application."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(timeout=60)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class _Transport(httpx.BaseTransport):
    """Hands a request to the application on its loop."""

    def __init__(self, app: FastAPI, loop: Loop, address: str) -> None:
        self._loop = loop
        self._asgi = httpx.ASGITransport(app, client=(address, 1234))

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        return self._loop.run(self._answer(request))

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        sent = httpx.Request(request.method, request.url, headers=request.headers, content=request.content)
        response = await self._asgi.handle_async_request(sent)
        body = await response.aread()
        return httpx.Response(response.status_code, headers=response.headers, content=body)


class BankClient(httpx.Client):
    """`client.post("/v1/...", json=...)`, wherever the service is."""

    def sign_up(self, email: str = "ada@example.com", password: str = PASSWORD) -> "Person":
        """A new customer, logged in."""
        created = self.post("/v1/auth/signup", json={"email": email, "password": password})
        assert created.status_code == 201, created.text
        return self.log_in(email, password)

    def log_in(self, email: str = "ada@example.com", password: str = PASSWORD) -> "Person":
        tokens = self.post("/v1/auth/login", json={"email": email, "password": password})
        assert tokens.status_code == 200, tokens.text
        return Person(self, tokens.json()["access_token"], tokens.json()["refresh_token"])


class ApiClient(BankClient):
    """A client of an application in this process; `client.app` is what answers."""

    def __init__(self, app: FastAPI, loop: Loop, address: str = "192.0.2.1") -> None:
        super().__init__(transport=_Transport(app, loop, address), base_url="http://bank.test")
        self.app = app
        self.loop = loop

    @property
    def db(self) -> Database:
        return self.app.state.bank.db

    def at(self, address: str) -> "ApiClient":
        """A client at another network address, of the same application."""
        return ApiClient(self.app, self.loop, address)


@dataclass
class Person:
    """Somebody who is logged in; requests carry the access token."""

    client: BankClient
    access_token: str
    refresh_token: str

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.access_token}"}

    def request(self, method: str, path: str, **kwargs: Any) -> httpx.Response:
        headers = self.bearer | kwargs.pop("headers", {})
        return self.client.request(method, path, headers=headers, **kwargs)

    def get(self, path: str, **kwargs: Any) -> httpx.Response:
        return self.request("GET", path, **kwargs)

    def post(self, path: str, **kwargs: Any) -> httpx.Response:
        return self.request("POST", path, **kwargs)

    def patch(self, path: str, **kwargs: Any) -> httpx.Response:
        return self.request("PATCH", path, **kwargs)

    def delete(self, path: str, **kwargs: Any) -> httpx.Response:
        return self.request("DELETE", path, **kwargs)


@contextmanager
def running(settings: Settings) -> Iterator[ApiClient]:
    """The application for these settings, from start-up to shutdown."""
    app = create_app(settings)
    lifespan = app.router.lifespan_context(app)
    loop = Loop()
    loop.run(lifespan.__aenter__())
    try:
        yield ApiClient(app, loop)
    finally:
        loop.run(lifespan.__aexit__(None, None, None))
        loop.close()


def error_of(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """Asserts exactly this refusal, in the envelope; returns the error object."""
    assert response.status_code == status, response.text
    error = response.json()["error"]
    assert error["code"] == code, response.text
    assert set(error) == {"code", "message", "details", "request_id"}
    assert error["request_id"] == response.headers["x-request-id"]
    return error


def together(*calls: Callable[[], httpx.Response]) -> list[httpx.Response]:
    """Makes all calls at once, each in a thread of its own."""
    next(races)
    gate = threading.Barrier(len(calls))

    def run(call: Callable[[], httpx.Response]) -> httpx.Response:
        gate.wait()
        return patiently(call)

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def outcomes(answers: Sequence[httpx.Response]) -> Counter[Any]:
    """How often each status came, a refusal with its code."""
    return Counter(
        (answer.status_code, answer.json()["error"]["code"])
        if answer.status_code >= 400
        else answer.status_code
        for answer in answers
    )
