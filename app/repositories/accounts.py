"""Accounts: SQL in, rows out. Balances are the ledger's to change."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Select, bindparam, case, func, select, update
from sqlalchemy.orm import Session

from app.db.arrays import among
from app.db.base import AnyRow
from app.db.locks import locked
from app.db.statements import insert_or_ignore
from app.models import Account, Entry
from app.repositories.holds import HELD


@dataclass(frozen=True, slots=True)
class AccountFilter:
    """What a list of accounts is narrowed to; None means any."""

    owner_id: str | None = None
    holder_id: str | None = None
    status: str | None = None
    kind: str | None = None
    currency: str | None = None
    created_from: datetime | None = None
    created_before: datetime | None = None


class Accounts:
    """The table `accounts`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, account: Account) -> bool:
        """Inserts the account; False when its number (or its kind, for the bank's) is taken."""
        values = {c.key: getattr(account, c.key) for c in Account.__table__.columns}
        return insert_or_ignore(self._session, Account, values)

    def by_id(self, account_id: str) -> Account | None:
        """A customer's account. The bank's own are nobody's to look at by id."""
        return self._session.scalar(_customers().where(Account.id == account_id))

    def by_ids(self, account_ids: Collection[str], now: datetime) -> Sequence[AnyRow]:
        """Customers' accounts with what is shown of them."""
        return self._session.execute(_BY_IDS, {"ids": list(account_ids), "now": now}).all()

    def lock(self, account_id: str) -> Account | None:
        """A customer's account, which nobody else changes until the commit."""
        return self._session.scalar(locked(_customers().where(Account.id == account_id)))

    def key_of(self, account_id: str, *, owner_id: str | None) -> int | None:
        """The key of a customer's account; with `owner_id`, only if it is that user's."""
        query = _KEY if owner_id is None else _OWN_KEY
        return self._session.connection().scalar(query, {"wanted": account_id, "owner": owner_id})

    def count_of(self, holder_id: str) -> int:
        """How many accounts a holder has, closed ones included."""
        query = select(func.count()).select_from(Account).where(Account.holder_id == holder_id)
        return self._session.scalar(query) or 0

    def has_system(self, kind: str, currency: str) -> bool:
        """Whether the bank has its own account of this kind in this currency."""
        query = select(Account.key).where(
            Account.holder_id.is_(None), Account.kind == kind, Account.currency == currency
        )
        return self._session.scalar(query) is not None

    def page(
        self, wanted: AccountFilter, *, now: datetime, before_key: int | None, limit: int
    ) -> Sequence[AnyRow]:
        """Customers' accounts with what is shown of them, newest first."""
        conditions = {
            Account.owner_id: wanted.owner_id,
            Account.holder_id: wanted.holder_id,
            Account.status: wanted.status,
            Account.kind: wanted.kind,
            Account.currency: wanted.currency,
        }
        query = _SHOWN.where(*(column == value for column, value in conditions.items() if value is not None))
        if wanted.created_from is not None:
            query = query.where(Account.created_at >= wanted.created_from)
        if wanted.created_before is not None:
            query = query.where(Account.created_at < wanted.created_before)
        if before_key is not None:
            query = query.where(Account.key < before_key)
        return self._session.execute(query.order_by(Account.key.desc()).limit(limit), {"now": now}).all()

    def totals(self) -> Sequence[AnyRow]:
        """Of each currency and kind: how many `accounts`, what is below 0 (`debit`), and above (`credit`)."""
        below = func.sum(case((Account.balance < 0, -Account.balance), else_=0))
        above = func.sum(case((Account.balance > 0, Account.balance), else_=0))
        query = select(
            Account.currency,
            Account.kind,
            func.count().label("accounts"),
            below.label("debit"),
            above.label("credit"),
        )
        ordered = query.group_by(Account.currency, Account.kind).order_by(Account.currency, Account.kind)
        return self._session.execute(ordered).all()

    def set(self, account: Account, **values: object) -> None:
        """Changes a locked account and its version."""
        self._session.execute(
            update(Account).where(Account.key == account.key).values(version=Account.version + 1, **values)
        )

    def balance_at(self, account: Account, instant: datetime) -> int:
        """The booked balance at an instant, entries of that instant included: one index seek."""
        query = (
            select(Entry.balance_after)
            .where(Entry.account_key == account.key, Entry.booked_at <= instant)
            .order_by(Entry.booked_at.desc())
            .limit(1)
        )
        return self._session.scalar(query) or 0


# What is shown of customers' accounts, as plain rows, which cost less; what is held as of `now`.
_SHOWN: Final = select(
    Account.key,
    Account.id,
    Account.number,
    Account.owner_id,
    Account.holder_id,
    Account.kind,
    Account.currency,
    Account.status,
    Account.balance,
    HELD.label("held"),
    (Account.balance - HELD + Account.overdraft_limit).label("available"),
    Account.overdraft_limit,
    Account.nickname,
    Account.created_at,
    Account.version,
).where(Account.holder_id.is_not(None))
_BY_IDS: Final = _SHOWN.where(among(Account.__table__.c.id, "ids"))


_KEY: Final = select(Account.key).where(Account.id == bindparam("wanted"), Account.holder_id.is_not(None))
_OWN_KEY: Final = _KEY.where(Account.owner_id == bindparam("owner"))


def _customers() -> Select[Account]:
    return select(Account).where(Account.holder_id.is_not(None))
