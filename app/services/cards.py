"""Cards: issuing, looking at, switching, limiting and replacing them.

Every change holds the lock of the card's account, so that it comes before or after a payment, never
in the middle of one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, Final

from sqlalchemy.orm import Session

from app.core import clock, dates, errors, ids, pan
from app.core.access import READERS, may_read
from app.core.caller import Caller
from app.db.base import AnyRow
from app.models import Account
from app.models.accounts import AccountStatus
from app.models.cards import LIMITS, CancelReason, CardStatus, CardType, status_on
from app.repositories.accounts import Accounts
from app.repositories.audit import AuditLog
from app.repositories.cards import CardFilter, Cards

_YEARS: Final = 4
_TRIES: Final = 20
# What a switch is thrown from, and what it leads to. Thrown twice, it stays there.
_SWITCHES: Final = {
    "activate": (CardStatus.INACTIVE, CardStatus.ACTIVE),
    "freeze": (CardStatus.ACTIVE, CardStatus.FROZEN),
    "unfreeze": (CardStatus.FROZEN, CardStatus.ACTIVE),
}
_SETTINGS: Final = (*LIMITS, "online", "blocked_mccs", "blocked_countries")
_AT_FIRST: Final[Mapping[str, Any]] = {
    **dict.fromkeys(LIMITS),
    "online": True,
    "blocked_mccs": [],
    "blocked_countries": [],
}


@dataclass(frozen=True, slots=True)
class CardPolicy:
    """How the bank makes card numbers, how many cards an account may have, and which day it is there."""

    iin: str
    key: str = field(repr=False)
    most: int
    day: date


@dataclass(frozen=True, slots=True)
class Issued:
    """A new card and its number, which is told now or never."""

    card: AnyRow
    number: str = field(repr=False)


def issue_card(
    session: Session, *, caller: Caller, account_id: str, kind: CardType, policy: CardPolicy
) -> Issued:
    """Issues a card for an account. A virtual one is active at once.

    Raises AccountClosed, AccountFrozen, and LimitExceeded where the account has as many as it may.
    """
    account = _locked_account(session, caller, account_id, "account_id")
    _require_open(account)
    _require_room(session, account, policy)
    issued = _issue(session, account, kind, _AT_FIRST, policy)
    _record(session, caller, "card.issue", issued.card)
    return issued


def get_card(session: Session, *, caller: Caller, card_id: str) -> AnyRow:
    """One card, for its owner and for staff; NotFound for everybody else."""
    card = Cards(session).by_id(card_id) if ids.is_id(ids.CARD, card_id) else None
    if card is None or not may_read(caller, card.owner_id):
        raise errors.NotFound.at("card_id")
    return card


def list_cards(
    session: Session,
    *,
    caller: Caller,
    account_id: str | None,
    wanted: CardFilter,
    after: list[int] | None,
    limit: int,
) -> Sequence[AnyRow]:
    """The caller's cards, or everybody's for staff; newest first."""
    owner_id = None if caller.role in READERS else caller.id
    account_key = None
    if account_id is not None:
        known = ids.is_id(ids.ACCOUNT, account_id)
        account_key = Accounts(session).key_of(account_id, owner_id=owner_id) if known else None
        if account_key is None:
            raise errors.NotFound.at("account_id")
    wanted = replace(wanted, owner_id=owner_id, account_key=account_key)
    return Cards(session).page(wanted, before_key=after[0] if after else None, limit=limit)


def switch_card(
    session: Session, *, caller: Caller, card_id: str, switch: str, day: date, versions: frozenset[int] | None
) -> AnyRow:
    """Activates, freezes or unfreezes a card; CardState unless it is in the state for that."""
    _, card = _locked(session, caller, card_id, versions)
    begin, end = _SWITCHES[switch]
    status = status_on(card.status, card.expires_on, day)
    if status is end:
        return card
    if status is not begin:
        raise errors.CardState()
    return _change(session, caller, f"card.{switch}", card, status=end)


def cancel_card(
    session: Session, *, caller: Caller, card_id: str, reason: CancelReason, versions: frozenset[int] | None
) -> AnyRow:
    """Ends a card for ever. The first reason stays."""
    _, card = _locked(session, caller, card_id, versions)
    return card if card.status == CardStatus.CANCELLED else _cancel(session, caller, card, reason)


def replace_card(
    session: Session,
    *,
    caller: Caller,
    card_id: str,
    reason: CancelReason,
    policy: CardPolicy,
    versions: frozenset[int] | None,
) -> Issued:
    """Cancels a card and issues another with its settings, for the same account.

    Raises CardState for a cancelled card, and what `issue_card` raises.
    """
    account, card = _locked(session, caller, card_id, versions)
    if card.status == CardStatus.CANCELLED:
        raise errors.CardState()
    _require_open(account)
    if status_on(card.status, card.expires_on, policy.day) is CardStatus.EXPIRED:
        # The others give their own place to the new one.
        _require_room(session, account, policy)
    _cancel(session, caller, card, reason)
    settings = {name: card._mapping[name] for name in _SETTINGS}
    issued = _issue(session, account, CardType(card.type), settings, policy, replaces=card.key)
    _record(session, caller, "card.replace", issued.card)
    return issued


def limit_card(
    session: Session,
    *,
    caller: Caller,
    card_id: str,
    changes: Mapping[str, object],
    versions: frozenset[int] | None,
) -> AnyRow:
    """Changes some of a card's limits and blocks; CardState for a cancelled card."""
    _, card = _locked(session, caller, card_id, versions)
    if card.status == CardStatus.CANCELLED:
        raise errors.CardState()
    return _change(session, caller, "card.limit", card, **changes) if changes else card


def _locked(
    session: Session, caller: Caller, card_id: str, versions: frozenset[int] | None
) -> tuple[Account, AnyRow]:
    """The card and its account, which nobody else changes until the commit."""
    account_id = Cards(session).account_id_of(card_id) if ids.is_id(ids.CARD, card_id) else None
    account = _locked_account(session, caller, account_id or "", "card_id")
    card = Cards(session).by_id(card_id)
    assert card is not None, "cards are never deleted"
    errors.PreconditionFailed.check(versions, card.version)
    return account, card


def _locked_account(session: Session, caller: Caller, account_id: str, named_by: str) -> Account:
    known = ids.is_id(ids.ACCOUNT, account_id)
    account = Accounts(session).lock(account_id) if known else None
    if account is None or not may_read(caller, account.owner_id):
        raise errors.NotFound.at(named_by)
    return account


def _require_open(account: Account) -> None:
    if account.status == AccountStatus.CLOSED:
        raise errors.AccountClosed()
    if account.status == AccountStatus.FROZEN:
        raise errors.AccountFrozen()


def _require_room(session: Session, account: Account, policy: CardPolicy) -> None:
    if Cards(session).live_count(account.key, policy.day) >= policy.most:
        raise errors.LimitExceeded()


def _issue(
    session: Session,
    account: Account,
    kind: CardType,
    settings: Mapping[str, Any],
    policy: CardPolicy,
    replaces: int | None = None,
) -> Issued:
    values = {
        "key": ids.new_key(),
        "id": ids.new_id(ids.CARD),
        "account_key": account.key,
        "type": kind,
        "status": CardStatus.ACTIVE if kind is CardType.VIRTUAL else CardStatus.INACTIVE,
        "cancel_reason": None,
        "expires_on": dates.end_of_month(policy.day, years=_YEARS),
        "replaces_key": replaces,
        "version": 1,
        "created_at": clock.now(),
        **settings,
    }
    for _ in range(_TRIES):
        number = pan.new_number(policy.iin)
        kept = {
            "brand": pan.brand_of(number),
            "last4": number[-4:],
            "fingerprint": pan.fingerprint(number, policy.key),
        }
        if Cards(session).add(values | kept):
            return Issued(_again(session, values["id"]), number)
    raise RuntimeError("no free card number found")


def _cancel(session: Session, caller: Caller, card: AnyRow, reason: CancelReason) -> AnyRow:
    cancelled = {"status": CardStatus.CANCELLED, "cancel_reason": reason}
    return _change(session, caller, "card.cancel", card, **cancelled)


def _change(session: Session, caller: Caller, action: str, card: AnyRow, **values: object) -> AnyRow:
    Cards(session).set(card.key, **values)
    _record(session, caller, action, card)
    return _again(session, card.id)


def _again(session: Session, card_id: str) -> AnyRow:
    card = Cards(session).by_id(card_id)
    assert card is not None, "it has just been written"
    return card


def _record(session: Session, caller: Caller, action: str, card: AnyRow) -> None:
    AuditLog(session).record(action, actor=caller.id, origin=caller.origin, object_id=card.id)
