"""Everything a batch of commands needs to know, read in a constant number of statements."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from app.core import clock, ids, luhn
from app.ledger import replay
from app.ledger.commands import (
    AccountRef,
    AnyAccount,
    BankAccount,
    Command,
    OwnAccount,
    Posted,
    PostTransfer,
    ReverseTransfer,
)
from app.ledger.states import AccountState
from app.repositories import ledger as sql
from app.repositories.ledger import Addresses


@dataclass(slots=True)
class Batch:
    """The accounts (locked), keys, sessions and transfers that the commands of a batch speak of."""

    accounts: dict[int, AccountState]
    by_address: dict[str | tuple[str, str], int]
    # (caller, key) -> fingerprint and what it came to; None where it was no posting.
    used_keys: dict[tuple[str, str], tuple[bytes, Posted | None]]
    live_sessions: frozenset[str]
    transfers: dict[str, dict[str, Any]]
    reversed: set[int]

    def account(self, ref: AccountRef, currency: str) -> AccountState | None:
        """The account that a command names, if there is one."""
        key = self.by_address.get(_address(ref, currency))
        return None if key is None else self.accounts[key]


def _address(ref: AccountRef, currency: str) -> str | tuple[str, str]:
    if isinstance(ref, OwnAccount):
        return ref.id
    if isinstance(ref, AnyAccount):
        return ref.number
    return (ref.kind, currency)


def load(session: Session, commands: Sequence[Command]) -> Batch:
    """Finds and locks the accounts, in the order of keys; only then reads what may have changed.

    The keys come after the locks: read before, they would be from before the wait.
    """
    transfers = {row.id: dict(row._mapping) for row in sql.find_transfers(session, _transfer_ids(commands))}
    found = sql.find_accounts(session, _addresses(commands))
    wanted = {row.key for row in found}
    for transfer in transfers.values():
        wanted |= {transfer["source_key"], transfer["destination_key"]}
    locked = sql.lock_accounts(session, wanted) if wanted else []
    accounts = {row.key: _state(row) for row in locked}
    sessions = {command.caller.session_id for command in commands}
    return Batch(
        accounts=accounts,
        by_address=_index(found),
        used_keys=_used_keys(session, commands),
        live_sessions=sql.live_sessions(session, sessions, clock.now()),
        transfers=transfers,
        reversed=set(
            sql.reversed_transfers(session, [one["key"] for one in transfers.values()]) if transfers else ()
        ),
    )


def _addresses(commands: Sequence[Command]) -> Addresses:
    """What the commands name. What no account can be called is left out, so it is not there."""
    own, numbers, system = set(), set(), set()
    for command in commands:
        if not isinstance(command, PostTransfer):
            continue
        for ref in (command.source, command.destination):
            match ref:
                case OwnAccount() if ids.is_id(ids.ACCOUNT, ref.id):
                    own.add(ref.id)
                case AnyAccount() if luhn.is_valid(ref.number):
                    numbers.add(ref.number)
                case BankAccount():
                    system.add((str(ref.kind), command.currency))
    return Addresses(frozenset(own), frozenset(numbers), frozenset(system))


def _transfer_ids(commands: Sequence[Command]) -> set[str]:
    return {
        command.transfer_id
        for command in commands
        if isinstance(command, ReverseTransfer) and ids.is_id(ids.TRANSFER, command.transfer_id)
    }


def _index(found: Sequence[Any]) -> dict[str | tuple[str, str], int]:
    index: dict[str | tuple[str, str], int] = {}
    for row in found:
        index[row.id] = row.key
        if row.number is None:
            index[(row.kind, row.currency)] = row.key
        else:
            index[row.number] = row.key
    return index


def _state(row: Any) -> AccountState:
    values = dict(row._mapping)
    values["last_booked_at"] = clock.to_micros(values["last_booked_at"])
    return AccountState(**values)


def _used_keys(
    session: Session, commands: Sequence[Command]
) -> dict[tuple[str, str], tuple[bytes, Posted | None]]:
    scopes = {(command.caller.id, command.key.value) for command in commands}
    rows = sql.find_keys(session, scopes)
    postings = replay.load(session, [row.location for row in rows])
    return {(row.caller, row.key): (row.fingerprint, postings.get(row.location or "")) for row in rows}
