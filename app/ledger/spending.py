"""What may leave an account on a day of the bank, and what has."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy.orm import Session

from app.core import clock, dates
from app.ledger.batch import Batch, transfers_of
from app.ledger.commands import CaptureTransfer, Command, IncrementTransfer
from app.ledger.policy import Policy
from app.ledger.records import Row
from app.ledger.states import AccountState
from app.models.transfers import TransferKind
from app.repositories import ledger as sql

_SPENDING: Final = frozenset({TransferKind.TRANSFER, TransferKind.WITHDRAWAL, TransferKind.CARD_PAYMENT})


class Spending:
    """The sums of a batch's accounts, by their keys; they grow while it is judged."""

    def __init__(self, policy: Policy, since: datetime, sums: dict[int, int]) -> None:
        self._limits = policy.daily_limits
        self._since = since
        self.sums = sums

    def limit_of(self, kind: str, currency: str) -> int | None:
        """The most that such movements may take out of an account in a day; None for any amount."""
        return self._limits.get(currency) if kind in _SPENDING else None

    def of(self, account: AccountState) -> int:
        """What has gone out today, in minor units."""
        return self.sums.get(account.key, 0)

    def passes_limit(self, kind: str, source: AccountState, amount: int) -> bool:
        """Whether so much more would be too much."""
        limit = self.limit_of(kind, source.currency)
        return limit is not None and self.of(source) + amount > limit

    def add(self, kind: str, source: AccountState, amount: int) -> None:
        """Counts what goes out now."""
        if self.limit_of(kind, source.currency) is not None:
            self.sums[source.key] = self.of(source) + amount

    def let_go(self, hold: Row, source: AccountState, amount: int) -> None:
        """Counts no longer what a hold of today does not reserve any more. A negative amount is more."""
        if hold["created_at"] >= self._since:
            self.add(hold["kind"], source, -amount)


def today(session: Session, policy: Policy, account_key: int, currency: str) -> tuple[int, int] | None:
    """(the most that may leave an account today, what has left it); None where there is no limit."""
    limit = policy.daily_limits.get(currency)
    if limit is None:
        return None
    now = clock.now()
    sums = sql.spent_since(session, {account_key}, _start_of_day(policy, now), now, _SPENDING)
    return limit, sums.get(account_key, 0)


def _start_of_day(policy: Policy, now: datetime) -> datetime:
    return dates.start_of_day(now.astimezone(policy.zone).date(), policy.zone)


def load(session: Session, policy: Policy, batch: Batch, commands: Sequence[Command]) -> Spending:
    """What has gone out today of the accounts that a limit is asked of; one statement, if there are any."""
    since = _start_of_day(policy, batch.now)
    limited = _limited(policy, batch, commands)
    sums = sql.spent_since(session, limited, since, batch.now, _SPENDING) if limited else {}
    return Spending(policy, since, sums)


def _limited(policy: Policy, batch: Batch, commands: Sequence[Command]) -> set[int]:
    """The keys of the accounts that money of a limited currency may go out of."""
    sources = [
        batch.account(command.source, command.currency)
        for command in transfers_of(commands)
        if command.kind in _SPENDING
    ]
    sources += [
        batch.accounts[transfer["source_key"]]
        for command in commands
        if isinstance(command, IncrementTransfer | CaptureTransfer)
        if (transfer := batch.transfers.get(command.transfer_id)) is not None
    ]
    return {state.key for state in sources if state is not None and state.currency in policy.daily_limits}
