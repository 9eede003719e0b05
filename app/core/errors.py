"""Every business error of the service, and nothing else.

    BankingError
    ├── BadRequest            400  malformed_json, malformed_request, idempotency_key_*
    ├── Unauthenticated       401  unauthenticated, invalid_credentials
    ├── Forbidden             403  forbidden
    ├── NotFound              404  not_found
    ├── MethodNotAllowed      405  method_not_allowed
    ├── NotAcceptable         406  not_acceptable
    ├── Conflict              409  insufficient_funds, account_frozen, email_taken, ...
    ├── PreconditionFailed    412  precondition_failed
    ├── BodyTooLarge          413  body_too_large
    ├── UnsupportedMediaType  415  unsupported_media_type
    ├── Unprocessable         422  validation_failed, same_account, currency_mismatch, ...
    ├── RateLimited           429  rate_limited
    ├── HeadersTooLarge       431  headers_too_large
    ├── InternalError         500  internal_error
    └── Unavailable           503  overloaded, lock_timeout, storage_full, database_unavailable, ...

An error carries its code and its HTTP status; one handler renders it (`app/api/errors.py`). A message
says what is wrong in words a client's developer can act on and never repeats what was submitted.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Detail:
    """One thing that is wrong with one field: `field` is a path such as `address.city`."""

    field: str
    code: str
    message: str


class BankingError(Exception):
    """The root. Subclasses that name a `code` can be raised; the others only group."""

    status: ClassVar[int]
    code: ClassVar[str]
    message: ClassVar[str]

    def __init__(
        self,
        details: Sequence[Detail] = (),
        *,
        retry_after: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(self.code)
        self.details = tuple(details)
        self.headers = dict(headers or {})
        if retry_after is not None:
            self.headers["Retry-After"] = str(max(1, retry_after))


class BadRequest(BankingError):
    """The request cannot be read, whatever its fields say."""

    status = 400


class MalformedJson(BadRequest):
    code = "malformed_json"
    message = "The body is not a JSON document that this service reads."


class MalformedRequest(BadRequest):
    code = "malformed_request"
    message = "The request is not valid HTTP for this service."


class IdempotencyKeyRequired(BadRequest):
    code = "idempotency_key_required"
    message = "This request needs an Idempotency-Key header."


class IdempotencyKeyInvalid(BadRequest):
    code = "idempotency_key_invalid"
    message = "Idempotency-Key must be one header of 1 to 255 printable ASCII characters."


class Unauthenticated(BankingError):
    status = 401
    code = "unauthenticated"
    message = "A valid access token is needed."

    def __init__(self) -> None:
        super().__init__(headers={"WWW-Authenticate": "Bearer"})


class InvalidCredentials(Unauthenticated):
    code = "invalid_credentials"
    message = "The e-mail address or the password is wrong."


class Forbidden(BankingError):
    status = 403
    code = "forbidden"
    message = "Your role does not allow this."


class NotFound(BankingError):
    status = 404
    code = "not_found"
    message = "There is no such thing here."

    @classmethod
    def at(cls, field: str) -> "NotFound":
        """The same answer for a malformed, unknown or foreign id in the named field."""
        return cls([Detail(field, cls.code, "No such object.")])


class MethodNotAllowed(BankingError):
    status = 405
    code = "method_not_allowed"
    message = "This path does not know that method."


class NotAcceptable(BankingError):
    status = 406
    code = "not_acceptable"
    message = "There is no such format here."


class Conflict(BankingError):
    """The request is right; the state of things does not allow it."""

    status = 409


class EmailTaken(Conflict):
    code = "email_taken"
    message = "There is a user with this e-mail address."


class HolderExists(Conflict):
    code = "holder_exists"
    message = "This user is an account holder already."


class HolderRequired(Conflict):
    code = "holder_required"
    message = "An account needs a holder: create one first."


class InsufficientFunds(Conflict):
    code = "insufficient_funds"
    message = "The available balance does not cover this."


class AccountFrozen(Conflict):
    code = "account_frozen"
    message = "The account is frozen; nothing goes out of it."


class AccountClosed(Conflict):
    code = "account_closed"
    message = "The account is closed."


class DestinationUnavailable(Conflict):
    code = "destination_unavailable"
    message = "The receiving account cannot take this."


class LimitExceeded(Conflict):
    code = "limit_exceeded"
    message = "This would pass a limit of the account."


class BalanceLimit(Conflict):
    code = "balance_limit"
    message = "The balance would pass what an account can hold."


class BalanceNotZero(Conflict):
    code = "balance_not_zero"
    message = "Only an account with balance 0 can be closed."


class AccountInUse(Conflict):
    code = "account_in_use"
    message = "Something on the account is still open."


class AlreadyReversed(Conflict):
    code = "already_reversed"
    message = "This transfer has been reversed."


class NotReversible(Conflict):
    code = "not_reversible"
    message = "A transfer of this kind or status cannot be reversed."


class HoldNotActive(Conflict):
    code = "hold_not_active"
    message = "This is no hold, or no longer one: captured, voided or expired."


class CardState(Conflict):
    code = "card_state"
    message = "The card's state does not allow this."


class IdempotencyInProgress(Conflict):
    code = "idempotency_in_progress"
    message = "A request with this Idempotency-Key is still running."


class PreconditionFailed(BankingError):
    status = 412
    code = "precondition_failed"
    message = "The thing has changed since you read it."

    @classmethod
    def check(cls, accepted: frozenset[int] | None, version: int) -> None:
        """Raises unless the version is one that the client accepts; None accepts any."""
        if accepted is not None and version not in accepted:
            raise cls()


class BodyTooLarge(BankingError):
    status = 413
    code = "body_too_large"
    message = "The body is larger than this route takes."


class UnsupportedMediaType(BankingError):
    status = 415
    code = "unsupported_media_type"
    message = "The body must be of the media type that this route documents, in UTF-8."


class Unprocessable(BankingError):
    """The request can be read, and what it asks for is wrong."""

    status = 422


class ValidationFailed(Unprocessable):
    code = "validation_failed"
    message = "Some fields are not valid; details name them."


class IdempotencyKeyReused(Unprocessable):
    code = "idempotency_key_reused"
    message = "This Idempotency-Key was used for another request."


class InvalidCursor(Unprocessable):
    code = "invalid_cursor"
    message = "The cursor does not belong to this list, these filters or you."


class InvalidEmail(Unprocessable):
    code = "invalid_email"
    message = "This is not an e-mail address that the service takes."


class SameAccount(Unprocessable):
    code = "same_account"
    message = "Source and destination are the same account."


class CurrencyMismatch(Unprocessable):
    code = "currency_mismatch"
    message = "The currency is not the account's."


class CurrencyNotSupported(Unprocessable):
    code = "currency_not_supported"
    message = "There is no such currency here."


class RateLimited(BankingError):
    status = 429
    code = "rate_limited"
    message = "Too many requests; try again later."


class HeadersTooLarge(BankingError):
    status = 431
    code = "headers_too_large"
    message = "The request's headers are too large."


class InternalError(BankingError):
    status = 500
    code = "internal_error"
    message = "Something went wrong on our side; the request id finds it in the log."


class Unavailable(BankingError):
    """The service cannot do this now; nothing the client sent is wrong, and it may try again.

    With the same Idempotency-Key a retry is always safe.
    """

    status = 503

    def __init__(self, *, retry_after: int = 1) -> None:
        super().__init__(retry_after=retry_after)


class Overloaded(Unavailable):
    code = "overloaded"
    message = "The service is busy."


class LockTimeout(Unavailable):
    code = "lock_timeout"
    message = "The database is held by another writer."


class StorageFull(Unavailable):
    code = "storage_full"
    message = "The database has no space left."


class DatabaseUnavailable(Unavailable):
    code = "database_unavailable"
    message = "The database does not answer."


class NotReady(Unavailable):
    code = "not_ready"
    message = "The service is starting, stopping, or its database is not migrated."


def restored(code: str, details: Sequence[Sequence[str]]) -> BankingError:
    """An error that was kept as its code and the (field, code, message) of its details."""
    error = next(one for one in catalogue() if one.code == code)()
    error.details = tuple(Detail(*detail) for detail in details)
    return error


def catalogue() -> Iterator[type[BankingError]]:
    """Every error that can be raised, in the order of this file; the documents list the same."""
    pending: list[type[BankingError]] = [BankingError]
    while pending:
        error = pending.pop(0)
        pending = error.__subclasses__() + pending
        if "code" in error.__dict__:
            yield error
