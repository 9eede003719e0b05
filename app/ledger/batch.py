"""Everything a batch of commands needs to know, read in a constant number of statements."""

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy.orm import Session

from app.core import clock, ids, luhn
from app.ledger import replay
from app.ledger.commands import (
    AccountRef,
    AnyAccount,
    BankAccount,
    CardAccount,
    Command,
    GroupPosted,
    HoldCommand,
    Made,
    OwnAccount,
    PostGroup,
    PostTransfer,
    RefundPayment,
    ReverseTransfer,
)
from app.ledger.states import AccountState, HoldState
from app.models.accounts import AccountKind
from app.repositories import card_payments
from app.repositories import ledger as sql
from app.repositories.ledger import Addresses

# ("id", an account's id), ("number", its number), ("card", the id of a card of it), or the kind and
# currency of one of the bank's.
Address = tuple[str, str]
_ID: Final = "id"
_NUMBER: Final = "number"
_CARD: Final = "card"


@dataclass(slots=True)
class Batch:
    """The accounts (locked), keys, sessions and transfers that the commands of a batch speak of.

    `now` is after the locks: the instant at which the batch happens.
    """

    now: datetime
    accounts: dict[int, AccountState]
    by_address: Mapping[Address, int]
    # (caller, key) -> fingerprint and what it came to; None where it was no posting.
    used_keys: dict[tuple[str, str], tuple[bytes, Made | None]]
    # (caller, key, first) -> what that chunk of a bulk came to.
    chunks: dict[tuple[str, str, int], GroupPosted]
    live_sessions: frozenset[str]
    transfers: dict[str, dict[str, Any]]
    reversed: set[int]
    # By key: those that commands speak of, and those whose time is over.
    holds: dict[int, HoldState]
    due: Sequence[HoldState]

    def account(self, ref: AccountRef, currency: str) -> AccountState | None:
        """The account that a command names, if there is one."""
        key = self.by_address.get(_address(ref, currency))
        return None if key is None else self.accounts.get(key)


class AddressBook:
    """Which account an id, a number, or a kind and currency of the bank's is. That never changes, so
    what has been found once is not asked again.
    """

    _MOST: Final = 200_000

    def __init__(self) -> None:
        self._known: dict[Address, int] = {}

    def find(self, session: Session, wanted: Set[Address]) -> dict[Address, int]:
        """The keys of those accounts that are there."""
        known = self._known
        found = {address: known[address] for address in wanted if address in known}
        missing = wanted - found.keys()
        if missing:
            new = _index(sql.find_accounts(session, _sorted_out(missing))) | _of_cards(session, missing)
            if len(known) > self._MOST:
                self._known = new
            else:
                known.update(new)
            found |= {address: new[address] for address in missing if address in new}
        return found


def _address(ref: AccountRef, currency: str) -> Address:
    if isinstance(ref, OwnAccount):
        return (_ID, ref.id)
    if isinstance(ref, AnyAccount):
        return (_NUMBER, ref.number)
    if isinstance(ref, CardAccount):
        return (_CARD, ref.card_id)
    return (ref.kind, currency)


def load(
    session: Session, commands: Sequence[Command], book: AddressBook, also: Set[int] = frozenset()
) -> Batch:
    """Finds and locks the accounts, in the order of keys; only then reads what may have changed.

    The keys come after the locks: read before, they would be from before the wait. `also` names
    accounts that no command does.
    """
    transfers = {row.id: dict(row._mapping) for row in sql.find_transfers(session, _transfer_ids(commands))}
    addresses = book.find(session, _addresses(commands) | _of_refunds(commands, transfers))
    wanted = also | set(addresses.values())
    for transfer in transfers.values():
        wanted |= {transfer["source_key"], transfer["destination_key"]}
    locked = sql.lock_accounts(session, wanted) if wanted else ()
    accounts = {row[0]: AccountState(*row) for row in locked}
    now = clock.now()
    due = _due_holds(session, accounts.values(), now)
    named = [transfers[one] for one in _transfer_ids(commands, _ON_HOLDS) if one in transfers]
    holds = _holds(sql.find_holds(session, {one["key"] for one in named})) if named else []
    sessions = {command.caller.session_id for command in commands}
    used_keys, chunks = _told_before(session, commands)
    return Batch(
        now=now,
        accounts=accounts,
        by_address=addresses,
        used_keys=used_keys,
        chunks=chunks,
        live_sessions=sql.live_sessions(session, sessions, now),
        transfers=transfers,
        reversed=set(
            sql.reversed_transfers(session, [one["key"] for one in transfers.values()]) if transfers else ()
        ),
        # A hold that is both is one state.
        holds={hold.key: hold for hold in (*holds, *due)},
        due=due,
    )


def _due_holds(session: Session, accounts: Iterable[AccountState], now: datetime) -> list[HoldState]:
    """The holds of these accounts whose time is over. Nothing is asked where nothing is held."""
    holding = {account.key for account in accounts if account.held}
    return _holds(sql.due_holds(session, holding, now)) if holding else []


def _holds(rows: Iterable[Any]) -> list[HoldState]:
    # Of a transfer that was posted at once nothing can be captured.
    return [_hold(dict(row._mapping)) for row in rows if row.captured is not None]


def _hold(row: dict[str, Any]) -> HoldState:
    return HoldState(
        last_event=row.pop("last_event"),
        record=row,
        key=row["key"],
        status=row["status"],
        amount=row["amount"],
        remaining=row["remaining"],
        captured=row["captured"],
        booked_at=clock.to_micros(row["booked_at"]) if row["booked_at"] else None,
    )


def _addresses(commands: Sequence[Command]) -> set[Address]:
    return {
        _address(ref, command.currency)
        for command in transfers_of(commands)
        for ref in (command.source, command.destination)
    }


def _of_refunds(commands: Sequence[Command], transfers: Mapping[str, dict[str, Any]]) -> set[Address]:
    """The accounts of the cards, and where the money goes when such an account is closed."""
    addresses: set[Address] = set()
    for command in commands:
        if isinstance(command, RefundPayment):
            addresses.add((_CARD, command.card_id))
            if command.transfer_id in transfers:
                currency = transfers[command.transfer_id]["currency"]
                addresses.add(_address(BankAccount(AccountKind.SUSPENSE), currency))
    return addresses


def transfers_of(commands: Sequence[Command]) -> Iterator[PostTransfer]:
    """Every transfer that is asked for, also by groups."""
    for command in commands:
        if isinstance(command, PostTransfer):
            yield command
        elif isinstance(command, PostGroup):
            yield from command.transfers


def _sorted_out(addresses: Set[Address]) -> Addresses:
    """What no account can be called is left out, so it is not there."""
    return Addresses(
        ids=frozenset(text for kind, text in addresses if kind == _ID and ids.is_id(ids.ACCOUNT, text)),
        numbers=frozenset(text for kind, text in addresses if kind == _NUMBER and luhn.is_valid(text)),
        system=frozenset(one for one in addresses if one[0] not in (_ID, _NUMBER, _CARD)),
    )


_ON_HOLDS: Final = HoldCommand | RefundPayment
_NAMING: Final = ReverseTransfer | _ON_HOLDS


def _transfer_ids(commands: Sequence[Command], kinds: Any = _NAMING) -> set[str]:
    """The transfers that commands of these kinds name, as far as they can be some."""
    return {
        command.transfer_id
        for command in commands
        if isinstance(command, kinds) and ids.is_id(ids.TRANSFER, command.transfer_id)
    }


def _index(found: Sequence[Any]) -> dict[Address, int]:
    index: dict[Address, int] = {}
    for row in found:
        index[(_ID, row.id)] = row.key
        if row.number is None:
            index[(row.kind, row.currency)] = row.key
        else:
            index[(_NUMBER, row.number)] = row.key
    return index


def _of_cards(session: Session, addresses: Set[Address]) -> dict[Address, int]:
    cards = {text for kind, text in addresses if kind == _CARD and ids.is_id(ids.CARD, text)}
    found = card_payments.find_accounts(session, cards) if cards else {}
    return {(_CARD, card): key for card, key in found.items()}


def _told_before(
    session: Session, commands: Sequence[Command]
) -> tuple[dict[tuple[str, str], tuple[bytes, Made | None]], dict[tuple[str, str, int], GroupPosted]]:
    """The keys of this batch that have been used, and the chunks that have been posted."""
    groups = [command for command in commands if isinstance(command, PostGroup)]
    keys = sql.find_keys(session, _scopes([*commands, *transfers_of(groups)]))
    chunks = sql.find_chunks(session, _scopes(groups), {group.first for group in groups}) if groups else ()
    told = {named for row in keys if (named := replay.named_by(row.location)) is not None}
    told |= {one["id"] for chunk in chunks for one in chunk.outcomes if "id" in one}
    postings = replay.load(session, told)
    return (
        {
            (row.caller, row.key): (row.fingerprint, postings.get(replay.named_by(row.location)))
            for row in keys
        },
        {(row.caller, row.key, row.first): replay.of_group(row.outcomes, postings) for row in chunks},
    )


def _scopes(commands: Sequence[Command]) -> set[tuple[str, str]]:
    return {(command.caller.id, command.key.value) for command in commands if command.key is not None}
