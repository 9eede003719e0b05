"""May this money move? Pure functions over account states, asked in a fixed order.

The order is a contract: the first rule that objects is the answer a client gets. What the account of
somebody else refuses is told as one `destination_unavailable`, which says nothing more about it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.core import errors
from app.core.caller import Caller, Role
from app.core.errors import BankingError, Detail
from app.ledger.commands import AnyAccount, OwnAccount, PostTransfer
from app.ledger.states import AccountState
from app.models.transfers import TransferKind


@dataclass(frozen=True, slots=True)
class Case:
    """A transfer to be judged: what is asked, and the accounts as they are now, if there are such."""

    command: PostTransfer
    source: AccountState | None
    destination: AccountState | None
    # What has gone out of the source on this day of the bank, and the most that may.
    spent_today: int
    daily_limit: int | None


Rule = Callable[[PostTransfer, AccountState, AccountState], BankingError | None]


def may_use(caller: Caller, account: AccountState, kind: TransferKind) -> bool:
    """Whether the caller may name this account as their side of a movement.

    Owners their own. Tellers every customer's for cash over the counter, and for transfers the
    accounts of people who have no login to do it themselves.
    """
    if not account.is_customers:
        return False
    if account.owner_id is not None and account.owner_id == caller.id:
        return True
    if caller.role is not Role.TELLER:
        return False
    return kind is not TransferKind.TRANSFER or account.owner_id is None


def judge(case: Case) -> BankingError | None:
    """The first objection, or None when the money may move."""
    command, source, destination = case.command, case.source, case.destination
    for ref, state in ((command.source, source), (command.destination, destination)):
        if isinstance(ref, OwnAccount | AnyAccount) and not _is_usable(command, ref, state):
            return errors.NotFound.at(ref.field)
    if source is None or destination is None:
        # The bank has accounts in every currency that a customer has one in, so this is another.
        return _mismatch()
    for rule in _RULES:
        objection = rule(command, source, destination)
        if objection is not None:
            return objection
    if _passes_daily_limit(case):
        return errors.LimitExceeded()
    if not source.covers(command.amount):
        return errors.InsufficientFunds()
    # Known destinations have been asked already. Asked before the funds, a payer without any could
    # find out a stranger's balance by trying amounts.
    return None if destination.has_room_for(command.amount) else errors.DestinationUnavailable()


def _is_usable(command: PostTransfer, ref: OwnAccount | AnyAccount, state: AccountState | None) -> bool:
    if state is None:
        return False
    return isinstance(ref, AnyAccount) or may_use(command.caller, state, command.kind)


def _passes_daily_limit(case: Case) -> bool:
    return case.daily_limit is not None and case.spent_today + case.command.amount > case.daily_limit


def _refuse_same_account(
    command: PostTransfer, source: AccountState, destination: AccountState
) -> BankingError | None:
    return errors.SameAccount() if source.key == destination.key else None


def _refuse_currency(
    command: PostTransfer, source: AccountState, destination: AccountState
) -> BankingError | None:
    if source.currency != command.currency:
        return _mismatch()
    if destination.currency != command.currency:
        return (
            _mismatch()
            if may_know(command.caller, destination, command.kind)
            else errors.DestinationUnavailable()
        )
    return None


def _mismatch() -> BankingError:
    detail = Detail("currency", errors.CurrencyMismatch.code, "Not the account's currency.")
    return errors.CurrencyMismatch([detail])


def _refuse_status(
    command: PostTransfer, source: AccountState, destination: AccountState
) -> BankingError | None:
    if source.is_closed:
        return errors.AccountClosed()
    if source.is_frozen:
        return errors.AccountFrozen()
    if destination.is_closed:
        known = may_know(command.caller, destination, command.kind)
        return errors.AccountClosed() if known else errors.DestinationUnavailable()
    return None


def _refuse_balance(
    command: PostTransfer, source: AccountState, destination: AccountState
) -> BankingError | None:
    # How much room a stranger's account has is nobody's business who could not fill it: see `judge`.
    if may_know(command.caller, destination, command.kind) and not destination.has_room_for(command.amount):
        return errors.BalanceLimit()
    # Only an account of the bank can get here: the funds of a customer's end far above.
    if not source.is_customers and not source.has_room_for(-command.amount):
        return errors.BalanceLimit()
    return None


def may_know(caller: Caller, account: AccountState, kind: TransferKind) -> bool:
    """Whether the caller may hear what is the matter with this account."""
    return not account.is_customers or may_use(caller, account, kind)


_RULES: Sequence[Rule] = (
    _refuse_same_account,
    _refuse_currency,
    _refuse_status,
    _refuse_balance,
)

_REVERSIBLE = frozenset(
    {
        TransferKind.TRANSFER,
        TransferKind.DEPOSIT,
        TransferKind.WITHDRAWAL,
        TransferKind.FEE,
        TransferKind.INTEREST,
    }
)


def judge_reversal(
    *, kind: str, is_hold: bool, reversed_already: bool, amount: int, payer: AccountState, payee: AccountState
) -> BankingError | None:
    """May a transfer be taken back? `payer` received it and pays it back to `payee`.

    A hold is not taken back: what is open is voided, and what was captured is a transfer of its own. A
    frozen side is no obstacle for the staff who do this; a closed one is, and nobody is taken below
    their floor.
    """
    if kind not in _REVERSIBLE or is_hold:
        return errors.NotReversible()
    if reversed_already:
        return errors.AlreadyReversed()
    if payer.is_closed or payee.is_closed:
        return errors.AccountClosed()
    if not (payee.has_room_for(amount) and payer.has_room_for(-amount)):
        return errors.BalanceLimit()
    return None if payer.covers(amount) else errors.InsufficientFunds()
