"""May this card pay? Pure functions over states, asked in a fixed order, as in `rules`.

What stands against a payment is no refusal but an answer: the network is told a reason, and the order of
`DeclineReason` is the order of the questions here.
"""

from collections.abc import Mapping
from datetime import date

from app.core import errors
from app.core.caller import Caller, Role
from app.core.errors import BankingError, Detail
from app.ledger.commands import AuthorizeCard
from app.ledger.states import AccountState, AuthorizationState, CardState, HoldState
from app.models.authorizations import DeclineReason
from app.models.cards import CardStatus


def may_ask(caller: Caller, owner_id: str | None) -> bool:
    """Whether the caller may act on the cards of an owner as the network does.

    The network on all of them. An owner on their own: the edge lets them only where they may play it.
    """
    return caller.role is Role.NETWORK or (owner_id is not None and owner_id == caller.id)


def decline(
    command: AuthorizeCard, card: CardState, account: AccountState, day: date, *, passes_daily_limit: bool
) -> DeclineReason | None:
    """Why the card does not pay on this day of the bank, or None when it does."""
    status, merchant = card.status_on(day), command.merchant
    holds: Mapping[DeclineReason, bool] = {
        DeclineReason.CARD_CANCELLED: status is CardStatus.CANCELLED,
        DeclineReason.CARD_EXPIRED: status is CardStatus.EXPIRED,
        DeclineReason.CARD_INACTIVE: status is CardStatus.INACTIVE,
        DeclineReason.CARD_FROZEN: status is CardStatus.FROZEN,
        DeclineReason.ACCOUNT_FROZEN: account.is_frozen,
        DeclineReason.CURRENCY_NOT_SUPPORTED: account.currency != command.currency,
        DeclineReason.ONLINE_DISABLED: command.online and not card.online,
        DeclineReason.MCC_BLOCKED: merchant["mcc"] in card.blocked_mccs,
        DeclineReason.COUNTRY_BLOCKED: merchant["country"] in card.blocked_countries,
        DeclineReason.LIMIT_EXCEEDED: passes_daily_limit or card.passes_limit(command.amount, command.amount),
        DeclineReason.INSUFFICIENT_FUNDS: not account.covers(command.amount),
    }
    return next((reason for reason in DeclineReason if holds[reason]), None)


def judge_more(card: CardState, hold: HoldState, amount: int, day: date) -> BankingError | None:
    """May the card pay so much more? Asked before the account is: as for a payment of both together."""
    if not hold.is_open:
        return errors.HoldNotActive()
    if card.status_on(day) is not CardStatus.ACTIVE:
        return errors.CardState()
    return errors.LimitExceeded() if card.passes_limit(hold.amount + amount, amount) else None


def judge_refund(
    authorization: AuthorizationState, captured: int, amount: int, payer: AccountState, payee: AccountState
) -> BankingError | None:
    """May so much be given back? All refunds together are never more than what was captured."""
    if authorization.refunded + amount > captured:
        return too_much_back()
    if not (payer.has_room_for(-amount) and payee.has_room_for(amount)):
        return errors.BalanceLimit()
    return None


def too_much_back() -> BankingError:
    """The answer to a refund of more than was captured; of a declined authorisation nothing was."""
    detail = Detail("amount", "too_large", "This is more than is left of what was captured.")
    return errors.ValidationFailed([detail])
