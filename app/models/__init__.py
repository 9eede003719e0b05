"""The tables. Importing this package registers every one of them with the metadata."""

from app.models.accounts import Account
from app.models.audit import AuditRecord
from app.models.auth import LoginSession, RefreshToken, User
from app.models.authorizations import Authorization, CardRefund
from app.models.cards import Card
from app.models.holders import AccountHolder
from app.models.idempotency import BulkChunk, IdempotencyKey
from app.models.statements import IssuedPart, IssuedStatement, ValueDate
from app.models.transfers import Entry, HoldEvent, Transfer

__all__ = [
    "Account",
    "AccountHolder",
    "AuditRecord",
    "Authorization",
    "BulkChunk",
    "Card",
    "CardRefund",
    "Entry",
    "HoldEvent",
    "IdempotencyKey",
    "IssuedPart",
    "IssuedStatement",
    "LoginSession",
    "RefreshToken",
    "Transfer",
    "User",
    "ValueDate",
]
