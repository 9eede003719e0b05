"""The statements of a month for every account, beside the service: `bank issue-statements --month 2026-02`.

Each statement is a commit of its own, and accounts that have theirs are passed over. So what was
interrupted goes on when the same command is given again.
"""

from collections.abc import Iterator
from typing import Final

from app.core.caller import Caller, Origin, Role
from app.db.unit_of_work import Database
from app.repositories.audit import SYSTEM
from app.services import statements
from app.services.statements import Period

_PAGE: Final = 500


def issue_all(db: Database, period: Period, issuer: str) -> Iterator[str]:
    """Issues what has not been issued of a month that is over; the id of each account when it is done."""
    caller = Caller(SYSTEM, Role.OPERATOR, "", Origin(address=None, request_id=None))
    after = 0
    while page := db.run_read(statements.find_unissued_accounts, period, after=after, limit=_PAGE):
        for account in page:
            _issue(db, caller, account.id, period, issuer)
            yield account.id
        after = page[-1].key


def _issue(db: Database, caller: Caller, account_id: str, period: Period, issuer: str) -> None:
    found = db.run_read(statements.find_statement, caller=caller, account_id=account_id, period=period)
    *_, drafted = statements.draft(db.run_read, found)
    db.run_write(
        statements.issue,
        caller=caller,
        account_id=account_id,
        period=period,
        drafted=drafted,
        issuer=issuer,
    )
