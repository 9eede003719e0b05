"""The tables. Importing this package registers every one of them with the metadata."""

from app.models.audit import AuditRecord
from app.models.auth import LoginSession, RefreshToken, User
from app.models.idempotency import IdempotencyKey

__all__ = ["AuditRecord", "IdempotencyKey", "LoginSession", "RefreshToken", "User"]
