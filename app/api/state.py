"""What the process keeps between requests, and how a request reaches it."""

from dataclasses import dataclass, field
from typing import cast

from starlette.requests import Request

from app.api.identity import Identities
from app.core.config import Settings
from app.core.security import PasswordHasher, TokenSigner
from app.core.throttle import FailureThrottle
from app.db.unit_of_work import Database
from app.ledger.posting import Ledger


@dataclass(slots=True)
class Bank:
    """The parts of a running service. Made by `create_app`; the database connects on first use."""

    settings: Settings
    db: Database
    signer: TokenSigner
    hasher: PasswordHasher
    identities: Identities
    login_throttle: FailureThrottle
    ledger: Ledger
    cursor_key: bytes = field(repr=False)
    card_key: str = field(repr=False)
    draining: bool = False

    def close(self) -> None:
        self.hasher.close()
        self.db.close()


def bank_of(request: Request) -> Bank:
    """The running service that a request came to."""
    return cast(Bank, request.app.state.bank)
