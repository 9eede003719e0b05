"""What endpoints ask for in their signatures.

`CurrentUser` and its role-bound kin authenticate; `Db`, `Here` and the others hand over parts of the
running service. The guards among them do their checks before the body is read, in the order that
`app/api/routing.py` fixes; as dependencies they only return what they found.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import Depends, Security
from fastapi.openapi.models import OAuth2, OAuthFlowPassword, OAuthFlows
from fastapi.security.base import SecurityBase
from starlette.requests import Request

from app.api.direct import Part
from app.api.routing import Guard
from app.api.state import Bank, bank_of
from app.core import errors
from app.core.caller import Caller, Origin, Role
from app.db.unit_of_work import Database


class Authenticated(Guard, SecurityBase):
    """A user with a live session, in one of the given roles (any, when none is given)."""

    def __init__(self, roles: Iterable[Role] = ()) -> None:
        self.scheme_name = "login"
        self.model = OAuth2(
            flows=OAuthFlows(password=OAuthFlowPassword(tokenUrl="/v1/auth/token")),
            description="Log in with e-mail (as username) and password.",
        )
        self.roles: Final = frozenset(roles)

    async def identify(self, request: Request) -> None:
        bank = bank_of(request)
        claims = bank.signer.verify(_bearer_token(request))
        identity = await bank.identities.of(claims.session_id)
        if identity is None or identity.user_id != claims.user_id:
            raise errors.Unauthenticated()
        request.state.caller = Caller(identity.user_id, identity.role, claims.session_id, origin_of(request))

    def permit(self, request: Request) -> None:
        if self.roles and request.state.caller.role not in self.roles:
            raise errors.Forbidden()

    def find(self, request: Request) -> Any:
        return request.state.caller


class Funding(Authenticated):
    """As `Authenticated`; customers only where the bank lets them deposit and withdraw by themselves."""

    def permit(self, request: Request) -> None:
        super().permit(request)
        caller: Caller = request.state.caller
        if not caller.is_staff and not bank_of(request).settings.customers_fund:
            raise errors.Forbidden()


class Networking(Authenticated):
    """As `Authenticated`; customers only where the bank lets them play the card network."""

    def permit(self, request: Request) -> None:
        super().permit(request)
        caller: Caller = request.state.caller
        if not caller.is_staff and not bank_of(request).settings.owners_play_network:
            raise errors.Forbidden()


def _bearer_token(request: Request) -> str:
    """The token of the one Authorization header; the scheme's case does not matter (RFC 9110)."""
    headers = request.headers.getlist("authorization")
    scheme, _, token = headers[0].partition(" ") if len(headers) == 1 else ("", "", "")
    if scheme.lower() != "bearer":
        raise errors.Unauthenticated()
    return token


@dataclass(frozen=True, slots=True)
class Claim:
    """An idempotency key and the scope it is unique in: the user, never the token."""

    caller: str
    key: str


class KeyGuard(Guard):
    """The Idempotency-Key header: required where money moves, honoured on every other POST."""

    def __init__(self, *, required: bool) -> None:
        self.required: Final = required

    def permit(self, request: Request) -> None:
        values = request.headers.getlist("idempotency-key")
        if not values and self.required:
            raise errors.IdempotencyKeyRequired()
        if values and not (len(values) == 1 and _is_key(values[0])):
            raise errors.IdempotencyKeyInvalid()
        caller: Caller = request.state.caller
        request.state.claim = Claim(caller.id, values[0]) if values else None

    def find(self, request: Request) -> Any:
        return request.state.claim


def _is_key(value: str) -> bool:
    return 1 <= len(value) <= 255 and value.isascii() and value.isprintable()


def origin_of(request: Request) -> Origin:
    """Where the request came from, as the audit log keeps it."""
    return Origin(request.state.address, request.state.request_id)


# Those who act on accounts: customers for themselves, tellers for people at the counter.

Clerk = Annotated[Caller, Security(Authenticated((Role.CUSTOMER, Role.TELLER)))]
Funder = Annotated[Caller, Security(Funding((Role.CUSTOMER, Role.TELLER)))]
Reverser = Annotated[Caller, Security(Authenticated((Role.TELLER, Role.OPERATOR)))]
Issuer = Annotated[Caller, Security(Authenticated((Role.CUSTOMER, Role.TELLER, Role.OPERATOR)))]
BookKeeper = Annotated[Caller, Security(Authenticated((Role.OPERATOR, Role.AUDITOR, Role.ADMIN)))]
CurrentUser = Annotated[Caller, Security(Authenticated())]
Network = Annotated[Caller, Security(Networking((Role.CUSTOMER, Role.NETWORK)))]
# The payer of a hold, and who takes transfers back.
HoldKeeper = Annotated[Caller, Security(Authenticated((Role.CUSTOMER, Role.TELLER, Role.OPERATOR)))]
OptionalKey = Annotated[Claim | None, Depends(KeyGuard(required=False))]
IdempotencyKey = Annotated[Claim, Depends(KeyGuard(required=True))]
Db = Annotated[Database, Depends(Part(lambda request: bank_of(request).db))]
Here = Annotated[Bank, Depends(Part(bank_of))]
From = Annotated[Origin, Depends(Part(origin_of))]
