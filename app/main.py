"""Wiring: `create_app(settings)`, and `app` for `uvicorn app.main:app`. Importing connects to nothing."""

import gc
import hashlib
import hmac
import logging
import signal
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from types import FrameType
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from app import __version__
from app.api import docs, openapi
from app.api.errors import render
from app.api.identity import Identities
from app.api.middleware import Cors, RequestContext
from app.api.state import Bank
from app.api.v1 import (
    accounts,
    admin,
    auth,
    authorizations,
    bulk,
    cards,
    currencies,
    health,
    holders,
    holds,
    statements,
    transactions,
    transfers,
)
from app.core.config import Settings, load_settings
from app.core.errors import BankingError
from app.core.kept_secrets import resolve_card_key, resolve_jwt_secret
from app.core.logging import configure_logging
from app.core.security import PasswordHasher, TokenSigner
from app.core.throttle import FailureThrottle
from app.db.session import sqlite_driver, sqlite_has_wal_fault
from app.db.unit_of_work import Database
from app.ledger.policy import Policy
from app.ledger.posting import Ledger

_log = logging.getLogger(__name__)

# A request is held against one route after the other: those of every second first.
_ROUTERS = (
    bulk.router,
    transfers.router,
    accounts.router,
    transactions.router,
    holds.router,
    authorizations.router,
    auth.router,
    cards.router,
    holders.router,
    statements.router,
    health.router,
    admin.router,
    currencies.router,
    docs.router,
)
_EXPOSED_HEADERS = (
    *("X-Request-Id", "Location", "ETag", "Idempotent-Replayed", "Retry-After"),
    "Content-Disposition",
)


def create_app(settings: Settings) -> FastAPI:
    """The application for these settings."""
    app = FastAPI(
        title="banking-service",
        description="A self-hosted core-banking API. Amounts are whole minor units.",
        version=__version__,
        lifespan=_lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        # It would ask the environment in every request whether somebody listens.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.bank = _assemble(settings)
    # Routes are listed flat: nested routers would be searched twice for every request.
    for router in _ROUTERS:
        app.router.routes.extend(router.routes)
    app.mount("/docs/assets", docs.assets)
    for kind in (BankingError, HTTPException, RequestValidationError):
        app.add_exception_handler(kind, render)
    if settings.cors_origins:
        app.add_middleware(
            Cors,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "POST", "PATCH", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "Idempotency-Key", "If-Match", "X-Request-Id"],
            expose_headers=_EXPOSED_HEADERS,
        )
    app.add_middleware(RequestContext, settings=settings)
    # The framework's own way to complete its document.
    app.openapi = lambda: openapi.build(app)  # type: ignore[method-assign]
    return app


def _assemble(settings: Settings) -> Bank:
    secret = resolve_jwt_secret(settings)
    previous = [one.get_secret_value() for one in settings.jwt_previous_secrets]
    db = Database(settings)
    return Bank(
        settings=settings,
        db=db,
        signer=TokenSigner(secret, previous, timedelta(minutes=settings.access_token_minutes)),
        hasher=PasswordHasher(settings.app_env, settings.hash_workers),
        identities=Identities(db, settings.session_cache_seconds),
        login_throttle=FailureThrottle(settings.login_attempts, settings.login_window_seconds),
        ledger=Ledger(Policy.of(settings)),
        cursor_key=hmac.new(secret.encode(), b"cursor", hashlib.sha256).digest(),
        card_key=resolve_card_key(settings),
    )


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    bank: Bank = app.state.bank
    _warn_of_sqlite(bank.settings)
    _watch_for_shutdown(bank)
    yield
    bank.close()
    _log.info("stopped")


def _warn_of_sqlite(settings: Settings) -> None:
    version = tuple(sqlite_driver.sqlite_version_info)
    if settings.is_sqlite and sqlite_has_wal_fault(version):
        _log.warning(
            "SQLite %s has a fault that can corrupt a database when another process writes beside "
            "the service; use a later release, or PostgreSQL",
            sqlite_driver.sqlite_version,
        )


def _watch_for_shutdown(bank: Bank) -> None:
    """From SIGTERM on the service is not ready, while the server finishes what runs."""
    if threading.current_thread() is not threading.main_thread():
        return
    server = signal.getsignal(signal.SIGTERM)

    def drain(number: int, frame: FrameType | None) -> Any:
        bank.draining = True
        if callable(server):
            server(number, frame)

    signal.signal(signal.SIGTERM, drain)


def __getattr__(name: str) -> FastAPI:
    """`app`, made when it is first asked for: importing this module reads no settings."""
    if name != "app":
        raise AttributeError(name)
    settings = load_settings()
    configure_logging(settings.log_level)
    application = create_app(settings)
    globals()["app"] = application
    _keep_for_good()
    return application


def _keep_for_good() -> None:
    """What has been made up to now stays as long as the process: the collector need not look at it.

    Each of its full collections did, and nobody was answered for 70 ms.
    """
    gc.collect()
    gc.freeze()
