"""Proof that the books are right: every rule of the ledger, in one snapshot."""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy.exc import NoResultFound
from sqlalchemy.orm import Session

from app.core.caller import Caller
from app.db.base import AnyRow
from app.repositories import integrity
from app.repositories.accounts import Accounts
from app.repositories.statements import Statements
from app.statements import json_text


@dataclass(frozen=True, slots=True)
class Finding:
    """A row that breaks a rule: which, what it says, what it should."""

    rule: str
    row: str
    actual: str
    expected: str


@dataclass(frozen=True, slots=True)
class Report:
    """How many rules were checked, and what was found."""

    rules: int
    findings: list[Finding]


def verify(session: Session) -> Report:
    """Checks everything. On a read session the checks see one state of the ledger, however busy it is."""
    findings = [
        Finding(check.rule, str(row.what), str(row.actual), str(row.expected))
        for check in integrity.CHECKS
        for row in integrity.offenders(session, check)
    ]
    findings += _changed_statements(session)
    return Report(len(integrity.CHECKS) + 1, findings)


def _changed_statements(session: Session) -> Iterator[Finding]:
    """Issued statements that are not what their hash is of."""
    statements = Statements(session)
    for one in statements.all_issued():
        parts = (zlib.decompress(statements.part(one.key, part)).decode() for part in range(one.parts))
        try:
            actual = json_text.digest(json_text.head_of(one.head), parts)
        except (zlib.error, ValueError, LookupError, NoResultFound):
            actual = "unreadable"
        if actual != one.sha256:
            yield Finding("an issued statement is what its hash is of", one.id, actual, one.sha256)


def trial_balance(session: Session, *, caller: Caller) -> Sequence[AnyRow]:
    """The books by currency and kind of account: (currency, kind, accounts, debit, credit), in one snapshot.

    A balance above 0 is credit, which is what the bank owes; one below 0 is debit. In each currency the
    two have the same sum. `caller` is any of those whom the edge lets ask.
    """
    return Accounts(session).totals()
