"""The books of a bank, below HTTP: people, accounts, and commands for the ledger."""

import hashlib
import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Row, event, text
from sqlalchemy.orm import Session

from app.core import clock, ids
from app.core.caller import Caller, Origin, Role
from app.core.errors import BankingError
from app.db.unit_of_work import Database
from app.ledger.commands import (
    AccountRef,
    AnyAccount,
    AuthorizeCard,
    Authorized,
    BankAccount,
    CaptureTransfer,
    CardAccount,
    Command,
    Held,
    HoldTransfer,
    IncrementTransfer,
    Key,
    Made,
    OwnAccount,
    Posted,
    PostGroup,
    PostTransfer,
    RefundPayment,
    ReverseTransfer,
    VoidTransfer,
    hold_of,
)
from app.ledger.policy import Policy
from app.ledger.posting import Ledger, Outcome
from app.models import Account, AccountHolder, LoginSession
from app.models.accounts import AccountKind
from app.models.cards import CardType
from app.models.transfers import TransferKind
from app.repositories.holders import Holders
from app.services import cards, integrity
from app.services.accounts import open_account
from app.services.auth import create_user
from app.services.cards import CardPolicy

ORIGIN = Origin("192.0.2.1", "req_1")
CASH = BankAccount(AccountKind.CASH)
_numbers = itertools.count()


@dataclass(frozen=True)
class Acct:
    """What never changes about an account."""

    key: int
    id: str
    number: str

    @property
    def own(self) -> OwnAccount:
        return OwnAccount(self.id, "account")

    @property
    def any(self) -> AnyAccount:
        return AnyAccount(self.number, "number")


class Books:
    """A database, its ledger, and a teller who brings money in."""

    def __init__(self, db: Database, *, zone: str = "UTC", limits: dict[str, int] | None = None) -> None:
        self.db = db
        self.ledger = Ledger(Policy(ZoneInfo(zone), limits or {}))
        self.teller = self.person(Role.TELLER)

    def person(self, role: Role = Role.CUSTOMER) -> Caller:
        """A user with a live session."""

        def make(session: Session) -> Caller:
            now = clock.now()
            email = f"{next(_numbers)}@example.com"
            user = create_user(session, email=email, password_hash="-", role=role, origin=ORIGIN)
            login = LoginSession(
                id=ids.new_id(ids.SESSION),
                user_id=user.id,
                created_at=now,
                last_used_at=now,
                expires_at=now + timedelta(days=30),
            )
            session.add(login)
            return Caller(user.id, role, login.id, ORIGIN)

        return self.db.run_write(make)

    def account(
        self, owner: Caller | None = None, *, currency: str = "EUR", money: int = 0, **values: Any
    ) -> Acct:
        """An account with money from the cash desk. Without an owner, its holder has no login."""

        def make(session: Session) -> Account:
            holder = _holder(session, owner)
            return open_account(
                session,
                caller=self.teller,
                kind=AccountKind.CHECKING,
                currency=currency,
                nickname=None,
                holder_id=holder.id,
                most=1000,
            )

        made = self.db.run_write(make)
        assert made.number is not None
        account = Acct(made.key, made.id, made.number)
        if money:
            self.did(deposit(self.teller, account, money, currency=currency))
        if values:
            self.set(account, **values)
        return account

    def set(self, account: Acct, **values: Any) -> None:
        """Changes columns of an account, past the service."""
        columns = ", ".join(f"{name} = :{name}" for name in values)
        self.run(f"UPDATE accounts SET {columns} WHERE key = :at", at=account.key, **values)

    def run(self, statement: str, **values: Any) -> None:
        self.db.run_write(lambda session: session.execute(text(statement), values) and None)

    def rows(self, query: str, **values: Any) -> list[Row[Any]]:
        return self.db.run_read(lambda session: list(session.execute(text(query), values)))

    def count(self, table: str) -> int:
        found: int = self.rows(f"SELECT count(*) FROM {table}")[0][0]
        return found

    def card(self, account: Acct, **settings: Any) -> str:
        """The id of a new virtual card of the account."""

        def make(session: Session) -> str:
            policy = CardPolicy("999999", "-", 1000, clock.now().date())
            issued = cards.issue_card(
                session, caller=self.teller, account_id=account.id, kind=CardType.VIRTUAL, policy=policy
            )
            if settings:
                cards.limit_card(
                    session, caller=self.teller, card_id=issued.card.id, changes=settings, versions=None
                )
            return str(issued.card.id)

        return self.db.run_write(make)

    def balance(self, account: Acct) -> int:
        found: int = self.rows("SELECT balance FROM accounts WHERE key = :key", key=account.key)[0][0]
        return found

    def system(self, kind: str = "cash", currency: str = "EUR") -> int:
        """The balance of one of the bank's own accounts."""
        query = (
            "SELECT balance FROM accounts WHERE holder_id IS NULL AND kind = :kind AND currency = :currency"
        )
        found: int = self.rows(query, kind=kind, currency=currency)[0][0]
        return found

    def post(self, *commands: Command) -> list[Outcome]:
        """One batch, in which nothing unexpected happens."""
        return self.db.run_write(self.ledger.post, commands)

    def try_post(self, *commands: Command) -> list[Outcome]:
        """One batch, as the fast lane runs it: when it fails, each command runs alone."""
        return list(self.db.run_batch(self.ledger.post, commands))

    def did(self, command: Command) -> Posted:
        """Posts one command, which succeeds."""
        (outcome,) = self.post(command)
        assert isinstance(outcome, Posted), told(outcome)
        return outcome

    def held(self, command: Command) -> Held:
        """Posts one command about a hold, which succeeds."""
        (outcome,) = self.post(command)
        assert isinstance(outcome, Held), told(outcome)
        return outcome

    def answered(self, command: Command) -> Authorized:
        """Posts one command about a card, which is answered."""
        (outcome,) = self.post(command)
        assert isinstance(outcome, Authorized), told(outcome)
        return outcome

    def refused(self, command: Command, code: str, field: str | None = None) -> None:
        """Posts one command, which is refused like this."""
        (outcome,) = self.post(command)
        assert isinstance(outcome, BankingError), "it was posted"
        assert (outcome.code, field_of(outcome)) == (code, field)

    def state(self) -> dict[str, list[tuple[Any, ...]]]:
        """Everything that a posting may touch; the audit log only counts."""
        orders = {
            "accounts": "key",
            "transfers": "key",
            "entries": "id",
            "hold_events": "transfer_key, sequence",
            "authorizations": "key",
            "card_refunds": "transfer_key",
            "idempotency_keys": "caller, key",
        }
        return {
            table: [tuple(row) for row in self.rows(f"SELECT * FROM {table} ORDER BY {order}")]
            for table, order in orders.items()
        }

    def assert_right(self) -> None:
        """`bank verify` finds nothing."""
        assert self.db.run_read(integrity.verify).findings == []


def _holder(session: Session, owner: Caller | None) -> AccountHolder:
    holder = Holders(session).of_user(owner.id) if owner else None
    if holder is None:
        holder = AccountHolder(
            id=ids.new_id(ids.HOLDER),
            user_id=owner.id if owner else None,
            full_name="Ada Example",
            date_of_birth=date(1990, 1, 2),
            version=1,
            created_at=clock.now(),
        )
        session.add(holder)
        session.flush()
    return holder


def told(outcome: Outcome) -> str:
    """An outcome in a word: posted, replayed, or the code of the refusal."""
    if isinstance(outcome, BankingError):
        return outcome.code
    return "replayed" if outcome.replayed else "posted"


def field_of(error: BankingError) -> str | None:
    return error.details[0].field if error.details else None


def _key(key: str | None, *content: object) -> Key:
    value = key or f"key-{next(_numbers)}"
    return Key(value, hashlib.sha256(repr(content).encode()).digest())


def move(
    caller: Caller,
    source: AccountRef,
    destination: AccountRef,
    amount: int,
    *,
    kind: TransferKind = TransferKind.TRANSFER,
    currency: str = "EUR",
    key: str | None = None,
    **more: Any,
) -> PostTransfer:
    """A movement; its fingerprint is that of what it asks for."""
    unique = _key(key, kind, source, destination, amount, currency, more)
    return PostTransfer(caller, unique, kind, source, destination, amount, currency, **more)


def pay(caller: Caller, source: Acct, destination: Acct, amount: int = 100, **more: Any) -> PostTransfer:
    """A transfer from an account of one's own to anybody's, by number."""
    return move(caller, source.own, destination.any, amount, **more)


def deposit(caller: Caller, account: Acct, amount: int = 100, **more: Any) -> PostTransfer:
    return move(caller, CASH, account.own, amount, kind=TransferKind.DEPOSIT, **more)


def withdraw(caller: Caller, account: Acct, amount: int = 100, **more: Any) -> PostTransfer:
    return move(caller, account.own, CASH, amount, kind=TransferKind.WITHDRAWAL, **more)


def bulk(
    caller: Caller, *transfers: PostTransfer, key: str | None = None, first: int = 0, atomic: bool = False
) -> PostGroup:
    """A chunk of a bulk. Its fingerprint is that of its caller's, so that all its chunks have the same."""
    return PostGroup(caller, _key(key, "bulk", caller.id, atomic), first, transfers, atomic)


def hold(
    caller: Caller,
    source: Acct,
    destination: Acct,
    amount: int = 100,
    *,
    currency: str = "EUR",
    key: str | None = None,
    **more: Any,
) -> HoldTransfer:
    """A hold on an account of one's own, for anybody's."""
    unique = _key(key, "hold", source, destination, amount, currency, more)
    sides = (source.own, destination.any)
    return HoldTransfer(caller, unique, TransferKind.TRANSFER, *sides, amount, currency, **more)


def capture(
    caller: Caller, held: Held | str, amount: int | None = None, *, key: str | None = None, **more: Any
) -> CaptureTransfer:
    unique = _key(key, "capture", _id_of(held), amount, more)
    return CaptureTransfer(caller, unique, _id_of(held), amount, **more)


def increment(caller: Caller, held: Held | str, amount: int, key: str | None = None) -> IncrementTransfer:
    unique = _key(key, "increment", _id_of(held), amount)
    return IncrementTransfer(caller, unique, _id_of(held), amount)


def void(caller: Caller, held: Held | str, key: str | None = None) -> VoidTransfer:
    return VoidTransfer(caller, _key(key, "void", _id_of(held)), _id_of(held))


def _id_of(made: Made | str) -> str:
    return made if isinstance(made, str) else str(made.row["id"])


def authorize(
    network: Caller,
    card_id: str,
    amount: int = 100,
    *,
    currency: str = "EUR",
    online: bool = False,
    key: str | None = None,
    **merchant: str,
) -> AuthorizeCard:
    """A question of the card network."""
    asked = {"name": "Corner Shop", "mcc": "5411", "country": "AT"} | merchant
    return AuthorizeCard(
        network,
        _key(key, "authorize", card_id, amount, currency, online, asked),
        TransferKind.CARD_PAYMENT,
        CardAccount(card_id),
        BankAccount(AccountKind.CARD_SETTLEMENT),
        amount,
        currency,
        asked["name"],
        None,
        asked,
        card_id=card_id,
        merchant=asked,
        online=online,
    )


def on_card(
    network: Caller, authorized: Authorized, verb: str, amount: int = 0, key: str | None = None, **more: Any
) -> Command:
    """An act of the network on what a card has approved: capture, increment, void."""
    hold_id, kind = hold_of(authorized.row["id"]), TransferKind.CARD_PAYMENT
    unique = _key(key, verb, hold_id, amount, more)
    if verb == "capture":
        return CaptureTransfer(network, unique, hold_id, amount, kind=kind, **more)
    if verb == "increment":
        return IncrementTransfer(network, unique, hold_id, amount, kind)
    return VoidTransfer(network, unique, hold_id, kind)


def give_back(network: Caller, authorized: Authorized, amount: int, key: str | None = None) -> RefundPayment:
    """A refund of what was captured of an authorisation."""
    card_id, asked = authorized.row["card_id"], authorized.row["id"]
    return RefundPayment(network, _key(key, "refund", card_id, asked, amount), card_id, asked, amount)


def reverse(caller: Caller, posted: Made | str, key: str | None = None) -> ReverseTransfer:
    return ReverseTransfer(caller, _key(key, "reverse", _id_of(posted)), _id_of(posted))


def set_clock(monkeypatch: pytest.MonkeyPatch, instant: str, *, keep_ids: bool = False) -> None:
    """Stops the clock at an instant in the past; new ids are of then, too, unless they are kept."""
    at = datetime.fromisoformat(instant).astimezone(UTC)
    monkeypatch.setattr(clock, "now", lambda: at)
    if not keep_ids:
        monkeypatch.setattr(ids, "_stamps", ids._Stamps())


@contextmanager
def statements(db: Database, on_each: Callable[[Any, list[str]], None] | None = None) -> Iterator[list[str]]:
    """What the writer sends to the database meanwhile; `on_each(cursor, sent)` may interfere."""
    sent: list[str] = []

    def listen(_: Any, cursor: Any, statement: str, *__: Any) -> None:
        sent.append(statement)
        if on_each is not None:
            on_each(cursor, sent)

    event.listen(db.engines.writer, "after_cursor_execute", listen)
    try:
        yield sent
    finally:
        event.remove(db.engines.writer, "after_cursor_execute", listen)
