"""Accounts: opening, looking at, naming and closing them."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from sqlalchemy.orm import Session

from app.core import clock, errors, ids, luhn
from app.core.access import READERS, may_read
from app.core.caller import Caller, Role
from app.core.errors import BankingError
from app.db.base import AnyRow
from app.ledger.posting import Ledger
from app.models import Account, AccountHolder
from app.models.accounts import SYSTEM_KINDS, AccountKind, AccountStatus
from app.repositories.accounts import AccountFilter, Accounts
from app.repositories.audit import SUCCESS, AuditLog
from app.repositories.cards import Cards
from app.repositories.holders import Holders
from app.repositories.holds import holds_page

_NUMBER_DIGITS = 12
_TRIES = 20
# Somebody who reads more than these reads a list.
_MOST_HOLDS = 100


@dataclass(frozen=True, slots=True)
class BookedBalance:
    """What was booked on an account at an instant."""

    account_id: str
    currency: str
    balance: int


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why an account's available balance is what it is: its holds, and (limit, spent) of today."""

    account: AnyRow
    holds: Sequence[AnyRow]
    today: tuple[int, int] | None


def open_account(
    session: Session,
    *,
    caller: Caller,
    kind: AccountKind,
    currency: str,
    nickname: str | None,
    holder_id: str | None,
    most: int,
) -> Account:
    """Opens an account with balance 0 and, with the first one of a currency, the bank's own.

    Customers open for themselves, and need to be holders (HolderRequired); tellers for the holder
    they name. Raises LimitExceeded for a holder who has `most` accounts.
    """
    holder = _holder_for(session, caller, holder_id)
    # Locked, so that two openings at once do not both take the last place.
    Holders(session).lock(holder.id)
    if Accounts(session).count_of(holder.id) >= most:
        raise errors.LimitExceeded()
    _open_system_accounts(session, currency)
    account = _new_account(kind, currency, holder=holder, nickname=nickname)
    for _ in range(_TRIES):
        if Accounts(session).add(account):
            break
        account.number = new_number()
    else:
        raise RuntimeError("no free account number found")
    AuditLog(session).record("account.open", actor=caller.id, origin=caller.origin, object_id=account.id)
    return account


def _holder_for(session: Session, caller: Caller, holder_id: str | None) -> AccountHolder:
    if caller.role is Role.CUSTOMER:
        assert holder_id is None, "the edge refuses it from customers, before it looks at the key"
        own = Holders(session).of_user(caller.id)
        if own is None:
            raise errors.HolderRequired()
        return own
    if holder_id is None:
        raise errors.HolderRequired()
    return _visible_holder(session, caller, holder_id)


def _visible_holder(session: Session, caller: Caller, holder_id: str) -> AccountHolder:
    known = ids.is_id(ids.HOLDER, holder_id)
    holder = Holders(session).get(holder_id) if known else None
    if holder is None or not may_read(caller, holder.user_id):
        raise errors.NotFound.at("account_holder_id")
    return holder


def _open_system_accounts(session: Session, currency: str) -> None:
    """The bank's side of a currency; posting never makes an account, so it must be there first."""
    accounts = Accounts(session)
    if not accounts.has_system(SYSTEM_KINDS[-1], currency):
        for kind in SYSTEM_KINDS:
            accounts.add(_new_account(kind, currency))


def _new_account(
    kind: AccountKind,
    currency: str,
    *,
    holder: AccountHolder | None = None,
    nickname: str | None = None,
) -> Account:
    now = clock.now()
    return Account(
        key=ids.new_key(),
        id=ids.new_id(ids.ACCOUNT),
        number=new_number() if holder else None,
        holder_id=holder.id if holder else None,
        owner_id=holder.user_id if holder else None,
        kind=kind,
        currency=currency,
        status=AccountStatus.ACTIVE,
        balance=0,
        held=0,
        overdraft_limit=0,
        unarranged=0,
        last_sequence=0,
        last_booked_at=now,
        nickname=nickname,
        version=1,
        created_at=now,
    )


def new_number() -> str:
    """Twelve digits that nobody can guess the next of; the last is the check digit."""
    digits = "".join(secrets.choice("0123456789") for _ in range(_NUMBER_DIGITS - 1))
    return digits + luhn.check_digit(digits)


def find_accounts(session: Session, asked: Sequence[tuple[Caller, str]]) -> Sequence[AnyRow | BankingError]:
    """Accounts by id, each for its own caller; NotFound for unknown ones and for other people's."""
    known = {account_id for _, account_id in asked if ids.is_id(ids.ACCOUNT, account_id)}
    found = {row.id: row for row in Accounts(session).by_ids(known, clock.now())} if known else {}

    def seen_by(caller: Caller, row: AnyRow | None) -> AnyRow | BankingError:
        if row is None or not may_read(caller, row.owner_id):
            return errors.NotFound.at("account_id")
        return row

    return [seen_by(caller, found.get(account_id)) for caller, account_id in asked]


def _visible(caller: Caller, account: Account | None) -> Account:
    if account is None or not may_read(caller, account.owner_id):
        raise errors.NotFound.at("account_id")
    return account


def list_accounts(
    session: Session, *, caller: Caller, wanted: AccountFilter, after: list[int] | None, limit: int
) -> Sequence[AnyRow]:
    """The caller's accounts, or every customer's for staff; newest first.

    NotFound when they are to be those of a holder whom the caller may not see.
    """
    if wanted.holder_id is not None:
        _visible_holder(session, caller, wanted.holder_id)
    owner = None if caller.role in READERS else caller.id
    return Accounts(session).page(
        replace(wanted, owner_id=owner),
        now=clock.now(),
        before_key=after[0] if after else None,
        limit=limit,
    )


def get_booked_balance(session: Session, *, caller: Caller, account_id: str, at: datetime) -> BookedBalance:
    """The balance as it was booked at an instant; 0 before the account was opened."""
    known = ids.is_id(ids.ACCOUNT, account_id)
    account = _visible(caller, Accounts(session).by_id(account_id) if known else None)
    return BookedBalance(account.id, account.currency, Accounts(session).balance_at(account, at))


def explain_account(session: Session, *, caller: Caller, account_id: str, ledger: Ledger) -> Explanation:
    """An account with everything that its available balance comes from, in one snapshot."""
    known = ids.is_id(ids.ACCOUNT, account_id)
    account = _visible(caller, Accounts(session).by_id(account_id) if known else None)
    holds = holds_page(
        session,
        account_key=account.key,
        status="pending",
        now=clock.now(),
        before_key=None,
        limit=_MOST_HOLDS,
    )
    limit = ledger.limit_today(session, account.key, account.currency)
    return Explanation(_shown(session, account), holds, limit)


def rename_account(
    session: Session,
    *,
    caller: Caller,
    account_id: str,
    nickname: str | None,
    versions: frozenset[int] | None,
) -> AnyRow:
    """Gives the account another nickname, or none."""
    account = _locked(session, caller, account_id)
    errors.PreconditionFailed.check(versions, account.version)
    Accounts(session).set(account, nickname=nickname)
    AuditLog(session).record("account.rename", actor=caller.id, origin=caller.origin, object_id=account.id)
    return _shown(session, account)


def _shown(session: Session, account: Account) -> AnyRow:
    (row,) = Accounts(session).by_ids([account.id], clock.now())
    return row


def close_account(
    session: Session,
    *,
    ledger: Ledger,
    caller: Caller,
    account_id: str,
    day: date,
    versions: frozenset[int] | None,
) -> AnyRow | BankingError:
    """Closes an account for ever. It must be active, have balance 0, nothing open, and no card on `day`.

    What its state refuses is returned, so that the audit log has the try.
    """
    account = _locked(session, caller, account_id)
    errors.PreconditionFailed.check(versions, account.version)
    if account.held:
        ledger.expire_due(session, account.key)
        session.refresh(account)
    objection = _objection_to_closing(account, live_cards=Cards(session).live_count(account.key, day))
    AuditLog(session).record(
        "account.close",
        actor=caller.id,
        origin=caller.origin,
        object_id=account.id,
        outcome=objection.code if objection else SUCCESS,
    )
    if objection is not None:
        return objection
    Accounts(session).set(account, status=AccountStatus.CLOSED)
    return _shown(session, account)


def _objection_to_closing(account: Account, *, live_cards: int) -> BankingError | None:
    if account.status == AccountStatus.CLOSED:
        return errors.AccountClosed()
    if account.status == AccountStatus.FROZEN:
        return errors.AccountFrozen()
    if account.held != 0 or live_cards:
        return errors.AccountInUse()
    return errors.BalanceNotZero() if account.balance != 0 else None


def _locked(session: Session, caller: Caller, account_id: str) -> Account:
    """The account, locked, for its owner or, where that has no login here, for staff."""
    known = ids.is_id(ids.ACCOUNT, account_id)
    account = _visible(caller, Accounts(session).lock(account_id) if known else None)
    if account.owner_id not in (caller.id, None):
        raise errors.Forbidden()
    return account
