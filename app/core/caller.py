"""Who is asking, from where: what every use case needs to decide and to leave a trace."""

import enum
from dataclasses import dataclass


class Role(enum.StrEnum):
    """What a user may do. Customers sign up; the others are made by `bank create-staff`."""

    CUSTOMER = "customer"
    TELLER = "teller"
    OPERATOR = "operator"
    AUDITOR = "auditor"
    ADMIN = "admin"
    NETWORK = "network"


STAFF_ROLES = frozenset(Role) - {Role.CUSTOMER}


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request came from: the client's address and the request id of the answer."""

    address: str | None
    request_id: str | None


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated user in one session.

    `id` is also the scope of idempotency keys: the user, never the token.
    """

    id: str
    role: Role
    session_id: str
    origin: Origin

    @property
    def is_staff(self) -> bool:
        return self.role in STAFF_ROLES
