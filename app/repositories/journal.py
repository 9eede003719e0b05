"""The whole ledger in the order of its keys, for those who want to add it up themselves."""

from collections.abc import Iterator
from typing import Final

from sqlalchemy import BigInteger, bindparam, func, select
from sqlalchemy.orm import Session, aliased

from app.db.base import AnyRow, AnySelect
from app.models import Account, Entry, Transfer

_CHUNK: Final = 1_000


class Journal:
    """Accounts, and posted transfers with both of their entries."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def count(self) -> int:
        """How many accounts and posted transfers there are."""
        posted = select(func.count()).select_from(Transfer).where(Transfer.status == "posted")
        accounts = select(func.count()).select_from(Account)
        return (self._session.scalar(accounts) or 0) + (self._session.scalar(posted) or 0)

    def accounts(self) -> Iterator[AnyRow]:
        """Every account, the bank's own included, with its balance."""
        return self._each(_ACCOUNTS)

    def transfers(self) -> Iterator[AnyRow]:
        """Every posted transfer."""
        return self._each(_TRANSFERS)

    def _each(self, query: AnySelect) -> Iterator[AnyRow]:
        """The rows of a query, which come in the order of keys, chunk by chunk."""
        after = 0
        while rows := self._session.execute(query, {"after": after}).all():
            yield from rows
            after = rows[-1].key


_AFTER: Final = bindparam("after", type_=BigInteger())
_ACCOUNTS: Final = (
    select(
        Account.key,
        Account.id,
        Account.number,
        Account.kind,
        Account.currency,
        Account.created_at,
        Account.balance,
    )
    .where(Account.key > _AFTER)
    .order_by(Account.key)
    .limit(_CHUNK)
)
_payer, _payee = aliased(Account), aliased(Account)
_debit, _credit = aliased(Entry), aliased(Entry)
_original = aliased(Transfer)
_TRANSFERS: Final = (
    select(
        Transfer.key,
        Transfer.id,
        Transfer.kind,
        Transfer.amount,
        Transfer.currency,
        Transfer.booked_at,
        Transfer.description,
        Transfer.external_id,
        _debit.value_date,
        _original.id.label("reverses_id"),
        _payer.id.label("source_id"),
        _payer.kind.label("source_kind"),
        _payer.number.label("source_number"),
        _debit.sequence.label("source_sequence"),
        _debit.balance_after.label("source_balance"),
        _payee.id.label("destination_id"),
        _payee.kind.label("destination_kind"),
        _payee.number.label("destination_number"),
        _credit.sequence.label("destination_sequence"),
        _credit.balance_after.label("destination_balance"),
    )
    .join(_payer, _payer.key == Transfer.source_key)
    .join(_payee, _payee.key == Transfer.destination_key)
    .join(_debit, (_debit.transfer_key == Transfer.key) & (_debit.account_key == Transfer.source_key))
    .join(_credit, (_credit.transfer_key == Transfer.key) & (_credit.account_key == Transfer.destination_key))
    .outerjoin(_original, _original.key == Transfer.reverses_key)
    .where(Transfer.key > _AFTER, Transfer.status == "posted")
    .order_by(Transfer.key)
    .limit(_CHUNK)
)
